//! What people and others do, when its time has come; then the quiet in which everything must come to its end.

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::guard::Fence;
use capstan_model::{ApplicationId, GroupKind, Operation, ResourceKey};
use serde_json::{Value, json};

use super::actors::Timer;
use super::{SYNC, World};
use crate::generate::{Action, Change, Ground, Item, Plant, Wish};
use crate::history::{Actor, Fact};
use crate::objects::{HOME, PREFIX, is_furniture, key_of, tracking_id};

/// Room after the longest operation: another attempt's wait, the last hooks.
const ROOM: Duration = Duration::from_mins(30);

pub(super) fn shop() -> ApplicationId {
    ApplicationId::new("argocd", "shop")
}

impl World {
    /// The script, and then the quiet.
    pub(crate) fn play(&mut self) {
        let ignores = |(_, action): &(u8, Action)| *action == Action::Change(Change::Ignores(true));
        if self.case.policy.ignores || self.case.script.iter().any(ignores) {
            self.after(Duration::from_secs(20), Timer::Scale);
        }
        for (after, action) in self.case.script.clone() {
            let mut left = after;
            while left > 0 && self.step() {
                left -= 1;
            }
            self.act(&action);
        }
        self.rest();
    }

    /// Everything works from here on, and everybody keeps still.
    pub(crate) fn rest(&mut self) {
        self.is_quiet = true;
        self.heal_clusters();
        self.mend_sources();
        for action in [
            Action::Source(true),
            Action::Leads(true),
            Action::Suspend(false),
            Action::Windows(false),
            Action::Branch(true),
            Action::Quota(false),
        ] {
            self.act(&action);
        }
        self.recall();
        self.store.note(Fact::Quiet);
        self.handle(Event::RefreshRequested {
            id: shop(),
            hard: false,
        });
        let end = self.store.now + SYNC + SYNC + ROOM;
        self.pass(end);
    }

    fn act(&mut self, action: &Action) {
        self.go_to_destination();
        match *action {
            Action::Push => self.push(),
            Action::Revert(to) => self.revert(usize::from(to)),
            Action::Sync(wish) => self.ask(wish),
            Action::Terminate => {
                self.store.note(Fact::Terminated);
                self.handle(Event::TerminateRequested {
                    id: shop(),
                    by: "ada".into(),
                });
            }
            Action::Refresh { hard } => self.handle(Event::RefreshRequested { id: shop(), hard }),
            Action::Suspend(suspended) => self.suspend(suspended),
            Action::Confirm => self.confirm(),
            Action::Crash { unheard, down } => {
                self.crash(usize::from(unheard));
                self.go_on_alone(Duration::from_secs(u64::from(down)));
                self.start();
            }
            Action::Leads(leads) => self.lead(leads),
            Action::Reachable(reachable) => self.reach(reachable),
            Action::Windows(has) => {
                self.has_windows = has;
                self.tell_project();
            }
            Action::Readable(readable) => self.make_readable(readable),
            Action::Source(works) => {
                self.source_works = works;
                self.changed();
            }
            Action::Edit(n) => self.on_nth(n, Self::meddle),
            Action::Delete(n) => self.on_nth(n, |world, key| {
                world.store.delete_by(key, Actor::Somebody);
                world.follow_deletion(key, Actor::Somebody);
            }),
            Action::Strip(n) => self.on_nth(n, |world, key| world.annotate(key, "tracking-id", None)),
            Action::Protect(n) => {
                self.on_nth(n, |world, key| world.annotate(key, "sync-options", Some("Prune=false")));
            }
            Action::Plant(what) => self.plant(what),
            Action::DeleteApplication => self.remove_application(),
            Action::Wait(minutes) => {
                let until = self.store.now + Duration::from_mins(u64::from(minutes));
                self.pass(until);
            }
            _ => self.act_on_one_of_several(action),
        }
    }

    /// What is done to one of several sources, or of several clusters.
    fn act_on_one_of_several(&mut self, action: &Action) {
        match *action {
            Action::PushOf(source) => self.push_of(source),
            Action::RevertOf(source, to) => self.revert_of(source, to),
            Action::SourceOf(source, works) => self.make_source_work(source, works),
            Action::Move(to) => self.move_destination(to),
            Action::ReachableAt(address, reachable) => self.reach_at(address, reachable),
            Action::Replace => self.replace_cluster(),
            _ => self.act_beside(action),
        }
    }

    /// What is done to the Application, to the repository's history, and to what lives.
    fn act_beside(&mut self, action: &Action) {
        match *action {
            Action::Change(change) => self.change(change),
            Action::Rollback(wish) => self.roll_back(wish),
            Action::Rewrite { to, anew } => self.rewrite(usize::from(to), anew),
            Action::Branch(is_there) => self.lose_branch(!is_there),
            Action::Forget(n) => self.forget(usize::from(n)),
            Action::Quota(is_full) => self.fill(is_full),
            Action::Fight(n) => self.on_nth(n, Self::fight),
            Action::Adopt(n) => self.on_nth(n, Self::adopt),
            Action::EndNamespace => self.end_namespace(),
            _ => panic!("{action:?} is done elsewhere"),
        }
    }

    pub(super) fn move_to(&mut self, head: usize) {
        self.head = head;
        let head = self.whole();
        self.store.note(Fact::Moved { head });
        self.changed();
    }

    fn ask(&mut self, wish: Wish) {
        let mut sync = json!({"prune": wish.prune, "dryRun": wish.dry});
        if wish.force {
            sync["syncStrategy"] = json!({"hook": {"force": true}});
        }
        if let Some(revision) = wish.revision {
            self.name_revision(&mut sync, usize::from(revision));
        }
        let first = self.case.revisions[self.content()]
            .as_ref()
            .and_then(|items| items.iter().find(|item| item.hook.is_none()));
        if let Some(key) = first
            .filter(|_| wish.selective)
            .map(Item::manifest)
            .map(|object| key_of(&object))
        {
            sync["resources"] = json!([{"group": key.group, "kind": key.kind, "name": key.name}]);
        }
        let operation = json!({"initiatedBy": {"username": "ada"}, "sync": sync});
        if wish.by_request {
            let operation: Operation = serde_json::from_value(operation).unwrap_or_default();
            self.handle(Event::SyncRequested {
                id: shop(),
                operation: Box::new(operation),
            });
        } else {
            self.patch(|resource| resource["operation"] = operation);
        }
    }

    /// At once, so that what comes after it is what the controller does although it knows.
    fn tell_application(&mut self) {
        while let Some(resource) = self.told.pop_front() {
            self.observe(&resource);
        }
    }

    fn suspend(&mut self, suspended: bool) {
        let value = suspended.to_string();
        self.patch(|resource| resource["metadata"]["annotations"][format!("{PREFIX}skip-reconcile")] = json!(value));
        // What it was told before goes first; what it does because it may again comes after that.
        if !suspended {
            self.store.note(Fact::Suspended(false));
        }
        self.tell_application();
        if suspended {
            self.store.note(Fact::Suspended(true));
        }
    }

    fn confirm(&mut self) {
        let now = self.store.now.to_string();
        self.patch(|resource| resource["metadata"]["annotations"][format!("{PREFIX}deletion-approved")] = json!(now));
    }

    /// Whoever loses the lead is done with what it had under way; whoever gets it has read the Application.
    fn lead(&mut self, leads: bool) {
        if self.leads == leads {
            return;
        }
        self.leads = leads;
        if leads {
            self.told.clear();
            let resource = self.resource.clone();
            self.observe(&resource);
            self.note_start(false);
            self.store.note(Fact::Leads(true));
            let fence = self.take_lease(true);
            self.handle(Event::LeadershipChanged { leads, fence });
            return;
        }
        // Another has the lease, and what was sent before may still arrive.
        self.store.note(Fact::Leads(false));
        self.take_lease(false);
        self.crash(1);
        self.handle(Event::LeadershipChanged { leads, fence: None });
    }

    /// We take the lease, or another does.
    pub(super) fn take_lease(&mut self, ours: bool) -> Option<Fence> {
        let term = self.lease["spec"]["leaseTransitions"].as_i64().unwrap_or(0) + 1;
        let holder = if ours { "us" } else { "them" };
        self.lease = json!({"spec": {"holderIdentity": holder, "leaseTransitions": term}});
        ours.then(|| Fence {
            namespace: "argocd".into(),
            name: "capstan".into(),
            holder: holder.into(),
            lease: String::new(),
            term,
        })
    }

    pub(super) fn reach(&mut self, reachable: bool) {
        if self.is_reachable == reachable {
            return;
        }
        self.is_reachable = reachable;
        self.store.note(Fact::Reachable(reachable));
        if reachable {
            let kinds: Vec<GroupKind> = self.store.watches.keys().cloned().collect();
            self.store.unlisted.extend(kinds);
            self.reconnect();
        } else {
            self.handle(Event::ClusterLost(self.here(), "connection refused".into()));
        }
    }

    pub(super) fn make_readable(&mut self, readable: bool) {
        if self.is_readable == readable {
            return;
        }
        self.is_readable = readable;
        let kind = GroupKind::new("", "ConfigMap");
        if readable {
            if self.store.watches.contains_key(&kind) {
                self.store.unlisted.insert(kind);
            }
            return;
        }
        self.store.note(Fact::Unreadable { kind: kind.clone() });
        self.handle(Event::KindUnavailable {
            cluster: self.here(),
            kind,
            reason: "403 Forbidden".into(),
        });
    }

    /// Does something to the n-th object that is ours to quarrel about.
    fn on_nth(&mut self, n: u8, act: impl FnOnce(&mut Self, &ResourceKey)) {
        let is_left = |key: &ResourceKey| is_furniture(key) || key.kind == "Namespace" && key.name == HOME;
        let keys = self.keys(|key| !is_left(key));
        if let Some(key) = keys.get(usize::from(n) % keys.len().max(1)) {
            act(self, key);
        }
    }

    pub(super) fn annotate(&mut self, key: &ResourceKey, name: &str, value: Option<&str>) {
        let Some(mut object) = self.store.objects.get(key).cloned() else {
            return;
        };
        let name = format!("{PREFIX}{name}");
        match value {
            Some(value) => object["metadata"]["annotations"][name] = json!(value),
            None => {
                let annotations = object
                    .pointer_mut("/metadata/annotations")
                    .and_then(Value::as_object_mut);
                annotations.map(|all| all.remove(&name));
            }
        }
        self.store.commit(object, Actor::Somebody, None);
    }

    /// Somebody makes an object that was copied from one of ours, id and all, or that names itself as another's, or that is nobody's.
    fn plant(&mut self, plant: Plant) {
        let name = format!("theirs-{}", plant.whose);
        let mut object = match plant.place {
            Ground::Home => {
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": HOME}, "data": {"v": "theirs"}})
            }
            // The first is of a kind that nobody here watches.
            Ground::Brought if plant.whose == 0 => {
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "team"}})
            }
            Ground::Brought => {
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "team"}, "data": {"v": "theirs"}})
            }
            Ground::OfBroughtKind => {
                json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name, "namespace": HOME}, "spec": {"size": "theirs"}})
            }
        };
        let key = key_of(&object);
        if self.store.admit(&key, false).is_err() || self.store.objects.contains_key(&key) {
            return;
        }
        let id = match plant.whose {
            0 => None,
            1 => Some(tracking_id(&ResourceKey::new("", "ConfigMap", HOME, "c0"))),
            _ => Some(format!(
                "other:{}/{}:{}/{}",
                key.group, key.kind, key.namespace, key.name
            )),
        };
        if let Some(id) = id {
            object["metadata"]["annotations"][format!("{PREFIX}tracking-id")] = json!(id);
        }
        self.store.plant(object, Actor::Somebody);
    }
}
