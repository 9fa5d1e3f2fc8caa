//! A small world: clusters, repositories, an Application, and one controller at a time. Everything that could go in another order asks
//! the tape; everything that happens is written into H.

mod actors;
mod branch;
mod owned;
mod people;
mod places;
mod removal;
mod resource;
mod script;
mod serve;
mod sources;
mod store;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use capstan_engine::{Effect, EffectId, EffectKind, Engine, Event, Outcome, Settings};
use capstan_model::{Application, GroupKind, ResourceKey, Timestamp};
use serde_json::{Value, json};

use crate::generate::{Case, Spec};
use crate::history::{Fact, Record};
use crate::objects::{uid, version};
use actors::Timer;
use branch::Branch;
use places::Place;
use resource::{is_of_source, project, resource};
pub(crate) use resource::{number, running};
use sources::Further;
pub(crate) use sources::joined;
use store::{Change, Store, widgets};

/// How long an object, a wave, a sync and a confirmation are waited for in this world.
pub(crate) const OBJECT: Duration = Duration::from_mins(10);
pub(crate) const WAVE: Duration = Duration::from_mins(20);
pub(crate) const SYNC: Duration = Duration::from_hours(1);
pub(crate) const CONFIRMATION: Duration = Duration::from_mins(15);
/// What is told of something comes a little before or after it.
pub(crate) const MOMENT: Duration = Duration::from_secs(5);
/// Steps in which everything must be over: more is an engine that never comes to rest.
const STEPS: usize = 30_000;

/// One thing that could happen next.
#[derive(Clone, Debug)]
enum Ready {
    Answer(usize),
    Application,
    Watch(usize, GroupKind),
    List(usize, GroupKind),
    Effect(usize),
    Timer,
    Deadline,
}

pub(crate) struct World {
    case: Case,
    store: Store,
    commits: Vec<(String, Option<Vec<Value>>)>,
    head: usize,
    branch: Branch,
    /// The specs that the Application had, in order.
    specs: Vec<Spec>,
    /// What of it the controller was told last.
    told_last: Option<(Spec, Option<Timestamp>)>,
    /// The sources after the first one.
    further: Vec<Further>,
    /// Clusters that the world is not in, by their numbers.
    places: Vec<Place>,
    /// Which cluster answers at each address.
    behind: Vec<usize>,
    /// Which cluster the controller that runs took for the one at each address: the first that answered it there.
    met: Vec<Option<usize>>,
    /// The address that the Application goes to, as the controller was told last; and the cluster there, as H has it.
    told_destination: usize,
    noted_destination: Option<usize>,
    /// Where requests went.
    sent_to: BTreeMap<u64, usize>,
    resource: Value,
    resource_version: u64,
    engine: Engine,
    process: usize,
    requests: u64,
    /// The newest question about the source: answers to earlier ones say nothing any more.
    asked_source: u64,
    /// Asked for and not carried out.
    pending: Vec<(Effect, u64)>,
    /// Carried out, and not answered yet.
    answers: VecDeque<(EffectId, u64, Outcome)>,
    /// States of the Application that its watch has not told yet.
    told: VecDeque<Value>,
    timers: BTreeMap<(Timestamp, u64), (usize, Timer)>,
    timer_number: u64,
    position: usize,
    faults_left: u8,
    is_quiet: bool,
    is_reachable: bool,
    is_readable: bool,
    source_works: bool,
    leads: bool,
    knows_of_deletion: bool,
    has_windows: bool,
    /// Who leads, in the cluster's words.
    lease: Value,
    steps: usize,
}

/// Runs a case to its end, and gives what happened.
pub(crate) fn run(case: &Case) -> Record {
    let mut world = World::new(case);
    world.start();
    world.play();
    world.record()
}

/// What failed is not begun anew: then nothing would ever come to rest where it cannot go well. That it is has a test of its own.
fn settings() -> Settings {
    Settings {
        resume_backoff: Duration::ZERO,
        ..Settings::default()
    }
}

impl World {
    pub(crate) fn new(case: &Case) -> Self {
        let now = Timestamp::from_seconds(case.begins);
        let addresses = usize::from(case.clusters.max(1));
        Self {
            store: Store::new(now),
            commits: sources::commits(case),
            head: 0,
            branch: Branch::new(case.revisions.len()),
            specs: vec![Spec::of(case)],
            told_last: None,
            further: sources::further(case),
            places: places::places(addresses),
            behind: (0..addresses).collect(),
            met: vec![None; addresses],
            told_destination: 0,
            noted_destination: None,
            sent_to: BTreeMap::new(),
            resource: resource(case),
            resource_version: 1,
            engine: Engine::new(settings()),
            process: 0,
            requests: 0,
            asked_source: 0,
            pending: Vec::new(),
            answers: VecDeque::new(),
            told: VecDeque::new(),
            timers: BTreeMap::new(),
            timer_number: 0,
            position: 0,
            faults_left: case.faults,
            is_quiet: false,
            is_reachable: true,
            is_readable: true,
            source_works: true,
            leads: true,
            knows_of_deletion: false,
            has_windows: true,
            lease: json!({"spec": {"holderIdentity": "us", "leaseTransitions": 0}}),
            steps: 0,
            case: case.clone(),
        }
    }

    pub(crate) fn record(&self) -> Record {
        Record {
            case: self.case.clone(),
            commits: self.commits.clone(),
            parents: match self.has_one_source() {
                true => self.branch.parents.clone(),
                false => Vec::new(),
            },
            history: self.store.history.clone(),
            resource: self.resource.clone(),
            objects: self.store.objects.values().cloned().collect(),
            place: self.store.place,
            elsewhere: self.elsewhere(),
            end: self.store.now,
        }
    }

    fn choose(&mut self, of: usize) -> usize {
        let choice = self.case.tape.get(self.position).copied().unwrap_or(0);
        self.position += 1;
        choice as usize % of.max(1)
    }

    /// A new process: it knows nothing but what it reads.
    pub(crate) fn start(&mut self) {
        self.engine = Engine::new(Settings {
            object_timeout: OBJECT,
            wave_timeout: WAVE,
            sync_timeout: SYNC,
            confirmation_timeout: CONFIRMATION,
            // A guard with tests of its own, which would hide what the laws are there to show.
            warm_up: Duration::ZERO,
            ..settings()
        });
        self.told.clear();
        self.note_start(true);
        self.tell_project();
        self.handle(Event::ProjectsListed);
        self.connect_all();
        let fence = self.take_lease(self.leads);
        self.handle(Event::LeadershipChanged {
            leads: self.leads,
            fence,
        });
        let resource = self.resource.clone();
        self.observe(&resource);
        self.handle(Event::ApplicationsListed);
    }

    fn note_start(&mut self, is_new: bool) {
        self.process += 1;
        let process = self.process;
        let running = running(&self.resource["status"]);
        self.store.note(Fact::Started {
            process,
            running,
            is_new,
        });
    }

    /// The process is gone. What it sent may still arrive: so many of its requests do.
    pub(crate) fn crash(&mut self, unheard: usize) {
        let pending = std::mem::take(&mut self.pending);
        for (effect, number) in pending.into_iter().take(unheard) {
            self.serve(&effect, number);
        }
        self.answers.clear();
        self.store.note(Fact::Died);
    }

    /// The cluster without a controller, for so long.
    pub(crate) fn go_on_alone(&mut self, wait: Duration) {
        self.engine = Engine::new(settings());
        let until = self.store.now + wait;
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= until) {
            self.store.now = self.store.now.max(entry.key().0);
            let (place, timer) = entry.remove();
            self.go_to(place);
            self.elapse(timer);
        }
        self.store.now = self.store.now.max(until);
    }

    pub(crate) fn handle(&mut self, event: Event) {
        self.engine.handle(self.store.now, event);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(effect) = self.engine.poll_effect() {
            // What is watched is what was asked for last: these keep their order.
            if let EffectKind::WatchKinds { cluster, kinds } = &effect.kind {
                self.within(self.place_at(cluster), |world| world.watch(kinds));
                continue;
            }
            self.requests += 1;
            let number = self.requests;
            assert_eq!(effect.kind.is_deployment(), effect.identity.is_some(), "{effect:?}");
            if is_of_source(&effect.kind) {
                self.asked_source = number;
            }
            match effect.kind.cluster().map(|cluster| self.place_at(cluster)) {
                Some(place) => {
                    self.sent_to.insert(number, place);
                    self.within(place, |world| world.note_sent(&effect, number));
                }
                None => self.note_sent(&effect, number),
            }
            self.pending.push((effect, number));
        }
    }

    fn tell_project(&mut self) {
        let windows = if self.has_windows { &self.case.windows[..] } else { &[] };
        let project = project(windows);
        self.store.note(Fact::Windows(self.has_windows));
        self.handle(Event::ProjectObserved(Box::new(project)));
    }

    fn observe(&mut self, resource: &Value) {
        if self.tell_of_deletion(resource) {
            return;
        }
        self.note_told(resource);
        self.tell_destination(resource);
        match Application::parse(resource) {
            Ok(application) => self.handle(Event::ApplicationObserved(Box::new(application))),
            Err(error) => panic!("the world wrote an Application that cannot be read: {error}"),
        }
    }

    /// Everything that could happen now; the first is what would happen if nobody were in the way.
    fn ready(&self) -> Vec<Ready> {
        let mut ready: Vec<Ready> = (0..self.answers.len()).map(Ready::Answer).collect();
        if !self.told.is_empty() {
            ready.push(Ready::Application);
        }
        for telling in self.telling() {
            let place = telling.place;
            let watches = telling.watches.iter().filter(|(_, watch)| !watch.is_empty());
            let watches = watches.filter(|(kind, _)| telling.can_tell(kind));
            ready.extend(watches.map(|(kind, _)| Ready::Watch(place, kind.clone())));
            let lists = telling.unlisted.iter().filter(|kind| telling.can_tell(kind));
            ready.extend(lists.map(|kind| Ready::List(place, kind.clone())));
        }
        ready.extend((0..self.pending.len()).map(Ready::Effect));
        let now = self.store.now;
        if self.timers.keys().next().is_some_and(|(at, _)| *at <= now) {
            ready.push(Ready::Timer);
        }
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            ready.push(Ready::Deadline);
        }
        ready
    }

    /// One thing happens. Gives false when nothing can, before time passes.
    pub(crate) fn step(&mut self) -> bool {
        let mut ready = self.ready();
        if ready.is_empty() {
            return false;
        }
        self.steps += 1;
        assert!(self.steps < STEPS, "it never comes to rest:\n{}", self.tail());
        let choice = self.choose(ready.len());
        match ready.swap_remove(choice) {
            Ready::Answer(at) => self.answer(at),
            Ready::Application => {
                if let Some(resource) = self.told.pop_front() {
                    self.observe(&resource);
                }
            }
            Ready::Watch(place, kind) => {
                self.go_to(place);
                self.tell(&kind);
            }
            Ready::List(place, kind) => {
                self.go_to(place);
                self.list(kind);
            }
            Ready::Effect(at) => {
                let (effect, number) = self.pending.remove(at);
                if let Some(outcome) = self.serve(&effect, number) {
                    self.answers.push_back((effect.id, number, outcome));
                }
            }
            Ready::Timer => {
                if let Some((_, (place, timer))) = self.timers.pop_first() {
                    self.go_to(place);
                    self.elapse(timer);
                }
            }
            Ready::Deadline => {
                self.engine.handle_timeout(self.store.now);
                self.collect();
            }
        }
        self.store.now = self.store.now + Duration::from_millis(10);
        true
    }

    fn tail(&self) -> String {
        let story = self.record().story();
        let lines: Vec<&str> = story.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// When something happens next by itself.
    fn next_time(&self) -> Option<Timestamp> {
        let timer = self.timers.keys().next().map(|(at, _)| *at);
        [timer, self.engine.poll_timeout()].into_iter().flatten().min()
    }

    /// Everything that can happen until then happens.
    pub(crate) fn pass(&mut self, until: Timestamp) {
        loop {
            while self.step() {}
            self.store.note(Fact::Resting);
            match self.next_time() {
                Some(at) if at <= until => self.store.now = self.store.now.max(at),
                _ => break,
            }
        }
        self.store.now = self.store.now.max(until);
    }

    fn answer(&mut self, at: usize) {
        let Some((id, number, outcome)) = self.answers.remove(at) else {
            return;
        };
        if !matches!(outcome, Outcome::Resolved(_) | Outcome::Rendered(_)) || number >= self.asked_source {
            let place = self.sent_to.get(&number).copied().unwrap_or(self.store.place);
            self.within(place, |world| world.note_answer(number, &outcome));
        }
        self.handle(Event::Completed(id, outcome));
    }

    fn tell(&mut self, kind: &GroupKind) {
        let change = self.store.watches.get_mut(kind).and_then(VecDeque::pop_front);
        let cluster = self.here();
        match change {
            Some(Change::Changed(object)) => {
                let (key, version) = (crate::objects::key_of(&object), version(&object));
                self.store.note(Fact::Seen { key, version });
                self.handle(Event::LiveObserved(cluster, Box::new(object)));
            }
            Some(Change::Gone(key, uid)) => {
                let fact = Fact::SeenGone {
                    key: key.clone(),
                    uid: uid.clone(),
                };
                self.store.note(fact);
                self.handle(Event::LiveGone { cluster, key, uid });
            }
            None => {}
        }
    }

    fn list(&mut self, kind: GroupKind) {
        self.store.unlisted.remove(&kind);
        self.store.watches.insert(kind.clone(), VecDeque::new());
        let of_kind = self.store.objects.iter().filter(|(key, _)| key.group_kind() == kind);
        let objects: Vec<Value> = of_kind.map(|(_, object)| object.clone()).collect();
        let keys: BTreeSet<ResourceKey> = objects.iter().map(crate::objects::key_of).collect();
        self.store.note(Fact::Listed {
            kind: kind.clone(),
            keys,
        });
        for object in &objects {
            let (key, version) = (crate::objects::key_of(object), version(object));
            self.store.note(Fact::Seen { key, version });
        }
        let cluster = self.here();
        self.handle(Event::Relisted { cluster, kind, objects });
    }

    /// From now on these kinds are watched; new ones are listed first.
    fn watch(&mut self, kinds: &BTreeSet<GroupKind>) {
        self.store.watches.retain(|kind, _| kinds.contains(kind));
        self.store.unlisted.retain(|kind| kinds.contains(kind));
        for kind in kinds {
            if !self.store.watches.contains_key(kind) {
                self.store.unlisted.insert(kind.clone());
            }
        }
    }

    /// Writes the Application. What changes nothing commits nothing.
    fn patch(&mut self, change: impl FnOnce(&mut Value)) -> String {
        let before = self.resource.clone();
        if before.is_null() {
            return String::new();
        }
        change(&mut self.resource);
        if self.resource != before {
            self.resource_version += 1;
            self.resource["metadata"]["resourceVersion"] = json!(self.resource_version.to_string());
            self.vanish_if_free();
            self.told.push_back(self.resource.clone());
        }
        self.resource_version.to_string()
    }
}

/// The uid of the live object, for those who act on it.
fn identity(object: &Value) -> String {
    uid(object).to_owned()
}

/// Kinds whose definition the world brings while it runs.
fn late_kind() -> GroupKind {
    widgets()
}
