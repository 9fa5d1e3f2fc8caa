//! Values held against [`Rules`], in the order in which Helm's library does it: what is wrong with a value's type, its equality or its format
//! hides the rest.
//!
//! What ends is told by counting: a schema that comes back to itself for one value fails, and all of it takes a limited number of steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use capstan_template::grow;

use super::budget::{Budget, DEPTH, Exceeded};
use super::dialect::Draft;
use super::document::Resource;
use super::failure::Failure;
use super::format;
use super::json::Json;
use super::meta::Roots;
use super::place::escape;
use super::rules::{Id, Program, Rules};
use super::words::{display, quote, quote_go};

/// Bytes that a failure takes, but for its texts.
const FAILURE_SIZE: usize = 320;

/// Why values do not pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("they are not what the schema says")]
    Invalid(Failure),
    #[error(transparent)]
    Limit(Exceeded),
    /// Helm crashes, and says so.
    #[error("unable to validate schema: a number is compared whose exponent is beyond a million")]
    NoNumber,
}

/// What no schema has looked at yet, for `unevaluatedProperties` and `unevaluatedItems`.
#[derive(Clone, Debug, Default)]
pub(super) struct Unseen<'v> {
    pub(super) names: BTreeSet<&'v str>,
    pub(super) items: BTreeSet<usize>,
}

impl<'v> Unseen<'v> {
    fn new(value: &'v Json, rules: &Rules, is_asked: bool) -> Self {
        let mut unseen = Self::default();
        match value {
            Json::Object(fields)
                if rules.object.as_ref().is_none_or(|rules| rules.additional.is_none())
                    && (is_asked || rules.object.as_ref().is_some_and(|rules| rules.unevaluated.is_some())) =>
            {
                unseen.names = fields.keys().collect();
            }
            Json::List(items)
                if rules.list.as_ref().is_none_or(|rules| rules.rest.is_none())
                    && (is_asked || rules.list.as_ref().is_some_and(|rules| rules.unevaluated.is_some())) =>
            {
                let first = rules.list.as_ref().map_or(0, |rules| rules.first.len());
                unseen.items = (first..items.len()).collect();
            }
            _ => {}
        }
        unseen
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.names.len() + self.items.len()
    }

    /// Leaves what neither has seen.
    fn keep(&mut self, other: &Self) {
        self.names.retain(|name| other.names.contains(name));
        self.items.retain(|item| other.items.contains(item));
    }
}

/// A schema that is at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) id: Id,
    /// The keyword of the reference that led here.
    keyword: &'static str,
    /// Tells values apart.
    level: usize,
}

/// The meta schemas, where the value is a schema itself.
#[derive(Clone, Copy)]
struct Meta<'p> {
    roots: &'p Roots,
    /// The one in force. One that is made up is in force where it was begun with, and is not found again below.
    id: Option<Id>,
    /// By pointer.
    resources: &'p BTreeMap<Arc<str>, Resource>,
}

/// One value being held against one schema, and everything below.
pub(super) struct Run<'p, 'b> {
    program: &'p Program,
    meta: Option<Meta<'p>>,
    budget: &'b mut Budget,
    problem: Option<Problem>,
    pub(super) scopes: Vec<Scope>,
    at: Vec<String>,
}

/// What one schema found about one value.
pub(super) struct State<'p, 'v> {
    pub(super) rules: &'p Rules,
    pub(super) value: &'v Json,
    pub(super) unseen: Unseen<'v>,
    pub(super) failures: Vec<Failure>,
    /// Only whether it passes is asked.
    pub(super) is_quiet: bool,
}

impl State<'_, '_> {
    /// Nothing more need be known.
    pub(super) fn is_decided(&self) -> bool {
        self.is_quiet && !self.failures.is_empty()
    }
}

pub(super) type Held<T> = Result<T, Failure>;

impl<'p, 'b> Run<'p, 'b> {
    pub(super) const fn new(program: &'p Program, budget: &'b mut Budget) -> Self {
        Self {
            program,
            meta: None,
            budget,
            problem: None,
            scopes: Vec::new(),
            at: Vec::new(),
        }
    }

    pub(super) fn of_schema(
        program: &'p Program,
        roots: &'p Roots,
        root: Id,
        resources: &'p BTreeMap<Arc<str>, Resource>,
        budget: &'b mut Budget,
    ) -> Self {
        let meta = Meta {
            roots,
            id: Some(root),
            resources,
        };
        Self {
            meta: Some(meta),
            ..Self::new(program, budget)
        }
    }

    pub(super) fn rules(&self, id: Id) -> &'p Rules {
        let all = &self.program.rules;
        let made = || self.meta.and_then(|meta| meta.roots.rules(id, all.len()));
        all.get(id)
            .or_else(made)
            .unwrap_or_else(|| unreachable!("ids are of rules"))
    }

    pub(super) fn start(&mut self, id: Id, value: &Json) -> Result<(), Problem> {
        let held = self.whole(id, value);
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => held.map_err(Problem::Invalid),
        }
    }

    /// A value of its own, with nothing around it.
    fn whole(&mut self, id: Id, value: &Json) -> Held<()> {
        let scopes = std::mem::take(&mut self.scopes);
        let at = std::mem::take(&mut self.at);
        let unseen = self.unseen(value, id, false);
        let held = self.enter(
            Scope {
                id,
                keyword: "",
                level: 0,
            },
            id,
            value,
            unseen,
            false,
        );
        (self.scopes, self.at) = (scopes, at);
        held.map(drop)
    }

    /// The name of a property against `propertyNames`.
    pub(super) fn name(&mut self, state: &mut State<'p, '_>, id: Id, name: &str) {
        let meta = self.meta;
        let id = self.own_meta(id);
        let held = self.whole(id, &Json::Text(name.into()));
        self.meta = meta;
        if let Err(failure) = held {
            let text = format!("invalid propertyName {}", quote(name));
            state
                .failures
                .push(Failure::new(String::new(), text).with(failure.opened()));
        }
    }

    pub(super) fn pointer(&self) -> String {
        self.at.iter().map(|token| format!("/{}", escape(token))).collect()
    }

    /// Pays for some steps. Nothing is worth looking at once they are used up.
    pub(super) fn spend(&mut self, steps: usize) {
        if let Err(exceeded) = self.budget.spend(steps as u64) {
            self.stop(Problem::Limit(exceeded));
        }
    }

    pub(super) fn stop(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    /// Is nothing worth looking at any more?
    pub(super) const fn is_over(&self) -> bool {
        self.problem.is_some()
    }

    pub(super) fn failure(&mut self, is_quiet: bool, text: impl FnOnce() -> String) -> Failure {
        if is_quiet || self.is_over() {
            return Failure::new(String::new(), String::new());
        }
        let (at, text) = (self.pointer(), text());
        self.spend((at.len() + text.len()) / 2);
        if let Err(exceeded) = self.budget.take(FAILURE_SIZE + 4 * (at.len() + text.len())) {
            self.stop(Problem::Limit(exceeded));
        }
        Failure::new(at, text)
    }

    pub(super) fn fail(&mut self, state: &mut State<'_, '_>, text: impl FnOnce() -> String) {
        let failure = self.failure(state.is_quiet, text);
        state.failures.push(failure);
    }

    pub(super) fn fail_with(&mut self, state: &mut State<'_, '_>, text: &str, causes: Vec<Failure>) {
        let failure = self.failure(state.is_quiet, || text.to_owned());
        state.failures.push(failure.with(causes));
    }

    /// The meta schema in force, if this one is it and the value is a resource of its own.
    fn own_meta(&mut self, id: Id) -> Id {
        let Some(meta) = self.meta.filter(|meta| meta.id == Some(id) && meta.resources.len() > 1) else {
            return id;
        };
        let pointer = self.pointer();
        self.spend(pointer.len() / 32);
        let Some(resource) = meta.resources.get(pointer.as_str()) else {
            return id;
        };
        let id = meta.roots.of(&resource.dialect);
        let is_drafts = resource.dialect.vocabularies.is_none();
        self.meta = Some(Meta {
            id: is_drafts.then_some(id),
            ..meta
        });
        id
    }

    fn unseen<'v>(&mut self, value: &'v Json, id: Id, is_asked: bool) -> Unseen<'v> {
        let unseen = Unseen::new(value, self.rules(id), is_asked);
        self.spend(unseen.len() / 2);
        unseen
    }

    fn enter<'v>(
        &mut self,
        scope: Scope,
        id: Id,
        value: &'v Json,
        unseen: Unseen<'v>,
        is_quiet: bool,
    ) -> Held<Unseen<'v>> {
        self.spend(1);
        if self.scopes.len() >= DEPTH {
            self.stop(Problem::Limit(Exceeded::Depth));
        }
        if self.is_over() {
            return Err(self.failure(true, String::new));
        }
        self.scopes.push(scope);
        let state = State {
            rules: self.rules(id),
            value,
            unseen,
            failures: Vec::new(),
            is_quiet,
        };
        let held = grow(|| self.check(state));
        self.scopes.pop();
        held
    }

    fn level(&self) -> usize {
        self.scopes.last().map_or(0, |scope| scope.level)
    }

    /// Another schema for the same value.
    pub(super) fn same<'v>(
        &mut self,
        state: &mut State<'p, 'v>,
        id: Id,
        keyword: &'static str,
        is_quiet: bool,
    ) -> Held<()> {
        self.spend(state.unseen.len() / 4);
        let unseen = self.unseen(state.value, id, !state.unseen.is_empty());
        let meta = self.meta;
        let level = self.level();
        let own = self.own_meta(id);
        let held = self.enter(
            Scope { id, keyword, level },
            own,
            state.value,
            unseen,
            state.is_quiet || is_quiet,
        );
        self.meta = meta;
        held.map(|unseen| state.unseen.keep(&unseen))
    }

    /// A schema for a value within this one.
    pub(super) fn inner(&mut self, state: &State<'p, '_>, id: Id, value: &Json, token: String) -> Held<()> {
        let unseen = self.unseen(value, id, false);
        let meta = self.meta;
        let level = self.level() + 1;
        self.at.push(token);
        let own = self.own_meta(id);
        let scope = Scope { id, keyword: "", level };
        let held = self.enter(scope, own, value, unseen, state.is_quiet);
        self.at.pop();
        self.meta = meta;
        held.map(drop)
    }

    pub(super) fn also<'v>(&mut self, state: &mut State<'p, 'v>, id: Id) {
        let held = self.same(state, id, "", false);
        state.failures.extend(held.err());
    }

    pub(super) fn refer<'v>(&mut self, state: &mut State<'p, 'v>, id: Id, keyword: &'static str) -> Held<()> {
        let held = self.same(state, id, keyword, false);
        held.map_err(|cause| match state.is_quiet {
            true => cause,
            false => Failure::reference(self.pointer(), cause),
        })
    }

    fn check<'v>(&mut self, mut state: State<'p, 'v>) -> Held<Unseen<'v>> {
        let (rules, is_quiet) = (state.rules, state.is_quiet);
        match rules.always {
            Some(true) => return Ok(state.unseen),
            Some(false) => return Err(self.failure(is_quiet, || "false schema".to_owned())),
            None => {}
        }
        if let Some(first) = self.cycle() {
            self.spend(self.scopes.len());
            let text = || self.both(first);
            let text = if is_quiet { String::new() } else { text() };
            return Err(self.failure(is_quiet, || text));
        }
        if let Some(text) = self.first(&state) {
            return Err(self.failure(is_quiet, || text));
        }
        if let Some(id) = rules.reference {
            let held = self.refer(&mut state, id, "$ref");
            if rules.draft < Draft::Y2019 {
                return held.map(|()| state.unseen);
            }
            state.failures.extend(held.err());
        }
        self.by_type(&mut state);
        if !state.is_decided() {
            self.references(&mut state);
            self.branches(&mut state);
            self.unevaluated(&mut state);
        }
        match state.failures.len() {
            0 => Ok(state.unseen),
            1 => Err(state.failures.remove(0)),
            _ if is_quiet => Err(self.failure(true, String::new)),
            _ => Err(Failure::group(self.pointer(), state.failures)),
        }
    }

    /// Is this schema at work on this value already? Where it was first.
    fn cycle(&mut self) -> Option<usize> {
        let (own, around) = self.scopes.split_last()?;
        let same = around.iter().rev().take_while(|scope| scope.level == own.level);
        let distance = same.clone().position(|scope| scope.id == own.id);
        let looked_at = distance.unwrap_or_else(|| same.count());
        let first = distance.map(|distance| around.len() - 1 - distance);
        self.spend(looked_at / 8);
        first
    }

    /// What is said of a schema that comes back to itself: the ways to both.
    fn both(&self, first: usize) -> String {
        let ways = (self.way(self.scopes.len()), self.way(first + 1));
        let own = self.scopes.last().map(|scope| self.rules(scope.id).place.to_string());
        let location = quote_go(&own.unwrap_or_default());
        format!(
            "both {} and {} resolve to {location} causing reference cycle",
            ways.0, ways.1
        )
    }

    /// The keywords that led to the last of so many scopes.
    fn way(&self, scopes: usize) -> String {
        let pairs = self.scopes[..scopes].windows(2);
        let steps = pairs.filter_map(|pair| {
            let [above, scope] = pair else { return None };
            let location = |scope: &Scope| self.rules(scope.id).place.to_string();
            match scope.keyword {
                "" => location(scope)
                    .strip_prefix(location(above).as_str())
                    .map(str::to_owned),
                keyword => Some(format!("/{keyword}")),
            }
        });
        steps.collect()
    }

    /// What hides everything else.
    fn first(&mut self, state: &State<'_, '_>) -> Option<String> {
        let (rules, value) = (state.rules, state.value);
        if !rules.types.is_empty() {
            let is_integer = matches!(value, Json::Number(number) if number.is_integer());
            let is_wanted = |name: &&str| *name == value.kind() || *name == "integer" && is_integer;
            if !rules.types.iter().any(is_wanted) {
                return Some(format!("got {}, want {}", value.kind(), rules.types.join(" or ")));
            }
        }
        if let Some(constant) = &rules.constant {
            self.spend(constant.size());
            if !value.equals(constant) {
                return Some(match constant {
                    Json::List(_) | Json::Object(_) => "'const' failed".to_owned(),
                    constant => format!("value must be {}", display(constant)),
                });
            }
        }
        if let Some(options) = rules.options.as_ref().and_then(Json::as_list) {
            self.spend(options.iter().map(Json::size).sum::<usize>() / 2);
            let has_kind = options.iter().any(|option| option.kind() == value.kind());
            if !has_kind || !options.iter().any(|option| value.equals(option)) {
                return Some(one_of(options));
            }
        }
        let (format, text) = (rules.format?, value.as_text()?);
        self.spend(1 + text.len() / 4);
        let problem = format::check(format, text).err()?;
        Some(format!("{} is not valid {format}: {problem}", quote(text)))
    }
}

fn one_of(options: &[Json]) -> String {
    if options
        .iter()
        .any(|option| matches!(option, Json::List(_) | Json::Object(_)))
    {
        return "'enum' failed".to_owned();
    }
    match options {
        [one] => format!("value must be {}", display(one)),
        all => {
            let shown: Vec<String> = all.iter().map(display).collect();
            format!("value must be one of {}", shown.join(", "))
        }
    }
}
