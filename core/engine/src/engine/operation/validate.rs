//! Every task before any of them: is its kind served, may the project do it?

use std::collections::BTreeSet;

use capstan_model::{AppProject, GroupKind, OperationPhase, ResourceResult, ResultCode, SyncOptions};

use super::prepare::Obstacle;
use crate::engine::Engine;
use crate::engine::cluster::Cluster;
use crate::engine::state::ApplicationState;
use crate::event::KindLookup;
use crate::plan::{Plan, SyncTask, TaskAction};
use crate::policy::{Verb, authorize};
use crate::targets::Targets;

impl Engine {
    pub(super) fn validate(
        &self,
        app: &ApplicationState,
        plan: &Plan,
        targets: &Targets,
        project: &AppProject,
        options: &SyncOptions,
    ) -> Result<(), Obstacle> {
        let Some(cluster) = self.cluster(app) else {
            return Ok(());
        };
        let defined: BTreeSet<GroupKind> = plan
            .tasks()
            .filter_map(|(_, task)| crate::plan::defined_kind(&targets.objects()[task.target?]))
            .collect();
        let mut results = Vec::new();
        for (_, task) in plan.tasks() {
            let tolerated = defined.contains(&task.key.group_kind()) || may_come_later(task, targets, options);
            let permitted = || {
                let verb = if task.action == TaskAction::Prune {
                    Verb::Delete
                } else {
                    Verb::Apply
                };
                let refusal = authorize(project, &app.application.spec.destination, &task.key, verb);
                refusal.map_err(|refusal| format!("{}{refusal}", place(task)))
            };
            if let Err(message) = served(cluster, task, tolerated)?.and_then(|()| permitted()) {
                results.push(ResourceResult {
                    status: Some(ResultCode::SyncFailed),
                    message,
                    sync_phase: Some(task.phase),
                    ..ResourceResult::of(&task.key, &task.gvk)
                });
            }
        }
        if results.is_empty() {
            return Ok(());
        }
        let messages: BTreeSet<&str> = results.iter().map(|result| result.message.as_str()).collect();
        let message = format!(
            "one or more synchronization tasks are not valid, and nothing was written: {}",
            messages.into_iter().collect::<Vec<_>>().join("; ")
        );
        Err(Obstacle::Fail(OperationPhase::Failed, message, results))
    }
}

/// Is its kind served, or may it come yet? An obstacle where that cannot be told.
fn served(cluster: &Cluster, task: &SyncTask, tolerated: bool) -> Result<Result<(), String>, Obstacle> {
    let kind = task.key.group_kind();
    match cluster.kind(&kind) {
        KindLookup::Unknown => Err(Obstacle::Wait(format!(
            "it is not known whether the cluster serves {kind}: discovery of its group failed"
        ))),
        KindLookup::Served(served)
            if served.versions.contains(&task.gvk.version) || served.version == task.gvk.version =>
        {
            Ok(Ok(()))
        }
        KindLookup::Served(_) | KindLookup::NotServed if tolerated => Ok(Ok(())),
        KindLookup::Served(_) | KindLookup::NotServed => Ok(Err(no_matches(task))),
    }
}

/// `SkipDryRunOnMissingResource`: somebody else may bring the definition, and it is waited for.
fn may_come_later(task: &SyncTask, targets: &Targets, options: &SyncOptions) -> bool {
    let own = task.target.map(|index| &targets.objects()[index].meta.sync_options);
    let own = own.and_then(|options| options.skip_dry_run_on_missing_resource);
    own.or(options.skip_dry_run_on_missing_resource) == Some(true)
}

fn place(task: &SyncTask) -> String {
    task.location
        .as_ref()
        .map(|location| format!("{location}: "))
        .unwrap_or_default()
}

fn no_matches(task: &SyncTask) -> String {
    format!(
        "{}no matches for kind {:?} in version {:?} ({}): install its CustomResourceDefinition first, or correct apiVersion and kind",
        place(task),
        task.gvk.kind,
        task.gvk.api_version(),
        task.key
    )
}
