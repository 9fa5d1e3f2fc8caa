//! A document of schemas: which parts of it are resources of their own (`$id`), in which draft, and what is named in them (`$anchor`).

use std::collections::{BTreeMap, BTreeSet};

use capstan_template::grow;

use super::json::Json;
use super::meta;
use super::place::{Place, escape, join, split, split_fragment};
use super::url::url;
use super::words::quote_go;

/// The schema of a chart, as it names itself.
pub(super) const OWN: &str = "file:///values.schema.json";

/// Bytes that the pointers to all schemas of a document may take.
const MAX_POINTERS: usize = 32 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Y2019,
    Y2020,
}

impl Draft {
    /// What a schema is that says nothing.
    pub(super) const LATEST: Self = Self::Y2020;

    /// The draft a URL names.
    pub(super) fn named(url: &str) -> Option<Self> {
        let (url, fragment) = split(url);
        let name = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .unwrap_or(url);
        Some(
            match name.strip_prefix("json-schema.org/").filter(|_| fragment.is_empty())? {
                "schema" => Self::LATEST,
                "draft/2020-12/schema" => Self::Y2020,
                "draft/2019-09/schema" => Self::Y2019,
                "draft-07/schema" => Self::Seven,
                "draft-06/schema" => Self::Six,
                "draft-04/schema" => Self::Four,
                _ => return None,
            },
        )
    }

    pub(super) const fn url(self) -> &'static str {
        match self {
            Self::Four => "http://json-schema.org/draft-04/schema",
            Self::Six => "http://json-schema.org/draft-06/schema",
            Self::Seven => "http://json-schema.org/draft-07/schema",
            Self::Y2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::Y2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The name a schema gives itself: without its fragment.
    fn id(self, fields: &BTreeMap<String, Json>) -> Option<&str> {
        let id = self.written_id(fields)?;
        Some(split(id).0).filter(|id| !id.is_empty())
    }

    fn written_id(self, fields: &BTreeMap<String, Json>) -> Option<&str> {
        // Beside `$ref` these drafts see nothing.
        if self < Self::Y2019 && fields.contains_key("$ref") {
            return None;
        }
        let keyword = if self == Self::Four { "id" } else { "$id" };
        fields.get(keyword)?.as_text()
    }

    /// Where a keyword has schemas, if this draft knows it.
    fn schemas_of(self, keyword: &str) -> Option<Schemas> {
        let (since, schemas) = match keyword {
            "additionalItems" | "additionalProperties" | "not" => (Self::Four, Schemas::ONE),
            "allOf" | "anyOf" | "oneOf" => (Self::Four, Schemas::LIST),
            "definitions" | "dependencies" | "patternProperties" | "properties" => (Self::Four, Schemas::NAMED),
            "items" => (
                Self::Four,
                Schemas {
                    one: true,
                    ..Schemas::LIST
                },
            ),
            "contains" | "propertyNames" => (Self::Six, Schemas::ONE),
            "else" | "if" | "then" => (Self::Seven, Schemas::ONE),
            "$defs" | "dependentSchemas" => (Self::Y2019, Schemas::NAMED),
            "contentSchema" | "unevaluatedItems" | "unevaluatedProperties" => (Self::Y2019, Schemas::ONE),
            "prefixItems" => (Self::Y2020, Schemas::LIST),
            _ => return None,
        };
        (self >= since).then_some(schemas)
    }
}

/// Which values of a keyword are schemas: it, those in its list, those by name.
#[derive(Clone, Copy)]
struct Schemas {
    one: bool,
    list: bool,
    named: bool,
}

impl Schemas {
    const ONE: Self = Self {
        one: true,
        list: false,
        named: false,
    };
    const LIST: Self = Self {
        one: false,
        list: true,
        named: false,
    };
    const NAMED: Self = Self {
        one: false,
        list: false,
        named: true,
    };
}

/// A part of a document with a name and a draft.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) draft: Draft,
    /// Pointers by name.
    anchors: BTreeMap<String, String>,
    /// Those that `$dynamicRef` looks for, by name.
    pub(super) dynamic_anchors: BTreeMap<String, String>,
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
        if place.pointer.is_empty() && place.url == named {
            return Err(format!("draft {} is not supported", quote_go(named)));
        }
        if !seen.insert(named.to_owned()) {
            return Err(format!("cycle in resolving $schema in {}", quote_go(named)));
        }
        self.draft(&Place::new(named, ""), self.load(named)?, otherwise, seen)
    }
}

/// What is known of the schemas of one document.
#[derive(Debug)]
pub(super) struct Document {
    url: String,
    /// By pointer.
    resources: BTreeMap<String, Resource>,
    /// Pointers of resources by their ids.
    by_id: BTreeMap<String, String>,
    /// Pointers of schemas that were looked at.
    known: BTreeSet<String>,
    /// How many bytes these take.
    pointers: usize,
}

impl Document {
    pub(super) fn new(url: &str, library: &Library) -> Result<Self, String> {
        let mut document = Self {
            url: url.to_owned(),
            resources: BTreeMap::new(),
            by_id: BTreeMap::new(),
            known: BTreeSet::new(),
            pointers: 0,
        };
        document.collect(library, library.load(url)?, url, String::new(), Draft::LATEST)?;
        Ok(document)
    }

    pub(super) fn knows(&self, pointer: &str) -> bool {
        self.known.contains(pointer)
    }

    pub(super) fn resources(&self) -> &BTreeMap<String, Resource> {
        &self.resources
    }

    /// The resource that a schema is part of, and its pointer.
    pub(super) fn resource(&self, pointer: &str) -> (&str, &Resource) {
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
        let pointer = match id == self.url {
            true => "",
            false => self.by_id.get(id)?,
        };
        Some(self.fragment(pointer, fragment))
    }

    /// What a fragment means within the resource at a pointer.
    pub(super) fn fragment(&self, pointer: &str, fragment: &str) -> Result<Place, String> {
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(Place::new(&self.url, format!("{pointer}{fragment}")));
        }
        let (_, resource) = self.resource(pointer);
        match resource.anchors.get(fragment) {
            Some(found) => Ok(Place::new(&self.url, found.as_str())),
            None => Err(format!(
                "anchor in {} not found in schema {}",
                quote_go(&Place::new(&resource.id, fragment).to_string()),
                quote_go(&self.url)
            )),
        }
    }

    /// Takes in a schema that is not where keywords have schemas, since something refers to it.
    pub(super) fn add(&mut self, library: &Library, schema: &Json, pointer: &str) -> Result<(), String> {
        let (_, resource) = self.resource(pointer);
        let (base, draft) = (resource.id.clone(), resource.draft);
        self.collect(library, schema, &base, pointer.to_owned(), draft)
    }

    fn collect(
        &mut self,
        library: &Library,
        schema: &Json,
        base: &str,
        pointer: String,
        fallback: Draft,
    ) -> Result<(), String> {
        if self.known.contains(&pointer) {
            return Ok(());
        }
        self.pointers += pointer.len();
        if self.pointers > MAX_POINTERS {
            return Err(format!(
                "the schema is too large: pointers to its parts take more than {MAX_POINTERS} bytes"
            ));
        }
        match schema.as_object() {
            Some(fields) => grow(|| self.collect_object(library, schema, fields, base, &pointer, fallback))?,
            None if pointer.is_empty() => self.insert(&pointer, base, fallback),
            None => {}
        }
        self.known.insert(pointer);
        Ok(())
    }

    fn insert(&mut self, pointer: &str, id: &str, draft: Draft) {
        self.by_id.insert(id.to_owned(), pointer.to_owned());
        let resource = Resource {
            id: id.to_owned(),
            draft,
            anchors: BTreeMap::new(),
            dynamic_anchors: BTreeMap::new(),
        };
        self.resources.insert(pointer.to_owned(), resource);
    }

    fn collect_object(
        &mut self,
        library: &Library,
        schema: &Json,
        fields: &BTreeMap<String, Json>,
        base: &str,
        pointer: &str,
        fallback: Draft,
    ) -> Result<(), String> {
        let place = Place::new(&self.url, pointer);
        let mut draft = library.draft(&place, schema, fallback, &mut BTreeSet::new())?;
        let mut id = draft.id(fields);
        if id.is_none() && !pointer.is_empty() {
            // The draft of what has no name is that of what it is part of.
            draft = fallback;
            id = draft.id(fields);
        }
        let base = match id {
            Some(id) => resolved_id(base, id, &place)?,
            None => base.to_owned(),
        };
        if id.is_some() || pointer.is_empty() {
            match self.by_id.get(&base) {
                Some(other) if other != pointer => {
                    let all = [&base, &self.url, pointer, other].map(quote_go);
                    return Err(format!(
                        "duplicate id {} in {} at {} and {}",
                        all[0], all[1], all[2], all[3]
                    ));
                }
                Some(_) => {}
                None => self.insert(pointer, &base, draft),
            }
        }
        let resource = self.by_id.get(&base).cloned().unwrap_or_default();
        self.collect_anchors(fields, &place, &resource)?;
        let inner = self
            .resources
            .get(&resource)
            .map_or(fallback, |resource| resource.draft);
        let schemas = fields
            .iter()
            .filter_map(|(keyword, value)| Some((keyword, value, draft.schemas_of(keyword)?)));
        for (keyword, value, schemas) in schemas {
            let at = format!("{pointer}/{keyword}");
            self.collect_keyword(library, value, schemas, &base, &at, inner)?;
        }
        Ok(())
    }

    /// The schemas of a keyword.
    fn collect_keyword(
        &mut self,
        library: &Library,
        value: &Json,
        schemas: Schemas,
        base: &str,
        at: &str,
        draft: Draft,
    ) -> Result<(), String> {
        match value {
            Json::List(items) if schemas.list => {
                for (index, item) in items.iter().enumerate() {
                    self.collect(library, item, base, format!("{at}/{index}"), draft)?;
                }
            }
            Json::Object(named) if schemas.named => {
                for (name, item) in named {
                    self.collect(library, item, base, format!("{at}/{}", escape(name)), draft)?;
                }
            }
            _ => {}
        }
        match schemas.one {
            true => self.collect(library, value, base, at.to_owned(), draft),
            false => Ok(()),
        }
    }

    /// The names of a schema, for the resource at a pointer.
    fn collect_anchors(
        &mut self,
        fields: &BTreeMap<String, Json>,
        place: &Place,
        resource: &str,
    ) -> Result<(), String> {
        let url = self.url.clone();
        let Some(resource) = self.resources.get_mut(resource) else {
            return Ok(());
        };
        let text = |keyword: &str| fields.get(keyword).and_then(Json::as_text);
        let mut names = Vec::new();
        if resource.draft < Draft::Y2019 {
            if let Some(id) = resource.draft.written_id(fields) {
                let parsed = split_fragment(id)
                    .map_err(|_| format!("error in parsing anchor at {}", quote_go(&place.to_string())));
                let (_, fragment) = parsed?;
                names.extend(Some(fragment).filter(|name| !name.is_empty() && !name.starts_with('/')));
            }
        } else {
            names.extend(text("$anchor").map(str::to_owned));
        }
        if resource.draft >= Draft::Y2020
            && let Some(name) = text("$dynamicAnchor")
        {
            names.push(name.to_owned());
            resource.dynamic_anchors.insert(name.to_owned(), place.pointer.clone());
        }
        for name in names {
            match resource.anchors.get(&name) {
                Some(known) if *known != place.pointer => {
                    let all = [&name, &url, known, &place.pointer].map(|text| quote_go(text));
                    return Err(format!(
                        "duplicate anchor {} in {} at {} and {}",
                        all[0], all[1], all[2], all[3]
                    ));
                }
                _ => drop(resource.anchors.insert(name, place.pointer.clone())),
            }
        }
        Ok(())
    }
}

fn resolved_id(base: &str, id: &str, place: &Place) -> Result<String, String> {
    let problem = |_| format!("error in parsing id at {}", quote_go(&place.to_string()));
    join(base, id).map(|(url, _)| url).map_err(problem)
}
