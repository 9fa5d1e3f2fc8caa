//! Tasks whose objects no manifest declares: the destination namespace, and what is to be deleted.

use capstan_model::{GroupVersionKind, ResourceKey, SyncPhase};

use super::build::{is_namespace, is_written};
use super::names::Selection;
use super::{PlanRequest, SyncTask, TaskAction};

pub(super) fn namespace_task(request: &PlanRequest<'_>, tasks: &[SyncTask]) -> Option<SyncTask> {
    let name = request.destination_namespace;
    let declared = |task: &SyncTask| is_namespace(&task.key) && task.key.name == name;
    // Selected or not; but not as a hook that no sync runs.
    let declared_in_source = request
        .targets
        .objects()
        .iter()
        .any(|target| is_namespace(&target.key) && target.key.name == name && is_written(target));
    if !request.create_namespace || name.is_empty() || declared_in_source || tasks.iter().any(declared) {
        return None;
    }
    Some(SyncTask {
        key: ResourceKey::new("", "Namespace", "", name),
        gvk: GroupVersionKind::from_api_version("v1", "Namespace"),
        phase: SyncPhase::Sync,
        wave: 0,
        action: TaskAction::CreateNamespace,
        location: None,
        target: None,
    })
}

/// What is to be deleted. Not the namespace that an option declares: it has its task.
pub(super) fn prune_tasks<'a>(
    request: &'a PlanRequest<'_>,
    selection: &'a Selection<'_>,
    namespace: Option<&'a SyncTask>,
) -> impl Iterator<Item = SyncTask> + use<'a> {
    let goes = move |key: &ResourceKey| selection.has(key) && namespace.is_none_or(|task| task.key != *key);
    let items = request.prune.iter().filter(move |item| goes(&item.key));
    items.map(|item| SyncTask {
        key: item.key.clone(),
        gvk: item.gvk.clone(),
        phase: SyncPhase::Sync,
        wave: item.wave,
        action: TaskAction::Prune,
        location: None,
        target: None,
    })
}
