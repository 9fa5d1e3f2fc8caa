//! Why what differs from Git stays as it is: the reasons of [`auto_sync`](crate::policy::auto_sync) and
//! [`self_heal`](crate::policy::self_heal), told to people.
//!
//! **Invariant.** What is told is what the engine goes by: the same decision, asked again. What concerns the whole application is told once
//! (its sentence, the journal's machines `auto-sync` and `self-heal`); what concerns one object is told of that object (its row, `drift`).
//!
//! **Deliberately absent.** In the journal, what passes within moments, and what other entries say: an operation that runs or failed, a hold, a
//! source that cannot be read.

use capstan_model::{AppProject, ResourceKey, SyncStatusCode, Timestamp};

use super::Engine;
use super::drift::{Drift, standing};
use super::gate::Gate;
use super::state::ApplicationState;
use crate::journal::Cause;
use crate::policy::{HealSkip, SelfHeal, SelfHealInput, SkipReason, Standing, Verb, self_heal};

/// A reason, as it is told of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Whose it is: `auto-sync` or `self-heal`.
    machine: &'static str,
    name: &'static str,
    pub(crate) text: String,
}

/// What the journal last told of the reasons of an application; empty where it is as Git says, or about to be.
#[derive(Debug, Default)]
pub(crate) struct ReasonsTold {
    /// What keeps its syncs from beginning.
    pub(crate) hold: String,
    skipped: Option<Skipped>,
}

impl Skipped {
    fn of_sync(reason: SkipReason, text: String) -> Self {
        Self {
            machine: "auto-sync",
            name: reason.name(),
            text,
        }
    }

    fn of_heal(reason: &HealSkip) -> Self {
        Self {
            machine: "self-heal",
            name: reason.name(),
            text: reason.to_string(),
        }
    }
}

impl Engine {
    /// Is this object put right at `now`? `drift` says which objects were synced.
    pub(super) fn heal_decision(
        &self,
        now: Timestamp,
        app: &ApplicationState,
        project: &AppProject,
        drift: &Drift,
        key: &ResourceKey,
    ) -> SelfHeal {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        let standing = standing(app, drift, key, node.is_some_and(capstan_live::Node::is_deleting));
        let mut input = self.heal_input(now, app, standing);
        if standing == Standing::Drifted {
            let refusal = self.authorize_now(app, project, key, Verb::Apply).err();
            input.refusal = refusal.map(|refusal| refusal.to_string());
            input.rival = self.rival(app, key, &app.application.spec.sync_policy.options());
            input.left_to = app.left_to(key);
            input.repairs = app.heal.get(key).map(super::drift::Heal::repairs);
        }
        self_heal(&input)
    }

    /// Why no object of the application is put right now.
    pub(super) fn heals_none(&self, app: &ApplicationState) -> Option<HealSkip> {
        match self_heal(&self.heal_input(Timestamp::default(), app, Standing::Drifted)) {
            SelfHeal::Skip(reason) => Some(reason),
            SelfHeal::Sync(_) => None,
        }
    }

    fn heal_input<'a>(&'a self, now: Timestamp, app: &'a ApplicationState, standing: Standing) -> SelfHealInput<'a> {
        SelfHealInput {
            now,
            standing,
            suspended: self.is_suspended(app),
            enabled: app.heals(),
            window: app.hold.window.as_deref(),
            unwritable: self.unwritable(app),
            left_to: Vec::new(),
            refusal: None,
            rival: None,
            repairs: None,
            settings: &self.settings,
        }
    }

    /// Why an object that drifted is not put right; `None` where it did not, or is about to be.
    pub(super) fn heal_skip(
        &self,
        app: &ApplicationState,
        gate: &Gate,
        drift: &Drift,
        key: &ResourceKey,
    ) -> Option<HealSkip> {
        let object = app.assessment.objects.get(key)?;
        let project = gate
            .project()
            .filter(|_| object.sync == Some(SyncStatusCode::OutOfSync))?;
        // As of the last try: until when it waits does not depend on when somebody asks.
        let now = app.heal.get(key).map_or(Timestamp::default(), |heal| heal.last);
        match self.heal_decision(now, app, project, drift, key) {
            SelfHeal::Skip(reason) => Some(reason).filter(HealSkip::keeps_drift),
            SelfHeal::Sync(_) => None,
        }
    }

    /// Why the application stays as it is although it differs, or although it may.
    pub(super) fn skipped(&self, app: &ApplicationState) -> Option<Skipped> {
        let stays = app.operation.is_none() && app.assessment.sync == SyncStatusCode::OutOfSync;
        if !stays && !self.is_suspended(app) {
            return None;
        }
        let reason = self.skip_reason(app)?;
        match reason {
            SkipReason::Drifted => return self.heals_none(app).map(|reason| Skipped::of_heal(&reason)),
            SkipReason::Held(_) => return Some(Skipped::of_sync(reason, app.hold.text())),
            _ => {}
        }
        Some(Skipped::of_sync(reason, reason.to_string()))
    }

    /// The same, or else the reason of the first object that is not put right.
    pub(super) fn skipped_text(&self, app: &ApplicationState, gate: &Gate, drift: &Drift) -> Option<String> {
        if let Some(skipped) = self.skipped(app) {
            return Some(skipped.text);
        }
        let is_drift = self.skip_reason(app) == Some(SkipReason::Drifted);
        let mut differing = app.assessment.tally.differing.iter().filter(|_| is_drift);
        differing.find_map(|key| Some(format!("{key}: {}", self.heal_skip(app, gate, drift, key)?)))
    }

    /// Tells the journal when the application begins to stay as it is, or does for another reason.
    pub(super) fn tell_skip(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let skipped = self.skipped(app).filter(|skipped| {
            let is_told = ["Suspended", "NotAutomated", "PruneNotAllowed", "WouldWipe", "Off"];
            is_told.contains(&skipped.name) || self.unwritable(app).is_some_and(|why| why.name() == skipped.name)
        });
        let from = app.reasons_told.skipped.as_ref().map_or("", |told| told.name);
        if let Some(skipped) = skipped
            .as_ref()
            .filter(|skipped| app.reasons_told.skipped.as_ref() != Some(skipped))
        {
            let text = skipped.text.clone();
            self.note(
                now,
                app,
                None,
                skipped.machine,
                from,
                skipped.name,
                text,
                Cause::Cluster,
            );
        }
        app.reasons_told.skipped = skipped;
    }

    /// Tells the journal when an object that drifted begins to be left, or is for another reason. What is contended is told by its fields.
    pub(super) fn tell_left(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        reason: HealSkip,
    ) {
        let is_told = !reason.keeps_drift() || matches!(reason, HealSkip::Contended(_));
        if is_told || app.heal.told(key) == Some(&reason) {
            return;
        }
        let message = format!("{}; {reason}", app.drifted(key));
        let cause = app.drift_cause(key);
        self.note(now, app, Some(key), "drift", "OutOfSync", reason.name(), message, cause);
        app.heal.tell(key, reason);
    }
}
