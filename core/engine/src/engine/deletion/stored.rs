//! The hooks of a deletion, as they are kept on the Application since its last sync.
//!
//! **Why on the Application.** At deletion the repository may be gone, its credentials deleted in the same sweep, or its newest commit
//! may describe something else than what is deployed. So what is to run is kept when it is synced, where nothing but the Application is
//! needed to find it: an annotation, written in one request with the finalizers that make it matter. Not in the status: Argo CD's
//! definition of it, which may be the one that is installed, drops fields that it does not know.
//!
//! **Bounds.** No Secret is ever copied into it, and no more than [`LONGEST`] bytes: annotations of an object share 256 KiB. Hooks that
//! cannot be kept are rendered at deletion, from the recorded commit, as Argo CD does.
//!
//! Who may write the annotation may edit the Application; what runs is held to the project's destinations and kinds either way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capstan_model::{GroupVersionKind, HookDeletePolicy, HookType, ObjectMeta, ResourceKey, SourceLocation, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::nth_name;
use crate::targets::{Target, Targets};

/// Longest text that is kept.
const LONGEST: usize = 64 * 1024;

/// One hook of a deletion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeletionHook {
    pub(crate) key: ResourceKey,
    pub(crate) gvk: GroupVersionKind,
    pub(crate) types: BTreeSet<HookType>,
    pub(crate) wave: i64,
    pub(crate) policies: BTreeSet<HookDeletePolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) validate: bool,
    pub(crate) object: Value,
    pub(crate) location: SourceLocation,
    /// Which one it is of those without a name whose names begin alike, from 1.
    nth: usize,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    file: String,
    #[serde(default)]
    line: u32,
    object: Value,
}

impl DeletionHook {
    /// `None` for what is no hook of a deletion, or no object.
    fn of(object: Value, location: SourceLocation) -> Option<Self> {
        let meta = ObjectMeta::of(&object);
        if !is_of_deletion(&meta) {
            return None;
        }
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let gvk = GroupVersionKind::from_api_version(text("/apiVersion"), text("/kind"));
        let (name, prefix) = (text("/metadata/name"), text("/metadata/generateName"));
        let is_named = !name.is_empty() || !prefix.is_empty();
        let is_object = is_named && !gvk.version.is_empty() && !gvk.kind.is_empty();
        let key = ResourceKey::new(&gvk.group, &gvk.kind, text("/metadata/namespace"), name);
        is_object.then(|| Self {
            key,
            types: meta.hooks.clone(),
            wave: meta.wave,
            policies: meta.hook_delete_policies.clone(),
            timeout: meta.sync_timeout,
            validate: meta.sync_options.validate != Some(false),
            gvk,
            location,
            object,
            nth: 1,
        })
    }

    /// Its key in `phase` of a deletion that was asked for at `asked`: one without a name gets one, the same whenever it is looked at.
    pub(crate) fn key_in(&self, phase: HookType, asked: Timestamp) -> ResourceKey {
        let mut key = self.key.clone();
        if key.name.is_empty() {
            let prefix = self.object.pointer("/metadata/generateName").and_then(Value::as_str);
            let phase = format!("{phase:?}").to_lowercase();
            let name = format!("{}{phase}-{}", prefix.unwrap_or_default(), asked.as_seconds());
            key.name = nth_name(name, self.nth);
        }
        key
    }
}

fn is_of_deletion(meta: &ObjectMeta) -> bool {
    meta.hooks.contains(&HookType::PreDelete) || meta.hooks.contains(&HookType::PostDelete)
}

/// Which of the two phases the hooks of a deletion among `targets` have.
pub(crate) fn phases(targets: &Targets) -> BTreeSet<HookType> {
    let hooks = targets.objects().iter().filter(|target| is_of_deletion(&target.meta));
    let types = hooks.flat_map(|target| target.meta.hooks.iter().copied());
    types
        .filter(|hook| matches!(hook, HookType::PreDelete | HookType::PostDelete))
        .collect()
}

/// The hooks of a deletion among `targets`.
pub(crate) fn of_targets(targets: &Targets) -> Vec<DeletionHook> {
    let hooks = targets.objects().iter().filter(|target| is_of_deletion(&target.meta));
    let hook = |target: &Target| DeletionHook::of(target.object.value().ok()?, target.location.clone());
    numbered(hooks.filter_map(hook).collect())
}

/// Those without a name whose names begin alike, each with its number.
fn numbered(mut hooks: Vec<DeletionHook>) -> Vec<DeletionHook> {
    let mut alike = BTreeMap::new();
    for hook in hooks.iter_mut().filter(|hook| hook.key.name.is_empty()) {
        let prefix = hook.object.pointer("/metadata/generateName").and_then(Value::as_str);
        let count = alike
            .entry((hook.key.clone(), prefix.unwrap_or_default().to_owned()))
            .or_insert(0);
        *count += 1;
        hook.nth = *count;
    }
    hooks
}

/// As text. `None` when they must not, or cannot, be kept on the Application.
pub(crate) fn keep(hooks: &[DeletionHook]) -> Option<String> {
    if hooks
        .iter()
        .any(|hook| hook.key.group.is_empty() && hook.key.kind == "Secret")
    {
        return None;
    }
    let kept: Vec<Kept> = hooks
        .iter()
        .map(|hook| Kept {
            file: hook.location.file.clone(),
            line: hook.location.line,
            object: hook.object.clone(),
        })
        .collect();
    serde_json::to_string(&kept).ok().filter(|text| text.len() <= LONGEST)
}

/// What was kept; or why it cannot be understood.
pub(crate) fn read(text: &str) -> Result<Vec<DeletionHook>, String> {
    let kept: Vec<Kept> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let hook = |(index, Kept { file, line, object }): (usize, Kept)| {
        DeletionHook::of(object, SourceLocation { file, line })
            .ok_or_else(|| format!("[{index}] is no object with a PreDelete or PostDelete hook"))
    };
    let hooks: Result<Vec<_>, String> = kept.into_iter().enumerate().map(hook).collect();
    hooks.map(numbered)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hook(kind: &str, name: &str, size: usize) -> DeletionHook {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "prod",
            "annotations": {"argocd.argoproj.io/hook": "PreDelete", "argocd.argoproj.io/sync-wave": "3"}},
            "data": {"x": "y".repeat(size)}});
        let location = SourceLocation {
            file: "shop/hooks.yaml".into(),
            line: 7,
        };
        DeletionHook::of(object, location).unwrap()
    }

    #[test]
    fn what_is_kept_reads_back_the_same() {
        let hooks = vec![hook("ConfigMap", "a", 10), hook("ConfigMap", "b", 10)];
        assert_eq!(read(&keep(&hooks).unwrap()), Ok(hooks));
    }

    #[test]
    fn secrets_and_what_is_too_much_are_not_kept() {
        assert_eq!(keep(&[hook("ConfigMap", "a", 1), hook("Secret", "b", 1)]), None);
        assert_eq!(keep(&[hook("ConfigMap", "a", LONGEST)]), None);
        assert!(keep(&[hook("ConfigMap", "a", LONGEST / 2)]).is_some());
    }

    #[test]
    fn garbage_is_an_error_that_says_where() {
        assert!(read("no JSON").is_err());
        let error =
            read(r#"[{"object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}}]"#).unwrap_err();
        assert!(error.starts_with("[0] is no object"), "{error}");
    }
}
