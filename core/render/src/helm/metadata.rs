//! `Chart.yaml`, read as Go reads it into Helm's struct, and checked as Helm checks it.
//!
//! A YAML number or boolean becomes text where text is wanted (`version: 1.0` is the version `1`), null leaves a field as it was, names
//! of fields match in any case, and what is read later (`requirements.yaml`, a second `Chart.yaml` in an archive) is laid over what is there,
//! list elements included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use capstan_template::matches_constraint;
use capstan_yaml::Step;
use regex::Regex;
use serde_json::{Map, Value};

/// What `Chart.yaml` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) home: String,
    pub(crate) sources: Vec<String>,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) keywords: Vec<String>,
    pub(crate) maintainers: Vec<Maintainer>,
    pub(crate) icon: String,
    pub(crate) api_version: String,
    pub(crate) condition: String,
    pub(crate) tags: String,
    pub(crate) app_version: String,
    pub(crate) deprecated: bool,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) kube_version: String,
    /// `None` where the chart says nothing: then nothing below it is switched on or off either.
    pub(crate) dependencies: Option<Vec<Dependency>>,
    /// `type`.
    pub(crate) kind: String,
}

/// One entry of `maintainers`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maintainer {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) url: String,
    /// The entry is null, which is an error once everything is read.
    is_null: bool,
}

/// One entry of `dependencies`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) repository: String,
    pub(crate) condition: String,
    pub(crate) tags: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) import_values: Vec<Value>,
    pub(crate) alias: String,
    /// The entry is null, which is an error once everything is read.
    is_null: bool,
}

/// A field that does not fit, or one that may not be what it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Misfit {
    /// Helm's words.
    pub(crate) message: String,
    /// Where it stands in the document.
    pub(crate) path: Vec<Step>,
}

type Fit = Result<(), Misfit>;

impl Metadata {
    /// Lays a document over what is there.
    pub(crate) fn apply(&mut self, document: &Value) -> Fit {
        let reader = Reader::new("Metadata", "v2.Metadata");
        let Some(fields) = reader.fields(document)? else {
            return Ok(());
        };
        for (key, value) in fields {
            let at = |name| reader.field(name, key);
            match key.to_ascii_lowercase().as_str() {
                "name" => at("name").text(&mut self.name, value)?,
                "home" => at("home").text(&mut self.home, value)?,
                "sources" => at("sources").texts(&mut self.sources, value)?,
                "version" => at("version").text(&mut self.version, value)?,
                "description" => at("description").text(&mut self.description, value)?,
                "keywords" => at("keywords").texts(&mut self.keywords, value)?,
                "maintainers" => {
                    let reader = at("maintainers");
                    reader.list(
                        "[]*v2.Maintainer",
                        &mut self.maintainers,
                        value,
                        |reader, entry, value| entry.apply(&reader.of("Maintainer", "v2.Maintainer"), value),
                    )?;
                }
                "icon" => at("icon").text(&mut self.icon, value)?,
                "apiversion" => at("apiVersion").text(&mut self.api_version, value)?,
                "condition" => at("condition").text(&mut self.condition, value)?,
                "tags" => at("tags").text(&mut self.tags, value)?,
                "appversion" => at("appVersion").text(&mut self.app_version, value)?,
                "deprecated" => at("deprecated").flag(&mut self.deprecated, value)?,
                "annotations" => at("annotations").text_map(&mut self.annotations, value)?,
                "kubeversion" => at("kubeVersion").text(&mut self.kube_version, value)?,
                "dependencies" => at("dependencies").dependencies(&mut self.dependencies, value)?,
                "type" => at("type").text(&mut self.kind, value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The dependencies; none where the chart says nothing.
    pub(crate) fn dependencies(&self) -> &[Dependency] {
        self.dependencies.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }

    /// Helm's checks, in its order; texts lose what cannot be printed.
    pub(crate) fn validate(&mut self) -> Fit {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            sanitize(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(sanitize);
        let name = self.name.as_str();
        let misfit = |field: &str, message: String| Err(Misfit::of(field, message));
        if self.api_version.is_empty() {
            return misfit("apiVersion", "chart.metadata.apiVersion is required".into());
        }
        if name.is_empty() {
            return misfit("name", "chart.metadata.name is required".into());
        }
        if matches!(name, "." | "..") {
            return misfit("name", format!("chart.metadata.name {name:?} is not allowed"));
        }
        if name.contains('/') {
            return misfit("name", format!("chart.metadata.name {name:?} is invalid"));
        }
        if self.version.is_empty() {
            return misfit("version", "chart.metadata.version is required".into());
        }
        if !is_version(&self.version) {
            let message = format!(
                "chart.metadata.version {:?} is invalid: it must be a semantic version",
                self.version
            );
            return misfit("version", message);
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return misfit("type", "chart.metadata.type must be application or library".into());
        }
        self.validate_maintainers()?;
        self.validate_dependencies()
    }

    fn validate_maintainers(&mut self) -> Fit {
        for (index, entry) in self.maintainers.iter_mut().enumerate() {
            if entry.is_null {
                let message = "maintainers must not contain empty or null nodes".into();
                return Err(Misfit::of("maintainers", message).item(index));
            }
            [&mut entry.name, &mut entry.email, &mut entry.url]
                .into_iter()
                .for_each(sanitize);
        }
        Ok(())
    }

    /// Aliases too: they become names of charts.
    fn validate_dependencies(&mut self) -> Fit {
        let mut names = BTreeSet::new();
        for (index, entry) in self.dependencies.iter_mut().flatten().enumerate() {
            let misfit = |message: String| Err(Misfit::of("dependencies", message).item(index));
            if entry.is_null {
                return misfit("dependencies must not contain empty or null nodes".into());
            }
            [
                &mut entry.name,
                &mut entry.version,
                &mut entry.repository,
                &mut entry.condition,
            ]
            .into_iter()
            .chain(&mut entry.tags)
            .for_each(sanitize);
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if !entry.alias.chars().all(is_allowed) {
                let message = format!("dependency {:?} has disallowed characters in the alias", entry.name);
                return misfit(message);
            }
            let key = entry.name_in_values();
            if !names.insert(key.to_owned()) {
                return misfit(format!("more than one dependency with name or alias {key:?}"));
            }
        }
        Ok(())
    }
}

impl Maintainer {
    fn apply(&mut self, reader: &Reader, document: &Value) -> Fit {
        self.is_null = document.is_null();
        for (key, value) in reader.fields(document)?.into_iter().flatten() {
            let at = |name| reader.field(name, key);
            match key.to_ascii_lowercase().as_str() {
                "name" => at("name").text(&mut self.name, value)?,
                "email" => at("email").text(&mut self.email, value)?,
                "url" => at("url").text(&mut self.url, value)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Dependency {
    pub(crate) fn apply(&mut self, reader: &Reader, document: &Value) -> Fit {
        self.is_null = document.is_null();
        for (key, value) in reader.fields(document)?.into_iter().flatten() {
            let at = |name| reader.field(name, key);
            match key.to_ascii_lowercase().as_str() {
                "name" => at("name").text(&mut self.name, value)?,
                "version" => at("version").text(&mut self.version, value)?,
                "repository" => at("repository").text(&mut self.repository, value)?,
                "condition" => at("condition").text(&mut self.condition, value)?,
                "tags" => at("tags").texts(&mut self.tags, value)?,
                "enabled" => at("enabled").flag(&mut self.enabled, value)?,
                "import-values" => {
                    let any = |_: &Reader, entry: &mut Value, value: &Value| {
                        entry.clone_from(value);
                        Ok(())
                    };
                    at("import-values").list("[]interface {}", &mut self.import_values, value, any)?;
                }
                "alias" => at("alias").text(&mut self.alias, value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The name its values stand under: the alias where there is one.
    pub(crate) fn name_in_values(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }

    /// The entry is null.
    pub(crate) fn is_null(&self) -> bool {
        self.is_null
    }
}

impl Misfit {
    fn of(field: &str, message: String) -> Self {
        Self {
            message,
            path: vec![Step::Key(field.to_owned())],
        }
    }

    fn item(mut self, index: usize) -> Self {
        self.path.push(Step::Index(index));
        self
    }
}

/// Reads values into fields and knows their place, for errors in Go's words.
pub(crate) struct Reader {
    /// Go's name of the struct around the field.
    parent: &'static str,
    /// Go's name of the type that is read here.
    kind: &'static str,
    /// Names of the fields down to here.
    dotted: String,
    path: Vec<Step>,
}

impl Reader {
    pub(crate) fn new(parent: &'static str, kind: &'static str) -> Self {
        Self {
            parent,
            kind,
            dotted: String::new(),
            path: Vec::new(),
        }
    }

    pub(crate) fn field(&self, name: &str, key: &str) -> Self {
        let dotted = match self.dotted.as_str() {
            "" => name.to_owned(),
            above => format!("{above}.{name}"),
        };
        let step = Step::Key(key.to_owned());
        Self {
            parent: self.parent,
            kind: "string",
            dotted,
            path: self.path.iter().cloned().chain([step]).collect(),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            parent: self.parent,
            kind: self.kind,
            dotted: self.dotted.clone(),
            path: self.path.iter().cloned().chain([Step::Index(index)]).collect(),
        }
    }

    fn of(&self, parent: &'static str, kind: &'static str) -> Self {
        Self {
            parent,
            kind,
            dotted: self.dotted.clone(),
            path: self.path.clone(),
        }
    }

    pub(crate) fn misfit(&self, found: &Value, kind: &str) -> Misfit {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let place = match self.dotted.as_str() {
            "" => "Go value".to_owned(),
            dotted => format!("Go struct field {}.{dotted}", self.parent),
        };
        Misfit {
            message: format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into {place} of type {kind}"
            ),
            path: self.path.clone(),
        }
    }

    /// The fields of a mapping in the order of their names; `None` for null.
    pub(crate) fn fields<'v>(&self, value: &'v Value) -> Result<Option<Vec<(&'v String, &'v Value)>>, Misfit> {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| *name);
                Ok(Some(fields))
            }
            Value::Null => Ok(None),
            other => Err(self.misfit(other, self.kind)),
        }
    }

    pub(crate) fn text(&self, into: &mut String, value: &Value) -> Fit {
        match value {
            Value::Null => {}
            Value::String(text) => into.clone_from(text),
            Value::Bool(flag) => *into = flag.to_string(),
            Value::Number(number) => *into = number_text(number),
            other => return Err(self.misfit(other, "string")),
        }
        Ok(())
    }

    fn flag(&self, into: &mut bool, value: &Value) -> Fit {
        match value {
            Value::Null => {}
            Value::Bool(flag) => *into = *flag,
            other => return Err(self.misfit(other, "bool")),
        }
        Ok(())
    }

    /// A point in time (RFC 3339), which nobody looks at.
    pub(crate) fn time(&self, value: &Value) -> Fit {
        static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
            let day = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])";
            let time = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)";
            Regex::new(&format!("^{day}T{time}$")).ok()
        });
        let is_time = |text: &str| TIME.as_ref().is_some_and(|pattern| pattern.is_match(text));
        match value {
            Value::Null => Ok(()),
            Value::String(text) if is_time(text) => Ok(()),
            other => Err(self.misfit(other, "time.Time")),
        }
    }

    fn texts(&self, into: &mut Vec<String>, value: &Value) -> Fit {
        self.list("[]string", into, value, Self::text)
    }

    fn text_map(&self, into: &mut BTreeMap<String, String>, value: &Value) -> Fit {
        match value {
            Value::Null => into.clear(),
            Value::Object(fields) => {
                for (name, value) in fields {
                    let mut reader = self.item(0);
                    reader.path.pop();
                    reader.path.push(Step::Key(name.clone()));
                    let mut text = String::new();
                    reader.text(&mut text, value)?;
                    into.insert(name.clone(), text);
                }
            }
            other => return Err(self.misfit(other, "map[string]string")),
        }
        Ok(())
    }

    /// Each element is laid over the one that is there.
    pub(crate) fn list<T: Default>(
        &self,
        kind: &str,
        into: &mut Vec<T>,
        value: &Value,
        one: impl Fn(&Self, &mut T, &Value) -> Fit,
    ) -> Fit {
        match value {
            Value::Null => into.clear(),
            Value::Array(items) => {
                into.truncate(items.len());
                into.resize_with(items.len(), T::default);
                for (index, (entry, item)) in into.iter_mut().zip(items).enumerate() {
                    one(&self.item(index), entry, item)?;
                }
            }
            other => return Err(self.misfit(other, kind)),
        }
        Ok(())
    }

    pub(crate) fn dependencies(&self, into: &mut Option<Vec<Dependency>>, value: &Value) -> Fit {
        if value.is_null() {
            *into = None;
            return Ok(());
        }
        let mut entries = into.take().unwrap_or_default();
        self.list("[]*v2.Dependency", &mut entries, value, |reader, entry, value| {
            entry.apply(&reader.of("Dependency", "v2.Dependency"), value)
        })?;
        *into = Some(entries);
        Ok(())
    }
}

/// A YAML number where text is wanted: integers in decimal, floats as Go's `%g` prints them.
fn number_text(number: &serde_json::Number) -> String {
    if number.is_f64() {
        capstan_yaml::go_float(number.as_f64().unwrap_or_default())
    } else {
        number.to_string()
    }
}

/// A version as Masterminds' library reads one.
pub(crate) fn is_version(text: &str) -> bool {
    matches_constraint("*", text).is_ok()
}

/// Space of any kind becomes a space, what has no glyph vanishes.
fn sanitize(text: &mut String) {
    static PRINTABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").ok());
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return;
    }
    let is_printable = |c: char| {
        let mut buffer = [0; 4];
        let pattern = PRINTABLE.as_ref();
        c.is_ascii_graphic() || pattern.is_some_and(|pattern| pattern.is_match(c.encode_utf8(&mut buffer)))
    };
    *text = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| *c == ' ' || is_printable(*c))
        .collect();
}

/// `apiVersion` alone, as it is looked at before anything else.
pub(crate) fn api_version(document: &Value) -> Result<String, Misfit> {
    let reader = Reader::new("chartBase", "loader.chartBase");
    let mut text = String::new();
    for (key, value) in reader.fields(document)?.into_iter().flatten() {
        if key.eq_ignore_ascii_case("apiVersion") {
            reader.field("apiVersion", key).text(&mut text, value)?;
        }
    }
    Ok(text)
}

impl Metadata {
    /// `.Chart` but for `IsRoot`, by Go's names of the fields.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let text = |text: &String| Value::from(text.as_str());
        let texts = |texts: &[String]| Value::from(texts.to_vec());
        let maintainers = self
            .maintainers
            .iter()
            .map(|entry| serde_json::json!({ "Name": entry.name, "Email": entry.email, "URL": entry.url }));
        let dependencies = self.dependencies().iter().map(|entry| {
            serde_json::json!({
                "Name": entry.name, "Version": entry.version, "Repository": entry.repository, "Condition": entry.condition,
                "Tags": entry.tags, "Enabled": entry.enabled, "ImportValues": entry.import_values, "Alias": entry.alias,
            })
        });
        let fields = [
            ("Name", text(&self.name)),
            ("Home", text(&self.home)),
            ("Sources", texts(&self.sources)),
            ("Version", text(&self.version)),
            ("Description", text(&self.description)),
            ("Keywords", texts(&self.keywords)),
            ("Maintainers", maintainers.collect()),
            ("Icon", text(&self.icon)),
            ("APIVersion", text(&self.api_version)),
            ("Condition", text(&self.condition)),
            ("Tags", text(&self.tags)),
            ("AppVersion", text(&self.app_version)),
            ("Deprecated", Value::Bool(self.deprecated)),
            ("KubeVersion", text(&self.kube_version)),
            ("Dependencies", dependencies.collect()),
            ("Type", text(&self.kind)),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
