//! What a delete must be able to show: a complete render and a complete live view. There is no other way to a [`DeletePermit`].

use capstan_live::{LiveIndex, Lookup, Node};
use capstan_model::annotations::TRACKING_ID;
use capstan_model::{ApplicationId, GroupKind, ResourceKey};

use super::grounds::Grounds;
use super::permit::DeletePermit;
use crate::sabotage::{self, Sabotage};
use crate::targets::Targets;

/// Every source at an immutable commit, every file read, every object understood: what [`Targets`] are by construction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompleteRender<'a> {
    targets: &'a Targets,
}

impl<'a> CompleteRender<'a> {
    pub(crate) fn of(targets: &'a Targets) -> Self {
        Self { targets }
    }

    /// Is an object of this key declared, as an ordinary object or as a hook?
    fn declares(&self, key: &ResourceKey) -> bool {
        if sabotage::is(Sabotage::PrunesDeclared) {
            return false;
        }
        self.targets.find(key).is_some()
    }
}

/// All the kinds that matter were listed completely in this process, and followed since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompleteLive<'a> {
    live: &'a LiveIndex,
}

impl<'a> CompleteLive<'a> {
    /// Fails with the first kind that is not known completely.
    pub(crate) fn of<'k>(
        live: &'a LiveIndex,
        kinds: impl IntoIterator<Item = &'k GroupKind>,
    ) -> Result<Self, GroupKind> {
        match kinds.into_iter().find(|kind| !live.is_complete(kind)) {
            Some(_) if sabotage::is(Sabotage::PrunesUnlisted) => Ok(Self { live }),
            Some(kind) => Err(kind.clone()),
            None => Ok(Self { live }),
        }
    }

    fn tracked(&self, key: &ResourceKey, application: &ApplicationId) -> Option<&'a Node> {
        match self.live.lookup(key) {
            Lookup::Present(node) if sabotage::is(Sabotage::DeletesUntracked) => Some(node),
            Lookup::Present(node) => (node.tracked_by() == Some(application)).then_some(node),
            Lookup::Missing | Lookup::Unknown => None,
        }
    }
}

impl DeletePermit {
    /// To prune `key`: declared by nothing in the complete render, tracked by the application of `grounds` in the complete live view.
    pub(crate) fn prune(
        render: CompleteRender<'_>,
        live: CompleteLive<'_>,
        key: &ResourceKey,
        grounds: Grounds,
        installation_id: &str,
    ) -> Option<Self> {
        let is_reserved = super::is_reserved(key, live.live.control_namespace());
        let node = live
            .tracked(key, &grounds.application)
            .filter(|_| !render.declares(key) && !is_reserved)?;
        Some(of_node(node, grounds, installation_id))
    }

    /// To delete `key` with its application, which tracks it in the complete live view.
    pub(crate) fn cascade(
        live: CompleteLive<'_>,
        key: &ResourceKey,
        grounds: Grounds,
        installation_id: &str,
    ) -> Option<Self> {
        let is_reserved = super::is_reserved(key, live.live.control_namespace());
        let node = live.tracked(key, &grounds.application).filter(|_| !is_reserved)?;
        Some(of_node(node, grounds, installation_id))
    }

    /// To delete a hook, or what is made anew: an object of that very identity, which the application tracks.
    pub(crate) fn of_identity(
        live: CompleteLive<'_>,
        key: &ResourceKey,
        uid: &str,
        grounds: Grounds,
        installation_id: &str,
    ) -> Option<Self> {
        let is_reserved = super::is_reserved(key, live.live.control_namespace());
        let node = live
            .tracked(key, &grounds.application)
            .filter(|node| node.uid() == uid && !is_reserved)?;
        Some(of_node(node, grounds, installation_id))
    }
}

fn of_node(node: &Node, grounds: Grounds, installation_id: &str) -> DeletePermit {
    let tracking_id = node
        .manifest()
        .and_then(|manifest| manifest.value().ok())
        .and_then(|object| {
            let annotations = object.pointer("/metadata/annotations")?;
            Some(annotations.get(TRACKING_ID)?.as_str()?.to_owned())
        })
        .unwrap_or_default();
    DeletePermit::new(
        node.key(),
        node.gvk().clone(),
        node.uid(),
        grounds,
        tracking_id,
        installation_id.to_owned(),
    )
}
