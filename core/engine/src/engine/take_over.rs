//! Taking over what others applied: right before we apply an object, the fields that they own become ours.
//!
//! **Problem.** Server-side apply takes away what its own manager applied before and does not declare any more. What `kubectl apply` or
//! Argo CD applied has another manager, so it would stay for ever after Git dropped it, and differ from Git for ever, too.
//!
//! **Invariants.**
//! - One hand-over before an apply, whoever all of them are, and none where they own nothing. It changes no field of the object: what is
//!   dropped goes with the apply that follows.
//! - Drift of declared fields is put right without: an apply is enough, and comes at once.
//! - It rests on the version that was read. Somebody who writes in between makes it fail, and the object is looked at again.
//! - Only an object that Git declares is taken over. The namespace that is made for an application keeps what others put on it, all but what
//!   Argo CD kept of it.
//! - With `RespectIgnoreDifferences=true`, what is ignored stays its owner's: an apply would take away what Git does not declare.
//!
//! **Deliberately absent.** Field managers that nobody named: what they wrote is not known to be what Git declared once.

use capstan_model::annotations::MIGRATION_MANAGER;
use capstan_model::{
    ARGO_FIELD_MANAGER, Application, CLIENT_SIDE_MANAGERS, FIELD_MANAGER, FormerManager, ResourceKey, SyncOptions,
    Timestamp,
};
use petgraph::stable_graph::NodeIndex;

use super::Engine;
use super::namespace::own_namespace;
use super::operation::located;
use super::state::{ApplicationState, InFlight};
use crate::effect::{ApplyMode, ApplyTask, EffectKind};
use crate::event::WriteError;
use crate::machine::{TaskState, WriteTask};
use crate::policy::{Verb, ignore_rules};
use crate::writing::{FormerFields, has_former_fields};

/// Whose fields an application takes over. Those of client-side apply are left with `ClientSideApplyMigration=false`; what Argo CD applied
/// server-side, and we ourselves wrote otherwise (`Replace=true`), was Git's in any case.
pub(crate) fn former_managers(application: &Application, options: &SyncOptions) -> Vec<FormerManager> {
    let mut all = vec![
        FormerManager::by_update(FIELD_MANAGER),
        FormerManager::by_apply(ARGO_FIELD_MANAGER),
    ];
    if options.client_side_apply_migration != Some(false) {
        all.extend(CLIENT_SIDE_MANAGERS.map(FormerManager::by_update));
        let named = application.metadata.annotations.get(MIGRATION_MANAGER);
        all.extend(named.filter(|name| !name.is_empty()).map(FormerManager::by_update));
    }
    all
}

impl Engine {
    /// What has to be done before `task` is written, so that what others applied is ours. Of an object that nobody tracks only its key is
    /// known: whoever does it reads the object, and leaves it as it is where there is nothing to hand over.
    pub(super) fn hand_over(
        &self,
        app: &ApplicationState,
        task: &ApplyTask,
        options: &SyncOptions,
    ) -> Option<EffectKind> {
        if !matches!(task.mode, ApplyMode::ServerSide { .. }) {
            return None;
        }
        let live = self.cluster(app)?.node(&task.key)?;
        let is_made = task.key.kind == "Namespace" && own_namespace(app).as_ref() == Some(&task.key);
        let is_declared = !is_made || live.tracked_by().is_some();
        let mut from = FormerFields {
            managers: match is_declared {
                true => former_managers(&app.application, options),
                false => vec![FormerManager::by_apply(ARGO_FIELD_MANAGER)],
            },
            except: Vec::new(),
        };
        if options.respect_ignore_differences == Some(true) {
            let rules = ignore_rules(&app.application.spec.ignore_differences, &task.key);
            from.managers.retain(|manager| !rules.managers.contains(&manager.name));
            from.except = rules.json_pointers;
        }
        let object = live.manifest().map(capstan_model::Blob::value);
        let is_needed = object.map_or(is_declared, |live| {
            live.is_ok_and(|live| has_former_fields(&live, &from))
        });
        is_needed.then(|| EffectKind::MigrateFields {
            cluster: task.cluster.clone(),
            key: task.key.clone(),
            gvk: task.gvk.clone(),
            from,
        })
    }

    /// The answer to the hand-over before a task of an operation is written. The write follows with the next step.
    pub(super) fn task_handed_over(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<String, WriteError>,
    ) {
        match result {
            // What is gone has nothing to hand over, and is made anew.
            Ok(_) | Err(WriteError::NotFound(_)) => {
                if let Some(mut operation) = app.operation.take() {
                    let state = TaskState::Write(WriteTask::TakenOver);
                    self.set(now, app, &mut operation, node, state, "");
                    app.operation = Some(operation);
                }
            }
            // Nothing about the object itself: it is not made anew for that.
            Err(WriteError::Invalid(why)) => {
                if let Some(mut operation) = app.operation.take() {
                    let why = format!("the fields that others applied cannot be handed over: {why}");
                    let why = located(&operation, node, &why);
                    let state = TaskState::Write(WriteTask::SyncFailed(why.clone()));
                    self.set(now, app, &mut operation, node, state, why);
                    app.operation = Some(operation);
                }
            }
            Err(error) => self.write_completed(now, app, node, Err(error)),
        }
    }

    /// The answer to the hand-over before drift is put right. The write follows at once, if it still differs.
    pub(super) fn heal_handed_over(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        result: Result<String, WriteError>,
    ) {
        match result {
            Ok(_) | Err(WriteError::NotFound(_)) if self.may_write(app) && self.heals_none(app).is_none() => {
                let gate = self.gate(app);
                let Some(project) = gate.project() else { return };
                let by = match self.authorize_now(app, project, key, Verb::Apply) {
                    Ok(by) => by,
                    Err(refusal) => return app.heal.fail(key, refusal.to_string()),
                };
                let options = app.application.spec.sync_policy.options();
                let task = self
                    .wanted(app, key)
                    .map(|target| self.apply_task(app, &target, &options));
                if let Some(task) = task {
                    self.emit_as(app, by, EffectKind::Apply(Box::new(task)), InFlight::Heal(key.clone()));
                }
            }
            Ok(_) | Err(WriteError::NotFound(_)) => {}
            Err(error) => self.healed(now, app, key, Err(error)),
        }
    }
}
