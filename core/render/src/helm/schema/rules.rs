//! A schema made ready for checking: what its draft knows of its keywords, with references to other schemas as numbers.

use std::collections::BTreeMap;

use regex::bytes::Regex;

use super::document::Draft;
use super::json::Json;
use super::number::Number;

/// A schema of a [`Program`].
pub(super) type Id = usize;

/// Schemas that refer to each other.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) rules: Vec<Rules>,
}

/// What a schema asks for.
#[derive(Debug)]
pub(super) struct Rules {
    /// Where it is, as a URL.
    pub(super) location: String,
    pub(super) draft: Draft,
    /// The schema at the root of its resource.
    pub(super) resource: Id,
    /// Of the root of a resource: what `$dynamicRef` finds in it by name.
    pub(super) dynamic_anchors: BTreeMap<String, Id>,
    /// `true`, `false` and `{}`.
    pub(super) always: Option<bool>,
    pub(super) reference: Option<Id>,
    pub(super) recursive_reference: Option<Id>,
    pub(super) is_recursive_anchor: bool,
    /// What it refers to at first, and the name that is looked for.
    pub(super) dynamic_reference: Option<(Id, String)>,
    pub(super) dynamic_anchor: String,
    /// Names of types, in the order of messages.
    pub(super) types: Vec<&'static str>,
    pub(super) constant: Option<Json>,
    pub(super) options: Option<Vec<Json>>,
    pub(super) format: Option<&'static str>,
    pub(super) not: Option<Id>,
    pub(super) all_of: Vec<Id>,
    pub(super) any_of: Vec<Id>,
    pub(super) one_of: Vec<Id>,
    pub(super) condition: Option<Id>,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
    pub(super) object: ObjectRules,
    pub(super) list: ListRules,
    pub(super) text: TextRules,
    pub(super) number: NumberRules,
}

impl Rules {
    pub(super) fn new(location: String, draft: Draft) -> Self {
        Self {
            location,
            draft,
            resource: 0,
            dynamic_anchors: BTreeMap::new(),
            always: None,
            reference: None,
            recursive_reference: None,
            is_recursive_anchor: false,
            dynamic_reference: None,
            dynamic_anchor: String::new(),
            types: Vec::new(),
            constant: None,
            options: None,
            format: None,
            not: None,
            all_of: Vec::new(),
            any_of: Vec::new(),
            one_of: Vec::new(),
            condition: None,
            then: None,
            otherwise: None,
            object: ObjectRules::default(),
            list: ListRules::default(),
            text: TextRules::default(),
            number: NumberRules::default(),
        }
    }
}

/// `true`, `false`, or a schema, for what no other keyword speaks of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Additional {
    Fixed(bool),
    Schema(Id),
}

/// What a property asks for when it is there.
#[derive(Debug)]
pub(super) enum Dependency {
    Names(Vec<String>),
    Schema(Id),
}

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) required: Vec<String>,
    pub(super) names: Option<Id>,
    pub(super) properties: BTreeMap<String, Id>,
    pub(super) patterns: Vec<(Regex, Id)>,
    pub(super) additional: Option<Additional>,
    pub(super) dependencies: BTreeMap<String, Dependency>,
    pub(super) dependent_schemas: BTreeMap<String, Id>,
    pub(super) dependent_required: BTreeMap<String, Vec<String>>,
    pub(super) unevaluated: Option<Id>,
}

#[derive(Debug, Default)]
pub(super) struct ListRules {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) is_unique: bool,
    /// The schemas of the first items.
    pub(super) first: Vec<Id>,
    /// What every item after those is held against.
    pub(super) rest: Option<Additional>,
    pub(super) contains: Option<Id>,
    pub(super) min_contains: Option<i64>,
    pub(super) max_contains: Option<i64>,
    pub(super) unevaluated: Option<Id>,
}

#[derive(Debug, Default)]
pub(super) struct TextRules {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    /// With the text it was made of.
    pub(super) pattern: Option<(Regex, String)>,
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
