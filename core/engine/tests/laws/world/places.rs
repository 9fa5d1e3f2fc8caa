//! The clusters of the world, and which of them answers at which address.
//!
//! Everything that acts on a cluster acts on the one that the world is in ([`World::go_to`]); what the others are is kept meanwhile. Each
//! address has two clusters: its own, and a stranger that may answer there instead, which has what the first one had when that came up (a
//! backup that was restored elsewhere). Clusters have numbers: those of the addresses first, then the strangers in the same order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use capstan_engine::Event;
use capstan_engine::event::{Discovery, ServedKind, WriteError};
use capstan_model::{ClusterId, GroupKind, ResourceKey};
use serde_json::{Value, json};

use super::World;
use super::serve::failed;
use super::store::Change;
use crate::history::{Actor, Fact};
use crate::objects::{HOME, is_going, text};

/// What is a cluster's own, while the world is in another.
#[derive(Clone, Debug)]
pub(super) struct Place {
    objects: BTreeMap<ResourceKey, Value>,
    watches: BTreeMap<GroupKind, VecDeque<Change>>,
    unlisted: BTreeSet<GroupKind>,
    serves_widgets: bool,
    is_reachable: bool,
    is_readable: bool,
    /// It has what it begins with.
    is_made: bool,
}

/// What a cluster has to tell, and whether it can.
pub(super) struct Telling<'w> {
    pub(super) place: usize,
    pub(super) watches: &'w BTreeMap<GroupKind, VecDeque<Change>>,
    pub(super) unlisted: &'w BTreeSet<GroupKind>,
    is_reachable: bool,
    is_readable: bool,
}

impl Telling<'_> {
    pub(super) fn can_tell(&self, kind: &GroupKind) -> bool {
        self.is_reachable && (self.is_readable || kind.kind != "ConfigMap")
    }
}

/// The clusters of so many addresses. The world is in the first one.
pub(super) fn places(addresses: usize) -> Vec<Place> {
    let place = |n| Place {
        objects: BTreeMap::new(),
        watches: BTreeMap::new(),
        unlisted: BTreeSet::new(),
        serves_widgets: false,
        is_reachable: true,
        is_readable: true,
        is_made: n == 0,
    };
    (0..addresses * 2).map(place).collect()
}

/// The address of this number.
pub(super) fn cluster_id(address: usize) -> ClusterId {
    match address {
        0 => ClusterId::in_cluster(),
        n => ClusterId(format!("https://cluster-{n}.example.com")),
    }
}

/// The UID of the namespace `kube-system` of a cluster.
fn identity(place: usize) -> String {
    match place {
        0 => "cluster".into(),
        n => format!("cluster-{n}"),
    }
}

impl World {
    pub(super) fn addresses(&self) -> usize {
        self.behind.len()
    }

    fn address_of(&self, cluster: &ClusterId) -> usize {
        let all = 0..self.addresses();
        all.into_iter()
            .find(|address| cluster_id(*address) == *cluster)
            .unwrap_or_else(|| panic!("the world has no cluster {cluster}"))
    }

    /// The cluster that answers at this address now.
    pub(super) fn place_at(&self, cluster: &ClusterId) -> usize {
        self.behind[self.address_of(cluster)]
    }

    /// The address of the cluster that the world is in.
    pub(super) fn here(&self) -> ClusterId {
        cluster_id(self.store.place % self.addresses())
    }

    pub(super) fn identity_here(&self) -> String {
        identity(self.store.place)
    }

    /// From here on everything happens in this cluster.
    pub(super) fn go_to(&mut self, place: usize) {
        if self.store.place == place {
            return;
        }
        for with in [self.store.place, place] {
            self.exchange(with);
        }
        self.store.place = place;
        if !std::mem::replace(&mut self.places[place].is_made, true) {
            self.make();
        }
    }

    fn exchange(&mut self, with: usize) {
        let (store, with) = (&mut self.store, &mut self.places[with]);
        std::mem::swap(&mut store.objects, &mut with.objects);
        std::mem::swap(&mut store.watches, &mut with.watches);
        std::mem::swap(&mut store.unlisted, &mut with.unlisted);
        std::mem::swap(&mut store.serves_widgets, &mut with.serves_widgets);
        std::mem::swap(&mut self.is_reachable, &mut with.is_reachable);
        std::mem::swap(&mut self.is_readable, &mut with.is_readable);
    }

    /// Does this in another cluster, and comes back.
    pub(super) fn within<R>(&mut self, place: usize, act: impl FnOnce(&mut Self) -> R) -> R {
        let back = self.store.place;
        self.go_to(place);
        let result = act(self);
        self.go_to(back);
        result
    }

    /// What a cluster begins with: a stranger has what the cluster at its address has, with identities of its own.
    fn make(&mut self) {
        let own = self.store.place % self.addresses();
        if self.store.place == own {
            return self.store.make_home();
        }
        let place = self.store.place;
        let (objects, serves) = self.within(own, |world| (world.store.objects.clone(), world.store.serves_widgets));
        assert_eq!(self.store.place, place);
        self.store.serves_widgets = serves;
        for object in objects.into_values().filter(|object| !is_going(object)) {
            if object.pointer("/metadata/ownerReferences").is_none() {
                let object = self.store.plant(object, Actor::Somebody);
                self.follow(&object);
            }
        }
        if !self
            .store
            .objects
            .contains_key(&ResourceKey::new("", "Namespace", "", HOME))
        {
            self.store.make_home();
        }
    }

    /// Every cluster's objects.
    pub(super) fn elsewhere(&self) -> Vec<Vec<Value>> {
        let of = |place: usize| match place == self.store.place {
            true => self.store.objects.values().cloned().collect(),
            false => self.places[place].objects.values().cloned().collect(),
        };
        (0..self.places.len()).map(of).collect()
    }

    /// What each cluster that answers somewhere has to tell.
    pub(super) fn telling(&self) -> impl Iterator<Item = Telling<'_>> {
        self.behind.iter().map(|&place| match place == self.store.place {
            true => Telling {
                place,
                watches: &self.store.watches,
                unlisted: &self.store.unlisted,
                is_reachable: self.is_reachable,
                is_readable: self.is_readable,
            },
            false => {
                let other = &self.places[place];
                Telling {
                    place,
                    watches: &other.watches,
                    unlisted: &other.unlisted,
                    is_reachable: other.is_reachable,
                    is_readable: other.is_readable,
                }
            }
        })
    }

    /// The address that the Application goes to; where it is gone, the first.
    fn destination(&self) -> usize {
        match text(&self.resource, "/spec/destination/server") {
            "" => 0,
            server => self.address_of(&ClusterId(server.to_owned())),
        }
    }

    /// To the cluster that answers at the Application's destination.
    pub(super) fn go_to_destination(&mut self) {
        self.go_to(self.behind[self.destination()]);
    }

    /// A new process is told of every cluster.
    pub(super) fn connect_all(&mut self) {
        self.met = vec![None; self.addresses()];
        for address in 0..self.addresses() {
            self.go_to(self.behind[address]);
            self.store.watches.clear();
            self.store.unlisted.clear();
        }
        for address in 0..self.addresses() {
            self.go_to(self.behind[address]);
            match self.is_reachable {
                true => self.reconnect(),
                false => self.store.note(Fact::Reachable(false)),
            }
        }
        self.go_to_destination();
    }

    /// What it serves.
    fn discovery(&self) -> Discovery {
        let mut discovery = Discovery {
            cluster_uid: self.identity_here(),
            version: "v1.36.3".into(),
            ..Discovery::default()
        };
        let kinds = [
            ("", "ConfigMap", true),
            ("", "Pod", true),
            ("", "Namespace", false),
            ("", "PersistentVolumeClaim", true),
            ("apps", "Deployment", true),
            ("apps", "ReplicaSet", true),
            ("batch", "Job", true),
            ("apiextensions.k8s.io", "CustomResourceDefinition", false),
            ("example.com", "Widget", true),
        ];
        for (group, kind, namespaced) in kinds {
            if kind == "Widget" && !self.store.serves_widgets {
                continue;
            }
            let served = ServedKind {
                version: "v1".into(),
                versions: vec!["v1".into()],
                plural: format!("{}s", kind.to_lowercase()),
                namespaced,
                watchable: true,
            };
            discovery.kinds.insert(GroupKind::new(group, kind), served);
        }
        discovery
    }

    /// The cluster that the world is in says who it is, and what it serves.
    pub(super) fn reconnect(&mut self) {
        let address = self.store.place % self.addresses();
        // One that answers nowhere tells nobody.
        if !self.is_reachable || self.behind[address] != self.store.place {
            return;
        }
        self.met[address].get_or_insert(self.store.place);
        self.note_destination();
        let (id, discovery) = (self.here(), self.discovery());
        self.handle(Event::ClusterConnected(id, discovery));
    }

    /// Notes where the Application goes, as the controller is told it: to the cluster that it took for the one at that address.
    pub(super) fn note_destination(&mut self) {
        if self.addresses() == 1 {
            return;
        }
        let place = self.met[self.told_destination].unwrap_or(self.behind[self.told_destination]);
        if self.noted_destination.replace(place) != Some(place) {
            self.store.note(Fact::Destined { place });
        }
    }

    /// The controller is about to be told of the Application as it is here.
    pub(super) fn tell_destination(&mut self, resource: &Value) {
        let server = text(resource, "/spec/destination/server");
        if !server.is_empty() {
            self.told_destination = self.address_of(&ClusterId(server.to_owned()));
        }
        self.note_destination();
    }

    /// Somebody edits the spec: it goes to another cluster from here on.
    pub(super) fn move_destination(&mut self, to: u8) {
        let address = usize::from(to) % self.addresses();
        if self.resource.is_null() || self.addresses() == 1 {
            return;
        }
        let server = cluster_id(address).to_string();
        self.patch(|resource| resource["spec"]["destination"]["server"] = json!(server));
    }

    /// Another cluster answers at the destination, or the one that did before. What was on its way is lost.
    pub(super) fn replace_cluster(&mut self) {
        if self.addresses() == 1 {
            return;
        }
        let address = self.destination();
        let (before, other) = (self.behind[address], self.other(address));
        self.go_to(before);
        self.lose_requests(address);
        if self.is_reachable {
            self.store.note(Fact::Reachable(false));
            self.handle(Event::ClusterLost(self.here(), "connection reset".into()));
        }
        // Whatever happens here meanwhile is told by lists, when it answers again.
        let kinds: Vec<GroupKind> = self.store.watches.keys().cloned().collect();
        self.store.unlisted.extend(kinds);
        self.behind[address] = other;
        self.go_to(other);
        if self.met[address] == Some(other) && self.is_reachable {
            self.store.note(Fact::Reachable(true));
        }
        self.reconnect();
    }

    fn other(&self, address: usize) -> usize {
        match self.behind[address] == address {
            true => address + self.addresses(),
            false => address,
        }
    }

    fn lose_requests(&mut self, address: usize) {
        let id = cluster_id(address);
        let pending = std::mem::take(&mut self.pending);
        let (lost, left): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|(effect, _)| effect.kind.cluster() == Some(&id));
        self.pending = left;
        for (effect, number) in lost {
            let why = WriteError::OutcomeUnknown("connection reset".into());
            self.answers.push_back((effect.id, number, failed(&effect.kind, why)));
        }
    }

    /// At every address the cluster answers that the controller took for the one there, and everything of it.
    pub(super) fn heal_clusters(&mut self) {
        for address in 0..self.addresses() {
            let known = self.met[address].unwrap_or(self.behind[address]);
            if self.behind[address] != known {
                self.lose_requests(address);
                self.behind[address] = known;
                self.go_to(known);
                self.is_reachable = false;
            }
            self.go_to(known);
            self.reach(true);
            self.make_readable(true);
        }
        self.go_to_destination();
    }

    /// This address answers, or not.
    pub(super) fn reach_at(&mut self, n: u8, reachable: bool) {
        let place = self.behind[usize::from(n) % self.addresses()];
        self.within(place, |world| world.reach(reachable));
    }
}
