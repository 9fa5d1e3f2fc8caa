//! The world: one simulated API server with its store, watches, actors and history.
//!
//! Invariants: a request is handled wholly before the next begins; the same seed, times and requests give the same answers byte for
//! byte; every committed write is in the history, in order; a watch delivers the events of one resource in revision order. The world
//! reads no clock: deadlines come back through [`World::next_deadline`].

mod bootstrap;
mod call;
mod commit;
mod encode;
mod route;
mod watch;

use std::collections::BTreeMap;

use capstan_model::Timestamp;

use crate::actor::{Actor, Snapshot};
use crate::faults::{Benign, Faults, Verdict};
use crate::history::Write;
use crate::random::Random;
use crate::registry::Registry;
use crate::request::{Answer, Request, Response};
use crate::status::ApiError;
use crate::store::Store;

pub(crate) use call::{Call, FieldValidation, yaml};
pub(crate) use commit::Author;
pub(crate) use encode::{Form, Include, accepted};
pub use watch::WatchPoll;
pub(crate) use watch::{Watch, bookmark};

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of uids, name suffixes and allocations.
    pub seed: u64,
    /// How many events of each resource are kept for watches and old lists.
    pub ring: usize,
    /// How many of the newest writes the history keeps at least; `None` keeps all, as checkers need.
    pub history: Option<usize>,
    /// Bearer tokens and who they are. A request without credentials is the administrator's, as on a loopback port of one's own.
    pub tokens: BTreeMap<String, crate::request::User>,
    /// `major.minor.patch` the server says it is.
    pub version: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            ring: 10_000,
            history: None,
            tokens: BTreeMap::new(),
            version: "1.36.3".into(),
        }
    }
}

/// How many rounds of actors may follow each other at one instant before the world calls it a loop.
const ACTOR_ROUNDS: usize = 1_000;

/// A simulated Kubernetes API server.
pub struct World {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) random: Random,
    pub(crate) history: Vec<Write>,
    pub(crate) watches: BTreeMap<u64, Watch>,
    pub(crate) faults: Box<dyn Faults>,
    pub(crate) allocated: BTreeMap<&'static str, u64>,
    actors: Vec<Slot>,
    gaps: BTreeMap<String, u64>,
    pub(crate) definitions_seen: u64,
    /// Warnings of a request that was refused: they go out with the refusal.
    pub(crate) refused: Vec<String>,
    requests: u64,
    next_watch: u64,
}

/// An actor and the revision up to which it has seen the cluster.
struct Slot {
    actor: Box<dyn Actor>,
    seen: u64,
}

impl World {
    /// A cluster as it is right after its API server started: system namespaces, the `kubernetes` Service, built-in roles. No actors.
    pub fn new(now: Timestamp, options: Options) -> Self {
        let mut world = Self {
            store: Store::new(options.ring),
            registry: Registry::builtin(),
            random: Random::new(options.seed),
            history: Vec::new(),
            watches: BTreeMap::new(),
            faults: Box::new(Benign),
            allocated: BTreeMap::new(),
            actors: Vec::new(),
            gaps: BTreeMap::new(),
            definitions_seen: 0,
            refused: Vec::new(),
            requests: 0,
            next_watch: 1,
            options,
        };
        world.bootstrap(now);
        world
    }

    /// Adds an actor; it is stepped from the next [`World::step`] on.
    pub fn add_actor(&mut self, actor: Box<dyn Actor>) {
        self.actors.push(Slot { actor, seen: 0 });
    }

    /// Replaces what decides about failures.
    pub fn set_faults(&mut self, faults: Box<dyn Faults>) {
        self.faults = faults;
    }

    /// Handles one request wholly.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a request is handed over, whatever the world does with it"
    )]
    pub fn handle(&mut self, now: Timestamp, request: Request) -> Response {
        self.requests += 1;
        let mut response = match self.faults.before(now, &request) {
            Verdict::Fail(error) => failure(&error),
            Verdict::Pass => self.answer(now, &request),
        };
        self.faults.on_response(now, &request, &mut response);
        response
    }

    fn answer(&mut self, now: Timestamp, request: &Request) -> Response {
        let before = self.store.revision();
        let response = match self.route(now, request) {
            Ok(response) => response,
            Err(error) => {
                if error.code == 501 {
                    *self.gaps.entry(error.message.clone()).or_default() += 1;
                }
                let mut response = failure(&error);
                response.warnings = std::mem::take(&mut self.refused);
                return response;
            }
        };
        if self.store.revision() != before {
            self.controllers(now);
            if let Verdict::Fail(error) = self.faults.after_commit(now, request, self.store.revision()) {
                return failure(&error);
            }
        }
        response
    }

    /// Steps the actors until none of them asks for anything more at this instant. Returns how many requests they made.
    pub fn step(&mut self, now: Timestamp) -> usize {
        let mut made = 0;
        for _ in 0..ACTOR_ROUNDS {
            let round = self.step_once(now);
            if round == 0 {
                return made;
            }
            made += round;
        }
        *self
            .gaps
            .entry("actors that ask without end at one instant".into())
            .or_default() += 1;
        made
    }

    /// One round: every actor that has something new to see, or whose deadline has come, is stepped once.
    fn step_once(&mut self, now: Timestamp) -> usize {
        let mut made = 0;
        for index in 0..self.actors.len() {
            let slot = &mut self.actors[index];
            let news = match slot.actor.watches() {
                [] => self.store.revision(),
                watched => watched
                    .iter()
                    .map(|r| self.store.resource_revision(r))
                    .max()
                    .unwrap_or(0),
            };
            let due = slot.actor.next_deadline().is_some_and(|deadline| deadline <= now);
            if news <= slot.seen && !due {
                continue;
            }
            slot.seen = self.store.revision();
            let requests = slot.actor.step(now, &Snapshot::new(&self.store, &self.registry));
            let (user, manager) = (slot.actor.user(), slot.actor.field_manager().to_owned());
            for request in requests {
                made += 1;
                let mut sent = request.clone();
                sent.user = Some(user.clone());
                sent.user_agent = Some(manager.clone());
                let response = self.handle(now, sent);
                self.actors[index].actor.answered(now, &request, &response);
            }
        }
        made
    }

    /// When something happens without a request: an actor's deadline. Watches have deadlines of their own ([`WatchPoll::Pending`]).
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.actors.iter().filter_map(|slot| slot.actor.next_deadline()).min()
    }

    /// Whether some actor has not yet seen the newest revision it cares about; then [`World::step`] has something to do.
    pub fn is_unsettled(&self) -> bool {
        self.actors.iter().any(|slot| {
            let watched = slot.actor.watches();
            let news = watched.iter().map(|r| self.store.resource_revision(r)).max();
            news.unwrap_or(self.store.revision()) > slot.seen
        })
    }

    /// Every committed write so far, in order; only the newest when [`Options::history`] says so.
    pub fn history(&self) -> &[Write] {
        &self.history
    }

    /// What was asked that the world does not model, with counts. A test over a world ends by looking here.
    pub fn model_gaps(&self) -> &BTreeMap<String, u64> {
        &self.gaps
    }

    /// How many requests were handled, those of actors included.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The cluster as it is, for checkers.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(&self.store, &self.registry)
    }

    /// The newest revision: moves with every commit.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// Forgets events up to `revision`: older watches and lists are answered with 410.
    pub fn compact(&mut self, revision: u64) {
        self.store.compact(revision);
    }

    pub(crate) fn register_watch(&mut self, watch: Watch) -> u64 {
        let id = self.next_watch;
        self.next_watch += 1;
        self.watches.insert(id, watch);
        id
    }

    pub(crate) fn request_number(&self) -> u64 {
        self.requests
    }
}

/// A failure as an answer.
pub(crate) fn failure(error: &ApiError) -> Response {
    let mut response = Response::json(error.code, error.to_status());
    response.retry_after = error.details.as_ref().map(|d| d.retry_after_seconds).filter(|s| *s > 0);
    if let Answer::Json(_) = response.body
        && error.code == 429
        && response.retry_after.is_none()
    {
        response.retry_after = Some(1);
    }
    response
}
