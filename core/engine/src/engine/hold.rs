//! What keeps a sync from beginning, or from going on: other Applications that have to be there first, and sync windows.
//!
//! An Application waits for those that its annotation `capstan.dev/depends-on` names until each is Synced and Healthy at its own newest
//! commit, with no sync of it under way or asked for. An automated sync does not begin before that, and needs no deadline: nothing is
//! held meanwhile, and it begins by itself; one that a person asked for begins and waits, as long as a sync may last. What has begun goes
//! on, and drift is put right all the same: what was there once is only kept as it was.
//!
//! A sync window keeps automated syncs and repairs of drift from beginning; a person's sync is refused, unless the window lets it through. A
//! sync that runs when its window shuts is paused, as with Argo CD, unless the window lets it go on: what is under way ends and is
//! observed, nothing new is written, deadlines stand still, and it can be stopped.
//!
//! Invariants: a cycle, or a word that names no Application, is an error of each Application concerned and never a wait; an
//! Application that does not exist is waited for by name.

use std::collections::BTreeSet;

use capstan_model::annotations::DEPENDS_ON;
use capstan_model::{ApplicationId, HealthStatusCode, SyncStatusCode, Timestamp};

use super::Engine;
use super::gate::Gate;
use super::operation::{OperationRun, Stage};
use super::state::ApplicationState;
use crate::journal::Cause;
use crate::machine::Refresh;
use crate::policy::{Attempt, HeldBy, SkipReason, cycle, decide, dependencies, wait_for_each_other};
use crate::sabotage::{self, Sabotage};

/// Why no sync begins. Empty: nothing is in the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hold {
    /// What is waited for, a sentence each. It passes by itself.
    pub(crate) waits: Vec<String>,
    /// What has to be put right by somebody.
    pub(crate) error: Option<String>,
    /// Why no window lets an automated sync through.
    pub(crate) window: Option<String>,
    /// When a window opens or closes next.
    pub(crate) next_change: Option<Timestamp>,
}

impl Hold {
    /// May an automated sync begin?
    pub(crate) fn is_free(&self) -> bool {
        self.by().is_none()
    }

    /// What keeps an automated sync from beginning.
    pub(crate) fn by(&self) -> Option<HeldBy> {
        let all = [
            (self.error.is_some(), HeldBy::Dependencies),
            (!self.waits.is_empty(), HeldBy::Application),
            (self.window.is_some(), HeldBy::Window),
        ];
        all.into_iter().find(|(is_so, _)| *is_so).map(|(_, by)| by)
    }

    /// The same for one that a person asks for, windows apart.
    pub(crate) fn is_free_by_hand(&self) -> bool {
        self.waits.is_empty() && self.error.is_none()
    }

    /// What an automated sync waits for.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &String> {
        self.waits.iter().chain(&self.window)
    }

    /// One sentence; empty when nothing is in the way.
    pub(crate) fn text(&self) -> String {
        match &self.error {
            Some(error) => error.clone(),
            None => self.reasons().cloned().collect::<Vec<_>>().join("; "),
        }
    }
}

impl Engine {
    /// Finds out what keeps the application's syncs from beginning.
    pub(super) fn step_hold(&self, now: Timestamp, app: &mut ApplicationState, gate: &Gate) {
        let mut hold = match dependencies(&app.application) {
            Ok(named) if named.is_empty() || sabotage::is(Sabotage::DoesNotAwaitApplications) => Hold::default(),
            Ok(named) => self.hold_of(app, &named),
            Err(error) => Hold {
                error: Some(error.to_string()),
                ..Hold::default()
            },
        };
        if let Some(project) = gate.project().filter(|project| !project.spec.sync_windows.is_empty()) {
            let decision = decide(project, &app.application, now, Attempt::Automated);
            (hold.window, hold.next_change) = (decision.refusal, decision.next_change);
        }
        app.hold = hold;
    }

    /// Why no window lets an operation begin, or go on; and what somebody can do about that.
    pub(super) fn shut_window(
        &self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &OperationRun,
        gate: &Gate,
    ) -> Option<(String, &'static str)> {
        let project = gate.project().filter(|_| !operation.is_dry_run())?;
        let manual = !operation.is_automated();
        let has_begun = operation.stage != Stage::Planning || operation.attempt > 0 || !operation.restored.is_empty();
        let attempt = match (has_begun, manual) {
            (true, _) => Attempt::Running {
                manual,
                since: operation.started_at,
            },
            (false, true) => Attempt::Manual,
            (false, false) => Attempt::Automated,
        };
        let decision = decide(project, &app.application, now, attempt);
        Some((decision.refusal?, decision.remedy))
    }

    fn hold_of(&self, app: &ApplicationState, named: &BTreeSet<ApplicationId>) -> Hold {
        if let Some(members) = self.cycle_of(app, named) {
            return Hold {
                error: Some(wait_for_each_other(&members)),
                ..Hold::default()
            };
        }
        let waits = named.iter().filter_map(|other| {
            let why = match self.applications.get(other) {
                Some(other) => self.not_ready(other)?,
                None if self.applications_listed => "there is no such Application".to_owned(),
                None => "the Applications are being listed".to_owned(),
            };
            Some(format!("waiting for Application {other} ({DEPENDS_ON}): {why}"))
        });
        Hold {
            waits: waits.collect(),
            ..Hold::default()
        }
    }

    /// The Applications that wait for each other, this one first.
    fn cycle_of(&self, app: &ApplicationState, named: &BTreeSet<ApplicationId>) -> Option<Vec<ApplicationId>> {
        let id = app.id();
        cycle(&id, |at| match self.applications.get(at) {
            _ if *at == id => named.clone(),
            Some(other) => dependencies(&other.application).unwrap_or_default(),
            None => BTreeSet::new(),
        })
    }

    /// Does it wait for itself, by way of others?
    pub(super) fn is_in_cycle(&self, app: &ApplicationState) -> bool {
        let named = dependencies(&app.application).unwrap_or_default();
        self.cycle_of(app, &named).is_some()
    }

    /// Why an application does not count as there; `None` when it is Synced and Healthy at its newest commit. Says nothing that changes
    /// with every Pod.
    fn not_ready(&self, app: &ApplicationState) -> Option<String> {
        if app.application.metadata.deletion_timestamp.is_some() {
            return Some("it is being deleted".into());
        }
        if app.application.skips_reconcile() {
            return Some("it is left alone (argocd.argoproj.io/skip-reconcile)".into());
        }
        if let Gate::Waiting(why) | Gate::Refused(why) = self.gate(app) {
            return Some(why);
        }
        if let Refresh::Failed { message, .. } = &app.refresh {
            return Some(message.clone());
        }
        let is_looked_at = app.wanted.is_some() || app.refresh != Refresh::Compared || !app.assessment.settled;
        let is_synced = app.operation.is_some() || app.requested.is_some();
        if (is_looked_at || is_synced) && !sabotage::is(Sabotage::TakesOldForNewest) {
            return Some("it is being synced or looked at".into());
        }
        match (app.assessment.sync, app.assessment.health.status) {
            (SyncStatusCode::Synced, HealthStatusCode::Healthy) => None,
            (SyncStatusCode::Synced, health) => Some(format!("it is Synced, but {health}")),
            (sync, _) => Some(format!("it is {sync}")),
        }
    }

    /// An application was looked at: those that wait for it are, too, when its readiness is news.
    pub(super) fn wake_dependents(&mut self, id: &ApplicationId, app: &mut ApplicationState) {
        let Some(waiting) = self.dependents.get(id) else { return };
        let readiness = self.not_ready(app);
        if app.readiness.as_ref() != Some(&readiness) {
            self.dirty.extend(waiting.iter().cloned());
            app.readiness = Some(readiness);
        }
    }

    /// Takes in what an application waits for now, and waited for before. What is or was named decides over cycles, so that all who wait
    /// for something are looked at when that changes.
    pub(super) fn index_dependencies(
        &mut self,
        id: &ApplicationId,
        before: &BTreeSet<ApplicationId>,
        now: &BTreeSet<ApplicationId>,
    ) {
        for other in before.difference(now) {
            if let Some(waiting) = self.dependents.get_mut(other) {
                waiting.remove(id);
                if waiting.is_empty() {
                    self.dependents.remove(other);
                }
            }
        }
        for other in now.difference(before) {
            self.dependents.entry(other.clone()).or_default().insert(id.clone());
        }
        if before != now {
            self.dirty.extend(self.dependents.values().flatten().cloned());
        }
    }

    /// Tells the journal when a sync begins to be held back, for another reason, or no longer.
    pub(super) fn tell_hold(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let text = if self.is_held(app) {
            app.hold.text()
        } else {
            String::new()
        };
        if text == app.reasons_told.hold {
            return;
        }
        let name = |text: &str| if text.is_empty() { "Free" } else { "Held" };
        let (from, to) = (name(&app.reasons_told.hold), name(&text));
        app.reasons_told.hold.clone_from(&text);
        self.note(now, app, None, "hold", from, to, text, Cause::Cluster);
    }

    /// Would a sync begin, or go on, if nothing was in the way?
    pub(super) fn is_held(&self, app: &ApplicationState) -> bool {
        if app.hold.is_free() {
            return false;
        }
        match &app.operation {
            Some(operation) => operation.is_held,
            None => match self.skip_reason(app) {
                Some(SkipReason::Held(_)) => true,
                // Drift that would be put right, but for a window.
                Some(SkipReason::Drifted) => app.hold.window.is_some() && app.heals(),
                _ => false,
            },
        }
    }
}
