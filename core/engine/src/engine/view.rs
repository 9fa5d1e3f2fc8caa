//! What is known of an application, for readers.

use capstan_model::{HookType, ResourceKey};

use super::Engine;
use super::drift::Drift;
use super::gate::Gate;
use super::operation::OperationRun;
use super::sentence::sentence;
use super::state::{ApplicationState, Existence, ObjectState};
use super::verdict::verdicts;
use crate::plan::TaskAction;
use crate::view::{ApplicationView, AutomatedView, OperationView, ResourceView, TaskView};

impl Engine {
    pub(super) fn view_of(&self, app: &ApplicationState) -> ApplicationView {
        let gate = self.gate(app);
        let (sync, health) = verdicts(app, &gate);
        let spec = &app.application.spec;
        let drift = app.drift.as_known(app);
        let skipped = self.skipped_text(app, &gate, &drift);
        let commit = app
            .desired
            .as_ref()
            .and_then(|desired| desired.revisions.first())
            .cloned()
            .unwrap_or_default();
        ApplicationView {
            id: app.id(),
            project: spec.project().to_owned(),
            sources: spec.sources().to_vec(),
            destination: spec.destination.clone(),
            automated: spec.sync_policy.automation().map(|automated| AutomatedView {
                prune: automated.prune,
                self_heal: automated.self_heal,
            }),
            sync,
            health,
            revision: commit.revision,
            author: commit.author,
            subject: commit.subject,
            sentence: sentence(app, &gate, skipped.as_ref()),
            skipped,
            operation: operation_view(app),
            deletion: Self::deletion_view(app),
            resources: self.resource_views(app, &gate, &drift),
            conditions: app.conditions.clone(),
            holds: app.guarding.views().collect(),
            history: app.history.clone(),
        }
    }

    /// Managed objects that do not exist first, then the tree of what does.
    fn resource_views(&self, app: &ApplicationState, gate: &Gate, drift: &Drift) -> Vec<ResourceView> {
        let skipped = |key: &ResourceKey| Some(self.heal_skip(app, gate, drift, key)?.to_string());
        let mut views = Vec::new();
        let Some(cluster) = self.cluster(app) else { return views };
        let hooks: Vec<ResourceKey> = app
            .operation
            .iter()
            .flat_map(|operation| operation.plan.tasks())
            .filter(|(_, task)| matches!(task.action, TaskAction::Hook(_)))
            .map(|(_, task)| task.key.clone())
            .collect();
        let id = app.id();
        let tracked = cluster.live.tracked(&id);
        let roots: std::collections::BTreeSet<&ResourceKey> =
            app.assessment.objects.keys().chain(&hooks).chain(tracked).collect();
        for (key, object) in &app.assessment.objects {
            if cluster.node(key).is_none() {
                views.push(absent(key, object, skipped(key)));
            }
        }
        for entry in cluster.live.tree(roots) {
            let object = app.assessment.objects.get(&entry.key);
            let is_root = entry.parent.is_none();
            views.push(ResourceView {
                version: entry.node.version().to_owned(),
                sync: object.and_then(|object| object.sync),
                health: entry.node.health(),
                wave: object.map_or(0, |object| object.wave),
                hook: is_root && object.is_none(),
                requires_pruning: object.is_some_and(|object| object.requires_pruning),
                skipped: skipped(&entry.key),
                live: Some(true),
                created_at: entry.node.created_at(),
                differences: object.map(|_| app.differences(&entry.key).to_vec()).unwrap_or_default(),
                info: entry.node.info().map(str::to_owned).collect(),
                parent: entry.parent,
                key: entry.key,
            });
        }
        views
    }
}

/// The row of a managed object that is not there, or not known to be.
fn absent(key: &ResourceKey, object: &ObjectState, skipped: Option<String>) -> ResourceView {
    ResourceView {
        key: key.clone(),
        version: object.gvk.version.clone(),
        parent: None,
        sync: object.sync,
        health: object.health.clone(),
        wave: object.wave,
        hook: false,
        requires_pruning: object.requires_pruning,
        skipped,
        live: match object.existence {
            Existence::Present => Some(true),
            Existence::Missing => Some(false),
            Existence::Unlisted | Existence::Unavailable => None,
        },
        created_at: None,
        differences: Vec::new(),
        info: Vec::new(),
    }
}

fn operation_view(app: &ApplicationState) -> Option<OperationView> {
    if let Some(operation) = &app.operation {
        return Some(running_view(operation));
    }
    let state = app.last_operation.as_ref()?;
    let result = state.sync_result.clone().unwrap_or_default();
    let tasks = result.resources.iter().map(|resource| TaskView {
        key: resource.key(),
        phase: resource.sync_phase.unwrap_or(capstan_model::SyncPhase::Sync),
        wave: app
            .assessment
            .objects
            .get(&resource.key())
            .map_or(0, |object| object.wave),
        hook: resource.hook_type,
        prune: matches!(
            resource.status,
            Some(capstan_model::ResultCode::Pruned | capstan_model::ResultCode::PruneSkipped)
        ),
        state: match (resource.status, resource.hook_phase) {
            (Some(status), _) => format!("{status:?}"),
            (None, Some(phase)) => phase.to_string(),
            (None, None) => String::new(),
        },
        message: resource.message.clone(),
        since: state.finished_at.unwrap_or(state.started_at),
        until: None,
    });
    Some(OperationView {
        phase: state.phase,
        message: state.message.clone(),
        initiated_by: initiator(&state.operation),
        revision: result.revision.clone(),
        started_at: state.started_at,
        finished_at: state.finished_at,
        retry_count: state.retry_count,
        tasks: tasks.collect(),
    })
}

fn running_view(operation: &OperationRun) -> OperationView {
    let tasks = operation.plan.tasks().filter_map(|(node, task)| {
        let run = operation.tasks.get(&node)?;
        Some(TaskView {
            key: task.key.clone(),
            phase: task.phase,
            wave: task.wave,
            hook: hook_type(task.action),
            prune: task.action == TaskAction::Prune,
            state: run.state.name().to_owned(),
            message: run.message.clone(),
            since: run.since,
            until: run.until.filter(|_| run.is_waited_for()),
        })
    });
    let passes = operation.parity.iter().flat_map(super::operation::Parity::views);
    OperationView {
        phase: operation.phase(),
        message: operation.message.clone(),
        initiated_by: initiator(&operation.operation),
        revision: operation.revision().to_owned(),
        started_at: operation.started_at,
        finished_at: None,
        retry_count: operation.attempt,
        tasks: tasks.chain(passes).collect(),
    }
}

fn hook_type(action: TaskAction) -> Option<HookType> {
    match action {
        TaskAction::Hook(hook) => Some(hook),
        _ => None,
    }
}

fn initiator(operation: &capstan_model::Operation) -> String {
    let initiator = &operation.initiated_by;
    match (initiator.automated, initiator.username.as_str()) {
        (true, _) => "automated sync".to_owned(),
        (false, "") => "somebody".to_owned(),
        (false, name) => name.to_owned(),
    }
}
