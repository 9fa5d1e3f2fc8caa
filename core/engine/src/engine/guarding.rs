//! Gathers what the rules of [`crate::guard`] look at, and keeps what they found.
//!
//! The rules are asked in two places: between operations, for the condition that tells what is held, and whenever a plan is made, for what
//! that plan may delete. Both ask [`Engine::holds`]. What has to be asked of the runtime first is [`super::inquiry`]'s; a plan waits for the
//! answers.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{ApplicationCondition, Digest, ResourceKey, SyncOptions, Timestamp};
use serde_json::json;

use super::Engine;
use super::inquiry::Inquiries;
use super::namespace::own_namespace;
use super::operation::{Approved, OperationRun, take_approved};
use super::state::{ApplicationState, Existence};
use super::touched::Touched;
use crate::guard::{
    Approval, DeleteReason, Doomed, Facts, Hold, PruneLimits, Rule, Told, Undeclared, WarmUp, findings,
    findings_of_contents, is_held, of_holds, parse, standing, told,
};
use crate::journal::Cause;
use crate::machine::Refresh;
use crate::plan::runs_in_a_sync;
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;
use crate::targets::Targets;
use crate::view::HoldView;

/// Objects of a hold that a view shows.
const SHOWN: usize = 100;

/// What the rules found for one application, and what they asked.
#[derive(Debug, Default)]
pub(crate) struct Guarding {
    /// What a person said of deleting, as of this step.
    pub(crate) approval: Approval,
    /// What is held of an automated sync, as of the last look.
    pub(crate) holds: Vec<Hold>,
    /// Holds by their rules, as conditions tell them.
    told: BTreeMap<String, Told>,
    /// Conditions of an earlier process, until the first look of this one.
    restored: Vec<String>,
    /// What an automated sync would prune, as of the last look.
    doomed: BTreeSet<ResourceKey>,
    /// An operation began since the last look: what is known is of before it.
    is_outdated: bool,
    /// What executors refused because of its contents: identity, rule, why.
    in_use: BTreeMap<ResourceKey, (String, Rule, String)>,
    pub(super) inquiries: Inquiries,
    warm_up: WarmUp,
    /// Something that may be to be pruned was touched since the last look of the warm-up.
    is_unsteady: bool,
}

impl Guarding {
    /// What an earlier process told.
    pub(crate) fn restore(conditions: &[ApplicationCondition]) -> Self {
        Self {
            told: told(conditions),
            restored: of_holds(conditions)
                .map(|condition| condition.message.clone())
                .collect(),
            ..Self::default()
        }
    }

    /// What was found is what conditions tell from now on.
    fn tell(&mut self, holds: Vec<Hold>) {
        let told = holds.iter().map(|hold| {
            let told = Told {
                plan: hold.plan.clone(),
                why: hold.finding.why.clone(),
                since: hold.since,
                is_approved: hold.is_approved,
            };
            (hold.finding.rule.to_string(), told)
        });
        self.told = told.collect();
        self.holds = holds;
        self.restored.clear();
    }

    /// What the conditions say.
    pub(crate) fn messages(&self) -> impl Iterator<Item = String> {
        let held = self.holds.iter().filter(|hold| !hold.is_approved).map(Hold::message);
        self.restored.iter().cloned().chain(held)
    }

    /// Is anything held?
    pub(super) fn holds(&self) -> bool {
        self.messages().next().is_some()
    }

    /// For readers.
    pub(crate) fn views(&self) -> impl Iterator<Item = HoldView> {
        self.holds.iter().map(|hold| HoldView {
            rule: hold.finding.rule.to_string(),
            why: hold.finding.why.clone(),
            next: hold.next(),
            plan: hold.plan.clone(),
            since: hold.since,
            approved: hold.is_approved,
            count: hold.finding.keys.len(),
            objects: hold.finding.keys.iter().take(SHOWN).cloned().collect(),
        })
    }

    /// When the next look is due by itself.
    pub(crate) fn deadline(&self, settings: &crate::Settings) -> Option<Timestamp> {
        let waits = (!self.doomed.is_empty())
            .then(|| self.warm_up.until(settings.warm_up))
            .flatten();
        waits.into_iter().chain(self.inquiries.deadline()).min()
    }

    /// An operation begins: executors look again at what was in use, and what is held is looked at once it has ended. Gives what was
    /// approved of what holds it.
    pub(crate) fn begin(&mut self, by_person: bool) -> BTreeMap<ResourceKey, Approved> {
        self.is_outdated = true;
        self.in_use.clear();
        let binds = |hold: &&Hold| hold.is_approved && (!by_person || hold.finding.rule.binds_people());
        let mut approved = BTreeMap::new();
        take_approved(&mut approved, self.holds.iter().filter(binds));
        approved
    }

    /// Executors are to look again at what was in use.
    pub(crate) fn look_again(&mut self) {
        self.in_use.clear();
    }

    /// An executor refused to delete an object, because of what would go with it.
    pub(crate) fn refused(&mut self, key: &ResourceKey, uid: &str, rule: Rule, why: &str) -> String {
        self.in_use.insert(key.clone(), (uid.to_owned(), rule, why.to_owned()));
        format!("held by {rule}: {why}")
    }

    /// The application goes to another cluster: what is held there is another matter, and no approval of before counts for it.
    pub(super) fn leave(&mut self) {
        self.holds.clear();
        self.told.clear();
        self.restored.clear();
        self.doomed.clear();
        self.in_use.clear();
    }

    /// The result of a prune that began when deletes were not paused yet.
    pub(crate) fn pause_result(&self, why: &str) -> String {
        format!("held by {}: {why}", Rule::DeletesPaused)
    }

    /// May something that was held be deleted, since somebody has approved it?
    pub(super) fn has_approval(&self) -> bool {
        let is_known = !self.inquiries.is_open() && !self.is_outdated;
        is_known
            && self
                .doomed
                .iter()
                .any(|key| self.is_approved(key) && !self.is_held(key))
    }

    /// Would an automated sync delete anything?
    pub(crate) fn prunes(&self) -> bool {
        !self.doomed.is_empty()
    }

    /// A deletion begins: what was held of prunes is over, but not what an earlier process told of this deletion.
    pub(super) fn begin_deletion(&mut self) {
        let is_of_contents = |rule: &str| rule == Rule::NamespaceInUse.to_string();
        self.in_use.clear();
        self.doomed.clear();
        self.holds.clear();
        self.told.retain(|rule, _| is_of_contents(rule));
        self.restored
            .retain(|message| parse(message).is_some_and(|parsed| is_of_contents(parsed.rule)));
    }

    /// Was a hold of this object approved?
    pub(super) fn is_approved(&self, key: &ResourceKey) -> bool {
        let mut holds = self.holds.iter();
        holds.any(|hold| hold.is_approved && hold.finding.keys.contains(key))
    }

    /// Did an executor refuse to delete the object of this identity, because of what would go with it?
    pub(super) fn is_in_use(&self, key: &ResourceKey, uid: &str) -> bool {
        self.in_use.get(key).is_some_and(|(of, ..)| of == uid)
    }

    fn is_held(&self, key: &ResourceKey) -> bool {
        let holds = self.holds.iter().filter(|hold| !hold.is_approved);
        holds.into_iter().any(|hold| hold.finding.keys.contains(key))
    }
}

/// May what is to be pruned be another thing now? Objects that are declared are none of it.
fn touches_undeclared(app: &ApplicationState, touched: &Touched) -> bool {
    let Some(desired) = &app.desired else { return true };
    let is_declared = |key| desired.resource(key).is_some();
    touched.all || !touched.kinds.is_empty() || !touched.keys.iter().all(is_declared)
}

impl Engine {
    /// Between operations: what would an automated sync not delete?
    pub(super) fn step_guard(&mut self, now: Timestamp, app: &mut ApplicationState, touched: &Touched) {
        app.guarding.is_unsteady |= touches_undeclared(app, touched);
        let Some(targets) = app.desired.as_ref().map(|desired| desired.targets.clone()) else {
            return;
        };
        if app.refresh != Refresh::Compared {
            return;
        }
        if app.guarding.warm_up != WarmUp::Warm {
            self.warm_up(now, app);
        }
        if app.assessment.settled && app.operation.is_none() {
            let options = app.application.spec.sync_policy.options();
            self.look(now, app, &targets, &options);
            app.guarding.is_outdated = false;
        }
    }

    /// Another look at what would be pruned, while the process is young. Prunes that wait for its end are told of it.
    fn warm_up(&self, now: Timestamp, app: &mut ApplicationState) {
        let seen = self.cluster(app).and_then(|cluster| {
            let is_complete = cluster.unlisted(cluster.watched.iter()).is_none();
            is_complete.then(|| match app.guarding.warm_up {
                WarmUp::Steady { of, .. } if !app.guarding.is_unsteady => of,
                _ => Digest::of_json(&json!(self.doomed_text(app))),
            })
        });
        app.guarding.is_unsteady &= seen.is_none();
        let warm_up = app.guarding.warm_up.look(now, seen, self.settings.warm_up);
        let before = std::mem::replace(&mut app.guarding.warm_up, warm_up);
        if let Some(operation) = app.operation.as_mut().filter(|_| before != warm_up) {
            operation.work.wake_all();
        }
    }

    fn doomed_text(&self, app: &ApplicationState) -> Vec<(String, String)> {
        let options = app.application.spec.sync_policy.options();
        let targets = app.desired.as_ref().map(|desired| &desired.targets);
        let doomed = targets
            .map(|targets| self.doomed(app, targets, &options))
            .unwrap_or_default();
        doomed
            .into_iter()
            .map(|(key, doomed)| (key.to_string(), doomed.uid))
            .collect()
    }

    /// Looks at what an automated sync would prune, asks what is to be asked, and tells what is held.
    fn look(&mut self, now: Timestamp, app: &mut ApplicationState, targets: &Targets, options: &SyncOptions) {
        let prunes = app.application.spec.sync_policy.automation();
        let doomed = match prunes.is_some_and(|automated| automated.prune) {
            true => self.doomed(app, targets, options),
            false => BTreeMap::new(),
        };
        if !doomed.is_empty() {
            self.ask(now, app);
        }
        let holds = self.holds(now, app, targets, &doomed, options, false);
        self.journal_holds(now, app, &holds);
        app.guarding.tell(holds);
        app.guarding.doomed = doomed.into_keys().collect();
    }

    /// What is held of the deletion of an application that would delete `doomed`: a namespace with what is not to go. `is_open`: of one
    /// of them that is not known yet.
    pub(super) fn look_at_deletion(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        doomed: &BTreeMap<ResourceKey, Doomed>,
        is_open: bool,
    ) {
        let found = findings_of_contents(doomed, &app.guarding.in_use, DeleteReason::Cascade);
        // What an earlier process told stands until it is known again, or known to be otherwise.
        if found.is_empty() && is_open {
            return app.guarding.holds.clear();
        }
        let uids = doomed.iter().map(|(key, doomed)| (key.clone(), doomed.uid.clone()));
        let uids = uids.collect();
        let holds = found.into_iter();
        let holds = holds.map(|finding| Hold::of(finding, &uids, &app.guarding.told, &app.guarding.approval, now));
        let holds: Vec<Hold> = holds.collect();
        self.journal_holds(now, app, &holds);
        app.guarding.tell(holds);
    }

    /// What is held of the plan of `operation`; `None` while a question is open.
    pub(super) fn holds_of_operation(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &OperationRun,
        targets: &Targets,
    ) -> Option<Vec<Hold>> {
        let options = operation.options(&app.application.spec);
        if !operation.prunes() {
            return Some(Vec::new());
        }
        if !operation.is_automated() {
            let doomed = self.doomed(app, targets, &options);
            return Some(self.holds(now, app, targets, &doomed, &options, true));
        }
        self.look(now, app, targets, &options);
        if app.guarding.inquiries.is_open() {
            return None;
        }
        let mut holds = app.guarding.holds.clone();
        for hold in &mut holds {
            hold.is_approved |= hold
                .finding
                .keys
                .iter()
                .all(|key| operation.is_approved(key, &app.guarding.approval));
        }
        Some(holds)
    }

    /// What a sync to `targets` would prune.
    pub(super) fn doomed(
        &self,
        app: &ApplicationState,
        targets: &Targets,
        options: &SyncOptions,
    ) -> BTreeMap<ResourceKey, Doomed> {
        let Some(cluster) = self.cluster(app) else {
            return BTreeMap::new();
        };
        let id = app.id();
        // What is declared stays, but what it has become may be a hook that is to take its place.
        let becomes_hook = |key: &ResourceKey| targets.find(key).is_some_and(runs_in_a_sync);
        let is_wanted = |key: &ResourceKey| targets.find(key).is_some() && !becomes_hook(key);
        // Of what is desired now it is known what is not declared; of other objects everything is looked at.
        let desired = app.desired.as_ref().map(|desired| desired.targets.digest());
        let assessment = &app.assessment;
        let present: Box<dyn Iterator<Item = &ResourceKey>> = match desired == Some(targets.digest()) {
            true => Box::new(assessment.tally.undeclared.iter()),
            false => {
                let objects = assessment.objects.iter();
                let present = objects.filter(|(_, object)| object.existence == Existence::Present);
                Box::new(present.map(|(key, _)| key))
            }
        };
        let doomed = present.filter(|key| !is_wanted(key)).filter_map(|key| {
            let node = cluster.node(key)?;
            let object = Undeclared {
                key,
                is_tracked: node.tracked_by() == Some(&id),
                is_owned: node.is_owned(),
                is_deleting: node.is_deleting(),
                is_needed: self.need(app, key, targets, options).is_some(),
                becomes_hook: becomes_hook(key),
                prune: self.own_options(app, key).and_then(|own| own.prune),
            };
            let doomed = object.doomed(options, &self.settings.control_namespace, || node.uid())?;
            Some((key.clone(), doomed))
        });
        doomed.collect()
    }

    /// The rules, asked about one plan.
    fn holds(
        &self,
        now: Timestamp,
        app: &ApplicationState,
        targets: &Targets,
        doomed: &BTreeMap<ResourceKey, Doomed>,
        options: &SyncOptions,
        by_person: bool,
    ) -> Vec<Hold> {
        if doomed.is_empty() {
            return Vec::new();
        }
        let guarding = &app.guarding;
        let limits = PruneLimits::of(options);
        let nothing = BTreeMap::new();
        let facts = Facts {
            doomed,
            tracked: self.tracked(app),
            by_person,
            as_argo: self.settings.guards == Guards::Argo,
            limits,
            protected: &self.settings.protected_kinds,
            second: self.second_render(app, targets),
            diverged: self.diverged(app),
            replaced: self.replaced(app),
            paused: self.paused(app),
            // A person's sync is looked at by the executor anew.
            in_use: if by_person { &nothing } else { &guarding.in_use },
            standing: &standing(&guarding.told, limits),
        };
        let uids = doomed.iter().map(|(key, doomed)| (key.clone(), doomed.uid.clone()));
        let uids: BTreeMap<ResourceKey, String> = uids.collect();
        let holds = findings(&facts).into_iter();
        holds
            .map(|finding| Hold::of(finding, &uids, &guarding.told, &app.guarding.approval, now))
            .collect()
    }

    /// Live objects that the application tracks. The namespace that it makes is none of them, though its manifest may have left Git only now.
    fn tracked(&self, app: &ApplicationState) -> usize {
        let Some(cluster) = self.cluster(app) else { return 0 };
        let id = app.id();
        let made = own_namespace(app);
        let objects = app.assessment.objects.keys().filter(|key| made.as_ref() != Some(*key));
        let is_tracked = |key: &&ResourceKey| cluster.node(key).is_some_and(|node| node.tracked_by() == Some(&id));
        objects.filter(is_tracked).count()
    }

    /// Why deletes of this application are paused.
    pub(super) fn paused(&self, app: &ApplicationState) -> Option<String> {
        if sabotage::is(Sabotage::DeletesWhilePaused) {
            return None;
        }
        let project = self.projects.get(app.application.spec.project());
        self.pause.of_application(&app.application, project)
    }

    /// Until when an automated prune waits because the process is young; `Some(None)` when that is not known yet.
    pub(super) fn warming_up(&self, app: &ApplicationState) -> Option<Option<Timestamp>> {
        match app.guarding.warm_up {
            _ if sabotage::is(Sabotage::SkipsWarmUp) => None,
            WarmUp::Warm => None,
            other => Some(other.until(self.settings.warm_up)),
        }
    }

    /// Was the last sync for what is desired now, and may what it held back be deleted?
    pub(super) fn is_released(app: &ApplicationState) -> bool {
        let guarding = &app.guarding;
        if guarding.doomed.is_empty() || guarding.inquiries.is_open() || guarding.is_outdated {
            return false;
        }
        let Some(result) = app.last_operation.as_ref().and_then(|state| state.sync_result.as_ref()) else {
            return false;
        };
        let mut held = result.resources.iter().filter(|result| is_held(&result.message));
        held.any(|result| {
            let key = result.key();
            guarding.doomed.contains(&key) && !guarding.is_held(&key)
        })
    }

    fn journal_holds(&mut self, now: Timestamp, app: &ApplicationState, holds: &[Hold]) {
        let before = app.guarding.told.clone();
        for hold in holds {
            let rule = hold.finding.rule.to_string();
            let known = before.get(&rule).filter(|known| known.plan == hold.plan);
            let was_approved = known.is_some_and(|known| known.is_approved);
            if hold.is_approved && !was_approved {
                let cause = Cause::User {
                    name: String::new(),
                    action: "approve".into(),
                };
                self.note(now, app, None, "guard", "Held", "Approved", hold.approved(), cause);
            } else if known.is_none() {
                let cause = self.cause_of_desired(app);
                self.note(now, app, None, "guard", "", "Held", hold.message(), cause);
            }
        }
        for rule in before.keys() {
            if !holds.iter().any(|hold| hold.finding.rule.to_string() == *rule) {
                let cause = self.cause_of_desired(app);
                self.note(now, app, None, "guard", "Held", "Released", rule.clone(), cause);
            }
        }
    }
}
