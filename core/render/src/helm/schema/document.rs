//! A document of schemas: which parts of it are resources of their own (`$id`), in which draft, and what is named in them (`$anchor`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use capstan_template::grow;

use super::budget::{Budget, Refused};
use super::dialect::{Dialect, Draft, Schemas, vocabularies};
use super::json::{Fields, Json};
use super::meta;
use super::place::{Place, escape, join, split, split_fragment};
use super::url::url;
use super::words::quote_go;

/// The schema of a chart, as it names itself.
pub(super) const OWN: &str = "file:///values.schema.json";

/// Bytes that what is known of a schema takes, but for its pointer.
const KNOWN_SIZE: usize = 96;

/// A part of a document with a name and a draft.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) id: Arc<str>,
    pub(super) dialect: Dialect,
    /// Pointers by name.
    anchors: BTreeMap<String, Arc<str>>,
    /// Those that `$dynamicRef` looks for, by name.
    pub(super) dynamic_anchors: BTreeMap<String, Arc<str>>,
}

/// What is loaded, by URL.
#[derive(Debug)]
pub(super) struct Library {
    /// The schema of the chart.
    pub(super) own: Json,
}

impl Library {
    pub(super) fn load(&self, url: &str) -> Result<&Json, String> {
        if url == OWN {
            return Ok(&self.own);
        }
        if let Some(document) = meta::document(url) {
            return Ok(document);
        }
        if url.starts_with("urn:") {
            // Helm resolves none, and takes them to allow anything.
            static ANYTHING: Json = Json::Bool(true);
            return Ok(&ANYTHING);
        }
        let shown = quote_go(url);
        let is_known = ["file:", "http:", "https:"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        Err(match is_known {
            true => format!(
                "failing loading {shown}: it is another document, and none is fetched: put its definitions into values.schema.json"
            ),
            false => format!("failing loading {shown}: no URLLoader registered for {shown}"),
        })
    }

    /// The draft that `$schema` of a schema says; `otherwise` if it says nothing.
    fn draft(
        &self,
        place: &Place,
        schema: &Json,
        otherwise: Draft,
        seen: &mut BTreeSet<String>,
    ) -> Result<Draft, String> {
        let named = schema.as_object().and_then(|fields| fields.get("$schema")?.as_text());
        let Some(named) = named else { return Ok(otherwise) };
        if let Some(draft) = Draft::named(named) {
            return Ok(draft);
        }
        let (named, _) = split(named);
        if let Err(problem) = url(named) {
            return Err(format!(
                "invalid $schema in {}: {problem}",
                quote_go(&place.to_string())
            ));
        }
        if place.pointer.is_empty() && *place.url == *named {
            return Err(format!("draft {} is not supported", quote_go(named)));
        }
        if !seen.insert(named.to_owned()) {
            return Err(format!("cycle in resolving $schema in {}", quote_go(named)));
        }
        self.draft(&Place::new(named, ""), self.load(named)?, otherwise, seen)
    }

    /// A draft, with the vocabularies that the meta schema asks for which a schema names.
    fn dialect(&self, schema: &Json, draft: Draft) -> Result<Dialect, String> {
        let named = schema.as_object().and_then(|fields| fields.get("$schema")?.as_text());
        let vocabularies = match named.filter(|named| Draft::named(named).is_none()) {
            Some(named) => {
                let (named, _) = split(named);
                vocabularies(draft, named, self.load(named)?)?
            }
            None => None,
        };
        Ok(Dialect { draft, vocabularies })
    }
}

/// What is known of the schemas of one document.
#[derive(Debug)]
pub(super) struct Document {
    url: Arc<str>,
    /// By pointer.
    resources: BTreeMap<Arc<str>, Resource>,
    /// Pointers of resources by their ids.
    by_id: BTreeMap<Arc<str>, Arc<str>>,
    /// Pointers of schemas that were looked at.
    known: BTreeSet<Arc<str>>,
}

impl Document {
    pub(super) fn new(url: &str, library: &Library, budget: &mut Budget) -> Result<Self, Refused> {
        let mut document = Self {
            url: url.into(),
            resources: BTreeMap::new(),
            by_id: BTreeMap::new(),
            known: BTreeSet::new(),
        };
        let base = Arc::clone(&document.url);
        let mut collector = Collector {
            document: &mut document,
            library,
            budget,
        };
        collector.collect(library.load(url)?, &base, String::new(), &Dialect::LATEST)?;
        Ok(document)
    }

    pub(super) fn knows(&self, pointer: &str) -> bool {
        self.known.contains(pointer)
    }

    pub(super) const fn resources(&self) -> &BTreeMap<Arc<str>, Resource> {
        &self.resources
    }

    /// The resource that a schema is part of, and its pointer.
    pub(super) fn resource(&self, pointer: &str) -> (&Arc<str>, &Resource) {
        let mut above = pointer;
        loop {
            if let Some((pointer, resource)) = self.resources.get_key_value(above) {
                return (pointer, resource);
            }
            let Some(slash) = above.rfind('/') else { break };
            above = &above[..slash];
        }
        let (pointer, root) = self
            .resources
            .first_key_value()
            .unwrap_or_else(|| unreachable!("a document has a root"));
        (pointer, root)
    }

    /// What a fragment means: within a resource of this id, or nothing if it is none of this document.
    pub(super) fn resolve(&self, id: &str, fragment: &str) -> Option<Result<Place, String>> {
        let pointer = match *id == *self.url {
            true => "",
            false => self.by_id.get(id)?,
        };
        Some(self.fragment(pointer, fragment))
    }

    /// What a fragment means within the resource at a pointer.
    pub(super) fn fragment(&self, pointer: &str, fragment: &str) -> Result<Place, String> {
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(Place::new(Arc::clone(&self.url), format!("{pointer}{fragment}")));
        }
        let (_, resource) = self.resource(pointer);
        match resource.anchors.get(fragment) {
            Some(found) => Ok(Place::new(Arc::clone(&self.url), Arc::clone(found))),
            None => Err(format!(
                "anchor in {} not found in schema {}",
                quote_go(&Place::new(Arc::clone(&resource.id), fragment).to_string()),
                quote_go(&self.url)
            )),
        }
    }

    /// Takes in a schema that is not where keywords have schemas, since something refers to it.
    pub(super) fn add(
        &mut self,
        library: &Library,
        schema: &Json,
        pointer: &str,
        budget: &mut Budget,
    ) -> Result<(), Refused> {
        let (_, resource) = self.resource(pointer);
        let (base, dialect) = (Arc::clone(&resource.id), resource.dialect.clone());
        let mut collector = Collector {
            document: self,
            library,
            budget,
        };
        collector.collect(schema, &base, pointer.to_owned(), &dialect)
    }
}

/// Goes through the schemas of a document.
struct Collector<'c> {
    document: &'c mut Document,
    library: &'c Library,
    budget: &'c mut Budget,
}

impl Collector<'_> {
    fn collect(&mut self, schema: &Json, base: &Arc<str>, pointer: String, fallback: &Dialect) -> Result<(), Refused> {
        if self.document.known.contains(pointer.as_str()) {
            return Ok(());
        }
        self.budget.spend(1 + (pointer.len() / 16 + base.len() / 256) as u64)?;
        self.budget.take(KNOWN_SIZE + pointer.len())?;
        let pointer: Arc<str> = pointer.into();
        match schema.as_object() {
            Some(fields) => grow(|| self.object(schema, fields, base, &pointer, fallback))?,
            None if pointer.is_empty() => self.insert(&pointer, base, fallback.clone()),
            None => {}
        }
        self.document.known.insert(pointer);
        Ok(())
    }

    fn insert(&mut self, pointer: &Arc<str>, id: &Arc<str>, dialect: Dialect) {
        self.document.by_id.insert(Arc::clone(id), Arc::clone(pointer));
        let resource = Resource {
            id: Arc::clone(id),
            dialect,
            anchors: BTreeMap::new(),
            dynamic_anchors: BTreeMap::new(),
        };
        self.document.resources.insert(Arc::clone(pointer), resource);
    }

    fn object(
        &mut self,
        schema: &Json,
        fields: &Fields,
        base: &Arc<str>,
        pointer: &Arc<str>,
        fallback: &Dialect,
    ) -> Result<(), Refused> {
        let place = Place::new(Arc::clone(&self.document.url), Arc::clone(pointer));
        let mut draft = self
            .library
            .draft(&place, schema, fallback.draft, &mut BTreeSet::new())?;
        let mut id = draft.id(fields);
        let is_named = id.is_some() || pointer.is_empty();
        let mut has_schema = fields.get("$schema").is_some_and(|named| named.as_text().is_some());
        if !is_named {
            // The draft of what has no name is that of what it is part of.
            draft = fallback.draft;
            has_schema = false;
            id = draft.id(fields);
        }
        let base = match id {
            Some(id) => {
                self.budget.spend(2 + (base.len() + id.len()) as u64 / 8)?;
                resolved_id(base, id, &place)?.into()
            }
            None => Arc::clone(base),
        };
        if id.is_some() || is_named {
            let dialect = has_schema.then_some(draft);
            self.resource(schema, &base, pointer, dialect, fallback)?;
        }
        let resource = self.document.by_id.get(&base).cloned().unwrap_or_default();
        self.anchors(fields, &place, &resource)?;
        let inner = self.document.resources.get(&resource);
        let inner = inner.map_or_else(|| fallback.clone(), |resource| resource.dialect.clone());
        let schemas = fields
            .iter()
            .filter_map(|(keyword, value)| Some((keyword, value, draft.schemas_of(keyword)?)));
        for (keyword, value, schemas) in schemas {
            self.keyword(value, schemas, &base, &format!("{pointer}/{keyword}"), &inner)?;
        }
        Ok(())
    }

    /// A resource of a name, in the dialect of its `$schema` if it has one.
    fn resource(
        &mut self,
        schema: &Json,
        id: &Arc<str>,
        pointer: &Arc<str>,
        named: Option<Draft>,
        fallback: &Dialect,
    ) -> Result<(), Refused> {
        match self.document.by_id.get(id) {
            Some(other) if other != pointer => {
                let all = [id, &self.document.url, pointer, other].map(|text| quote_go(text));
                let [id, url, one, other] = all;
                Err(format!("duplicate id {id} in {url} at {one} and {other}").into())
            }
            Some(_) => Ok(()),
            None => {
                self.budget.take(KNOWN_SIZE * 4 + id.len())?;
                let dialect = match named {
                    Some(draft) => self.library.dialect(schema, draft)?,
                    None => fallback.clone(),
                };
                self.insert(pointer, id, dialect);
                Ok(())
            }
        }
    }

    /// The schemas of a keyword.
    fn keyword(
        &mut self,
        value: &Json,
        schemas: Schemas,
        base: &Arc<str>,
        at: &str,
        dialect: &Dialect,
    ) -> Result<(), Refused> {
        match value {
            Json::List(items) if schemas.list => {
                for (index, item) in items.iter().enumerate() {
                    self.collect(item, base, format!("{at}/{index}"), dialect)?;
                }
            }
            Json::Object(named) if schemas.named => {
                for (name, item) in named.iter() {
                    self.collect(item, base, format!("{at}/{}", escape(name)), dialect)?;
                }
            }
            _ => {}
        }
        match schemas.one {
            true => self.collect(value, base, at.to_owned(), dialect),
            false => Ok(()),
        }
    }

    /// The names of a schema, for the resource at a pointer.
    fn anchors(&mut self, fields: &Fields, place: &Place, resource: &str) -> Result<(), Refused> {
        let Some(resource) = self.document.resources.get_mut(resource) else {
            return Ok(());
        };
        let text = |keyword: &str| fields.get(keyword).and_then(Json::as_text);
        let draft = resource.dialect.draft;
        let mut names = Vec::new();
        if draft < Draft::Y2019 {
            if let Some(id) = draft.written_id(fields) {
                let parsed = split_fragment(id)
                    .map_err(|_| format!("error in parsing anchor at {}", quote_go(&place.to_string())));
                let (_, fragment) = parsed?;
                names.extend(Some(fragment).filter(|name| !name.is_empty() && !name.starts_with('/')));
            }
        } else {
            names.extend(text("$anchor").map(str::to_owned));
        }
        if draft >= Draft::Y2020
            && let Some(name) = text("$dynamicAnchor")
        {
            names.push(name.to_owned());
            self.budget.take(KNOWN_SIZE + name.len())?;
            let pointer = Arc::clone(&place.pointer);
            resource.dynamic_anchors.insert(name.to_owned(), pointer);
        }
        for name in names {
            match resource.anchors.get(&name) {
                Some(known) if *known != place.pointer => {
                    let all = [name.as_str(), &place.url, known, &place.pointer].map(quote_go);
                    let [name, url, one, other] = all;
                    return Err(format!("duplicate anchor {name} in {url} at {one} and {other}").into());
                }
                _ => {
                    self.budget.take(KNOWN_SIZE + name.len())?;
                    resource.anchors.insert(name, Arc::clone(&place.pointer));
                }
            }
        }
        Ok(())
    }
}

fn resolved_id(base: &str, id: &str, place: &Place) -> Result<String, String> {
    let problem = |_| format!("error in parsing id at {}", quote_go(&place.to_string()));
    join(base, id).map(|(url, _)| url).map_err(problem)
}
