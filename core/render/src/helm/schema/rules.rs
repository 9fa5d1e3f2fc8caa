//! A schema made ready for checking: what its draft knows of its keywords, with references to other schemas as numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::bytes::Regex;

use super::dialect::Draft;
use super::json::Json;
use super::number::Number;
use super::place::Place;

/// A schema of a [`Program`].
pub(super) type Id = usize;

/// Schemas that refer to each other.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) rules: Vec<Rules>,
}

/// What a schema asks for. Of many schemas most ask for little, so what is rare is not there.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) place: Place,
    pub(super) draft: Draft,
    /// The schema at the root of its resource.
    pub(super) resource: Id,
    /// `true`, `false` and `{}`.
    pub(super) always: Option<bool>,
    pub(super) reference: Option<Id>,
    pub(super) dynamic: Option<Box<DynamicRules>>,
    /// Names of types, in the order of messages.
    pub(super) types: Box<[&'static str]>,
    pub(super) constant: Option<Json>,
    /// A list.
    pub(super) options: Option<Json>,
    pub(super) format: Option<&'static str>,
    pub(super) branches: Option<Box<BranchRules>>,
    pub(super) object: Option<Box<ObjectRules>>,
    pub(super) list: Option<Box<ListRules>>,
    pub(super) text: Option<Box<TextRules>>,
    pub(super) number: Option<Box<NumberRules>>,
}

impl Rules {
    pub(super) fn new(place: Place, draft: Draft) -> Self {
        Self {
            place,
            draft,
            resource: 0,
            always: None,
            reference: None,
            dynamic: None,
            types: Box::default(),
            constant: None,
            options: None,
            format: None,
            branches: None,
            object: None,
            list: None,
            text: None,
            number: None,
        }
    }

    pub(super) fn is_recursive_anchor(&self) -> bool {
        self.dynamic.as_ref().is_some_and(|rules| rules.is_recursive_anchor)
    }

    /// What `$dynamicRef` finds by a name in the resource of which this is the root.
    pub(super) fn dynamic_anchor(&self, name: &str) -> Option<Id> {
        self.dynamic.as_ref()?.anchors.get(name).copied()
    }
}

/// References that depend on how they are reached.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DynamicRules {
    /// Of the root of a resource, by name.
    pub(super) anchors: BTreeMap<String, Id>,
    pub(super) recursive: Option<Id>,
    pub(super) is_recursive_anchor: bool,
    /// What it refers to at first, and the name that is looked for.
    pub(super) reference: Option<(Id, String)>,
    pub(super) anchor: String,
}

/// Other schemas for the same value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BranchRules {
    pub(super) not: Option<Id>,
    pub(super) all_of: Box<[Id]>,
    pub(super) any_of: Box<[Id]>,
    pub(super) one_of: Box<[Id]>,
    pub(super) condition: Option<Id>,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
}

/// A regular expression, the text it was made of, and what it takes to search a byte.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    pub(super) text: Arc<str>,
    pub(super) weight: u64,
}

/// Schemas by the names of properties, in order.
pub(super) type Named<T> = Box<[(Box<str>, T)]>;

/// `true`, `false`, or a schema, for what no other keyword speaks of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Additional {
    Fixed(bool),
    Schema(Id),
}

/// What a property asks for when it is there.
#[derive(Debug)]
pub(super) enum Dependency {
    Names(Box<[Box<str>]>),
    Schema(Id),
}

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) required: Box<[Box<str>]>,
    pub(super) names: Option<Id>,
    pub(super) properties: Named<Id>,
    pub(super) patterns: Box<[(Pattern, Id)]>,
    pub(super) additional: Option<Additional>,
    pub(super) dependencies: Named<Dependency>,
    pub(super) dependent_schemas: Named<Id>,
    pub(super) dependent_required: Named<Box<[Box<str>]>>,
    pub(super) unevaluated: Option<Id>,
}

impl ObjectRules {
    pub(super) fn property(&self, name: &str) -> Option<Id> {
        let at = self
            .properties
            .binary_search_by(|(known, _)| (**known).cmp(name))
            .ok()?;
        self.properties.get(at).map(|(_, id)| *id)
    }

    pub(super) const fn is_empty(&self) -> bool {
        let sizes = self.min.is_none() && self.max.is_none() && self.required.is_empty();
        let names = self.names.is_none() && self.properties.is_empty() && self.patterns.is_empty();
        let dependent = self.dependencies.is_empty() && self.dependent_schemas.is_empty();
        let rest = self.additional.is_none() && self.unevaluated.is_none() && self.dependent_required.is_empty();
        sizes && names && dependent && rest
    }
}

#[derive(Debug, Default)]
pub(super) struct ListRules {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) is_unique: bool,
    /// The schemas of the first items.
    pub(super) first: Box<[Id]>,
    /// What every item after those is held against.
    pub(super) rest: Option<Additional>,
    pub(super) contains: Option<Id>,
    pub(super) min_contains: Option<i64>,
    pub(super) max_contains: Option<i64>,
    pub(super) unevaluated: Option<Id>,
}

impl ListRules {
    pub(super) const fn is_empty(&self) -> bool {
        let sizes = self.min.is_none() && self.max.is_none() && !self.is_unique;
        let items = self.first.is_empty() && self.rest.is_none() && self.contains.is_none();
        sizes && items && self.unevaluated.is_none()
    }
}

#[derive(Debug, Default)]
pub(super) struct TextRules {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) pattern: Option<Pattern>,
}

impl TextRules {
    pub(super) const fn is_empty(&self) -> bool {
        self.min.is_none() && self.max.is_none() && self.pattern.is_none()
    }
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) min: Option<Number>,
    pub(super) max: Option<Number>,
    pub(super) above: Option<Number>,
    pub(super) below: Option<Number>,
    pub(super) multiple_of: Option<Number>,
}

impl NumberRules {
    pub(super) const fn is_empty(&self) -> bool {
        let bounds = self.min.is_none() && self.max.is_none() && self.above.is_none() && self.below.is_none();
        bounds && self.multiple_of.is_none()
    }
}
