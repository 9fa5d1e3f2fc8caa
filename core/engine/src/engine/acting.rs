//! As whom the cluster of an application is written to.
//!
//! **Problem.** The controller may do more than any one application should. Where it impersonates, what is written for an application is
//! written with the rights of the service account that its project names for the destination, and with no others.
//!
//! **Invariants.**
//! - Nothing goes to a destination but by [`Engine::emit_as`], which wants an [`Authorized`], which only the one gate gives.
//! - No account is never "the controller": an operation that finds none ends and has written nothing, drift stays, a deletion waits.
//! - An operation writes as one account from its first write to its last, whatever becomes of the project meanwhile; so do its retries.
//!   What is no part of an operation (drift that is put right, a deletion) asks the project as it is.
//! - As whom an operation writes is told in its `info`, and never read from there: who may edit an Application may edit its status, and must
//!   not choose an account by that. After a restart the project is asked again.
//!
//! **Deliberately absent.** Reads: watches, looks and the read before a delete are the controller's own, as what Argo CD compares is. The
//! Application itself, its status and what is kept for `undelete` are the controller's own, too.

use std::borrow::Cow;

use capstan_model::{AppProject, Identity, RefusedByProject, ResourceKey, Timestamp};

use super::Engine;
use super::gate::Gate;
use super::operation::{INFO_IDENTITY, OperationRun};
use super::state::{ApplicationState, InFlight};
use crate::effect::EffectKind;
use crate::journal::Cause;
use crate::policy::{Authorized, Verb, authorize, identity};

impl OperationRun {
    /// May it do this, and as whom?
    pub(super) fn authorize(
        &self,
        app: &ApplicationState,
        project: &AppProject,
        key: &ResourceKey,
        verb: Verb,
    ) -> Result<Authorized, RefusedByProject> {
        authorize(
            project,
            self.identity(project)?,
            &app.application.spec.destination,
            key,
            verb,
        )
    }

    /// As whom it writes; that is decided before anything else is.
    pub(super) fn identity(&self, project: &AppProject) -> Result<&Identity, RefusedByProject> {
        let project = || project.metadata.name.clone();
        self.identity
            .as_ref()
            .ok_or_else(|| RefusedByProject::Undecided { project: project() })
    }
}

impl Engine {
    /// As whom an application is written for, as its project is now.
    pub(super) fn identity_of(
        &self,
        app: &ApplicationState,
        project: &AppProject,
    ) -> Result<Identity, RefusedByProject> {
        identity(&self.settings, project, &app.application)
    }

    /// Decides as whom an operation writes, once.
    pub(super) fn decide_identity(
        &self,
        app: &ApplicationState,
        operation: &mut OperationRun,
        project: &AppProject,
    ) -> Result<(), RefusedByProject> {
        if operation.identity.is_none() {
            let identity = self.identity_of(app, project)?;
            if identity != Identity::Controller {
                operation.set_info(INFO_IDENTITY, identity.to_string());
            }
            operation.identity = Some(identity);
        }
        Ok(())
    }

    /// The same where it was not decided yet: an operation of an earlier process may be told to stop before it is prepared again.
    pub(super) fn authorize_stop(
        &self,
        app: &ApplicationState,
        operation: &mut OperationRun,
        key: &ResourceKey,
    ) -> Result<Authorized, String> {
        let project = self.opened(app)?;
        let decided = self.decide_identity(app, operation, &project);
        decided
            .and_then(|()| operation.authorize(app, &project, key, Verb::Delete))
            .map_err(|refusal| refusal.to_string())
    }

    /// Within which project an application is worked on; or why it is not.
    fn opened(&self, app: &ApplicationState) -> Result<Box<AppProject>, String> {
        match self.gate(app) {
            Gate::Open(project) => Ok(project),
            Gate::Waiting(why) | Gate::Refused(why) => Err(why),
        }
    }

    /// May an operation do this? Where nobody else asked whether the application is worked on at all.
    pub(super) fn authorize_of(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
        verb: Verb,
    ) -> Result<Authorized, String> {
        let by = operation.authorize(app, &*self.opened(app)?, key, verb);
        by.map_err(|refusal| refusal.to_string())
    }

    /// May something be done that is no part of an operation?
    pub(super) fn authorize_now(
        &self,
        app: &ApplicationState,
        project: &AppProject,
        key: &ResourceKey,
        verb: Verb,
    ) -> Result<Authorized, RefusedByProject> {
        let identity = self.identity_of(app, project)?;
        authorize(project, &identity, &app.application.spec.destination, key, verb)
    }

    /// May a hook that is over be let go? As the one who made it, as long as its operation runs.
    pub(super) fn authorize_release(&self, app: &ApplicationState, key: &ResourceKey) -> Result<Authorized, String> {
        if app.application.metadata.deletion_timestamp.is_some() {
            return self.authorize_deletion(app, key);
        }
        if let Some(operation) = app.operation.as_ref().filter(|operation| operation.identity.is_some()) {
            return self.authorize_of(app, operation, key, Verb::Apply);
        }
        let by = self.authorize_now(app, &*self.opened(app)?, key, Verb::Apply);
        by.map_err(|refusal| refusal.to_string())
    }

    /// May an object be deleted with the application? Or why it waits, or is left.
    pub(super) fn authorize_deletion(&self, app: &ApplicationState, key: &ResourceKey) -> Result<Authorized, String> {
        let (project, identity) = self.right_to_delete(app)?;
        let by = authorize(
            &project,
            &identity,
            &app.application.spec.destination,
            key,
            Verb::Delete,
        );
        by.map_err(|refusal| refusal.to_string())
    }

    /// Within which project an application's objects are deleted with it, and as whom; or what is waited for. Where its sources may come from is
    /// no question then. Without its project a deletion goes on, as long as it needs nobody's rights but ours.
    fn right_to_delete(&self, app: &ApplicationState) -> Result<(Cow<'_, AppProject>, Identity), String> {
        let name = app.application.spec.project();
        let found = self.projects.get(name);
        if self.settings.impersonation && !self.projects_listed {
            return Err("waiting for the list of projects".into());
        }
        if found.is_none() && name != "default" && self.settings.impersonation {
            return Err(format!(
                "waiting for AppProject {name:?} in namespace {}, which says as whom to delete: create it",
                self.settings.control_namespace
            ));
        }
        let project = found.map_or_else(|| Cow::Owned(AppProject::permissive(name)), Cow::Borrowed);
        let identity = self.identity_of(app, &project);
        let identity = identity.map_err(|refusal| format!("nothing is deleted: {refusal}"))?;
        Ok((project, identity))
    }

    /// Emits what changes something in the application's cluster, by the right to do so.
    pub(super) fn emit_as(&mut self, app: &mut ApplicationState, by: Authorized, kind: EffectKind, what: InFlight) {
        self.emit_by(app, Some(by.into_identity()), kind, what);
    }

    /// What the project does not let the application delete stays where it is, and that is said once.
    pub(super) fn leave_withheld(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let (Some(cluster), Ok((project, identity))) = (self.cluster(app), self.right_to_delete(app)) else {
            return;
        };
        if !app.application.cascades() {
            return;
        }
        let destination = &app.application.spec.destination;
        let id = app.id();
        let tracked = cluster.live.tracked(&id);
        let fresh = tracked.filter(|key| !app.deletion_left.contains(*key));
        let withheld = fresh.filter_map(|key| {
            let refusal = authorize(&project, &identity, destination, key, Verb::Delete).err()?;
            Some((key.clone(), refusal.to_string()))
        });
        for (key, why) in withheld.collect::<Vec<_>>() {
            self.note(now, app, Some(&key), "deletion", "Present", "Left", why, Cause::Cluster);
            app.deletion_left.insert(key);
        }
    }
}
