//! What becomes of objects that are not declared: which go, which stay, and which wait for a person.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::annotations::{DELETION_APPROVED, INSTALLATION_ID, OPERATION, TRACKING_ID};
use capstan_model::{ObjectMeta, PruneOption, ResourceKey};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::{Change, ChangeKind, LiveObject, OutlookRequest, is_going};
use crate::guard::{
    Approval, Content, DeleteReason, DeleteRefusal, Doomed, Facts, Finding, Hold, PruneLimits, RESERVED, Undeclared,
    findings, in_use, is_looked_into, is_reserved, may_go_along, need, not_surveyed, of_contents, refusal, standing,
    stays_ordinary, told,
};
use crate::plan::{SyncTask, TaskAction};
use crate::settings::Guards;

type Changes = BTreeMap<NodeIndex, Change>;

impl OutlookRequest<'_> {
    /// What becomes of an object that is not declared, before the guards look at all of them.
    pub(super) fn prune(&self, key: &ResourceKey, live: &LiveObject) -> Change {
        let object = match live {
            LiveObject::Absent | LiveObject::NotServed => {
                return Change::new(ChangeKind::Unchanged, "it is gone already");
            }
            LiveObject::Unread(why) => return Change::new(ChangeKind::Unknown, why),
            LiveObject::Present(object) => object,
        };
        let meta = ObjectMeta::of(object);
        let keep = |why: &str| Change::new(ChangeKind::Keep, why);
        if !self.is_ours(key) {
            return keep("it is not tracked by this application any more");
        }
        if meta.is_hook {
            return keep("it is a hook, and goes by its delete policy");
        }
        if is_going(object) {
            return Change::new(ChangeKind::Unchanged, "it is being deleted already");
        }
        if self.targets.find(key).is_some() {
            return keep("it is declared, as a hook now");
        }
        if self.undeclared(key, object).is_owned {
            return keep("another object owns it, and it goes with that");
        }
        if is_reserved(key, &self.settings.control_namespace) {
            return keep(RESERVED);
        }
        if let Some(why) = self.need(key, object) {
            return keep(&why);
        }
        match meta.sync_options.prune.or(self.options.prune) {
            Some(PruneOption::Never) => keep("Prune=false"),
            _ if !self.prunes() => keep(self.keeps()),
            Some(PruneOption::Confirm) => {
                let why = format!("Prune=confirm: it waits for {DELETION_APPROVED} on the Application");
                Change::new(ChangeKind::Hold, why)
            }
            _ => Change::new(ChangeKind::Delete, "the application tracks it, and nothing declares it"),
        }
    }

    /// Why the sync deletes nothing.
    fn keeps(&self) -> &'static str {
        match self.application.spec.sync_policy.automation() {
            None => {
                "it is not synced automatically, and a sync deletes only where it is asked to: `capstan app sync --prune`"
            }
            Some(_) => "automated.prune is not set: only `capstan app sync --prune` deletes it",
        }
    }

    /// What a sync that deletes would not delete all the same: what a rule holds, what goes only with others' objects, and what the last
    /// look before a DELETE refuses.
    pub(super) fn hold(&self, changes: &mut Changes) {
        if !self.prunes() {
            return;
        }
        let (held, approved) = self.findings();
        for (node, task) in self.prune_tasks() {
            let Some(change) = changes.get_mut(&node) else { continue };
            let is_pending = matches!(change.kind, ChangeKind::Delete | ChangeKind::Hold);
            if let Some(why) = held.get(&task.key).filter(|_| is_pending) {
                *change = Change::new(ChangeKind::Hold, why);
            }
            if change.kind == ChangeKind::Delete
                && let LiveObject::Present(live) = self.live(&task.key)
            {
                let contents = || self.contents(&task.key, &held, &approved);
                if let Some(refusal) = self.last_look(&task.key, live, DeleteReason::Prune).or_else(contents) {
                    *change = refused(&refusal);
                }
            }
            if change.kind == ChangeKind::Delete
                && let Some(why) = self.unsure()
            {
                *change = Change::new(ChangeKind::Hold, why);
            }
        }
        for (node, task, _) in self.ordinary_tasks() {
            let Some(change) = changes.get_mut(&node) else { continue };
            if matches!(change.kind, ChangeKind::Run | ChangeKind::Wait)
                && let Some(why) = held.get(&task.key)
            {
                *change = Change::new(ChangeKind::Fail, format!("held by {why}"));
            } else if change.kind == ChangeKind::Run
                && let Some(refusal) = self.contents(&task.key, &held, &approved)
            {
                *change = super::in_its_way(&refusal);
            }
        }
    }

    /// Hooks in whose place an ordinary object of the application is.
    fn ordinary_tasks(&self) -> impl Iterator<Item = (NodeIndex, &SyncTask, &Value)> {
        self.plan.tasks().filter_map(|(node, task)| match self.live(&task.key) {
            LiveObject::Present(object) if self.is_ordinary(task, object) => Some((node, task, &**object)),
            _ => None,
        })
    }

    /// Is what is there no run of the hook, but an object that is declared as one now?
    pub(super) fn is_ordinary(&self, task: &SyncTask, object: &Value) -> bool {
        let operation = object
            .pointer("/metadata/annotations")
            .and_then(|all| all.get(OPERATION));
        let is_run = operation.is_some() || ObjectMeta::of(object).is_hook;
        matches!(task.action, TaskAction::Hook(_)) && self.is_ours(&task.key) && !is_run && !is_going(object)
    }

    /// Why a hook cannot take the place of an ordinary object, before the guards look at all of them.
    pub(super) fn ordinary(&self, key: &ResourceKey, object: &Value) -> Option<Change> {
        let option = ObjectMeta::of(object).sync_options.prune.or(self.options.prune);
        if let Some(why) = stays_ordinary(key, option, self.prunes()) {
            return Some(Change::new(ChangeKind::Fail, why));
        }
        if option == Some(PruneOption::Confirm) {
            let why = format!("Prune=confirm: it waits for {DELETION_APPROVED} on the Application");
            return Some(Change::new(ChangeKind::Wait, why));
        }
        let refusal = self.last_look(key, object, DeleteReason::Convert)?;
        Some(super::in_its_way(&refusal))
    }

    /// The prunes of the plan.
    fn prune_tasks(&self) -> impl Iterator<Item = (NodeIndex, &SyncTask)> {
        self.plan.tasks().filter(|(_, task)| task.action == TaskAction::Prune)
    }

    /// Would the engine have this prune in its plan? Not what is gone, was handed over, or goes with its owner.
    pub(super) fn is_prunable(&self, key: &ResourceKey) -> bool {
        let LiveObject::Present(object) = self.live(key) else {
            return false;
        };
        let is_declared = self.targets.find(key).is_some();
        self.undeclared(key, object).is_ours() && !is_declared && !ObjectMeta::of(object).is_hook
    }

    fn undeclared<'k>(&self, key: &'k ResourceKey, object: &Value) -> Undeclared<'k> {
        Undeclared {
            key,
            is_tracked: self.is_ours(key),
            is_owned: !Content::of(&key.group_kind(), object).owners.is_empty(),
            is_deleting: is_going(object),
            is_needed: self.need(key, object).is_some(),
            becomes_hook: self.targets.find(key).is_some(),
            prune: ObjectMeta::of(object).sync_options.prune,
        }
    }

    /// Why what is declared needs an object that is not.
    fn need(&self, key: &ResourceKey, object: &Value) -> Option<String> {
        let home = self.application.spec.destination.namespace.as_str();
        let is_made = self.options.create_namespace == Some(true) && !home.is_empty();
        need(key, || Some(object.clone()), self.targets, is_made.then_some(home))
    }

    /// What the rules are asked about. What could not be read counts: it may be there.
    fn doomed(&self) -> BTreeMap<ResourceKey, Doomed> {
        let doomed = self.prune_tasks().filter_map(|(_, task)| {
            let doomed = match self.live(&task.key) {
                LiveObject::Present(object) if self.is_prunable(&task.key) => {
                    let namespace = &self.settings.control_namespace;
                    self.undeclared(&task.key, object).doomed(self.options, namespace, || {
                        Content::of(&task.key.group_kind(), object).uid
                    })?
                }
                LiveObject::Unread(_) => Doomed::default(),
                LiveObject::Present(_) | LiveObject::Absent | LiveObject::NotServed => return None,
            };
            Some((task.key.clone(), doomed))
        });
        let namespace = &self.settings.control_namespace;
        let converted = self.ordinary_tasks().filter_map(|(_, task, object)| {
            let uid = || Content::of(&task.key.group_kind(), object).uid;
            let doomed = self
                .undeclared(&task.key, object)
                .doomed(self.options, namespace, uid)?;
            Some((task.key.clone(), doomed))
        });
        doomed.chain(converted).collect()
    }

    /// What the rules hold, and why; and of what a person has approved that everything in it goes along.
    fn findings(&self) -> (BTreeMap<ResourceKey, String>, BTreeSet<ResourceKey>) {
        let doomed = self.doomed();
        let (limits, told) = (PruneLimits::of(self.options), told(&self.application.status.conditions));
        let found = findings(&Facts {
            doomed: &doomed,
            tracked: self.tracked(),
            by_person: self.by_person,
            as_argo: self.settings.guards == Guards::Argo,
            limits,
            protected: &self.settings.protected_kinds,
            second: None,
            diverged: None,
            replaced: None,
            paused: self.paused(),
            in_use: &BTreeMap::new(),
            standing: &standing(&told, limits),
        });
        let uids = doomed.into_iter().map(|(key, doomed)| (key, doomed.uid)).collect();
        let approval = Approval::of(self.application, self.now);
        let hold = |finding| Hold::of(finding, &uids, &told, &approval, self.now);
        let mut held = BTreeMap::new();
        for Hold { finding, .. } in found.into_iter().map(hold).filter(|hold| !hold.is_approved) {
            for key in finding.keys {
                // The first rule that holds an object is the one that is named.
                held.entry(key)
                    .or_insert_with(|| format!("{}: {}", finding.rule, finding.why));
            }
        }
        // Executors refused to delete them one by one, or all of a kind.
        let holders = uids.keys().filter_map(|key| Some((key, of_contents(key)?)));
        let approved = holders.filter(|(key, rule)| {
            let alike = uids.keys().filter(|other| of_contents(other) == Some(*rule));
            let finding = |keys| Finding {
                rule: *rule,
                reason: DeleteReason::Prune,
                keys,
                why: String::new(),
            };
            hold(finding(vec![(*key).clone()])).is_approved || hold(finding(alike.cloned().collect())).is_approved
        });
        let approved = approved.map(|(key, _)| key.clone()).collect();
        (held, approved)
    }

    /// Why deletes are paused. A project that could not be read may say so.
    fn paused(&self) -> Option<String> {
        let project = self.project.ok().flatten();
        self.pause.of_application(self.application, project)
    }

    /// Live objects that the application tracks: the declared ones, and those that it could prune.
    fn tracked(&self) -> usize {
        let tasks = self.plan.tasks().filter(|(_, task)| match task.action {
            TaskAction::Apply => self.is_ours(&task.key),
            TaskAction::Prune => self.is_prunable(&task.key) || matches!(self.live(&task.key), LiveObject::Unread(_)),
            TaskAction::CreateNamespace | TaskAction::Hook(_) | TaskAction::Milestone => false,
        });
        let converted: BTreeSet<&ResourceKey> = self.ordinary_tasks().map(|(_, task, _)| &task.key).collect();
        tasks.count() + converted.len()
    }

    /// What the executor would say to a delete, having read the object.
    pub(super) fn last_look(&self, key: &ResourceKey, live: &Value, reason: DeleteReason) -> Option<DeleteRefusal> {
        let expected = [
            (TRACKING_ID, ""),
            (INSTALLATION_ID, self.settings.installation_id.as_str()),
        ];
        // That it waits for a person is told by itself.
        refusal(key, live, expected, (reason, true))
    }

    /// What the executor would say to a delete, having listed what goes along.
    fn contents(
        &self,
        key: &ResourceKey,
        held: &BTreeMap<ResourceKey, String>,
        approved: &BTreeSet<ResourceKey>,
    ) -> Option<DeleteRefusal> {
        if !is_looked_into(key, self.by_person) || approved.contains(key) {
            return None;
        }
        let found = match self.contents.get(key) {
            Some(Ok(found)) => found,
            Some(Err(why)) => return Some(not_surveyed(key, why)),
            None => return Some(not_surveyed(key, "it was not read")),
        };
        let ours = self.live.keys().filter(|key| {
            let (own, is_needed) = match self.live(key) {
                LiveObject::Present(object) => {
                    let own = ObjectMeta::of(object).sync_options.prune;
                    (own, self.need(key, object).is_some())
                }
                _ => (None, false),
            };
            let is_held = held.contains_key(*key) || is_needed || is_reserved(key, &self.settings.control_namespace);
            let option = own.or(self.options.prune);
            self.is_ours(key) && may_go_along(option, self.targets.find(key).is_some(), is_held)
        });
        in_use(key, found, &ours.cloned().collect())
    }

    /// Why it is not known whether anything would be deleted.
    fn unsure(&self) -> Option<String> {
        let (name, why) = (self.application.spec.project(), self.project.err()?);
        Some(format!(
            "AppProject {name} could not be read, and may pause deletes: {why}"
        ))
    }
}

/// Held by a rule, as the engine takes the executor's answer; or just left.
fn refused(refusal: &DeleteRefusal) -> Change {
    match refusal.rule() {
        Some(rule) => Change::new(ChangeKind::Hold, format!("{rule}: {refusal}")),
        None => Change::new(ChangeKind::Keep, refusal.to_string()),
    }
}
