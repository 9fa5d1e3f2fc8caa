//! A case played over the engine: its requests are carried out on the simulated cluster, round by round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use capstan_engine::compare::compare;
use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun, Effect, EffectKind, Propagation};
use capstan_engine::event::{Deletion, Descent, Outcome, ResolvedRevision};
use capstan_engine::guard::{DeletePermit, DeleteReason};
use capstan_engine::settings::Guards;
use capstan_engine::view::TaskView;
use capstan_engine::{Engine, Event, Settings};
use capstan_model::annotations::DELETION_APPROVED;
use capstan_model::{AppProject, Application, ClusterId, GroupKind, OperationPhase, ProjectResource, Timestamp};
use serde_json::{Value, json};

use super::answer::{Answered, Scripted, flags_of, merge_patch, patched, write_error};
use super::case::{Case, Round, Row};
use super::laws::Moment;
use super::setup::{application, discovery, id, key_text, operation, resource_key, targets, track};
use super::world::World;

/// Rounds that are played at most, as in the recordings.
const ROUNDS: u32 = 12;
/// Time between two rounds: longer than any wait of the engine that is not for the cluster.
const BETWEEN: Duration = Duration::from_secs(40);
/// Requests of one round; more is a loop.
const STEPS: usize = 20_000;

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) rounds: Vec<Round>,
    pub(crate) phase: String,
    pub(crate) message: String,
    pub(crate) deadline: Option<Timestamp>,
    /// What the cluster holds in the end.
    pub(crate) world: World,
    /// The tasks as they were last seen while the operation ran, and as they ended; where it was asked for.
    pub(crate) tasks: [Vec<TaskView>; 2],
    /// Every request that came to the cluster.
    pub(crate) moments: Vec<Moment>,
}

struct Player<'a> {
    case: &'a Case,
    engine: Engine,
    world: World,
    now: Timestamp,
    application: Value,
    versions: u64,
    /// What the engine was told of the cluster.
    told: BTreeMap<String, Value>,
    served: usize,
    watched: BTreeSet<GroupKind>,
    pending: VecDeque<Effect>,
    ops: Vec<(usize, Vec<Row>)>,
    waves: Vec<(String, i64, bool)>,
    /// The tasks, where they are asked for.
    tasks: Option<Vec<TaskView>>,
    moments: Vec<Moment>,
}

/// Plays `case` with these guards.
pub(crate) fn play(case: &Case, guards: Guards) -> Played {
    play_from(case, guards, None)
}

/// The same, and how far each task came.
pub(crate) fn play_closely(case: &Case, guards: Guards) -> Played {
    play_from(case, guards, Some(Vec::new()))
}

fn play_from(case: &Case, guards: Guards, tasks: Option<Vec<TaskView>>) -> Played {
    let settings = Settings {
        guards,
        ..Settings::default()
    };
    let mut world = World::new(case, case.script.clone());
    track(case, &mut world);
    let mut player = Player {
        case,
        engine: Engine::with_health(settings, Arc::new(Scripted)),
        application: application(case, &world),
        world,
        now: case.app.started_at.parse().expect("startedAt is a time"),
        versions: 1000,
        told: BTreeMap::new(),
        served: 0,
        watched: BTreeSet::new(),
        pending: VecDeque::new(),
        ops: Vec::new(),
        waves: Vec::new(),
        tasks,
        moments: Vec::new(),
    };
    player.start();
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        rounds.push(player.round(round));
        if player.phase() != OperationPhase::Running && player.phase() != OperationPhase::Terminating {
            break;
        }
    }
    player.finish(rounds)
}

impl Player<'_> {
    fn start(&mut self) {
        let mut project = AppProject::permissive("default");
        for key in self.world.denials() {
            let key = resource_key(&key);
            let rule = ProjectResource {
                group: key.group,
                kind: key.kind,
                name: key.name,
            };
            match key.namespace.is_empty() {
                true => project.spec.cluster_resource_blacklist.push(rule),
                false => project.spec.namespace_resource_blacklist.push(rule),
            }
        }
        self.served = self.world.custom_kinds().len();
        self.told = self.world.view();
        let connected = Event::ClusterConnected(ClusterId::in_cluster(), discovery(self.case, &self.world));
        self.handle(Event::ProjectObserved(Box::new(project)));
        self.handle(Event::ProjectsListed);
        self.handle(connected);
        let observed = self.observed_application();
        self.handle(observed);
        self.handle(Event::ApplicationsListed);
        self.drive();
    }

    fn observed_application(&self) -> Event {
        Event::ApplicationObserved(Box::new(Application::parse(&self.application).expect("an application")))
    }

    fn handle(&mut self, event: Event) {
        self.engine.handle(self.now, event);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(effect) = self.engine.poll_effect() {
            self.pending.push_back(effect);
        }
    }

    fn phase(&self) -> OperationPhase {
        let view = self.engine.view(&id()).expect("the application is known");
        view.operation
            .map_or(OperationPhase::Running, |operation| operation.phase)
    }

    fn round(&mut self, round: u32) -> Round {
        self.ops.clear();
        self.waves.clear();
        self.begin_round(round);
        self.drive();
        let view = self.engine.view(&id()).and_then(|view| view.operation);
        let mut ops: Vec<Vec<Row>> = Vec::new();
        let mut last = None;
        for (batch, rows) in self.ops.drain(..) {
            match ops.last_mut() {
                Some(open) if last == Some(batch) => open.extend(rows),
                _ => ops.push(rows),
            }
            last = Some(batch);
        }
        // What the recordings asked for together was sorted; ours has no batches, and an order.
        let is_sorted = self.engine.settings().guards == Guards::Argo;
        for rows in ops.iter_mut().filter(|_| is_sorted) {
            rows.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Round {
            ops,
            waves: std::mem::take(&mut self.waves),
            phase: view.as_ref().map(|view| view.phase.to_string()).unwrap_or_default(),
            message: view.map(|view| view.message).unwrap_or_default(),
            repeat: 0,
        }
    }

    /// Everything that is new in this round, told at once.
    fn begin_round(&mut self, round: u32) {
        let mut events = Vec::new();
        if round > 1 {
            self.now = self.now + BETWEEN;
            self.world.tick();
            events = self.news();
        }
        if self.case.script.prune_confirmed_at == Some(round) {
            self.approve(&mut events);
        }
        let mut terminate = (self.case.script.terminate_at == Some(round)).then(|| Event::TerminateRequested {
            id: id(),
            by: "ada".into(),
        });
        match round {
            1 => events.push(Event::SyncRequested {
                id: id(),
                operation: Box::new(operation(self.case)),
            }),
            _ => events.extend(terminate.take()),
        }
        self.engine.handle_all(self.now, events);
        self.collect();
        self.note();
        // What is to be stopped must have begun.
        if let Some(terminate) = terminate {
            self.handle(terminate);
        }
    }

    /// The application is annotated with the approval of its deletions.
    fn approve(&mut self, events: &mut Vec<Event>) {
        self.application["metadata"]["annotations"][DELETION_APPROVED] = json!(self.now.to_string());
        self.versions += 1;
        self.application["metadata"]["resourceVersion"] = json!(self.versions.to_string());
        events.push(self.observed_application());
    }

    /// What changed in the cluster since the engine was last told.
    fn news(&mut self) -> Vec<Event> {
        let cluster = ClusterId::in_cluster();
        let seen = self.world.view();
        let mut events = Vec::new();
        let kinds = self.world.custom_kinds().len();
        if kinds != self.served {
            self.served = kinds;
            events.push(Event::ClusterConnected(
                cluster.clone(),
                discovery(self.case, &self.world),
            ));
        }
        for (key, old) in &self.told {
            let uid = |object: &Value| object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            if seen.get(key).is_none_or(|new| uid(new) != uid(old)) {
                events.push(Event::LiveGone {
                    cluster: cluster.clone(),
                    key: resource_key(key),
                    uid: uid(old),
                });
            }
        }
        for (key, object) in &seen {
            if self.told.get(key) != Some(object) {
                let object = self.versioned(object);
                events.push(Event::LiveObserved(cluster.clone(), Box::new(object)));
            }
        }
        self.told = seen;
        events
    }

    fn versioned(&mut self, object: &Value) -> Value {
        let mut object = object.clone();
        self.versions += 1;
        object["metadata"]["resourceVersion"] = json!(self.versions.to_string());
        object["metadata"]["generation"] = json!(1);
        object
    }

    /// Carries out requests until there are none.
    fn drive(&mut self) {
        for _ in 0..STEPS {
            let Some(effect) = self.pending.pop_front() else { return };
            self.perform(&effect);
        }
        panic!("{}: it never comes to rest", self.case.id);
    }

    fn perform(&mut self, effect: &Effect) {
        let place = self.engine.place_of(&effect.id);
        let (there, unready) = (self.world.there(), self.world.unready());
        let Some((outcome, row)) = self.carry_out(effect) else {
            return;
        };
        if let (Some((op, key, flags)), Some((phase, wave, batch))) = (row, place) {
            let row = Row {
                key,
                phase: phase.to_string(),
                wave,
                op,
                flags: flags.join(","),
            };
            self.moments.push(Moment {
                row: row.clone(),
                round: self.world.round,
                there,
                unready,
            });
            self.ops.push((batch, vec![row]));
        }
        self.handle(Event::Completed(effect.id.clone(), outcome));
        if matches!(
            effect.kind,
            EffectKind::PatchStatus { .. } | EffectKind::PatchApplication { .. }
        ) {
            let observed = self.observed_application();
            self.handle(observed);
        }
        self.note();
    }

    /// Looks at the tasks, while there are any.
    fn note(&mut self) {
        let Some(tasks) = &mut self.tasks else { return };
        let running = self.engine.view(&id()).and_then(|view| view.operation);
        if let Some(running) = running.filter(|operation| operation.finished_at.is_none()) {
            *tasks = running.tasks;
        }
    }

    /// The outcome, and the row of the recording: operation, key, flags.
    fn carry_out(&mut self, effect: &Effect) -> Option<Answered> {
        let done = match &effect.kind {
            EffectKind::ResolveRevision { .. } => {
                let revision = ResolvedRevision {
                    revision: self.case.app.revision.clone(),
                    ..ResolvedRevision::default()
                };
                (Outcome::Resolved(Ok(vec![revision])), None)
            }
            EffectKind::TraceDescent { steps } => (Outcome::Descent(Ok(vec![Descent::Follows; steps.len()])), None),
            EffectKind::Render(task) => (Outcome::Rendered(Ok(targets(self.case, &task.context))), None),
            EffectKind::Compare(task) => (Outcome::Compared(compare(task)), None),
            EffectKind::Apply(task) => self.apply(task),
            EffectKind::Delete {
                permit, propagation, ..
            } => self.delete(permit, *propagation),
            EffectKind::Observe { key, .. } => {
                let object = self
                    .world
                    .view()
                    .get(&key_text(key))
                    .map(|object| Box::new(self.versioned(object)));
                (Outcome::Observed(Ok(object)), None)
            }
            EffectKind::RemoveFinalizer { key, finalizer, .. } => {
                let key = key_text(key);
                let result = self.world.release(&key, finalizer);
                patched("update", key, result, Some("finalizer"))
            }
            EffectKind::MigrateFields { key, .. } => {
                let key = key_text(key);
                let result = self.world.migrate(&key);
                patched("migrate", key, result, None)
            }
            EffectKind::Pause { phase, wave, is_last } => {
                self.waves.push((phase.to_string(), *wave, *is_last));
                (Outcome::Paused(self.pause(&phase.to_string(), *wave)), None)
            }
            EffectKind::PatchStatus { patch, .. } => (self.patch(&["status"], patch), None),
            EffectKind::PatchApplication { patch, .. } => (self.patch(&[], patch), None),
            EffectKind::WatchKinds { kinds, .. } => {
                for kind in kinds.difference(&self.watched.clone()) {
                    self.relist(kind.clone());
                }
                self.watched.clone_from(kinds);
                return None;
            }
        };
        Some(done)
    }

    fn delete(&mut self, permit: &DeletePermit, propagation: Propagation) -> Answered {
        let key = key_text(permit.key());
        // Which way it goes: as a prune, or as a hook whose policy says so or that makes room for its next run.
        let is_hook = matches!(permit.grounds().reason, DeleteReason::Hook | DeleteReason::Convert);
        let live = self.world.view().get(&key).map(|object| self.versioned(object));
        if let Some(Err(refusal)) = live.map(|live| permit.check(&live)) {
            return (Outcome::Deleted(Ok(Deletion::Refused(refusal))), None);
        }
        let result = self.world.delete(&key);
        let mut flags = flags_of(&result);
        flags.push(if is_hook { "hook" } else { "prune" });
        match propagation {
            Propagation::Background if !is_hook => flags.push("background"),
            Propagation::Orphan if !is_hook => flags.push("orphan"),
            _ => {}
        }
        let outcome = result.map_err(write_error).map(|is_gone| match is_gone {
            true => Deletion::Gone,
            false => Deletion::Accepted,
        });
        (Outcome::Deleted(outcome), Some(("delete".to_owned(), key, flags)))
    }

    fn pause(&self, phase: &str, wave: i64) -> Result<(), String> {
        let Some(script) = &self.case.script.wave_hook_fails else {
            return Ok(());
        };
        match script["phase"] == phase && script["wave"] == wave {
            true => Err(script["message"].as_str().unwrap_or("the wave hook failed").to_owned()),
            false => Ok(()),
        }
    }

    fn apply(&mut self, task: &ApplyTask) -> Answered {
        let key = key_text(&task.key);
        let in_place = task.key.kind == "Namespace" || task.key.kind == "CustomResourceDefinition";
        let op = match &task.mode {
            ApplyMode::Create => "create",
            ApplyMode::Replace { .. } if in_place => "update",
            ApplyMode::Replace { .. } => "replace",
            ApplyMode::ServerSide { .. } | ApplyMode::ClientSide => "apply",
        };
        let object = task.object.value().expect("a stored object");
        let is_dry = task.dry_run != DryRun::No;
        let result = match is_dry {
            true => self.world.rehearse(&key, true),
            false => self.world.write(&key, &object),
        };
        let mut flags = flags_of(&result);
        if matches!(task.mode, ApplyMode::ServerSide { .. }) {
            flags.push("ssa");
        }
        if task.recreate && matches!(op, "apply" | "replace") {
            flags.push("force");
        }
        if !task.validate && matches!(op, "apply" | "create") {
            flags.push("novalidate");
        }
        let prefix = if is_dry { "dry-run-" } else { "" };
        let outcome = match result {
            Ok(()) if is_dry => Ok(Box::new(object)),
            Ok(()) => {
                self.definitions_changed();
                let seen = self.world.view();
                let object = self.versioned(&seen[&key]);
                self.told.insert(key.clone(), seen[&key].clone());
                Ok(Box::new(object))
            }
            Err(refusal) => Err(write_error(refusal)),
        };
        (Outcome::Applied(outcome), Some((format!("{prefix}{op}"), key, flags)))
    }

    /// A definition that was just written is established at once.
    fn definitions_changed(&mut self) {
        let kinds = self.world.custom_kinds().len();
        if kinds != self.served {
            self.served = kinds;
            let connected = Event::ClusterConnected(ClusterId::in_cluster(), discovery(self.case, &self.world));
            self.handle(connected);
        }
    }

    fn relist(&mut self, kind: GroupKind) {
        let seen = self.world.view();
        let mut objects = Vec::new();
        for (key, object) in seen {
            if resource_key(&key).group_kind() == kind {
                objects.push(self.versioned(&object));
                self.told.insert(key, object);
            }
        }
        self.handle(Event::Relisted {
            cluster: ClusterId::in_cluster(),
            kind,
            objects,
        });
    }

    fn patch(&mut self, field: &[&str], patch: &Value) -> Outcome {
        let mut at = &mut self.application;
        for name in field {
            at = &mut at[*name];
        }
        merge_patch(at, patch);
        self.versions += 1;
        self.application["metadata"]["resourceVersion"] = json!(self.versions.to_string());
        Outcome::Patched(Ok(self.versions.to_string()))
    }

    fn finish(self, rounds: Vec<Round>) -> Played {
        let view = self.engine.view(&id()).expect("the application is known");
        let operation = view.operation;
        Played {
            phase: operation.as_ref().map(|it| it.phase.to_string()).unwrap_or_default(),
            message: operation.as_ref().map(|it| it.message.clone()).unwrap_or_default(),
            rounds,
            deadline: self.engine.poll_timeout(),
            world: self.world,
            moments: self.moments,
            tasks: [
                self.tasks.unwrap_or_default(),
                operation.map(|it| it.tasks).unwrap_or_default(),
            ],
        }
    }
}
