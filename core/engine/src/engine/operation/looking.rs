//! Looking at a hook of which it is not known whether it was created.
//!
//! **Invariants.** It is neither created again nor called failed before it was seen, or seen not to be there: a look that fails is made again,
//! until the hook's deadline. A cluster that does not answer is not asked, nor is another one at its address, where no hook of this operation is.

use capstan_model::Timestamp;
use capstan_model::annotations::OPERATION;
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::OperationRun;
use super::hook::running;
use super::write::{attempts, located, retry_at};
use crate::effect::EffectKind;
use crate::engine::Engine;
use crate::engine::cluster::Cluster;
use crate::engine::state::{ApplicationState, InFlight};
use crate::event::WriteError;
use crate::machine::{HookTask, write_backoff};

impl Engine {
    pub(super) fn look_at_created(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
    ) {
        if !self.cluster(app).is_some_and(Cluster::is_reachable) {
            let error = WriteError::Transient("the cluster does not answer".into());
            return self.look_later(now, app, operation, node, &error);
        }
        let task = operation.plan.task(node).clone();
        let effect = EffectKind::Observe {
            cluster: app.application.spec.destination.cluster(),
            key: task.key,
            gvk: task.gvk,
        };
        self.emit(app, effect, InFlight::Task(node));
        self.set_hook(now, app, operation, node, HookTask::Looking);
    }

    /// The answer to a look.
    pub(in crate::engine) fn hook_looked_at(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Option<Box<Value>>, WriteError>,
    ) {
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        match result {
            Ok(found) => {
                if let Some(object) = &found {
                    let cluster = app.application.spec.destination.cluster();
                    self.observed(&cluster, object);
                }
                let identity = operation.hook_identity(&app.application.metadata.uid, operation.plan.task(node).phase);
                let ours = found.filter(|object| {
                    let annotations = object.pointer("/metadata/annotations");
                    annotations.and_then(|all| all.get(OPERATION)).and_then(Value::as_str) == Some(&identity)
                });
                match ours {
                    Some(object) => self.set_hook(now, app, &mut operation, node, running(&object)),
                    None => {
                        let error = WriteError::Conflict("the hook could not be created".into());
                        self.hook_put_off(now, app, &mut operation, node, &error);
                    }
                }
            }
            Err(error) => self.look_later(now, app, &mut operation, node, &error),
        }
        app.operation = Some(operation);
    }

    /// Neither created nor failed: it is looked at again, until its deadline.
    fn look_later(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        error: &WriteError,
    ) {
        let attempts = attempts(operation, node) + 1;
        let (attempts, until) = retry_at(now, attempts, error).unwrap_or((attempts, now + write_backoff(attempts)));
        let why = located(operation, node, &error.to_string());
        operation.unlooked.insert(node);
        let state = HookTask::BackingOff { attempts, until, why };
        self.set_hook(now, app, operation, node, state);
    }
}
