//! Annotations and labels that carry behaviour, parsed once.
//!
//! Argo CD's annotations win over Helm's; unknown words never fail an object: they are kept as warnings, since Argo CD ignores them
//! silently and its users' manifests must be accepted unchanged.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::odd_options::{IDLE_HELM_HOOKS, OptionPlace, odd_compare_options, odd_sync_options};

/// Argo CD's annotation prefix.
pub const ARGO: &str = "argocd.argoproj.io/";
/// `argocd.argoproj.io/hook`.
pub const HOOK: &str = "argocd.argoproj.io/hook";
/// `argocd.argoproj.io/hook-delete-policy`.
pub const HOOK_DELETE_POLICY: &str = "argocd.argoproj.io/hook-delete-policy";
/// `argocd.argoproj.io/sync-wave`.
pub const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";
/// `argocd.argoproj.io/sync-options`.
pub const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// `argocd.argoproj.io/compare-options`.
pub const COMPARE_OPTIONS: &str = "argocd.argoproj.io/compare-options";
/// `argocd.argoproj.io/ignore-healthcheck`.
pub const IGNORE_HEALTHCHECK: &str = "argocd.argoproj.io/ignore-healthcheck";
/// `argocd.argoproj.io/tracking-id`.
pub const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";
/// `argocd.argoproj.io/installation-id`.
pub const INSTALLATION_ID: &str = "argocd.argoproj.io/installation-id";
/// `argocd.argoproj.io/refresh`, on an Application.
pub const REFRESH: &str = "argocd.argoproj.io/refresh";
/// `argocd.argoproj.io/deletion-approved`, on an Application.
pub const DELETION_APPROVED: &str = "argocd.argoproj.io/deletion-approved";
/// `argocd.argoproj.io/client-side-apply-migration-manager`, on an Application: whose fields server-side apply takes over.
pub const MIGRATION_MANAGER: &str = "argocd.argoproj.io/client-side-apply-migration-manager";
/// `argocd.argoproj.io/hook-finalizer`: Argo CD holds its hooks by it until their outcome was seen.
pub const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";
/// `argocd.argoproj.io/skip-reconcile`, on an Application.
pub const SKIP_RECONCILE: &str = "argocd.argoproj.io/skip-reconcile";
/// Which operation created a hook: `<application uid>:<epoch>:<attempt>:<phase>`. It makes a hook's creation recognisable after a crash.
pub const OPERATION: &str = "capstan.dev/operation";
/// On an Application: the `PreDelete` and `PostDelete` hooks of its last sync, so that deleting it needs no repository. Written by the
/// controller.
pub const DELETION_HOOKS: &str = "capstan.dev/deletion-hooks";
/// `capstan.dev/determinism`, on an Application: where a chart's random values and its time come from: `stable` (the default), `helm` or
/// `forbid`.
pub const DETERMINISM: &str = "capstan.dev/determinism";
/// Orders resources inside an Application, and Applications among each other: a comma list of `[group/]Kind/[namespace/]name`; on an
/// Application `[namespace/]name` is enough, and it waits until those are Synced and Healthy at their newest commits.
pub const DEPENDS_ON: &str = "capstan.dev/depends-on";
/// How long this object (or hook) is waited for in a sync, or an Application's sync may last as a whole: a Go duration such as `90s`
/// or `2h`.
pub const SYNC_TIMEOUT: &str = "capstan.dev/sync-timeout";
/// On an Application: `"false"` lets an automated sync go on to its end when a newer commit comes, as Argo CD does.
pub const SUPERSEDE: &str = "capstan.dev/supersede";
/// On an Application: how long one wave of its syncs may last, as a Go duration.
pub const WAVE_TIMEOUT: &str = "capstan.dev/wave-timeout";
/// On an Application or an AppProject: nothing of it is deleted automatically while this is there. Its value is why: `false` and nothing at all
/// count as not written.
pub const PAUSE_DELETES: &str = "capstan.dev/pause-deletes";
/// `helm.sh/hook`.
pub const HELM_HOOK: &str = "helm.sh/hook";
/// `helm.sh/hook-weight`.
pub const HELM_HOOK_WEIGHT: &str = "helm.sh/hook-weight";
/// `helm.sh/hook-delete-policy`.
pub const HELM_HOOK_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
/// `helm.sh/resource-policy`.
pub const HELM_RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HookType {
    /// Before everything else of a sync.
    PreSync,
    /// With the ordinary objects.
    Sync,
    /// After every ordinary object is applied and healthy.
    PostSync,
    /// When a sync fails.
    SyncFail,
    /// Before an Application's objects are deleted.
    PreDelete,
    /// After an Application's objects are gone.
    PostDelete,
    /// The object is not applied at all.
    Skip,
}

impl HookType {
    fn from_argo(word: &str) -> Option<Self> {
        Some(match word {
            "PreSync" => Self::PreSync,
            "Sync" => Self::Sync,
            "PostSync" => Self::PostSync,
            "SyncFail" => Self::SyncFail,
            "PreDelete" => Self::PreDelete,
            "PostDelete" => Self::PostDelete,
            "Skip" => Self::Skip,
            _ => return None,
        })
    }
}

/// When a hook's object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HookDeletePolicy {
    /// Before the next one of the same name is created. The default.
    BeforeHookCreation,
    /// When the operation succeeded.
    HookSucceeded,
    /// When the operation failed.
    HookFailed,
}

/// `Prune=` of an object or an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PruneOption {
    /// `Prune=true`: overrides the application's.
    Allow,
    /// `Prune=false`.
    Never,
    /// `Prune=confirm`.
    Confirm,
}

/// `Delete=` of an object or an application: what a cascade does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeleteOption {
    /// `Delete=true`: overrides the application's.
    Allow,
    /// `Delete=false`, or `helm.sh/resource-policy: keep`.
    Never,
    /// `Delete=confirm`.
    Confirm,
}

/// Sync options, of an Application (`spec.syncPolicy.syncOptions`), an operation or one object. `None` where nothing was said.
///
/// Where one place says both `X=true` and `X=false`, the word counts that Argo CD looks for, wherever it stands: `true`, but `false` of
/// `Validate`, `ServerSideApply` and `ClientSideApplyMigration`. Of `Prune`, `Delete` and the propagation the first one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncOptions {
    /// `Prune=`.
    pub prune: Option<PruneOption>,
    /// `Delete=`.
    pub delete: Option<DeleteOption>,
    /// `Validate=`.
    pub validate: Option<bool>,
    /// `SkipDryRunOnMissingResource=`.
    pub skip_dry_run_on_missing_resource: Option<bool>,
    /// `PruneLast=`.
    pub prune_last: Option<bool>,
    /// `Replace=`.
    pub replace: Option<bool>,
    /// `Force=`.
    pub force: Option<bool>,
    /// `ServerSideApply=`.
    pub server_side_apply: Option<bool>,
    /// `ClientSideApplyMigration=`.
    pub client_side_apply_migration: Option<bool>,
    /// `ApplyOutOfSyncOnly=`.
    pub apply_out_of_sync_only: Option<bool>,
    /// `CreateNamespace=`.
    pub create_namespace: Option<bool>,
    /// `FailOnSharedResource=`.
    pub fail_on_shared_resource: Option<bool>,
    /// `RespectIgnoreDifferences=`.
    pub respect_ignore_differences: Option<bool>,
    /// `PrunePropagationPolicy=`, as written: `foreground`, `background` or `orphan`.
    pub prune_propagation_policy: Option<String>,
    /// `MaxPrunePercentage=`, 0 to 100: an automated sync that would prune a greater part of the application's objects is held.
    pub max_prune_percentage: Option<u8>,
    /// `MaxPruneCount=`: an automated sync that would prune more objects than that is held.
    pub max_prune_count: Option<u32>,
    /// Options this version does not know, as written.
    pub unknown: Vec<String>,
}

impl SyncOptions {
    /// From a list of `Key=value` words. Unknown ones are kept in [`SyncOptions::unknown`].
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut options = Self::default();
        for word in words.into_iter().map(str::trim).filter(|word| !word.is_empty()) {
            if !options.set(word) {
                options.unknown.push(word.to_owned());
            }
        }
        options
    }

    /// Options that are more than on and off. The first one counts.
    fn set_valued(&mut self, key: &str, value: &str) -> bool {
        match (key, value) {
            ("Prune", "true") => drop(self.prune.get_or_insert(PruneOption::Allow)),
            ("Prune", "false") => drop(self.prune.get_or_insert(PruneOption::Never)),
            ("Prune", "confirm") => drop(self.prune.get_or_insert(PruneOption::Confirm)),
            ("Delete", "true") => drop(self.delete.get_or_insert(DeleteOption::Allow)),
            ("Delete", "false") => drop(self.delete.get_or_insert(DeleteOption::Never)),
            ("Delete", "confirm") => drop(self.delete.get_or_insert(DeleteOption::Confirm)),
            ("PrunePropagationPolicy", "foreground" | "background" | "orphan") => {
                self.prune_propagation_policy.get_or_insert_with(|| value.to_owned());
            }
            ("MaxPrunePercentage", text) => match text.parse() {
                Ok(percentage @ 0..=100) => drop(self.max_prune_percentage.get_or_insert(percentage)),
                _ => return false,
            },
            ("MaxPruneCount", text) => match text.parse() {
                Ok(count) => drop(self.max_prune_count.get_or_insert(count)),
                Err(_) => return false,
            },
            _ => return false,
        }
        true
    }

    fn set(&mut self, word: &str) -> bool {
        let Some((key, value)) = word.split_once('=') else {
            return false;
        };
        if self.set_valued(key, value) {
            return true;
        }
        let flag = match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        let slot = match key {
            "Validate" => &mut self.validate,
            "SkipDryRunOnMissingResource" => &mut self.skip_dry_run_on_missing_resource,
            "PruneLast" => &mut self.prune_last,
            "Replace" => &mut self.replace,
            "Force" => &mut self.force,
            "ServerSideApply" => &mut self.server_side_apply,
            "ClientSideApplyMigration" => &mut self.client_side_apply_migration,
            "ApplyOutOfSyncOnly" => &mut self.apply_out_of_sync_only,
            "CreateNamespace" => &mut self.create_namespace,
            "FailOnSharedResource" => &mut self.fail_on_shared_resource,
            "RespectIgnoreDifferences" => &mut self.respect_ignore_differences,
            _ => return false,
        };
        let wins = !matches!(key, "Validate" | "ServerSideApply" | "ClientSideApplyMigration");
        if *slot != Some(wins) {
            *slot = flag.or(*slot);
        }
        flag.is_some()
    }
}

/// What an object's annotations say about how it is to be handled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// Wave: `sync-wave`, else Helm's hook weight, else 0. As Go reads integers: `+3` and `007` are some, ` 2` and `1.5` are not.
    pub wave: i64,
    /// Empty for an ordinary object. A hook annotation of only unknown words gives `is_hook` with no type.
    pub hooks: BTreeSet<HookType>,
    /// Has a hook annotation at all, Argo's or a Helm one that Argo maps to a hook or ignores.
    pub is_hook: bool,
    /// Hook type `Skip` and no other: the object is neither applied nor pruned.
    pub skip: bool,
    /// Never empty for a hook: the default is `BeforeHookCreation`.
    pub hook_delete_policies: BTreeSet<HookDeletePolicy>,
    /// `sync-options`, plus `Delete=false` for Helm's `resource-policy: keep`.
    pub sync_options: SyncOptions,
    /// `compare-options: IgnoreExtraneous`.
    pub ignore_extraneous: bool,
    /// `ignore-healthcheck: "true"`.
    pub ignore_healthcheck: bool,
    /// `capstan.dev/sync-timeout`.
    pub sync_timeout: Option<std::time::Duration>,
    /// `capstan.dev/depends-on`, as written.
    pub depends_on: Vec<String>,
    /// Words that were not understood, with the annotation they stand in.
    pub warnings: Vec<String>,
}

impl ObjectMeta {
    /// Reads the annotations of `object` (a whole Kubernetes object).
    pub fn of(object: &Value) -> Self {
        let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
        let annotations: BTreeMap<&str, &str> = annotations
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .collect();
        let mut meta = Self::default();
        meta.read_hooks(&annotations);
        meta.read_wave(&annotations);
        meta.read_options(&annotations);
        meta
    }

    /// Is this an ordinary object: applied in phase Sync, compared, pruned?
    pub fn is_resource(&self) -> bool {
        !self.is_hook && !self.skip
    }

    fn read_hooks(&mut self, annotations: &BTreeMap<&str, &str>) {
        let argo = annotations.get(HOOK);
        for word in argo.into_iter().flat_map(|text| words(text)) {
            match HookType::from_argo(word) {
                Some(hook) => drop(self.hooks.insert(hook)),
                None => self.warnings.push(format!("{HOOK}: unknown hook type {word:?}")),
            }
        }
        self.is_hook = argo.is_some();
        if let Some(text) = annotations.get(HELM_HOOK)
            && self.hooks.is_empty()
        {
            self.read_helm_hooks(text);
        }
        if self.hooks == BTreeSet::from([HookType::Skip]) {
            (self.is_hook, self.skip) = (false, true);
        }
        if !self.is_hook {
            return;
        }
        for (name, argo) in [(HOOK_DELETE_POLICY, true), (HELM_HOOK_DELETE_POLICY, false)] {
            for word in annotations.get(name).into_iter().flat_map(|text| words(text)) {
                let policy = match (word, argo) {
                    ("BeforeHookCreation", true) | ("before-hook-creation", false) => {
                        HookDeletePolicy::BeforeHookCreation
                    }
                    ("HookSucceeded", true) | ("hook-succeeded", false) => HookDeletePolicy::HookSucceeded,
                    ("HookFailed", true) | ("hook-failed", false) => HookDeletePolicy::HookFailed,
                    _ => {
                        self.warnings.push(format!("{name}: unknown policy {word:?}"));
                        continue;
                    }
                };
                self.hook_delete_policies.insert(policy);
            }
        }
        if self.hook_delete_policies.is_empty() {
            self.hook_delete_policies.insert(HookDeletePolicy::BeforeHookCreation);
        }
    }

    /// `crd-install` alone is an ordinary object; test and rollback hooks are never applied.
    fn read_helm_hooks(&mut self, text: &str) {
        self.is_hook |= text != "crd-install";
        for word in words(text) {
            let hook = match word {
                "pre-install" | "pre-upgrade" => HookType::PreSync,
                "post-install" | "post-upgrade" => HookType::PostSync,
                "pre-delete" => HookType::PreDelete,
                "post-delete" => HookType::PostDelete,
                _ if IDLE_HELM_HOOKS.contains(&word) => continue,
                _ => {
                    self.warnings.push(format!("{HELM_HOOK}: unknown hook type {word:?}"));
                    continue;
                }
            };
            self.hooks.insert(hook);
        }
    }

    fn read_wave(&mut self, annotations: &BTreeMap<&str, &str>) {
        for name in [SYNC_WAVE, HELM_HOOK_WEIGHT] {
            let Some(text) = annotations.get(name) else { continue };
            // Rust reads what Go's `Atoi` reads: a sign and digits that fit 64 bits, nothing around them.
            match text.parse() {
                Ok(wave) => {
                    self.wave = wave;
                    return;
                }
                Err(_) => self
                    .warnings
                    .push(format!("{name}: {text:?} is not an integer and does not count")),
            }
        }
    }

    fn read_options(&mut self, annotations: &BTreeMap<&str, &str>) {
        if let Some(text) = annotations.get(SYNC_OPTIONS) {
            self.sync_options = SyncOptions::parse(words(text));
            let odd = odd_sync_options(words(text), OptionPlace::Object).into_iter();
            self.warnings.extend(odd.map(|odd| format!("{SYNC_OPTIONS}: {odd}")));
        }
        for word in annotations
            .get(HELM_RESOURCE_POLICY)
            .into_iter()
            .flat_map(|text| words(text))
        {
            match word {
                "keep" => drop(self.sync_options.delete.get_or_insert(DeleteOption::Never)),
                _ => self.warnings.push(format!(
                    "{HELM_RESOURCE_POLICY}: unknown policy {word:?}: write keep, or leave it out"
                )),
            }
        }
        let compare = annotations.get(COMPARE_OPTIONS).copied().unwrap_or_default();
        self.ignore_extraneous = words(compare).any(|word| word == "IgnoreExtraneous");
        let odd = odd_compare_options(words(compare)).into_iter();
        self.warnings.extend(odd.map(|odd| format!("{COMPARE_OPTIONS}: {odd}")));
        self.read_switches(annotations);
    }

    fn read_switches(&mut self, annotations: &BTreeMap<&str, &str>) {
        match annotations.get(IGNORE_HEALTHCHECK).copied() {
            Some("true") => self.ignore_healthcheck = true,
            Some("false") | None => {}
            // Argo CD looks for this one word, not for a boolean.
            Some(text) => self.warnings.push(format!(
                "{IGNORE_HEALTHCHECK}: {text:?} is neither true nor false: its health counts"
            )),
        }
        if let Some(text) = annotations.get(SYNC_TIMEOUT) {
            self.sync_timeout = crate::parse_duration(text);
            if self.sync_timeout.is_none() {
                self.warnings
                    .push(format!("{SYNC_TIMEOUT}: {text:?} is not a duration such as 90s or 2h"));
            }
        }
        let depends_on = annotations.get(DEPENDS_ON).copied().unwrap_or_default();
        self.depends_on = words(depends_on).map(str::to_owned).collect();
        let is_of_a_sync = |hook: &HookType| {
            matches!(
                hook,
                HookType::PreSync | HookType::Sync | HookType::PostSync | HookType::SyncFail
            )
        };
        if !self.depends_on.is_empty() && !self.is_resource() && !self.hooks.iter().any(is_of_a_sync) {
            let warning = format!("{DEPENDS_ON}: has no effect on what no sync writes");
            self.warnings.push(warning);
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
