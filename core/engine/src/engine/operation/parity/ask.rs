//! What a pass asks for, as effects, and what came of them.

use capstan_model::annotations::{HOOK_FINALIZER, MIGRATION_MANAGER};
use capstan_model::{Blob, FormerManager, KUBECTL_FIELD_MANAGER, ResourceKey};
use serde_json::{Value, json};

use super::task::{Answer, Body, Call, Task, What};
use super::{PassRun, facts};
use crate::effect::{ApplyTask, DryRun, EffectKind};
use crate::engine::Engine;
use crate::engine::grounds::of_operation;
use crate::engine::namespace::namespace_metadata;
use crate::engine::operation::OperationRun;
use crate::engine::operation::prune::propagation;
use crate::engine::state::ApplicationState;
use crate::event::{Deletion, KindLookup, Outcome, WriteError};
use crate::guard::{CompleteLive, CompleteRender, DeletePermit, DeleteReason, may_not_be_recreated};
use crate::policy::{Authorized, Verb};
use crate::targets::{Targets, namespace_object};
use crate::writing::FormerFields;

impl Engine {
    pub(super) fn parity_permit(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        targets: &Targets,
        task: &Task,
    ) -> Option<Box<DeletePermit>> {
        let live = CompleteLive::of(&self.cluster(app)?.live, [&task.key.group_kind()]).ok()?;
        let installation = &self.settings.installation_id;
        if task.is_prune() {
            let render = CompleteRender::of(targets);
            let grounds = self.prune_grounds(app, operation, &task.key);
            let permit = match self.is_hook_now(app, targets, task) {
                true => DeletePermit::of_identity(live, &task.key, &task.live.as_ref()?.uid, grounds, installation)?,
                false => DeletePermit::prune(render, live, &task.key, grounds, installation)?,
            };
            return Some(Box::new(self.with_contents(app, operation, permit)));
        }
        let found = task.live.as_ref().filter(|_| task.is_hook || task.manner.force)?;
        let uid = &found.uid;
        if task.is_hook && self.is_ordinary(app, &task.key) {
            // What goes already is only waited for.
            let may_go = found.is_deleting || self.ordinary_stays(app, operation, &task.key).is_none();
            let permit = || self.convert_permit(app, operation, &task.key, uid);
            return may_go.then(permit).flatten();
        }
        // What holds others, or data, is not deleted to be made anew because the whole application says `Force`.
        if !task.is_hook && may_not_be_recreated(&task.key) && !task.forces_itself {
            return None;
        }
        let (reason, why) = match task.is_hook {
            true => (
                DeleteReason::Hook,
                "in the way of its next run, or by its hook-delete-policy",
            ),
            false => (DeleteReason::Recreate, "it is made anew (Force=true)"),
        };
        let grounds = of_operation(app, operation, reason, why.to_owned());
        DeletePermit::of_identity(live, &task.key, uid, grounds, installation).map(Box::new)
    }

    /// Is what a prune deletes an ordinary object that is declared as a hook now? Argo CD prunes it, beside what the hook does with it.
    fn is_hook_now(&self, app: &ApplicationState, targets: &Targets, task: &Task) -> bool {
        let declared = targets.find(&task.key);
        declared.is_some_and(|target| target.meta.is_hook) && self.is_ordinary(app, &task.key)
    }

    pub(super) fn effect_of(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        run: &PassRun,
        call: &Call,
    ) -> Result<(EffectKind, Option<Authorized>), String> {
        let task = &run.tasks[call.task];
        let cluster = app.application.spec.destination.cluster();
        let (key, gvk) = (self.key_now(app, task), task.gvk.clone());
        let by = match &call.what {
            What::Delete => Some(self.authorize_of(app, operation, &key, Verb::Delete)?),
            What::Write { .. } | What::Release => Some(self.authorize_of(app, operation, &key, Verb::Apply)?),
            What::Look | What::Pause { .. } => None,
        };
        let effect = match &call.what {
            What::Write { migrate: true, .. } => EffectKind::MigrateFields {
                cluster,
                key,
                gvk,
                from: former_fields(app),
            },
            What::Write { mode, dry_run, .. } => EffectKind::Apply(Box::new(ApplyTask {
                cluster,
                object: self.body(app, operation, task, &key)?,
                key,
                gvk,
                mode: mode.clone(),
                dry_run: if *dry_run { DryRun::Client } else { DryRun::No },
                validate: task.manner.validate,
                recreate: task.manner.force,
            })),
            What::Delete => self.delete_of(app, operation, run, call, &key)?,
            What::Release => {
                let uid = task.live.as_ref().map(|live| live.uid.clone());
                EffectKind::let_go(cluster, key, gvk, uid.unwrap_or_default())
            }
            What::Look => EffectKind::Observe { cluster, key, gvk },
            What::Pause { phase, wave, last } => EffectKind::Pause {
                phase: *phase,
                wave: *wave,
                is_last: *last,
            },
        };
        Ok((effect, by))
    }

    /// Its definition may have been written in this very pass.
    fn key_now(&self, app: &ApplicationState, task: &Task) -> ResourceKey {
        let mut key = task.key.clone();
        if let Some(KindLookup::Served(served)) = self.cluster(app).map(|cluster| cluster.kind(&key.group_kind()))
            && !served.namespaced
        {
            key.namespace.clear();
        }
        key
    }

    fn delete_of(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        run: &PassRun,
        call: &Call,
        key: &ResourceKey,
    ) -> Result<EffectKind, String> {
        let permit = match &run.permits[call.task] {
            Some(permit) => Some(permit.clone()),
            None => self.fresh_permit(app, operation, &run.tasks[call.task]),
        };
        let options = operation.options(&app.application.spec);
        Ok(EffectKind::Delete {
            cluster: app.application.spec.destination.cluster(),
            permit: permit.ok_or_else(|| format!("{key} does not belong to this application: it is left"))?,
            propagation: propagation(&options),
        })
    }

    /// The object of a task as it is written under `key`.
    fn body(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        task: &Task,
        key: &ResourceKey,
    ) -> Result<Blob, String> {
        let index = match task.body {
            Body::Target(index) => index,
            Body::Namespace | Body::Live => {
                return Ok(Blob::new(&namespace_object(&key.name, namespace_metadata(app))));
            }
        };
        let targets = operation.targets.as_ref().map(Targets::objects).unwrap_or_default();
        let target = targets.get(index).ok_or_else(|| format!("{key} is not declared"))?;
        if !task.is_hook && target.key == *key {
            return Ok(target.object.clone());
        }
        let mut object = target.object.value().map_err(|error| error.to_string())?;
        self.rename(app, &mut object, key);
        if task.is_hook
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
            if let Some(finalizers) = finalizers.as_array_mut()
                && !finalizers.iter().any(|finalizer| finalizer == HOOK_FINALIZER)
            {
                finalizers.push(json!(HOOK_FINALIZER));
            }
        }
        Ok(Blob::new(&object))
    }

    /// Of a hook that was made in this very pass.
    fn fresh_permit(&self, app: &ApplicationState, operation: &OperationRun, task: &Task) -> Option<Box<DeletePermit>> {
        let targets = operation.targets.as_ref()?;
        let live = self.cluster(app)?.node(&task.key)?.manifest()?.value().ok()?;
        let mut task = task.clone();
        task.live = Some(facts::live(&*self.health, &live, KUBECTL_FIELD_MANAGER));
        self.parity_permit(app, operation, targets, &task)
    }

    /// Something that a pass asked for came back.
    pub(in crate::engine) fn pass_answered(&mut self, app: &mut ApplicationState, row: usize, outcome: Outcome) {
        let cluster = app.application.spec.destination.cluster();
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        let answer = match outcome {
            Outcome::Applied(Ok(object)) => {
                let is_rehearsal = operation.parity.as_ref().is_some_and(|parity| parity.is_rehearsal(row));
                if !is_rehearsal {
                    self.observed(&cluster, &object);
                }
                Answer::Done
            }
            Outcome::Deleted(Ok(Deletion::Gone)) => {
                if let Some((key, uid)) = operation.parity.as_ref().and_then(|parity| parity.live_of(row)) {
                    self.gone(&cluster, &key, &uid);
                }
                Answer::Done
            }
            Outcome::Deleted(Ok(Deletion::Accepted)) => Answer::Done,
            Outcome::Deleted(Ok(Deletion::Refused(refusal))) => match refusal.rule() {
                Some(rule) => {
                    let live = operation.parity.as_ref().and_then(|parity| parity.live_of(row));
                    let (key, uid) = live.unwrap_or_default();
                    Answer::Held(app.guarding.refused(&key, &uid, rule, &refusal.to_string()))
                }
                None => Answer::Failed(refusal.to_string()),
            },
            Outcome::Observed(Ok(found)) => {
                if let Some(object) = &found {
                    self.observed(&cluster, object);
                }
                Answer::Seen(found)
            }
            Outcome::Patched(Ok(_)) | Outcome::Paused(Ok(())) => Answer::Done,
            Outcome::Paused(Err(why)) => Answer::Failed(why),
            Outcome::Applied(Err(error)) => refused(error),
            Outcome::Deleted(Err(error)) => refused(error),
            Outcome::Observed(Err(error)) => refused(error),
            Outcome::Patched(Err(error)) => refused(error),
            Outcome::Resolved(_) | Outcome::Rendered(_) | Outcome::Compared(_) | Outcome::Descent(_) => {
                self.late_completions += 1;
                Answer::Failed("the request was answered with something else".into())
            }
        };
        if let Some(parity) = &mut operation.parity {
            parity.take(row, answer);
        }
        app.operation = Some(operation);
    }
}

/// What Argo CD takes over: what one manager applied client-side.
fn former_fields(app: &ApplicationState) -> FormerFields {
    let named = app.application.metadata.annotations.get(MIGRATION_MANAGER);
    let name = named.map_or(KUBECTL_FIELD_MANAGER, String::as_str);
    FormerFields {
        managers: vec![FormerManager::by_update(name)],
        except: Vec::new(),
    }
}

fn refused(error: WriteError) -> Answer {
    match error {
        WriteError::NotFound(_) => Answer::NotFound,
        WriteError::Conflict(why) => Answer::Conflict(why),
        WriteError::Invalid(why) => Answer::Invalid(why),
        error => Answer::Failed(error.to_string()),
    }
}
