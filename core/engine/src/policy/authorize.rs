//! The one gate of every write.

use capstan_model::{
    AppProject, Application, ApplicationDestination, GroupKind, Identity, RefusedByProject, ResourceKey,
};

use crate::settings::Settings;

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is written: created, changed, replaced; hooks and namespaces included.
    Apply,
    /// It is deleted.
    Delete,
}

/// The right to do what was asked for, as somebody. [`authorize`] alone gives it, and the engine sends nothing to a destination without.
#[derive(Clone, Debug)]
pub struct Authorized {
    identity: Identity,
}

impl Authorized {
    /// As whom.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// As whom: it is used up.
    pub(crate) fn into_identity(self) -> Identity {
        self.identity
    }
}

/// As whom an application of `project` is written for: the controller or, where it impersonates, the account that the project names.
pub(crate) fn identity(
    settings: &Settings,
    project: &AppProject,
    application: &Application,
) -> Result<Identity, RefusedByProject> {
    match settings.impersonation {
        true => project.service_account(&application.spec.destination, &application.metadata.namespace),
        false => Ok(Identity::Controller),
    }
}

/// May an application of `project` that goes to `destination` do this to the object as `identity`? Argo CD's projects do not tell verbs
/// apart; the verb is here so that every caller says what it is about to do.
pub fn authorize(
    project: &AppProject,
    identity: &Identity,
    destination: &ApplicationDestination,
    key: &ResourceKey,
    _verb: Verb,
) -> Result<Authorized, RefusedByProject> {
    let kind = GroupKind::new(&key.group, &key.kind);
    let namespaced = !key.namespace.is_empty();
    project.permits_kind(&kind, &key.name, namespaced)?;
    if namespaced {
        project.permits_destination(destination, &key.namespace)?;
    }
    Ok(Authorized {
        identity: identity.clone(),
    })
}
