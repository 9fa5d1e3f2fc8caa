//! `Chart.yaml`, read as Go reads it into Helm's struct, and checked as Helm checks it.
//!
//! A YAML number or boolean becomes text where text is wanted (`version: 1.0` is the version `1`), null leaves a field as it was, names
//! of fields match in any case, and what is read later (`requirements.yaml`, a second `Chart.yaml` in an archive) is laid over what is there,
//! list elements included.

use std::collections::{BTreeMap, BTreeSet};

use capstan_template::matches_constraint;
use serde_json::{Map, Value};

use super::decode::{Fit, Misfit, Reader};

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
    /// `None` where the chart says nothing, which is `null` in JSON.
    pub(crate) annotations: Option<BTreeMap<String, String>>,
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
    /// What `import_values` names was imported.
    pub(crate) is_imported: bool,
    pub(crate) alias: String,
    /// The entry is null, which is an error once everything is read.
    is_null: bool,
}

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

impl Reader {
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

/// A version as Masterminds' library reads one.
pub(crate) fn is_version(text: &str) -> bool {
    matches_constraint("*", text).is_ok()
}

/// Space of any kind becomes a space, what has no glyph vanishes.
fn sanitize(text: &mut String) {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return;
    }
    *text = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| *c == ' ' || capstan_template::is_printable(*c))
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
