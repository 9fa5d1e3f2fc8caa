//! What the engine knows of one cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use capstan_live::{LiveIndex, Lookup, Node};
use capstan_model::{Digest, GroupKind, ResourceKey};
use serde_json::json;

use super::state::Existence;
use crate::event::{Discovery, KindLookup};
use crate::sabotage::{self, Sabotage};

/// One destination cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// `None` until it first answered.
    pub(crate) discovery: Option<Discovery>,
    /// Why it does not answer.
    pub(crate) lost: Option<String>,
    /// What answers at its address is another cluster.
    pub(crate) is_stranger: bool,
    pub(crate) namespaced: Arc<BTreeMap<GroupKind, bool>>,
    /// Of everything that a render may depend on.
    pub(crate) context: Digest,
    pub(crate) live: LiveIndex,
    /// Kinds that cannot be listed, and what the API said.
    pub(crate) unavailable: BTreeMap<GroupKind, String>,
    pub(crate) watched: BTreeSet<GroupKind>,
}

impl Cluster {
    pub(crate) fn new(control_namespace: &str) -> Self {
        Self {
            discovery: None,
            lost: None,
            is_stranger: false,
            namespaced: Arc::default(),
            context: Digest::default(),
            live: LiveIndex::new(control_namespace),
            unavailable: BTreeMap::new(),
            watched: BTreeSet::new(),
        }
    }

    /// Takes in what it serves. Gives whether that is anything new.
    pub(crate) fn connect(&mut self, discovery: Discovery) -> bool {
        if let Some(why) = self.stranger(&discovery) {
            (self.lost, self.is_stranger) = (Some(why), true);
            self.live.mark_all_stale();
            return true;
        }
        (self.lost, self.is_stranger) = (None, false);
        let is_new = self.discovery.as_ref() != Some(&discovery);
        if is_new {
            let namespaced =
                |(kind, served): (&GroupKind, &crate::event::ServedKind)| (kind.clone(), served.namespaced);
            self.namespaced = Arc::new(discovery.kinds.iter().map(namespaced).collect());
            let scopes: Vec<_> = discovery
                .kinds
                .iter()
                .map(|(kind, served)| (kind.to_string(), served.namespaced))
                .collect();
            self.context = Digest::of_json(&json!([discovery.version, discovery.api_versions(), scopes]));
            self.discovery = Some(discovery);
        }
        is_new
    }

    /// Another cluster answers at the address of the one that this process knows: nothing of what it says is of that one.
    fn stranger(&self, discovery: &Discovery) -> Option<String> {
        let known = &self.discovery.as_ref()?.cluster_uid;
        let found = &discovery.cluster_uid;
        let is_other =
            !known.is_empty() && !found.is_empty() && known != found && !sabotage::is(Sabotage::SpeaksToStrangers);
        is_other.then(|| {
            format!(
                "another cluster answers at its address: the namespace kube-system has UID {found}, not {known}; nothing is done there. \
                 If that is meant, restart the controller"
            )
        })
    }

    /// It answers, and writes may be sent.
    pub(crate) fn is_reachable(&self) -> bool {
        self.discovery.is_some() && self.lost.is_none()
    }

    pub(crate) fn kind(&self, kind: &GroupKind) -> KindLookup<'_> {
        match &self.discovery {
            Some(discovery) => discovery.lookup(kind),
            None => KindLookup::Unknown,
        }
    }

    /// Is the object there? Three answers, and the third is not the second.
    pub(crate) fn existence(&self, key: &ResourceKey) -> (Existence, Option<&Node>) {
        match self.live.lookup(key) {
            Lookup::Present(node) => return (Existence::Present, Some(node)),
            Lookup::Missing => return (Existence::Missing, None),
            Lookup::Unknown => {}
        }
        let kind = key.group_kind();
        let existence = match self.kind(&kind) {
            KindLookup::NotServed => Existence::Missing,
            KindLookup::Served(served) if !served.watchable => Existence::Unavailable,
            KindLookup::Served(_) if self.lost.is_none() && !self.unavailable.contains_key(&kind) => {
                Existence::Unlisted
            }
            KindLookup::Unknown if self.discovery.is_none() && self.lost.is_none() => Existence::Unlisted,
            KindLookup::Served(_) if sabotage::is(Sabotage::CallsUnreadableMissing) => Existence::Missing,
            KindLookup::Served(_) | KindLookup::Unknown => Existence::Unavailable,
        };
        (existence, None)
    }

    pub(crate) fn node(&self, key: &ResourceKey) -> Option<&Node> {
        self.existence(key).1
    }

    /// The kinds of `kinds` that are served and not listed completely.
    pub(crate) fn unlisted<'k>(&self, kinds: impl IntoIterator<Item = &'k GroupKind>) -> Option<&'k GroupKind> {
        kinds
            .into_iter()
            .find(|kind| !matches!(self.kind(kind), KindLookup::NotServed) && !self.live.is_complete(kind))
    }
}
