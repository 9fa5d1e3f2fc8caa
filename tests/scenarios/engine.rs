//! The engine over a world, called directly: one loop, whose clock jumps to the next thing that happens.
//!
//! Same scenario, same crash: the same run, byte for byte.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use capstan_controller::{Renderer, SourceToRender};
use capstan_engine::compare::compare;
use capstan_engine::effect::{EffectKind, RenderTask};
use capstan_engine::event::SourceFailure;
use capstan_engine::targets::Targets;
use capstan_engine::{Effect, Engine, Event, Outcome, Settings};
use capstan_model::{ApplicationSource, ClusterId, Timestamp};
use capstan_sim::scenario::{Mark, Note, Record, Stage};
use capstan_sim::{GroupResource, Registry, Request, Response, World};

use crate::discovery::discover;
use crate::execute::Executor;
use crate::play::{BEFORE, Story, note, record};
use crate::sources::{Plain, Repositories};
use crate::watches::Watches;

/// Where a controller dies: when that many effects have reached the cluster since it first started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrashAfter {
    pub(crate) effects: usize,
    /// The next one is carried out, too, and its answer lost.
    pub(crate) unheard: bool,
}

/// How many rounds may follow each other at one instant before it is called a loop.
const ROUNDS: usize = 10_000;

pub(crate) struct EngineStage<'a> {
    story: &'a Story,
    now: Timestamp,
    world: World,
    repositories: Repositories,
    controller: Option<Controller>,
    /// News of repositories that have not been heard of yet.
    news: VecDeque<(Timestamp, String)>,
    journal: Vec<Note>,
    crash: Option<CrashAfter>,
    /// Effects that reached the cluster.
    pub(crate) effects: usize,
}

/// What dies in a crash.
struct Controller {
    engine: Engine,
    watches: Watches,
    /// On their way to the cluster, by the time of their arrival.
    sent: BTreeMap<(Timestamp, u64), Effect>,
    number: u64,
    noted: u64,
    definitions: u64,
}

/// Plays a story to its end.
pub(crate) fn play(story: &Story, crash: Option<CrashAfter>) -> (Record, usize) {
    let world = story.world();
    let mut stage = EngineStage {
        story,
        now: story.scenario.world.epoch - BEFORE,
        world,
        repositories: Repositories::new(&story.scenario, &story.files),
        controller: None,
        news: VecDeque::new(),
        journal: Vec::new(),
        crash,
        effects: 0,
    };
    stage.install_and_start();
    let mut marks = BTreeMap::from([("start".to_owned(), stage.mark("the controller starts".into()))]);
    let start = stage.now;
    for (index, (time, id, action)) in story.scenario.schedule().into_iter().enumerate() {
        stage.run_until(start + time.0);
        action
            .perform(&mut stage, &story.files)
            .unwrap_or_else(|error| panic!("timeline[{index}]: {error}"));
        let mark = stage.mark(action.to_string());
        marks.insert(id.unwrap_or_else(|| format!("timeline[{index}]")), mark);
    }
    stage.run_until(start + story.scenario.end.0);
    stage.note();
    let commits = stage.repositories.commits();
    (record(&stage.world, stage.journal, marks, commits), stage.effects)
}

impl EngineStage<'_> {
    fn install_and_start(&mut self) {
        self.story.install(self);
        self.run_until(self.now + BEFORE / 2);
        self.story.furnish(self);
        self.run_until(self.story.scenario.world.epoch);
        self.start_controller();
    }

    fn mark(&self, what: String) -> Mark {
        Mark {
            time: self.now,
            position: self.world.history().len(),
            what,
        }
    }

    fn start_controller(&mut self) {
        let mut watches = Watches::default();
        let mut events = vec![
            Event::LeadershipChanged {
                leads: true,
                fence: None,
            },
            Event::ClusterConnected(ClusterId::in_cluster(), discover(self.now, &mut self.world)),
        ];
        watches.control(self.now, &mut self.world, &mut events);
        let mut controller = Controller {
            engine: Engine::new(Settings::default()),
            watches,
            sent: BTreeMap::new(),
            number: 0,
            noted: 0,
            definitions: definitions(&self.world),
        };
        for event in events {
            controller.engine.handle(self.now, event);
        }
        self.controller = Some(controller);
    }

    /// Takes over what the controller noted.
    fn note(&mut self) {
        if let Some(controller) = &mut self.controller {
            self.journal
                .extend(controller.engine.journal().after(controller.noted).map(note));
            controller.noted = controller.engine.journal().newest();
        }
    }

    fn run_until(&mut self, end: Timestamp) {
        loop {
            self.settle();
            let next = [
                self.world.next_deadline(),
                self.news.front().map(|(time, _)| *time),
                self.controller.as_ref().and_then(|one| one.engine.poll_timeout()),
                self.controller
                    .as_ref()
                    .and_then(|one| one.sent.keys().next().map(|(time, _)| *time)),
            ];
            match next.into_iter().flatten().min() {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = self.now.max(end);
        self.settle();
    }

    /// Does everything that is to be done at this instant.
    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let acted = self.world.step(self.now);
            if acted + self.tell() + self.carry_out() == 0 {
                return;
            }
        }
        panic!("{ROUNDS} rounds at {} came to no end", self.now);
    }

    /// Tells the engine what was seen and what is due. Gives how much that was.
    fn tell(&mut self) -> usize {
        let Some(controller) = &mut self.controller else {
            return 0;
        };
        let mut events = Vec::new();
        let definitions = definitions(&self.world);
        if controller.definitions != definitions {
            controller.definitions = definitions;
            let discovery = discover(self.now, &mut self.world);
            events.push(Event::ClusterConnected(ClusterId::in_cluster(), discovery));
        }
        while let Some((_, repo_url)) = self.news.pop_front_if(|(time, _)| *time <= self.now) {
            events.push(Event::SourceChanged { repo_url });
        }
        controller.watches.poll(self.now, &mut self.world, &mut events);
        let mut told = events.len();
        for event in events {
            controller.engine.handle(self.now, event);
        }
        if controller.engine.poll_timeout().is_some_and(|time| time <= self.now) {
            controller.engine.handle_timeout(self.now);
            told += 1;
        }
        told
    }

    /// Sends what the engine wants, and lets arrive what is due. Gives how much that was.
    fn carry_out(&mut self) -> usize {
        let Some(mut controller) = self.controller.take() else {
            return 0;
        };
        let mut done = 0;
        let latency = self.story.scenario.world.latency.0;
        while let Some(effect) = controller.engine.poll_effect() {
            done += 1;
            let delay = match effect.kind {
                EffectKind::ResolveRevision { .. }
                | EffectKind::TraceDescent { .. }
                | EffectKind::Render(_)
                | EffectKind::Compare(_)
                | EffectKind::WatchKinds { .. } => Duration::ZERO,
                _ => latency,
            };
            controller.number += 1;
            controller.sent.insert((self.now + delay, controller.number), effect);
        }
        while let Some(entry) = controller.sent.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            done += 1;
            let effect = entry.remove();
            if self.dies_at(&effect) {
                self.controller = Some(controller);
                self.crash_controller();
                return done;
            }
            self.arrive(&mut controller, effect);
        }
        self.controller = Some(controller);
        done
    }

    /// Does the controller die here? An effect that nobody hears of may still be carried out.
    fn dies_at(&mut self, effect: &Effect) -> bool {
        let reaches = !matches!(
            effect.kind,
            EffectKind::ResolveRevision { .. }
                | EffectKind::TraceDescent { .. }
                | EffectKind::Render(_)
                | EffectKind::Compare(_)
                | EffectKind::WatchKinds { .. }
        );
        if !reaches {
            return false;
        }
        let dies = self.crash.filter(|crash| crash.effects == self.effects);
        self.effects += 1;
        let Some(crash) = dies else { return false };
        self.crash = None;
        if crash.unheard {
            self.execute(effect.clone());
        }
        true
    }

    fn arrive(&mut self, controller: &mut Controller, effect: Effect) {
        let mut events = Vec::new();
        if let EffectKind::WatchKinds { kinds, .. } = &effect.kind {
            let discovery = discover(self.now, &mut self.world);
            let versions = discovery
                .kinds
                .into_iter()
                .map(|(kind, served)| (kind, served.version))
                .collect();
            controller
                .watches
                .want(self.now, &mut self.world, kinds, &versions, &mut events);
        } else {
            let id = effect.id.clone();
            let outcome = self.execute(effect);
            events.push(Event::Completed(id, outcome));
        }
        for event in events {
            controller.engine.handle(self.now, event);
        }
    }

    fn execute(&mut self, effect: Effect) -> Outcome {
        let application = effect.id.application;
        let mut executor = Executor {
            now: self.now,
            world: &mut self.world,
        };
        match effect.kind {
            EffectKind::ResolveRevision { sources, .. } => Outcome::Resolved(
                sources
                    .iter()
                    .map(|source| self.repositories.resolve_now(source))
                    .collect(),
            ),
            EffectKind::TraceDescent { steps } => {
                let traced = steps
                    .iter()
                    .map(|(_, from, to)| self.repositories.descent_now(from, to));
                Outcome::Descent(Ok(traced.collect()))
            }
            EffectKind::Render(task) => Outcome::Rendered(self.render(&task)),
            EffectKind::Compare(task) => Outcome::Compared(compare(&task)),
            EffectKind::Apply(task) => Outcome::Applied(executor.apply(&task)),
            EffectKind::Delete {
                permit, propagation, ..
            } => Outcome::Deleted(executor.delete(&permit, propagation)),
            EffectKind::Observe { key, gvk, .. } => Outcome::Observed(executor.observe(&key, &gvk)),
            EffectKind::RemoveFinalizer {
                key,
                gvk,
                uid,
                finalizer,
                ..
            } => Outcome::Patched(executor.remove_finalizer(&key, &gvk, &uid, &finalizer)),
            EffectKind::MigrateFields { key, gvk, from, .. } => {
                Outcome::Patched(executor.migrate_fields(&key, &gvk, &from))
            }
            EffectKind::Pause { .. } => Outcome::Paused(Ok(())),
            EffectKind::PatchApplication { uid, patch } => Outcome::Patched(executor.patch(&application, &uid, patch)),
            EffectKind::PatchStatus { uid, patch, version } => {
                let mut patch = serde_json::json!({ "status": patch });
                if let Some(version) = version {
                    patch["metadata"] = serde_json::json!({ "resourceVersion": version });
                }
                Outcome::Patched(executor.patch(&application, &uid, patch))
            }
            EffectKind::WatchKinds { .. } => unreachable!("has no outcome"),
        }
    }

    fn render(&self, task: &RenderTask) -> Result<Targets, SourceFailure> {
        let mut manifests = Vec::new();
        let references = BTreeMap::new();
        for (source, revision) in &task.sources {
            manifests.extend(self.render_one(task, source, revision, &references)?);
        }
        Targets::prepare(manifests, &task.context, "Directory").map_err(|error| SourceFailure {
            message: error.to_string(),
            transient: false,
        })
    }

    fn render_one(
        &self,
        task: &RenderTask,
        source: &ApplicationSource,
        revision: &str,
        references: &BTreeMap<String, std::sync::Arc<dyn capstan_render::FileTree>>,
    ) -> Result<Vec<capstan_model::Manifest>, SourceFailure> {
        let tree = self.repositories.tree_now(source, revision)?;
        let input = SourceToRender {
            source,
            revision,
            context: &task.context,
            kube_version: &task.kube_version,
            api_versions: &task.api_versions,
            references,
            interrupt: &capstan_render::Interrupt::default(),
        };
        Ok(Plain.render(&input, &*tree)?.manifests)
    }
}

impl Stage for EngineStage<'_> {
    fn request(&mut self, request: Request) -> Response {
        self.world.handle(self.now, request)
    }

    fn registry<T>(&self, look: impl FnOnce(&Registry) -> T) -> T {
        look(self.world.snapshot().registry())
    }

    fn push(&mut self, repository: &str, revision: &str) {
        let url = self.repositories.push(repository, revision);
        self.news.push_back((self.now + self.story.scenario.world.poll.0, url));
    }

    fn crash_controller(&mut self) {
        self.note();
        if let Some(mut controller) = self.controller.take() {
            controller.watches.close(&mut self.world);
        }
        self.start_controller();
    }
}

fn definitions(world: &World) -> u64 {
    let definitions = GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions");
    world.snapshot().resource_revision(&definitions)
}
