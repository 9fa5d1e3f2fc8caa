//! What the resource's status says, and when it is written.
//!
//! It is written when it would say something else than it says, and not while more is about to change by itself: a comparison or a
//! write is under way. The exception is a barrier: the intent of an operation, or of creating a hook, is durable before what depends
//! on it. Nothing in it ticks: times are those of changes.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{
    ApplicationCondition, ApplicationStatus, ApplicationSummary, ConditionType, ResourceKey, ResourceStatus,
    SyncStatusCode, Timestamp,
};
use petgraph::stable_graph::NodeIndex;
use serde_json::{Map, Value};

use super::Engine;
use super::gate::Gate;
use super::operation::{OperationRun, Stage, clipped, recorded_number, short};
use super::state::{ApplicationState, InFlight, StatusPatch};
use super::telling::{News, Summary, Telling, difference, name_some, warnings};
use super::verdict::{told_health, told_sync, verdicts};
use crate::compare::Verdict;
use crate::effect::EffectKind;
use crate::guard::parse;
use crate::journal::Cause;
use crate::policy::{HealSkip, SkipReason};

/// What a write of the status is for.
struct Write {
    /// It records the intent of the operation that runs.
    intent: bool,
    /// Hooks whose intended creation it records.
    hooks: Vec<NodeIndex>,
    /// The operation goes on when it is written.
    is_barrier: bool,
    /// It has to be of the version that is known: it is a barrier, or the first word of an operation, and no process that this one has not seen
    /// may have begun another.
    insists: bool,
}

impl Write {
    fn of(app: &ApplicationState) -> Self {
        let running = app.operation.as_ref();
        let intent = running.is_some_and(|operation| operation.stage == Stage::PersistingIntent);
        let hooks = hooks_to_record(app);
        let is_awaited = running.is_some_and(|operation| operation.awaits_record);
        let is_barrier = intent || is_awaited || !hooks.is_empty();
        let last = app.last_operation.as_ref().map_or(0, recorded_number);
        let number = running.map_or(last, |operation| operation.number);
        Self {
            intent,
            hooks,
            is_barrier,
            insists: is_barrier || number != app.releases.told(),
        }
    }
}

impl Engine {
    pub(super) fn step_status(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate) {
        let wanted = self.conditions(app, gate);
        app.conditions = merged(&app.conditions, wanted, now);
        self.tell_changes(now, app, gate);
        app.telling.wait_for_nothing();
        let is_due = app.status_failure.as_ref().is_none_or(|failure| failure.until <= now);
        let may_be_told = self.leads && is_due && !app.in_flight.is_telling();
        if !may_be_told || app.application.metadata.uid.is_empty() {
            return;
        }
        let write = Write::of(app);
        let is_barrier = write.is_barrier;
        if !is_barrier && !self.is_quiet(app, gate) {
            return;
        }
        // What it rests on is known only when the other patches of the resource were answered, and seen.
        if write.insists && (app.in_flight.is_patching() || app.said_version.sure().is_none()) {
            return;
        }
        let summary = summary(app, gate);
        let news = match Telling::news(app, &summary) {
            News::Nothing if self.exhaustive && self.unsaid(app, gate).is_some() => News::Progress,
            News::Nothing if !is_barrier => return,
            news => news,
        };
        let news = if is_barrier { News::Urgent } else { news };
        if app.telling.may_tell(now, news) {
            self.tell(now, app, gate, summary, write);
        }
    }

    /// What a status would say that the resource does not.
    pub(super) fn unsaid(&self, app: &ApplicationState, gate: &Gate) -> Option<Value> {
        let status = serde_json::to_value(self.compose(app, gate)).unwrap_or_default();
        difference(&app.said, &status)
    }

    /// Puts the status together, and writes it where it says something else than the resource does, or is waited for.
    fn tell(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate, summary: Summary, write: Write) {
        let status = self.compose(app, gate);
        Telling::told(app, now, summary, rows(&status));
        let status = serde_json::to_value(&status).unwrap_or_default();
        let patch = match difference(&app.said, &status) {
            Some(patch) => patch,
            None if write.is_barrier => Value::Object(Map::new()),
            None => return,
        };
        let version = app
            .said_version
            .sure()
            .filter(|version| write.insists && !version.is_empty())
            .map(str::to_owned);
        let kind = EffectKind::PatchStatus {
            uid: app.application.metadata.uid.clone(),
            patch,
            version: version.clone(),
        };
        let of = app.operation.as_ref().map(OperationRun::run_id);
        let patch = StatusPatch {
            status,
            hooks: write.hooks,
            intent: write.intent,
            insists: version.is_some(),
            of,
        };
        self.emit(app, kind, InFlight::Status(patch));
    }

    /// Is nothing under way that changes what there is to say?
    pub(super) fn is_quiet(&self, app: &ApplicationState, gate: &Gate) -> bool {
        let is_busy = app.writes_in_flight() > 0 || app.in_flight.is_comparing();
        match gate {
            Gate::Refused(_) => true,
            Gate::Waiting(_) => self.cluster(app).is_some_and(|cluster| cluster.lost.is_some()),
            Gate::Open(_) if app.application.metadata.deletion_timestamp.is_some() => {
                !is_busy && (app.deletion.is_stuck() || !app.deletion_errors.is_empty() || app.guarding.holds())
            }
            Gate::Open(_) => !is_busy && app.assessment.settled,
        }
    }

    /// Notes in the journal that the verdict or the health changed.
    fn tell_changes(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate) {
        if !self.is_quiet(app, gate) || app.application.metadata.deletion_timestamp.is_some() {
            return;
        }
        let (sync, health) = verdicts(app, gate);
        let (old_sync, old_health) = app.told;
        let cause = match app.operation.is_some() {
            true => self.cause_of_desired(app),
            false => Cause::Cluster,
        };
        if sync != old_sync {
            let message = app.desired.as_ref().map_or_else(String::new, |desired| {
                format!("compared with {}", short(desired.revision()))
            });
            self.note(
                now,
                app,
                None,
                "sync",
                &old_sync.to_string(),
                &sync.to_string(),
                message,
                cause,
            );
        }
        if health.status != old_health {
            app.health_since = Some(now);
            let (from, to) = (old_health.to_string(), health.status.to_string());
            self.note(
                now,
                app,
                None,
                "health",
                &from,
                &to,
                health.message.clone(),
                Cause::Cluster,
            );
        }
        app.told = (sync, health.status);
    }

    fn conditions(&self, app: &ApplicationState, gate: &Gate) -> Vec<(ConditionType, String)> {
        let mut conditions = Vec::new();
        match gate {
            Gate::Refused(why) => conditions.push((ConditionType::InvalidSpecError, why.clone())),
            Gate::Waiting(why) if self.cluster(app).is_some_and(|cluster| cluster.lost.is_some()) => {
                conditions.push((ConditionType::ComparisonError, why.clone()));
            }
            Gate::Waiting(_) => {}
            Gate::Open(_) => {
                self.working_conditions(app, &mut conditions);
                let odd = self.odd_projects.get(app.application.spec.project());
                let odd = odd.into_iter().flatten().cloned();
                name_some(&mut conditions, ConditionType::ManifestWarning, odd);
            }
        }
        if !matches!(gate, Gate::Refused(_)) {
            // Told while it waits, too: since when a hold stands is known by them.
            let held = app.guarding.messages();
            conditions.extend(held.map(|message| (ConditionType::PruneHeld, message)));
            name_some(&mut conditions, ConditionType::Contended, contended_fields(app));
            name_some(&mut conditions, ConditionType::Contended, contended_objects(app));
        }
        for (key, error) in &app.deletion_errors {
            conditions.push((ConditionType::DeletionError, format!("{key}: {error}")));
        }
        if app.deletion.is_overdue {
            let waits = app.deletion.waits.iter();
            conditions.extend(waits.map(|wait| (ConditionType::DeletionError, wait.clone())));
        }
        if let Some((_, _, why)) = &app.deletion.unread {
            conditions.push((ConditionType::DeletionError, why.clone()));
        }
        if let Some(failure) = app.status_failure.as_ref().filter(|failure| !failure.is_passing) {
            let message = format!("the status could not be written: {}", failure.why);
            conditions.push((ConditionType::UnknownError, message));
        }
        conditions
    }

    fn working_conditions(&self, app: &ApplicationState, conditions: &mut Vec<(ConditionType, String)>) {
        let unread = app.refresh.failure().into_iter();
        conditions.extend(unread.map(|why| (ConditionType::ComparisonError, why.to_owned())));
        if let Some(cluster) = self.cluster(app) {
            if let Some(why) = &cluster.lost {
                conditions.push((
                    ConditionType::ComparisonError,
                    format!("the cluster does not answer: {why}"),
                ));
            }
            for kind in &app.kinds {
                if let Some(why) = cluster.unavailable.get(kind) {
                    conditions.push((
                        ConditionType::ComparisonError,
                        format!("{kind} cannot be listed: {why}"),
                    ));
                }
            }
        }
        let failed = app
            .incomparable
            .iter()
            .filter_map(|key| match &app.compared.get(key)?.verdict {
                Verdict::Failed(why) => Some(format!("{key}: {why}")),
                _ => None,
            });
        name_some(conditions, ConditionType::ComparisonError, failed);
        name_some(conditions, ConditionType::ManifestWarning, warnings(app));
        self.hold_conditions(app, conditions);
        let skip = app.operation.is_none().then(|| self.skip_reason(app)).flatten();
        match skip {
            Some(SkipReason::AlreadyFailed) => {
                let message = app.last_operation.as_ref().map_or("", |state| state.message.as_str());
                conditions.push((
                    ConditionType::SyncError,
                    format!("the last sync of these objects failed: {message}"),
                ));
            }
            Some(reason @ SkipReason::WouldWipe) => conditions.push((ConditionType::SyncError, reason.to_string())),
            _ => {}
        }
        name_some(conditions, ConditionType::SyncError, app.releases.refused());
        let differing = &app.assessment.tally.differing;
        let unhealed = app.heal.failed().iter().filter(|key| differing.contains(*key));
        let unhealed = unhealed.filter_map(|key| Some((key, app.heal.get(key)?)));
        let unhealed =
            unhealed.map(|(key, heal)| format!("{key} drifted and could not be put right: {}", heal.failure));
        name_some(conditions, ConditionType::SyncError, unhealed);
    }

    fn hold_conditions(&self, app: &ApplicationState, conditions: &mut Vec<(ConditionType, String)>) {
        if let Some(error) = &app.hold.error {
            conditions.push((ConditionType::SyncError, error.clone()));
        } else if app.operation.is_none() && self.is_held(app) {
            let reasons = app.hold.reasons();
            conditions.extend(reasons.map(|reason| (ConditionType::SyncHeld, reason.clone())));
        }
    }

    fn compose(&self, app: &ApplicationState, gate: &Gate) -> ApplicationStatus {
        // What is not settled stays as it was told.
        let said: ApplicationStatus = serde_json::from_value(app.said.clone()).unwrap_or_default();
        let (sync, health) = verdicts(app, gate);
        let is_known = app.assessment.settled && matches!(gate, Gate::Open(_));
        let operation = app
            .operation
            .as_ref()
            .map(|operation| operation.record(None))
            .or_else(|| app.last_operation.clone());
        let desired = app.desired.as_ref();
        ApplicationStatus {
            sync: told_sync(app, gate, sync, said.sync),
            health: told_health(&health, app),
            resources: if is_known { resources(app) } else { said.resources },
            history: app.history.clone(),
            conditions: app.conditions.clone(),
            operation_state: operation,
            reconciled_at: app.reconciled_at,
            source_type: desired.map_or(said.source_type, |desired| desired.targets.source_type().to_owned()),
            summary: ApplicationSummary {
                images: desired.map_or(said.summary.images, |desired| desired.images.clone()),
                ..said.summary
            },
            controller_namespace: self.settings.control_namespace.clone(),
            lacks_verdicts: false,
        }
    }
}

/// Objects and results that a status names: what its length goes by.
fn rows(status: &ApplicationStatus) -> usize {
    let operation = status.operation_state.as_ref();
    let results = operation.and_then(|operation| Some(operation.sync_result.as_ref()?.resources.len()));
    status.resources.len() + results.unwrap_or_default()
}

pub(super) fn summary(app: &ApplicationState, gate: &Gate) -> Summary {
    let (sync, health) = verdicts(app, gate);
    let is_known = app.assessment.settled && matches!(gate, Gate::Open(_));
    Summary::of(app, sync, told_health(&health, app), is_known)
}

/// What names a hold.
fn of_hold(message: &str) -> Option<(&str, &str)> {
    parse(message).map(|parsed| (parsed.rule, parsed.plan))
}

/// Fields that are left to others, while they differ.
fn contended_fields(app: &ApplicationState) -> impl Iterator<Item = String> {
    let is_out_of_sync = |key: &ResourceKey| {
        let object = app.assessment.objects.get(key);
        object.is_some_and(|object| object.sync == Some(SyncStatusCode::OutOfSync))
    };
    let fights = app.contention.left().filter(move |(key, _)| is_out_of_sync(key));
    fights.flat_map(|(key, contention)| {
        let left = contention.left();
        left.map(|(path, manager)| contended(key, path, manager))
    })
}

/// Objects that were put right more than once in a row and wait to be put right again.
fn contended_objects(app: &ApplicationState) -> impl Iterator<Item = String> {
    let differing = &app.assessment.tally.differing;
    let waiting = app.heal.all_told().filter(|(key, reason)| {
        let is_fight = matches!(reason, HealSkip::BackOff { in_a_row: 2.., failure, .. } if failure.is_empty());
        is_fight && differing.contains(*key)
    });
    waiting.map(|(key, reason)| format!("{key}: {}; {reason}", app.drifted(key)))
}

fn contended(key: &ResourceKey, path: &str, manager: &str) -> String {
    let who = if manager.is_empty() { "somebody" } else { manager };
    format!(
        "{key}: {path} is left to {who}, who changed it back more than ten times within an hour; remove it from Git, ignore it by \
         spec.ignoreDifferences, or stop {who} and sync"
    )
}

/// The inventory. Health of single objects is not in it, as in Argo CD 3: it would be written with every pod that starts.
fn resources(app: &ApplicationState) -> Vec<ResourceStatus> {
    app.assessment
        .objects
        .iter()
        .map(|(key, object)| ResourceStatus {
            group: key.group.clone(),
            version: object.gvk.version.clone(),
            kind: key.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            status: object.sync,
            health: None,
            hook: false,
            requires_pruning: object.requires_pruning,
            sync_wave: object.wave,
            requires_deletion_confirmation: object.needs_confirmation,
        })
        .collect()
}

/// Hooks whose creation waits for being recorded.
fn hooks_to_record(app: &ApplicationState) -> Vec<NodeIndex> {
    let Some(operation) = &app.operation else {
        return Vec::new();
    };
    let positions = operation.work.to_record();
    positions
        .filter_map(|position| Some(operation.at(position)?.0))
        .collect()
}

/// The conditions that hold, each with the time since when it says what it says.
fn merged(
    old: &[ApplicationCondition],
    wanted: Vec<(ConditionType, String)>,
    now: Timestamp,
) -> Vec<ApplicationCondition> {
    let wanted: BTreeSet<(ConditionType, String)> = wanted
        .into_iter()
        .map(|(kind, message)| (kind, clipped(&message)))
        .collect();
    let times: BTreeMap<(ConditionType, &str), Option<Timestamp>> = old
        .iter()
        .map(|condition| {
            (
                (condition.kind, condition.message.as_str()),
                condition.last_transition_time,
            )
        })
        .collect();
    wanted
        .into_iter()
        .map(|(kind, message)| {
            let since = match kind {
                // The same hold, whatever else it says.
                ConditionType::PruneHeld => {
                    let mut holds = old.iter().filter(|condition| condition.kind == kind);
                    let same = holds.find(|condition| of_hold(&condition.message) == of_hold(&message));
                    same.and_then(|condition| condition.last_transition_time)
                }
                _ => times.get(&(kind, message.as_str())).copied().flatten(),
            };
            ApplicationCondition {
                kind,
                message,
                last_transition_time: since.or(Some(now.truncated())),
            }
        })
        .collect()
}
