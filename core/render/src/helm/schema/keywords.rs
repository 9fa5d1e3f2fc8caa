//! The keywords of a schema that hold other schemas, and those that say what a value may be.

use std::sync::Arc;

use capstan_template::{PatternError, compile_pattern};

use super::compile::{Compiled, Compiler, Source};
use super::dialect::{Draft, Vocabulary};
use super::json::Json;
use super::place::{encode, escape};
use super::rules::{
    Additional, BranchRules, Dependency, Id, ListRules, Named, NumberRules, ObjectRules, Pattern, Rules, TextRules,
};
use super::words::quote_go;

/// How large a compiled pattern may get, in bytes, with the steps it costs to build and to search one byte: the least that is enough is
/// paid for. A search takes as many steps as the pattern has states in the worst case, which a text can be made for.
const PATTERN_SIZES: [(usize, u64, u64); 7] = [
    (4 << 10, 500, 2),
    (16 << 10, 2_000, 10),
    (64 << 10, 8_000, 40),
    (256 << 10, 30_000, 160),
    (1 << 20, 120_000, 640),
    (4 << 20, 500_000, 2_500),
    (16 << 20, 2_000_000, 10_000),
];
/// Bytes that a pattern takes beside what was compiled: what is needed to search with it.
const PATTERN_SIZE: usize = 8 << 10;

impl Compiler<'_> {
    pub(super) fn one(&mut self, source: &Source<'_>, keyword: &str) -> Compiled<Option<Id>> {
        match source.get(keyword) {
            Some(_) => self.enqueue(source.below(&[keyword])).map(Some),
            None => Ok(None),
        }
    }

    fn many(&mut self, source: &Source<'_>, keyword: &str) -> Compiled<Box<[Id]>> {
        let count = source.get(keyword).and_then(Json::as_list).map_or(0, <[Json]>::len);
        let places = (0..count).map(|index| source.below(&[keyword, &index.to_string()]));
        places.map(|place| self.enqueue(place)).collect()
    }

    fn named(&mut self, source: &Source<'_>, keyword: &str) -> Compiled<Named<Id>> {
        let entries = source.entries(keyword);
        let named = entries.map(|(name, _)| Ok((name.into(), self.enqueue(source.below(&[keyword, name]))?)));
        named.collect()
    }

    fn additional(&mut self, source: &Source<'_>, keyword: &str) -> Compiled<Option<Additional>> {
        match source.get(keyword) {
            Some(Json::Bool(fixed)) => Ok(Some(Additional::Fixed(*fixed))),
            _ => self.rest(source, keyword),
        }
    }

    fn rest(&mut self, source: &Source<'_>, keyword: &str) -> Compiled<Option<Additional>> {
        Ok(self.one(source, keyword)?.map(Additional::Schema))
    }

    pub(super) fn branches(&mut self, source: &Source<'_>) -> Compiled<BranchRules> {
        let mut rules = BranchRules {
            all_of: self.many(source, "allOf")?,
            any_of: self.many(source, "anyOf")?,
            one_of: self.many(source, "oneOf")?,
            not: self.one(source, "not")?,
            ..BranchRules::default()
        };
        if source.dialect.draft >= Draft::Seven {
            [rules.condition, rules.then, rules.otherwise] = self.condition(source)?;
        }
        Ok(rules)
    }

    /// A condition, and what follows from it or its failure.
    pub(super) fn condition(&mut self, source: &Source<'_>) -> Compiled<[Option<Id>; 3]> {
        let condition = self.one(source, "if")?;
        // Of a condition that is decided, one branch is never looked at.
        let decided = source.get("if").and_then(Json::as_bool);
        let mut branch = |keyword, unless| match decided == Some(unless) || condition.is_none() {
            true => Ok(None),
            false => self.one(source, keyword),
        };
        Ok([condition, branch("then", false)?, branch("else", true)?])
    }

    pub(super) fn object(&mut self, source: &Source<'_>) -> Compiled<ObjectRules> {
        let draft = source.dialect.draft;
        let mut object = ObjectRules::default();
        if source.has(Vocabulary::Applicator) {
            object.properties = self.named(source, "properties")?;
            let mut patterns = Vec::new();
            for (pattern, id) in self.named(source, "patternProperties")? {
                patterns.push((self.pattern(source, "patternProperties", &pattern)?, id));
            }
            object.patterns = patterns.into();
            object.additional = self.additional(source, "additionalProperties")?;
            let dependencies = source.entries("dependencies").map(|(name, value)| {
                let dependency = match value {
                    Json::List(_) => Dependency::Names(self.texts(Some(value))?),
                    _ => Dependency::Schema(self.enqueue(source.below(&["dependencies", name]))?),
                };
                Ok((name.into(), dependency))
            });
            object.dependencies = dependencies.collect::<Compiled<_>>()?;
            if draft >= Draft::Six {
                object.names = self.one(source, "propertyNames")?;
            }
            if draft >= Draft::Y2019 {
                object.dependent_schemas = self.named(source, "dependentSchemas")?;
            }
        }
        if source.has(Vocabulary::Validation) {
            object.min = source.count("minProperties");
            object.max = source.count("maxProperties");
            object.required = self.texts(source.get("required"))?;
            if draft >= Draft::Y2019 {
                let lists = source
                    .entries("dependentRequired")
                    .filter(|(_, value)| value.as_list().is_some());
                let required = lists.map(|(name, value)| Ok((name.into(), self.texts(Some(value))?)));
                object.dependent_required = required.collect::<Compiled<_>>()?;
            }
        }
        if source.dialect.has_unevaluated() {
            object.unevaluated = self.one(source, "unevaluatedProperties")?;
        }
        Ok(object)
    }

    pub(super) fn list(&mut self, source: &Source<'_>) -> Compiled<ListRules> {
        let draft = source.dialect.draft;
        let mut list = ListRules::default();
        if source.has(Vocabulary::Applicator) {
            if draft >= Draft::Y2020 {
                list.first = self.many(source, "prefixItems")?;
                list.rest = self.rest(source, "items")?;
            } else if source.get("items").is_some_and(|items| items.as_list().is_some()) {
                list.first = self.many(source, "items")?;
                list.rest = self.additional(source, "additionalItems")?;
            } else {
                list.rest = self.rest(source, "items")?;
            }
            if draft >= Draft::Six {
                list.contains = self.one(source, "contains")?;
            }
        }
        if source.has(Vocabulary::Validation) {
            list.min = source.count("minItems");
            list.max = source.count("maxItems");
            list.is_unique = source.flag("uniqueItems");
            if draft >= Draft::Y2019 && list.contains.is_some() {
                list.min_contains = source.count("minContains");
                list.max_contains = source.count("maxContains");
            }
        }
        if source.dialect.has_unevaluated() {
            list.unevaluated = self.one(source, "unevaluatedItems")?;
        }
        Ok(list)
    }

    pub(super) fn validation(&mut self, source: &Source<'_>, rules: &mut Rules) -> Compiled<()> {
        const TYPES: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
        let is_wanted = |name: &&str| match source.get("type") {
            Some(Json::Text(one)) => **one == **name,
            Some(Json::List(items)) => items.iter().any(|item| item.as_text() == Some(name)),
            _ => false,
        };
        rules.types = TYPES.into_iter().filter(is_wanted).collect();
        if let Some(options) = source.get("enum").filter(|options| options.as_list().is_some()) {
            rules.options = Some(self.copy(options)?);
        }
        if source.dialect.draft >= Draft::Six {
            rules.constant = source.get("const").map(|value| self.copy(value)).transpose()?;
        }
        let mut number = NumberRules {
            multiple_of: source.number("multipleOf"),
            max: source.number("maximum"),
            min: source.number("minimum"),
            ..NumberRules::default()
        };
        number.below = match source.flag("exclusiveMaximum") {
            true => number.max.take(),
            false => source.number("exclusiveMaximum"),
        };
        number.above = match source.flag("exclusiveMinimum") {
            true => number.min.take(),
            false => source.number("exclusiveMinimum"),
        };
        rules.number = Some(Box::new(number)).filter(|number| !number.is_empty());
        let pattern = source.text("pattern");
        let text = TextRules {
            min: source.count("minLength"),
            max: source.count("maxLength"),
            pattern: pattern.map(|text| self.pattern(source, "pattern", text)).transpose()?,
        };
        rules.text = Some(Box::new(text)).filter(|text| !text.is_empty());
        Ok(())
    }

    fn pattern(&mut self, source: &Source<'_>, keyword: &str, text: &str) -> Compiled<Pattern> {
        self.budget.spend(1 + text.len() as u64 / 16)?;
        if let Some(known) = self.patterns.get(text) {
            return Ok(known.clone());
        }
        let invalid = |problem: &PatternError| {
            let at = format!("{}/{}", source.place, encode(&escape(keyword)));
            format!("invalid regex {} at {}: {problem}", quote_go(text), quote_go(&at))
        };
        for (size, cost, weight) in PATTERN_SIZES {
            self.budget.spend(cost + text.len() as u64)?;
            match compile_pattern(text, size) {
                Ok(regex) => {
                    self.budget.take(PATTERN_SIZE + size + text.len())?;
                    let text: Arc<str> = text.into();
                    let pattern = Pattern { regex, text, weight };
                    self.patterns.insert(Arc::clone(&pattern.text), pattern.clone());
                    return Ok(pattern);
                }
                Err(PatternError::TooLarge) => {}
                Err(problem) => return Err(invalid(&problem).into()),
            }
        }
        Err(invalid(&PatternError::TooLarge).into())
    }
}
