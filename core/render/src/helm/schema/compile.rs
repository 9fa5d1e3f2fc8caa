//! Schemas to [`Rules`]: from the root, everything that keywords lead to, and nothing else: what is in `$defs` and not used may refer to
//! anything. Documents are held against the meta schema of their draft first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::{Budget, Refused};
use super::dialect::{Dialect, Draft, Vocabulary};
use super::document::{Document, Library};
use super::format::FORMATS;
use super::json::{Fields, Json};
use super::meta;
use super::number::Number;
use super::place::{Place, escape, join, split_fragment};
use super::rules::{BranchRules, DynamicRules, Id, Pattern, Program, Rules};
use super::words::quote_go;

/// Bytes that the rules of a schema take, but for what they hold.
const RULES_SIZE: usize = 512;
/// Bytes that a name in a list takes.
const NAME_SIZE: usize = 32;

pub(super) type Compiled<T> = Result<T, Refused>;

pub(super) struct Compiler<'l> {
    library: &'l Library,
    pub(super) budget: &'l mut Budget,
    documents: BTreeMap<Arc<str>, Document>,
    program: Program,
    /// What is compiled or waits for it, in this order.
    queue: Vec<Place>,
    ids: BTreeMap<Place, Id>,
    pub(super) patterns: BTreeMap<Arc<str>, Pattern>,
    /// The meta schemas themselves: they are what others are held against, and assert formats in every draft.
    is_meta: bool,
}

/// A schema that is being compiled.
pub(super) struct Source<'s> {
    pub(super) fields: &'s Fields,
    pub(super) place: Place,
    pub(super) dialect: Dialect,
    /// What references are relative to.
    base: Arc<str>,
}

impl<'s> Source<'s> {
    pub(super) fn get(&self, keyword: &str) -> Option<&'s Json> {
        self.fields.get(keyword)
    }

    /// The members of an object; none of anything else.
    pub(super) fn entries(&self, keyword: &str) -> impl Iterator<Item = (&'s str, &'s Json)> + use<'s> {
        let fields = self.get(keyword).and_then(Json::as_object);
        fields.into_iter().flat_map(Fields::iter)
    }

    pub(super) fn text(&self, keyword: &str) -> Option<&'s str> {
        self.get(keyword)?.as_text()
    }

    pub(super) fn flag(&self, keyword: &str) -> bool {
        self.get(keyword).and_then(Json::as_bool).unwrap_or_default()
    }

    pub(super) fn number(&self, keyword: &str) -> Option<Number> {
        match self.get(keyword)? {
            Json::Number(number) if number.has_value() => Some(number.clone()),
            _ => None,
        }
    }

    pub(super) fn count(&self, keyword: &str) -> Option<i64> {
        self.number(keyword)?.as_count()
    }

    /// The place of the schema in a keyword, or in what is below it.
    pub(super) fn below(&self, path: &[&str]) -> Place {
        let mut pointer = self.place.pointer.to_string();
        for part in path {
            pointer.push('/');
            pointer.push_str(&escape(part));
        }
        Place::new(Arc::clone(&self.place.url), pointer)
    }

    pub(super) fn has(&self, vocabulary: Vocabulary) -> bool {
        self.dialect.has(vocabulary)
    }
}

impl<'l> Compiler<'l> {
    pub(super) const fn new(library: &'l Library, budget: &'l mut Budget) -> Self {
        Self {
            library,
            budget,
            documents: BTreeMap::new(),
            program: Program { rules: Vec::new() },
            queue: Vec::new(),
            ids: BTreeMap::new(),
            patterns: BTreeMap::new(),
            is_meta: false,
        }
    }

    pub(super) fn of_meta(library: &'l Library, budget: &'l mut Budget) -> Self {
        Self {
            is_meta: true,
            ..Self::new(library, budget)
        }
    }

    /// Compiles the root of a document and all it leads to.
    pub(super) fn add(&mut self, url: &str) -> Compiled<Id> {
        self.load(url)?;
        let root = self.enqueue(Place::new(url, ""))?;
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
        let document = Document::new(url, self.library, self.budget)?;
        let is_standard = ["http://json-schema.org/", "https://json-schema.org/"];
        if !is_standard.iter().any(|start| url.starts_with(start)) {
            self.hold_against_meta(&document, self.library.load(url)?, &Place::new(url, ""))?;
        }
        self.documents.insert(url.into(), document);
        Ok(())
    }

    fn hold_against_meta(&mut self, document: &Document, schema: &Json, place: &Place) -> Compiled<()> {
        if self.is_meta {
            return Ok(());
        }
        let (_, resource) = document.resource(&place.pointer);
        let held = meta::hold(schema, &resource.dialect, document.resources(), self.budget);
        held.map_err(|refused| match refused {
            Refused::Because(problem) => {
                let place = quote_go(&place.to_string());
                Refused::Because(format!("{place} is not valid against metaschema: {problem}"))
            }
            limit @ Refused::Limit(_) => limit,
        })
    }

    pub(super) fn enqueue(&mut self, place: Place) -> Compiled<Id> {
        if let Some(known) = self.ids.get(&place) {
            return Ok(*known);
        }
        self.budget.spend(8 + place.pointer.len() as u64 / 4)?;
        self.budget.take(RULES_SIZE + place.pointer.len())?;
        let id = self.queue.len();
        self.queue.push(place.clone());
        self.ids.insert(place, id);
        Ok(id)
    }

    /// A copy: one schema can be reached by many pointers.
    pub(super) fn copy(&mut self, value: &Json) -> Compiled<Json> {
        let size = value.bytes();
        self.budget.spend(size as u64 / 64)?;
        self.budget.take(size)?;
        Ok(value.clone())
    }

    pub(super) fn texts(&mut self, items: Option<&Json>) -> Compiled<Box<[Box<str>]>> {
        let texts = items.and_then(Json::as_list).unwrap_or_default().iter();
        let copied = texts.filter_map(Json::as_text).map(|text| {
            self.budget.spend(1)?;
            self.budget.take(NAME_SIZE + text.len())?;
            Ok(text.into())
        });
        copied.collect()
    }

    fn compile(&mut self, place: Place) -> Compiled<Rules> {
        self.load(&place.url)?;
        let schema = place.find(self.library.load(&place.url)?)?;
        if let Some(mut document) = self.documents.remove(&place.url) {
            if !document.knows(&place.pointer) {
                document.add(self.library, schema, &place.pointer, self.budget)?;
                self.hold_against_meta(&document, schema, &place)?;
            }
            self.documents.insert(Arc::clone(&place.url), document);
        }
        let (pointer, resource) = self.documents[&place.url].resource(&place.pointer);
        let root = Place::new(Arc::clone(&place.url), Arc::clone(pointer));
        let (dialect, base) = (resource.dialect.clone(), Arc::clone(&resource.id));
        let is_root = dialect.draft >= Draft::Y2020 && root == place;
        let anchors = if is_root {
            resource.dynamic_anchors.clone()
        } else {
            BTreeMap::new()
        };
        let mut rules = Rules::new(place.clone(), dialect.draft);
        rules.resource = self.enqueue(root)?;
        let mut dynamic = DynamicRules::default();
        for (name, pointer) in anchors {
            let id = self.enqueue(Place::new(Arc::clone(&place.url), pointer))?;
            dynamic.anchors.insert(name, id);
        }
        match schema {
            Json::Bool(always) => rules.always = Some(*always),
            Json::Object(fields) if fields.is_empty() => rules.always = Some(true),
            Json::Object(fields) => {
                let source = Source {
                    fields,
                    place,
                    dialect,
                    base,
                };
                self.keywords(&source, &mut rules, &mut dynamic)?;
            }
            _ => {}
        }
        rules.dynamic = Some(Box::new(dynamic)).filter(|dynamic| **dynamic != DynamicRules::default());
        Ok(rules)
    }

    fn keywords(&mut self, source: &Source<'_>, rules: &mut Rules, dynamic: &mut DynamicRules) -> Compiled<()> {
        let draft = source.dialect.draft;
        rules.reference = self.reference(source, "$ref")?;
        if draft < Draft::Y2019 && rules.reference.is_some() {
            return self.beside_reference(source, rules);
        }
        if source.has(Vocabulary::Applicator) {
            let branches = self.branches(source)?;
            rules.branches = Some(Box::new(branches)).filter(|branches| **branches != BranchRules::default());
        }
        let object = self.object(source)?;
        rules.object = Some(Box::new(object)).filter(|object| !object.is_empty());
        let list = self.list(source)?;
        rules.list = Some(Box::new(list)).filter(|list| !list.is_empty());
        if source.has(Vocabulary::Validation) {
            self.validation(source, rules)?;
        }
        if (self.is_meta || source.dialect.asserts_formats())
            && let Some(format) = source.text("format")
        {
            rules.format = FORMATS.iter().copied().find(|known| *known == format);
        }
        if draft >= Draft::Y2019 {
            dynamic.recursive = self.reference(source, "$recursiveRef")?;
            dynamic.is_recursive_anchor = source.flag("$recursiveAnchor");
        }
        if draft >= Draft::Y2020 {
            if let Some(target) = self.reference(source, "$dynamicRef")? {
                let (_, fragment) = split_fragment(source.text("$dynamicRef").unwrap_or_default())?;
                let name = if fragment.starts_with('/') {
                    String::new()
                } else {
                    fragment
                };
                dynamic.reference = Some((target, name));
            }
            source
                .text("$dynamicAnchor")
                .unwrap_or_default()
                .clone_into(&mut dynamic.anchor);
        }
        Ok(())
    }

    /// What counts beside `$ref` in drafts in which nothing should: Helm compiles what came after draft 4, and checks constants first.
    fn beside_reference(&mut self, source: &Source<'_>, rules: &mut Rules) -> Compiled<()> {
        let draft = source.dialect.draft;
        if draft >= Draft::Six {
            self.one(source, "contains")?;
            self.one(source, "propertyNames")?;
            rules.constant = source.get("const").map(|value| self.copy(value)).transpose()?;
        }
        if draft >= Draft::Seven {
            self.condition(source)?;
        }
        Ok(())
    }

    /// What a reference leads to.
    fn reference(&mut self, source: &Source<'_>, keyword: &str) -> Compiled<Option<Id>> {
        let Some(reference) = source.text(keyword) else {
            return Ok(None);
        };
        self.budget
            .spend(2 + (source.base.len() + reference.len()) as u64 / 8)?;
        let (url, fragment) = join(&source.base, reference)?;
        let own = self.documents[&source.place.url].resolve(&url, &fragment);
        let place = match own {
            Some(place) => place?,
            None => {
                self.load(&url)?;
                self.documents[url.as_str()].fragment("", &fragment)?
            }
        };
        Ok(Some(self.enqueue(place)?))
    }
}
