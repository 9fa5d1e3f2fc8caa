//! `FailOnSharedResource=true`: a sync that would write an object which another application tracks writes nothing at all.

use capstan_model::{ApplicationId, ResourceKey, SyncOptions};

use crate::targets::Targets;

/// An object of a sync that belongs to another application.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shared resource found, and FailOnSharedResource=true: {key} belongs to application {owner}")]
pub(crate) struct SharedResource {
    pub(crate) key: ResourceKey,
    pub(crate) owner: ApplicationId,
}

/// The first object of `targets` that fails the sync of `application`. `owner` says which application tracks what is live.
pub(crate) fn shared_resource(
    targets: &Targets,
    options: &SyncOptions,
    application: &ApplicationId,
    owner: impl Fn(&ResourceKey) -> Option<ApplicationId>,
) -> Option<SharedResource> {
    if options.fail_on_shared_resource != Some(true) {
        return None;
    }
    targets.objects().iter().find_map(|target| {
        let owner = owner(&target.key).filter(|owner| owner != application)?;
        let key = target.key.clone();
        Some(SharedResource { key, owner })
    })
}
