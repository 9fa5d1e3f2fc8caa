//! Schemas to [`Rules`]: from the root, everything that keywords lead to, and nothing else: what is in `$defs` and not used may refer to
//! anything. Documents are held against the meta schema of their draft first.

use std::collections::BTreeMap;

use capstan_template::{PatternError, compile_pattern};
use regex::bytes::Regex;

use super::document::{Document, Draft, Library};
use super::format::FORMATS;
use super::json::Json;
use super::meta;
use super::number::Number;
use super::place::{Place, encode, escape, join, split_fragment};
use super::rules::{Additional, Dependency, Id, Program, Rules};
use super::words::quote_go;

/// Bytes a compiled pattern may take: the least of these that is enough is paid for.
const PATTERN_SIZES: [usize; 4] = [16 << 10, 256 << 10, 4 << 20, 16 << 20];
/// Bytes for all patterns.
const PATTERNS_SIZE: usize = 256 << 20;

type Compiled<T> = Result<T, String>;

pub(super) struct Compiler<'l> {
    library: &'l Library,
    documents: BTreeMap<String, Document>,
    program: Program,
    /// What is compiled or waits for it, in this order.
    queue: Vec<Place>,
    ids: BTreeMap<Place, Id>,
    patterns: BTreeMap<String, Regex>,
    /// What is left for patterns of [`PATTERNS_SIZE`].
    pattern_bytes: usize,
    /// The meta schemas themselves: they are what others are held against, and assert formats in every draft.
    is_meta: bool,
}

/// A schema that is being compiled.
struct Source<'s> {
    fields: &'s BTreeMap<String, Json>,
    place: Place,
    draft: Draft,
    /// What references are relative to.
    base: String,
}

impl<'s> Source<'s> {
    fn get(&self, keyword: &str) -> Option<&'s Json> {
        self.fields.get(keyword)
    }

    /// The members of an object; none of anything else.
    fn entries(&self, keyword: &str) -> impl Iterator<Item = (&'s String, &'s Json)> + use<'s> {
        self.get(keyword).and_then(Json::as_object).into_iter().flatten()
    }

    fn text(&self, keyword: &str) -> Option<&'s str> {
        self.get(keyword)?.as_text()
    }

    fn flag(&self, keyword: &str) -> bool {
        self.get(keyword).and_then(Json::as_bool).unwrap_or_default()
    }

    fn number(&self, keyword: &str) -> Option<Number> {
        match self.get(keyword)? {
            Json::Number(number) if number.has_value() => Some(number.clone()),
            _ => None,
        }
    }

    fn count(&self, keyword: &str) -> Option<i64> {
        self.number(keyword)?.as_integer()
    }

    fn names(&self, keyword: &str) -> Vec<String> {
        self.get(keyword).and_then(Json::as_list).map(texts).unwrap_or_default()
    }

    /// The place of the schema in a keyword, or in what is below it.
    fn below(&self, path: &[&str]) -> Place {
        let mut pointer = self.place.pointer.clone();
        for part in path {
            pointer.push('/');
            pointer.push_str(&escape(part));
        }
        Place::new(&self.place.url, pointer)
    }
}

fn texts(items: &[Json]) -> Vec<String> {
    items.iter().filter_map(Json::as_text).map(str::to_owned).collect()
}

impl<'l> Compiler<'l> {
    pub(super) fn new(library: &'l Library) -> Self {
        Self {
            library,
            documents: BTreeMap::new(),
            program: Program::default(),
            queue: Vec::new(),
            ids: BTreeMap::new(),
            patterns: BTreeMap::new(),
            pattern_bytes: PATTERNS_SIZE,
            is_meta: false,
        }
    }

    pub(super) fn of_meta(library: &'l Library) -> Self {
        Self {
            is_meta: true,
            ..Self::new(library)
        }
    }

    /// Compiles the root of a document and all it leads to.
    pub(super) fn add(&mut self, url: &str) -> Compiled<Id> {
        self.load(url)?;
        let root = self.enqueue(Place::new(url, ""));
        while let Some(place) = self.queue.get(self.program.rules.len()).cloned() {
            let rules = self.compile(place)?;
            self.program.rules.push(rules);
        }
        Ok(root)
    }

    pub(super) fn finish(self) -> Program {
        self.program
    }

    fn load(&mut self, url: &str) -> Compiled<()> {
        if self.documents.contains_key(url) {
            return Ok(());
        }
        let document = Document::new(url, self.library)?;
        let is_standard = ["http://json-schema.org/", "https://json-schema.org/"];
        if !is_standard.iter().any(|start| url.starts_with(start)) {
            self.hold_against_meta(&document, self.library.load(url)?, &Place::new(url, ""))?;
        }
        self.documents.insert(url.to_owned(), document);
        Ok(())
    }

    fn hold_against_meta(&self, document: &Document, schema: &Json, place: &Place) -> Compiled<()> {
        if self.is_meta {
            return Ok(());
        }
        let (_, resource) = document.resource(&place.pointer);
        let held = meta::hold(schema, resource.draft, document.resources());
        held.map_err(|problem| {
            format!(
                "{} is not valid against metaschema: {problem}",
                quote_go(&place.to_string())
            )
        })
    }

    fn enqueue(&mut self, place: Place) -> Id {
        let queue = &mut self.queue;
        *self.ids.entry(place).or_insert_with_key(|place| {
            queue.push(place.clone());
            queue.len() - 1
        })
    }

    fn compile(&mut self, place: Place) -> Compiled<Rules> {
        self.load(&place.url)?;
        let schema = place.find(self.library.load(&place.url)?)?;
        let library = self.library;
        if let Some(document) = self.documents.get_mut(&place.url)
            && !document.knows(&place.pointer)
        {
            document.add(library, schema, &place.pointer)?;
            let document = &self.documents[&place.url];
            self.hold_against_meta(document, schema, &place)?;
        }
        let (pointer, resource) = self.documents[&place.url].resource(&place.pointer);
        let (root, draft, base) = (Place::new(&place.url, pointer), resource.draft, resource.id.clone());
        let is_root = draft >= Draft::Y2020 && root == place;
        let anchors = if is_root {
            resource.dynamic_anchors.clone()
        } else {
            BTreeMap::new()
        };
        let mut rules = Rules::new(place.to_string(), draft);
        rules.resource = self.enqueue(root);
        for (name, pointer) in anchors {
            let id = self.enqueue(Place::new(&place.url, pointer));
            rules.dynamic_anchors.insert(name, id);
        }
        match schema {
            Json::Bool(always) => rules.always = Some(*always),
            Json::Object(fields) if fields.is_empty() => rules.always = Some(true),
            Json::Object(fields) => {
                let source = Source {
                    fields,
                    place,
                    draft,
                    base,
                };
                self.keywords(&source, &mut rules)?;
            }
            _ => {}
        }
        Ok(rules)
    }

    fn keywords(&mut self, source: &Source<'_>, rules: &mut Rules) -> Compiled<()> {
        rules.reference = self.reference(source, "$ref")?;
        if source.draft < Draft::Y2019 && rules.reference.is_some() {
            return Ok(());
        }
        self.applicators(source, rules);
        self.object(source, rules)?;
        self.list(source, rules);
        self.validation(source, rules)?;
        if source.draft >= Draft::Y2019 {
            rules.recursive_reference = self.reference(source, "$recursiveRef")?;
            rules.is_recursive_anchor = source.flag("$recursiveAnchor");
        }
        if source.draft >= Draft::Y2020 {
            if let Some(target) = self.reference(source, "$dynamicRef")? {
                let (_, fragment) = split_fragment(source.text("$dynamicRef").unwrap_or_default())?;
                let name = if fragment.starts_with('/') {
                    String::new()
                } else {
                    fragment
                };
                rules.dynamic_reference = Some((target, name));
            }
            rules.dynamic_anchor = source.text("$dynamicAnchor").unwrap_or_default().to_owned();
        }
        Ok(())
    }

    /// What a reference leads to.
    fn reference(&mut self, source: &Source<'_>, keyword: &str) -> Compiled<Option<Id>> {
        let Some(reference) = source.text(keyword) else {
            return Ok(None);
        };
        let (url, fragment) = join(&source.base, reference)?;
        let own = self.documents[&source.place.url].resolve(&url, &fragment);
        let place = match own {
            Some(place) => place?,
            None => {
                self.load(&url)?;
                self.documents[&url].fragment("", &fragment)?
            }
        };
        Ok(Some(self.enqueue(place)))
    }

    fn one(&mut self, source: &Source<'_>, keyword: &str) -> Option<Id> {
        source.get(keyword)?;
        Some(self.enqueue(source.below(&[keyword])))
    }

    fn many(&mut self, source: &Source<'_>, keyword: &str) -> Vec<Id> {
        let count = source.get(keyword).and_then(Json::as_list).map_or(0, <[Json]>::len);
        let places = (0..count).map(|index| source.below(&[keyword, &index.to_string()]));
        places.map(|place| self.enqueue(place)).collect()
    }

    fn named(&mut self, source: &Source<'_>, keyword: &str) -> BTreeMap<String, Id> {
        source
            .entries(keyword)
            .map(|(name, _)| (name.clone(), self.enqueue(source.below(&[keyword, name]))))
            .collect()
    }

    fn additional(&mut self, source: &Source<'_>, keyword: &str) -> Option<Additional> {
        match source.get(keyword)? {
            Json::Bool(fixed) => Some(Additional::Fixed(*fixed)),
            _ => self.one(source, keyword).map(Additional::Schema),
        }
    }

    fn applicators(&mut self, source: &Source<'_>, rules: &mut Rules) {
        rules.all_of = self.many(source, "allOf");
        rules.any_of = self.many(source, "anyOf");
        rules.one_of = self.many(source, "oneOf");
        rules.not = self.one(source, "not");
        if source.draft >= Draft::Seven {
            rules.condition = self.one(source, "if");
        }
        if rules.condition.is_some() {
            // Of a condition that is decided, one branch is never looked at.
            let decided = source.get("if").and_then(Json::as_bool);
            if decided != Some(false) {
                rules.then = self.one(source, "then");
            }
            if decided != Some(true) {
                rules.otherwise = self.one(source, "else");
            }
        }
    }

    fn object(&mut self, source: &Source<'_>, rules: &mut Rules) -> Compiled<()> {
        let object = &mut rules.object;
        object.properties = self.named(source, "properties");
        for (pattern, id) in self.named(source, "patternProperties") {
            object
                .patterns
                .push((self.pattern(source, "patternProperties", &pattern)?, id));
        }
        object.additional = self.additional(source, "additionalProperties");
        for (name, value) in source.entries("dependencies") {
            let dependency = match value {
                Json::List(items) => Dependency::Names(texts(items)),
                _ => Dependency::Schema(self.enqueue(source.below(&["dependencies", name]))),
            };
            object.dependencies.insert(name.clone(), dependency);
        }
        object.min = source.count("minProperties");
        object.max = source.count("maxProperties");
        object.required = source.names("required");
        if source.draft >= Draft::Six {
            object.names = self.one(source, "propertyNames");
        }
        if source.draft >= Draft::Y2019 {
            object.dependent_schemas = self.named(source, "dependentSchemas");
            for (name, value) in source.entries("dependentRequired") {
                if let Json::List(items) = value {
                    object.dependent_required.insert(name.clone(), texts(items));
                }
            }
            object.unevaluated = self.one(source, "unevaluatedProperties");
        }
        Ok(())
    }

    fn list(&mut self, source: &Source<'_>, rules: &mut Rules) {
        let list = &mut rules.list;
        if source.draft >= Draft::Y2020 {
            list.first = self.many(source, "prefixItems");
            list.rest = self.one(source, "items").map(Additional::Schema);
        } else if source.get("items").is_some_and(|items| items.as_list().is_some()) {
            list.first = self.many(source, "items");
            list.rest = self.additional(source, "additionalItems");
        } else {
            list.rest = self.one(source, "items").map(Additional::Schema);
        }
        list.min = source.count("minItems");
        list.max = source.count("maxItems");
        list.is_unique = source.flag("uniqueItems");
        if source.draft >= Draft::Six {
            list.contains = self.one(source, "contains");
        }
        if source.draft >= Draft::Y2019 {
            if list.contains.is_some() {
                list.min_contains = source.count("minContains");
                list.max_contains = source.count("maxContains");
            }
            list.unevaluated = self.one(source, "unevaluatedItems");
        }
    }

    fn validation(&mut self, source: &Source<'_>, rules: &mut Rules) -> Compiled<()> {
        const TYPES: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
        let is_wanted = |name: &&str| match source.get("type") {
            Some(Json::Text(one)) => one == name,
            Some(Json::List(items)) => items.iter().any(|item| item.as_text() == Some(name)),
            _ => false,
        };
        rules.types = TYPES.into_iter().filter(is_wanted).collect();
        rules.options = source.get("enum").and_then(Json::as_list).map(<[Json]>::to_vec);
        if source.draft >= Draft::Six {
            rules.constant = source.get("const").cloned();
        }
        // Later drafts take a format for a remark.
        if let Some(format) = source.text("format")
            && (self.is_meta || source.draft < Draft::Y2019)
        {
            rules.format = FORMATS.iter().copied().find(|known| *known == format);
        }
        let number = &mut rules.number;
        number.multiple_of = source.number("multipleOf");
        number.max = source.number("maximum");
        number.below = match source.flag("exclusiveMaximum") {
            true => number.max.take(),
            false => source.number("exclusiveMaximum"),
        };
        number.min = source.number("minimum");
        number.above = match source.flag("exclusiveMinimum") {
            true => number.min.take(),
            false => source.number("exclusiveMinimum"),
        };
        rules.text.min = source.count("minLength");
        rules.text.max = source.count("maxLength");
        if let Some(pattern) = source.text("pattern") {
            rules.text.pattern = Some((self.pattern(source, "pattern", pattern)?, pattern.to_owned()));
        }
        Ok(())
    }

    fn pattern(&mut self, source: &Source<'_>, keyword: &str, pattern: &str) -> Compiled<Regex> {
        if let Some(known) = self.patterns.get(pattern) {
            return Ok(known.clone());
        }
        let invalid = |problem: &PatternError| {
            let at = format!("{}/{}", source.place, encode(&escape(keyword)));
            format!("invalid regex {} at {}: {problem}", quote_go(pattern), quote_go(&at))
        };
        for size in PATTERN_SIZES.into_iter().filter(|size| *size <= self.pattern_bytes) {
            match compile_pattern(pattern, size) {
                Ok(compiled) => {
                    self.pattern_bytes -= size;
                    self.patterns.insert(pattern.to_owned(), compiled.clone());
                    return Ok(compiled);
                }
                Err(PatternError::TooLarge) => {}
                Err(problem) => return Err(invalid(&problem)),
            }
        }
        Err(invalid(&PatternError::TooLarge))
    }
}
