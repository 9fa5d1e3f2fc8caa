//! What the oracles share in reading H: which operation and attempt a request belongs to, what the controller had been told by then, and
//! whether an object was settled by that.

mod operations;

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{ResourceKey, Timestamp};
use serde_json::Value;

use crate::dependency::needs;
use crate::generate::Spec;
use crate::history::{Actor, Answer, Ask, Fact, Record, Request};
use crate::identity::{is_written_as, phase_written};
use crate::in_use::is_holder;
use crate::objects::{
    Health, Phase, health, is_as_declared, is_going, is_hook, key_of, phases, text, uid, version, wave,
};
use crate::world::joined;

/// One attempt of one operation, as the Application's status in H tells it.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u64,
    pub(crate) attempt: u64,
    /// The pinned commit.
    pub(crate) revision: String,
    /// Does it go to the cluster that is looked at?
    pub(crate) is_here: bool,
    /// `operation.sync`: what was asked for.
    pub(crate) sync: Value,
    pub(crate) automated: bool,
    /// When its operation began.
    pub(crate) started: Timestamp,
    /// Where in H it was told of first.
    pub(crate) told: usize,
    /// Where in H its intent was written, and by which request.
    pub(crate) begun: usize,
    pub(crate) intent: u64,
    is_planned: bool,
}

impl Attempt {
    pub(crate) fn runs_hooks(&self) -> bool {
        self.sync["resources"].is_null() && self.sync["syncStrategy"]["apply"].is_null()
    }

    pub(crate) fn selects(&self, key: &ResourceKey) -> bool {
        let wanted = self.sync["resources"].as_array();
        wanted.is_none_or(|all| {
            all.iter()
                .any(|one| text(one, "/kind") == key.kind && text(one, "/name") == key.name)
        })
    }
}

/// An object that an operation writes, with where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'r> {
    pub(crate) declared: &'r Value,
    pub(crate) phase: Phase,
    pub(crate) wave: i64,
}

pub(crate) struct Timeline<'r> {
    pub(crate) record: &'r Record,
    pub(crate) attempts: Vec<Attempt>,
    /// Where the controller was told of which spec, and of which approval.
    pub(crate) specs: Vec<(usize, Spec, Option<Timestamp>)>,
    /// Where the controller was told that the Application is deleted: no operation does anything from there on.
    deletion: Option<usize>,
    /// Where it was told of which destination; nothing, where there is one cluster only.
    destined: Vec<(usize, usize)>,
    /// Attempt of a request.
    of: BTreeMap<u64, usize>,
    /// Where requests were sent.
    pub(crate) sent: BTreeMap<u64, (usize, &'r Request)>,
    /// Every state of every object, by its version.
    states: BTreeMap<u64, &'r Value>,
    /// Where in H the controller was told of which version of an object; `None` is gone.
    told: BTreeMap<ResourceKey, Vec<(usize, Option<u64>)>>,
    /// Where in H an object changed; `None` is gone.
    lives: BTreeMap<ResourceKey, Vec<(usize, Option<&'r Value>)>>,
}

impl<'r> Timeline<'r> {
    pub(crate) fn of(record: &'r Record) -> Self {
        let mut timeline = Self {
            record,
            attempts: Vec::new(),
            specs: specs(record),
            deletion: record.facts().position(|(_, fact)| *fact == Fact::DeletionTold),
            destined: destined(record),
            of: BTreeMap::new(),
            sent: BTreeMap::new(),
            states: BTreeMap::new(),
            told: BTreeMap::new(),
            lives: BTreeMap::new(),
        };
        timeline.read_objects();
        operations::read(&mut timeline);
        timeline
    }

    fn read_objects(&mut self) {
        for (at, fact) in self.record.facts() {
            match fact {
                Fact::Written { object, .. } => {
                    self.states.insert(version(object), object);
                    self.lives.entry(key_of(object)).or_default().push((at, Some(object)));
                }
                Fact::Removed { object, .. } => self.lives.entry(key_of(object)).or_default().push((at, None)),
                Fact::Seen { key, version } => {
                    self.told.entry(key.clone()).or_default().push((at, Some(*version)));
                }
                Fact::SeenGone { key, .. } => self.told.entry(key.clone()).or_default().push((at, None)),
                // What a complete list does not name is gone.
                Fact::Listed { kind, keys } => {
                    let of_kind = self.told.iter_mut().filter(|(key, _)| key.group_kind() == *kind);
                    let gone = of_kind.filter(|(key, _)| !keys.contains(*key));
                    gone.for_each(|(_, told)| told.push((at, None)));
                }
                Fact::Started { is_new: true, .. } => self.told.values_mut().for_each(|told| told.push((at, None))),
                _ => {}
            }
        }
    }

    pub(crate) fn attempt(&self, request: &Request) -> Option<&Attempt> {
        self.of.get(&request.number).map(|&found| &self.attempts[found])
    }

    /// Had the controller been told by then that the Application is deleted?
    pub(crate) fn is_deleting(&self, at: usize) -> bool {
        self.deletion.is_some_and(|told| told < at)
    }

    /// Where the Application went at `at`, as the controller had been told.
    pub(crate) fn destination(&self, at: usize) -> usize {
        let before = self.destined.partition_point(|(told, _)| *told < at);
        before
            .checked_sub(1)
            .map_or(self.record.place, |last| self.destined[last].1)
    }

    /// Did it go to more than one cluster by then?
    pub(crate) fn has_moved(&self, at: usize) -> bool {
        self.destined.partition_point(|(told, _)| *told < at) > 1
    }

    /// Did it go to the cluster that is looked at? A status of that moment tells of it, then.
    pub(crate) fn is_here(&self, at: usize) -> bool {
        self.destination(at) == self.record.place
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = (usize, &'r Request)> {
        self.sent.values().copied()
    }

    pub(crate) fn state(&self, version: u64) -> Option<&'r Value> {
        self.states.get(&version).copied()
    }

    /// What is live just before `at`.
    pub(crate) fn live(&self, key: &ResourceKey, at: usize) -> Option<&'r Value> {
        let changes = self.lives.get(key)?;
        let before = changes.partition_point(|(index, _)| *index < at);
        changes[..before].last()?.1
    }

    /// Everything that is live just before `at`.
    pub(crate) fn all_live(&self, at: usize) -> Vec<&'r Value> {
        self.lives.keys().filter_map(|key| self.live(key, at)).collect()
    }

    /// What the controller had been told of an object last, before `at`.
    pub(crate) fn known(&self, key: &ResourceKey, at: usize) -> Option<&'r Value> {
        let told = self.told.get(key)?;
        let before = told.partition_point(|(index, _)| *index < at);
        // What is told late is older than what is known.
        let since = told[..before]
            .iter()
            .rposition(|(_, version)| version.is_none())
            .map_or(0, |gone| gone + 1);
        let newest = told[since..before].iter().filter_map(|(_, version)| *version).max()?;
        self.state(newest)
    }

    /// Everything that it was told of an object between, with what it knew at the beginning.
    pub(crate) fn told(&self, key: &ResourceKey, from: usize, to: usize) -> Vec<&'r Value> {
        let told = self.told.get(key).map(Vec::as_slice).unwrap_or_default();
        let within = told.iter().filter(|(at, _)| (from..to).contains(at));
        let within = within.filter_map(|(_, version)| self.state((*version)?));
        self.known(key, from).into_iter().chain(within).collect()
    }

    /// What the operation writes, with the places: what holds others, or defines them, stands no later than the first of them.
    pub(crate) fn steps(&self, attempt: &Attempt) -> Vec<Step<'r>> {
        let objects = self.record.objects_of(&attempt.revision).unwrap_or_default();
        let mut steps = Vec::new();
        for declared in objects.iter().filter(|declared| attempt.selects(&key_of(declared))) {
            for phase in phases(declared) {
                if !is_hook(declared) || attempt.runs_hooks() {
                    let wave = wave(declared);
                    steps.push(Step { declared, phase, wave });
                }
            }
        }
        let places: Vec<(ResourceKey, Phase, i64)> = steps
            .iter()
            .map(|step| (key_of(step.declared), step.phase, step.wave))
            .collect();
        for step in &mut steps {
            let key = key_of(step.declared);
            // A definition that is a hook runs in its phase.
            let stays = key.kind == "CustomResourceDefinition" && is_hook(step.declared);
            let needs = |other: &ResourceKey| needs(other, &key) && !stays;
            let first = places
                .iter()
                .filter(|(other, ..)| needs(other))
                .map(|(_, phase, wave)| (*phase, *wave))
                .min();
            if let Some(first) = first.filter(|first| *first < (step.phase, step.wave)) {
                (step.phase, step.wave) = first;
            }
        }
        steps
    }

    /// Which step of the operation a write is.
    pub(crate) fn step_of(&self, steps: &[Step<'r>], object: &Value) -> Option<Step<'r>> {
        let phase = phase_written(object);
        steps.iter().copied().find(|step| {
            let is_phase = !is_hook(step.declared) || phase == Some(step.phase);
            is_phase && is_written_as(step.declared, object)
        })
    }

    /// Why a step of an attempt is not settled before `to`; `Ok` when it is.
    pub(crate) fn settled(&self, attempt: &Attempt, step: Step<'r>, to: usize) -> Result<(), String> {
        match is_hook(step.declared) {
            true => self.hook_settled(attempt, step, to),
            false => self.object_settled(attempt, step.declared, to),
        }
    }

    /// The object that this attempt made of a hook; the last one, where somebody deleted the one before. What holds others, or data, is written over,
    /// and made by that.
    pub(crate) fn created(&self, attempt: &Attempt, step: Step<'r>, to: usize) -> Option<&'r Value> {
        let created = self.record.facts().take(to).filter_map(|(_, fact)| {
            let Fact::Written {
                by: Actor::Us,
                request: Some(request),
                object,
                created,
            } = fact
            else {
                return None;
            };
            let is_made = *created || is_holder(&key_of(object)) && !is_going(object);
            let of = self.of.get(request).map(|&found| &self.attempts[found])?;
            let is_of = (of.number, of.attempt) == (attempt.number, attempt.attempt);
            let is_it = phase_written(object) == Some(step.phase) && is_written_as(step.declared, object);
            (is_made && is_of && is_it).then_some(object)
        });
        created.last()
    }

    fn hook_settled(&self, attempt: &Attempt, step: Step<'r>, to: usize) -> Result<(), String> {
        let Some(made) = self.created(attempt, step, to) else {
            return Err("was not created by this attempt".into());
        };
        let told = self.told(&key_of(made), attempt.begun, to);
        let is_it = |state: &&&Value| uid(state) == uid(made) && version(state) >= version(made);
        match told
            .iter()
            .filter(is_it)
            .any(|state| health(state).is_none_or(|health| health == Health::Good))
        {
            true => Ok(()),
            false => Err("was not seen to succeed".into()),
        }
    }

    /// A claim that something mounts which is written in a later phase or wave: nothing can bind it before.
    fn is_mounted_later(&self, attempt: &Attempt, claim: &Value) -> bool {
        let key = key_of(claim);
        if key.kind != "PersistentVolumeClaim" {
            return false;
        }
        let steps = self.steps(attempt);
        let place = steps.iter().find(|step| key_of(step.declared) == key);
        let place = place.map(|step| (step.phase, step.wave));
        let mounts = |object: &Value| {
            let name = text(object, "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName");
            name == key.name && text(object, "/metadata/namespace") == key.namespace
        };
        steps
            .iter()
            .any(|step| Some((step.phase, step.wave)) > place && mounts(step.declared))
    }

    fn object_settled(&self, attempt: &Attempt, declared: &Value, to: usize) -> Result<(), String> {
        let key = key_of(declared);
        let is_it = |request: &Request| request.key == key && request.ask.written().is_some();
        let mine = self.requests().filter(|(at, request)| *at < to && is_it(request));
        let of = |request: &Request| self.attempt(request).map(|one| (one.number, one.attempt));
        let mine: BTreeSet<u64> = mine
            .filter(|(_, request)| of(request) == Some((attempt.number, attempt.attempt)))
            .map(|(_, request)| request.number)
            .collect();
        let answered = self.record.facts().take(to).find_map(|(_, fact)| match fact {
            Fact::Answered {
                request,
                answer: Answer::Done,
                version,
            } if mine.contains(request) => Some(*version),
            _ => None,
        });
        let told = self.told(&key, attempt.begun, to);
        let is_bound_later = self.is_mounted_later(attempt, declared);
        let good = |state: &Value| is_bound_later || health(state).is_none_or(|health| health == Health::Good);
        match answered {
            Some(since) if told.iter().any(|state| version(state) >= since && good(state)) => Ok(()),
            _ => {
                // Nothing had to be written; what a repair wrote when it drifted later comes after its turn.
                let told: Vec<_> = told
                    .iter()
                    .filter(|state| answered.is_none_or(|since| version(state) < since))
                    .collect();
                let found = told.iter().position(|state| is_as_declared(state, declared));
                let is_settled = found.is_some_and(|found| told[found..].iter().any(|state| good(state)));
                let why = match answered {
                    Some(since) => format!("was written at {since} and not seen healthy since"),
                    None => "was not written by this attempt, and not seen as declared and healthy".into(),
                };
                is_settled.then_some(()).ok_or(why)
            }
        }
    }
}

fn specs(record: &Record) -> Vec<(usize, Spec, Option<Timestamp>)> {
    let told = record.facts().filter_map(|(at, fact)| match fact {
        Fact::Spec { spec, approved } => Some((at, *spec, *approved)),
        _ => None,
    });
    told.collect()
}

/// The commit of each source, as one; empty where they are not known.
pub(crate) fn revision(result: &Value) -> String {
    match result["revisions"].as_array().map(Vec::as_slice).unwrap_or_default() {
        [] => text(result, "/revision").to_owned(),
        many => joined(many.iter().filter_map(Value::as_str)),
    }
}

/// Is it planned by now? Until then a status says what the plan waits for.
pub(crate) fn is_planned_by(state: &Value) -> bool {
    let waits = [
        "waiting for the sources",
        "waiting for the list of",
        "making sure of what",
    ];
    !waits.iter().any(|wait| text(state, "/message").starts_with(wait))
}

fn destined(record: &Record) -> Vec<(usize, usize)> {
    let destined = record.facts().filter_map(|(at, fact)| match fact {
        Fact::Destined { place } => Some((at, *place)),
        _ => None,
    });
    destined.collect()
}

/// Writes of an attempt, each object once: the first.
pub(crate) fn first_writes<'r>(timeline: &Timeline<'r>) -> Vec<(usize, &'r Request, Attempt, &'r Value)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (at, request) in timeline.requests() {
        let (Some(attempt), Some(object)) = (timeline.attempt(request), request.ask.written()) else {
            continue;
        };
        // What is written while a dry run goes on is a repair of drift: I-WIN looks at that.
        if attempt.sync["dryRun"] == true {
            continue;
        }
        let phase = phase_written(object);
        if seen.insert((attempt.number, attempt.attempt, request.key.clone(), phase)) {
            found.push((at, request, attempt.clone(), object));
        }
    }
    found
}

/// Is it a delete?
pub(crate) fn is_delete(request: &Request) -> bool {
    request.ask == Ask::Delete
}
