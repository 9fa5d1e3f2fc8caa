//! The tasks of one pass, made anew from what is desired and what is live.

use std::collections::{BTreeMap, BTreeSet};

use capstan_live::Node;
use capstan_model::{
    AppProject, ApplicationId, GroupKind, GroupVersionKind, HookType, ObjectMeta, ResourceKey, ResourceResult,
    SyncOperation, SyncOptions, SyncPhase, SyncStatusCode,
};
use serde_json::Value;

use super::facts;
use super::task::{Body, Live, Manner, Task, index};
use crate::engine::cluster::Cluster;
use crate::engine::operation::OperationRun;
use crate::engine::state::ApplicationState;
use crate::event::KindLookup;
use crate::health::HealthRules;
use crate::plan::{Selection, defined_kind, phase_of};
use crate::policy::Verb;
use crate::targets::{Target, Targets};

/// What the tasks are made from.
pub(super) struct World<'a> {
    pub(super) app: &'a ApplicationState,
    pub(super) cluster: &'a Cluster,
    pub(super) rules: &'a dyn HealthRules,
    pub(super) project: &'a AppProject,
    pub(super) operation: &'a OperationRun,
    pub(super) targets: &'a Targets,
    pub(super) options: &'a SyncOptions,
    pub(super) sync: &'a SyncOperation,
    /// `force` of the operation's strategy.
    pub(super) is_forced: bool,
    /// Whole objects that the live view keeps only the facts of.
    pub(super) seen: &'a BTreeMap<ResourceKey, Value>,
    /// Of names that hooks are given: revision and time.
    pub(super) name_parts: (&'a str, i64),
    pub(super) migration_manager: &'a str,
}

impl World<'_> {
    /// The tasks, in order, with what was recorded of them.
    pub(super) fn tasks(&self, results: &[ResourceResult]) -> Vec<Task> {
        let mut tasks: Vec<Task> = Vec::new();
        let selection = Selection::of(&self.sync.resources);
        for (index, target) in self.targets.objects().iter().enumerate() {
            self.of_target(index, target, &selection, &mut tasks);
        }
        tasks.extend(self.prunes(&selection));
        tasks.extend(self.namespace());
        let defined = self.defined();
        for task in &mut tasks {
            self.check(task, &defined);
        }
        super::order::order(&mut tasks, &|task| match task.body {
            Body::Target(index) => defined_kind(&self.targets.objects()[index]),
            Body::Namespace | Body::Live => None,
        });
        let index = index(results);
        for task in &mut tasks {
            if let Some(result) = index.get(&task.result_key()).map(|&at| &results[at]) {
                (task.status, task.state) = (result.status, result.hook_phase);
                task.message.clone_from(&result.message);
            }
        }
        tasks
    }

    /// Kinds that the sync itself brings. A hook of a type that Argo CD's engine does not know is passed over, in this, too: those of a deletion
    /// are not its business.
    fn defined(&self) -> BTreeSet<GroupKind> {
        let of_engine = |hook: &HookType| !matches!(hook, HookType::PreDelete | HookType::PostDelete);
        let is_known = |target: &&Target| !target.meta.is_hook || target.meta.hooks.iter().any(of_engine);
        let known = self.targets.objects().iter().filter(is_known);
        known.filter_map(defined_kind).collect()
    }

    /// Desired objects that are live and of which not enough is kept: they are to be looked at first.
    pub(super) fn unseen(&self) -> Vec<(ResourceKey, GroupVersionKind)> {
        let is_unseen = |target: &&Target| {
            let key = self.scoped(target);
            let node = self.cluster.node(&key).filter(|node| node.manifest().is_none());
            target.generate_name.is_none() && node.is_some() && !self.seen.contains_key(&key)
        };
        let unseen = self.targets.objects().iter().filter(is_unseen);
        let unseen = unseen.map(|target| (self.scoped(target), target.gvk.clone()));
        // What the namespace says of itself counts where it is written.
        let home = self.made_namespace().filter(|key| {
            let node = self.cluster.node(key).filter(|node| node.manifest().is_none());
            self.keeps_namespace() && node.is_some() && !self.seen.contains_key(key)
        });
        unseen.chain(home.map(|key| (key, namespace_gvk()))).collect()
    }

    /// The key under which the cluster has it. Its scope may be known only since the object was rendered.
    pub(super) fn scoped(&self, target: &Target) -> ResourceKey {
        let mut key = target.key.clone();
        if let KindLookup::Served(served) = self.cluster.kind(&key.group_kind())
            && !served.namespaced
        {
            key.namespace.clear();
        }
        key
    }

    fn of_target(&self, index: usize, target: &Target, selection: &Selection<'_>, tasks: &mut Vec<Task>) {
        let key = self.scoped(target);
        if target.meta.is_resource() {
            if selection.has(&key) {
                tasks.push(self.task(index, target, key, SyncPhase::Sync));
            }
            return;
        }
        let skips_hooks = !self.sync.resources.is_empty()
            || self
                .sync
                .sync_strategy
                .as_ref()
                .is_some_and(|strategy| strategy.apply.is_some());
        if skips_hooks || target.meta.skip {
            return;
        }
        for phase in target.meta.hooks.iter().copied().filter_map(phase_of) {
            let mut key = key.clone();
            if let Some(prefix) = &target.generate_name {
                let (revision, started) = self.name_parts;
                let short = if revision.len() >= 8 { &revision[..7] } else { revision };
                key.name = format!("{prefix}{}", format!("{short}-{phase}-{started}").to_lowercase());
            }
            tasks.push(self.task(index, target, key, phase));
        }
    }

    fn task(&self, index: usize, target: &Target, key: ResourceKey, phase: SyncPhase) -> Task {
        let object = self.object(&key, target.generate_name.is_some());
        let live = object.as_ref().map(|object| self.facts(object));
        let of_live = object
            .map(|object| ObjectMeta::of(&object).sync_options)
            .unwrap_or_default();
        let (app, own) = (self.options, &target.meta.sync_options);
        let any =
            |of: fn(&SyncOptions) -> Option<bool>| [app, own, &of_live].iter().any(|options| of(options) == Some(true));
        let of_own = |options: &SyncOptions| options.force;
        let mut reported = key.clone();
        if reported.namespace.is_empty() {
            reported
                .namespace
                .clone_from(&self.app.application.spec.destination.namespace);
        }
        let assessed = self.app.assessment.objects.get(&key);
        Task {
            reported,
            gvk: target.gvk.clone(),
            phase,
            wave: target.meta.wave,
            body: Body::Target(index),
            is_hook: target.meta.is_hook,
            policies: target.meta.hook_delete_policies.clone(),
            manner: Manner {
                replace: any(|options| options.replace),
                force: self.is_forced || of_own(own) == Some(true) || of_own(&of_live) == Some(true),
                server_side: own.server_side_apply.or(app.server_side_apply) == Some(true),
                migrate: app.client_side_apply_migration != Some(false),
                validate: app.validate != Some(false) && own.validate != Some(false),
            },
            forces_itself: own.force == Some(true),
            is_unmodified: self.is_current(target, &key)
                && live.is_some()
                && assessed.is_some_and(|object| object.sync == Some(SyncStatusCode::Synced)),
            live,
            ..bare(key)
        }
    }

    /// Is what was compared with the live object what this operation applies?
    fn is_current(&self, target: &Target, key: &ResourceKey) -> bool {
        let compared = self.app.desired.as_ref().and_then(|desired| desired.resource(key));
        compared.is_some_and(|compared| compared.object.digest() == target.object.digest())
    }

    /// The live object, if it is one that this application may speak of.
    fn object(&self, key: &ResourceKey, is_named_by_us: bool) -> Option<Value> {
        let node = self.cluster.node(key)?;
        if is_named_by_us && node.tracked_by() != Some(&self.app.id()) {
            return None;
        }
        match node.manifest() {
            Some(manifest) => manifest.value().ok(),
            None => self.seen.get(key).cloned(),
        }
    }

    fn facts(&self, object: &Value) -> Live {
        facts::live(self.rules, object, self.migration_manager)
    }

    /// Ordinary objects that the application tracks and nothing declares as such: what has become a hook is pruned, too.
    fn prunes(&self, selection: &Selection<'_>) -> Vec<Task> {
        let id: ApplicationId = self.app.id();
        let ordinary = self.targets.objects().iter().filter(|target| !target.meta.is_hook);
        let wanted: BTreeSet<ResourceKey> = ordinary.map(|target| self.scoped(target)).collect();
        let tracked = self.cluster.live.tracked(&id);
        let undeclared = tracked.filter(|key| !wanted.contains(key) && selection.has(key));
        undeclared
            .filter_map(|key| self.prune(key, self.cluster.node(key)?))
            .collect()
    }

    fn prune(&self, key: &ResourceKey, node: &Node) -> Option<Task> {
        let object = node.manifest().filter(|_| !node.is_owned())?.value().ok()?;
        let meta = ObjectMeta::of(&object);
        if !meta.is_resource() {
            return None;
        }
        let own = &meta.sync_options;
        Some(Task {
            gvk: node.gvk().clone(),
            wave: meta.wave,
            body: Body::Live,
            live: Some(self.facts(&object)),
            prune: own.prune.or(self.options.prune),
            prune_last: own.prune_last == Some(true) || self.options.prune_last == Some(true),
            ..bare(key.clone())
        })
    }

    /// The destination namespace, where `CreateNamespace=true` makes it and nothing declares it.
    fn made_namespace(&self) -> Option<ResourceKey> {
        let name = &self.app.application.spec.destination.namespace;
        let key = ResourceKey::new("", "Namespace", "", name);
        let mut declared = self.targets.objects().iter();
        let is_declared = declared.any(|target| !target.meta.is_hook && target.key == key);
        (self.options.create_namespace == Some(true) && !name.is_empty() && !is_declared).then_some(key)
    }

    /// Has it labels and annotations to be kept?
    fn keeps_namespace(&self) -> bool {
        let policy = &self.app.application.spec.sync_policy;
        policy.managed_namespace_metadata.is_some()
    }

    /// The destination namespace: where it is missing, or has labels and annotations to be kept.
    fn namespace(&self) -> Option<Task> {
        let key = self.made_namespace()?;
        let is_managed = self.keeps_namespace();
        let node = self.cluster.node(&key);
        if node.is_some() && !is_managed {
            return None;
        }
        let of_live = self
            .object(&key, false)
            .map(|object| ObjectMeta::of(&object).sync_options);
        let of_live = of_live.unwrap_or_default();
        let live = node.map(|node| Live {
            uid: node.uid(),
            resource_version: node.resource_version(),
            is_deleting: node.is_deleting(),
            is_held: false,
            health: match node.health() {
                Some(health) => crate::health::HealthVerdict::Is(health),
                None => crate::health::HealthVerdict::NoHealth,
            },
            is_client_side: false,
        });
        Some(Task {
            gvk: namespace_gvk(),
            phase: SyncPhase::PreSync,
            body: Body::Namespace,
            manner: Manner {
                replace: self.options.replace == Some(true) || of_live.replace == Some(true),
                server_side: is_managed || self.options.server_side_apply == Some(true),
                migrate: self.options.client_side_apply_migration != Some(false),
                validate: self.options.validate != Some(false),
                force: self.is_forced || of_live.force == Some(true),
            },
            live,
            ..bare(key)
        })
    }

    /// Is its kind served, and does the project permit it?
    fn check(&self, task: &mut Task, defined: &BTreeSet<GroupKind>) {
        let kind = task.key.group_kind();
        let is_served = match self.cluster.kind(&kind) {
            KindLookup::Served(served) => {
                served.versions.contains(&task.gvk.version) || served.version == task.gvk.version
            }
            KindLookup::NotServed | KindLookup::Unknown => false,
        };
        if is_served {
            let verb = if task.is_prune() { Verb::Delete } else { Verb::Apply };
            let refusal = self.operation.authorize(self.app, self.project, &task.key, verb);
            task.invalid = refusal.err().map(|refusal| refusal.to_string());
            return;
        }
        let own = match task.body {
            Body::Target(index) => {
                self.targets.objects()[index]
                    .meta
                    .sync_options
                    .skip_dry_run_on_missing_resource
            }
            Body::Namespace | Body::Live => None,
        };
        let tolerates = [self.options.skip_dry_run_on_missing_resource, own].contains(&Some(true));
        if tolerates || defined.contains(&kind) {
            task.skip_dry_run = true;
        } else {
            task.invalid = Some("the server could not find the requested resource".into());
        }
    }
}

fn namespace_gvk() -> GroupVersionKind {
    GroupVersionKind::from_api_version("v1", "Namespace")
}

fn bare(key: ResourceKey) -> Task {
    Task {
        reported: key.clone(),
        key,
        gvk: GroupVersionKind::default(),
        phase: SyncPhase::Sync,
        wave: 0,
        body: Body::Live,
        is_hook: false,
        policies: BTreeSet::new(),
        live: None,
        manner: Manner::default(),
        forces_itself: false,
        prune: None,
        prune_last: false,
        skip_dry_run: false,
        invalid: None,
        is_unmodified: false,
        status: None,
        state: None,
        message: String::new(),
    }
}

/// The hook type of a phase.
pub(super) fn hook_type(phase: SyncPhase) -> HookType {
    match phase {
        SyncPhase::PreSync => HookType::PreSync,
        SyncPhase::Sync => HookType::Sync,
        SyncPhase::PostSync => HookType::PostSync,
        SyncPhase::SyncFail => HookType::SyncFail,
    }
}
