//! What is not in `charts/`: where it is to be had, in which version, and whether `Chart.lock` still belongs to `Chart.yaml`.
//!
//! `helm template` does not look at the lock; `helm dependency build` does, which is what Argo CD runs when something is missing. So it
//! is verified here, where fetching begins, and nowhere else.

use std::fmt::Write as _;

use capstan_model::Digest;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::chart::{Chart, Loader, document, misfit_error};
use super::decode::{Misfit, Reader};
use super::dependencies::{is_compatible, missing};
use super::metadata::Dependency;
use crate::request::in_folder;
use crate::{FileTree, RenderError, join, normalize};

/// A lock file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lock {
    digest: String,
    dependencies: Option<Vec<Dependency>>,
    /// The lock file, from the root of the repository.
    file: String,
}

/// Where a dependency is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DependencyRepository {
    /// A chart repository with an `index.yaml`, by its URL (`https://…`, `http://…`).
    Http(String),
    /// A registry, by its URL (`oci://host/path`); the chart is `<url>/<name>`.
    Oci(String),
    /// A repository known to the operator by this name (`@name` or `alias:name`), where no lock tells its URL.
    Named(String),
}

/// A dependency that a chart needs and that is not in its `charts/` folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingDependency {
    /// Name of the chart in its repository; never the alias.
    pub name: String,
    /// The version to fetch: exactly this one when it is `locked`, else the newest that satisfies this range.
    pub version: String,
    /// Whether the version comes from a lock file that belongs to the chart.
    pub locked: bool,
    /// Where it is to be had.
    pub repository: DependencyRepository,
    /// Folder of the chart that needs it, from the root of the tree.
    pub chart: String,
    /// Archives in the tree that the fetched one takes the place of: to be hidden.
    pub replaces: Vec<String>,
}

impl MissingDependency {
    /// Where the archive of a version is to be shown, from the root of the tree.
    #[must_use]
    pub fn archive_path(&self, version: &str) -> String {
        let version = version.replace(['/', '\\'], "_");
        in_folder(&self.chart, &format!("charts/{}-{version}.tgz", self.name))
    }
}

/// The dependencies of the chart in a folder that must be fetched before it can be rendered, in the order of `Chart.yaml`.
///
/// These are the ones that Helm asks for: the chart's own, switched on or not, but not those of its subcharts. `file://` dependencies are
/// read from the tree and are never among them.
///
/// # Errors
/// [`RenderError`] when the chart cannot be read, when the lock file does not belong to it, or when there is nowhere to fetch from.
pub fn missing_dependencies(tree: &dyn FileTree, path: &str) -> Result<Vec<MissingDependency>, RenderError> {
    let path = normalize(path)?;
    let chart = Chart::load_vendored(&path, tree)?;
    let absent = missing(&chart);
    let Some(first) = absent.first() else {
        return Ok(Vec::new());
    };
    if tree.list(&path).is_err() {
        return Err(refused(
            &chart,
            &first.name,
            "it is missing in a packed chart: unpack the chart, or pack it with its dependencies".into(),
        ));
    }
    let repositories = chart.repositories()?;
    let mut found = Vec::new();
    for (dependency, repository) in chart.metadata.dependencies().iter().zip(repositories) {
        let (version, locked) = chart.wanted_version(dependency);
        let is_absent = absent.iter().any(|absent| absent.name == dependency.name);
        if is_local(&repository) || !is_absent && chart.has(&dependency.name, version) {
            continue;
        }
        if repository.is_empty() && !is_absent {
            continue;
        }
        found.push(MissingDependency {
            name: dependency.name.clone(),
            version: version.to_owned(),
            locked,
            repository: parse_repository(&chart, dependency, &repository)?,
            chart: path.clone(),
            replaces: chart.archives_of(&dependency.name),
        });
    }
    Ok(found)
}

fn is_local(repository: &str) -> bool {
    repository.starts_with("file://")
}

fn parse_repository(
    chart: &Chart,
    dependency: &Dependency,
    repository: &str,
) -> Result<DependencyRepository, RenderError> {
    let named = repository
        .strip_prefix('@')
        .or_else(|| repository.strip_prefix("alias:"));
    if let Some(name) = named {
        return Ok(DependencyRepository::Named(name.to_owned()));
    }
    match repository.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(DependencyRepository::Http(repository.to_owned())),
        Some(("oci", rest)) if !rest.is_empty() => Ok(DependencyRepository::Oci(repository.to_owned())),
        _ if repository.is_empty() => {
            let reason = "it names no repository, so it has to be in the charts/ folder: commit it there, or name its repository";
            Err(refused(chart, &dependency.name, reason.into()))
        }
        _ => {
            let reason = format!("repository {repository:?}: use https://, oci://, file://, @name or alias:name");
            Err(refused(chart, &dependency.name, reason))
        }
    }
}

fn refused(chart: &Chart, name: &str, reason: String) -> RenderError {
    RenderError::Dependency {
        file: chart.file("Chart.yaml"),
        name: name.to_owned(),
        reason,
    }
}

impl Chart {
    /// The version to take of a dependency, and whether the lock says so.
    fn wanted_version<'a>(&'a self, dependency: &'a Dependency) -> (&'a str, bool) {
        match self.lock.as_ref().and_then(|lock| lock.entry(&dependency.name)) {
            Some(locked) => (&locked.version, true),
            None => (&dependency.version, false),
        }
    }

    fn has(&self, name: &str, version: &str) -> bool {
        let mut named = self.subcharts.iter().filter(|chart| chart.metadata.name == name);
        named.any(|chart| is_compatible(version, &chart.metadata.version))
    }

    /// Archives directly in `charts/` that hold a chart of this name.
    fn archives_of(&self, name: &str) -> Vec<String> {
        let named = self.subcharts.iter().filter(|chart| chart.metadata.name == name);
        named
            .map(|chart| chart.path.clone())
            .filter(|path| path.ends_with(".tgz"))
            .collect()
    }

    /// The repository of each dependency, `@name` and `alias:name` replaced by the URL the lock holds. With a lock, it is verified.
    fn repositories(&self) -> Result<Vec<String>, RenderError> {
        let mut dependencies = self.metadata.dependencies().to_vec();
        let Some(lock) = &self.lock else {
            return Ok(dependencies
                .into_iter()
                .map(|dependency| dependency.repository)
                .collect());
        };
        let original = dependencies.clone();
        for dependency in &mut dependencies {
            let is_named = dependency.repository.starts_with('@') || dependency.repository.starts_with("alias:");
            if is_named && let Some(locked) = lock.entry(&dependency.name) {
                dependency.repository.clone_from(&locked.repository);
            }
        }
        let locked = json_of(lock.dependencies.as_deref());
        let of = |dependencies: &[Dependency]| digest(&format!("[{},{locked}]", json_of(Some(dependencies))));
        // Helm 2 had another digest; charts of its time may still have its locks.
        let old = || digest(&format!("{{\"dependencies\":{}}}", json_of(Some(&original))));
        let is_valid = lock.digest == of(&dependencies)
            || lock.digest == of(&original)
            || self.metadata.api_version == "v1" && lock.digest == old();
        if is_valid {
            return Ok(dependencies
                .into_iter()
                .map(|dependency| dependency.repository)
                .collect());
        }
        let source = if lock.file.ends_with("requirements.lock") {
            "requirements.yaml"
        } else {
            "Chart.yaml"
        };
        Err(RenderError::Chart {
            file: lock.file.clone(),
            reason: format!(
                "the lock file is out of sync with the dependencies file ({source}): run `helm dependency update` and commit both"
            ),
        })
    }
}

impl Loader<'_> {
    /// Adds the `file://` dependencies that are not in `charts/`, from where they are in the tree.
    pub(super) fn add_local(&mut self, chart: &mut Chart) -> Result<(), RenderError> {
        let absent: Vec<Dependency> = missing(chart)
            .into_iter()
            .filter(|dependency| is_local(&dependency.repository))
            .cloned()
            .collect();
        if absent.is_empty() {
            return Ok(());
        }
        chart.repositories()?;
        for dependency in absent {
            let (version, _) = chart.wanted_version(&dependency);
            let relative = dependency.repository.trim_start_matches("file://");
            let refused = |reason: String| refused(chart, &dependency.name, reason);
            let inside = (!relative.starts_with('/'))
                .then(|| join(&chart.path, relative))
                .flatten();
            let Some(path) = inside else {
                let reason = format!(
                    "{} is outside of the repository: use a path relative to the chart",
                    dependency.repository
                );
                return Err(refused(reason));
            };
            if self.tree.list(&path)?.is_none() {
                return Err(refused(format!("directory {path} not found")));
            }
            let local = self.folder(&path)?;
            if !is_compatible(version, &local.metadata.version) {
                let reason = format!(
                    "can't get a valid version: {path} is {}, wanted is {version:?}; change the version in Chart.yaml, or run `helm dependency update`",
                    local.metadata.version
                );
                return Err(refused(reason));
            }
            chart.digest = Digest::of_all([chart.digest, local.digest]);
            chart.subcharts.push(local);
        }
        Ok(())
    }
}

impl Lock {
    /// Reads a lock file; `None` for an empty one.
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Option<Self>, RenderError> {
        let (text, document) = document(file, bytes)?;
        let mut lock = Self {
            file: file.to_owned(),
            ..Self::default()
        };
        let name = file.rsplit('/').next().unwrap_or(file);
        let read = lock.apply(&document);
        read.map_err(|misfit| misfit_error(file, &text, &misfit, &format!("cannot load {name}: ")))?;
        Ok((!document.is_null()).then_some(lock))
    }

    fn apply(&mut self, document: &Value) -> Result<(), Misfit> {
        let reader = Reader::new("Lock", "v2.Lock");
        for (key, value) in reader.fields(document)?.into_iter().flatten() {
            match key.to_ascii_lowercase().as_str() {
                "generated" => reader.field("generated", key).time(value)?,
                "digest" => reader.field("digest", key).text(&mut self.digest, value)?,
                "dependencies" => {
                    let at = reader.field("dependencies", key);
                    at.dependencies(&mut self.dependencies, value)?;
                    if self.dependencies.iter().flatten().any(Dependency::is_null) {
                        return Err(at.misfit(&Value::Null, "v2.Dependency"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn entry(&self, name: &str) -> Option<&Dependency> {
        self.dependencies.iter().flatten().find(|locked| locked.name == name)
    }
}

/// SHA-256 of a text, as lock files write it.
fn digest(text: &str) -> String {
    let mut digest = String::from("sha256:");
    for byte in Sha256::digest(text) {
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

/// A list of dependencies as Go's JSON encoder writes it.
fn json_of(dependencies: Option<&[Dependency]>) -> String {
    let Some(dependencies) = dependencies else {
        return "null".to_owned();
    };
    let entries: Vec<String> = dependencies.iter().map(entry_json).collect();
    format!("[{}]", entries.join(","))
}

/// In the order of the struct's fields; what is empty is left out, but for name and repository.
fn entry_json(entry: &Dependency) -> String {
    let mut fields = vec![format!("\"name\":{}", string_json(&entry.name))];
    let mut add = |name: &str, json: String| fields.push(format!("\"{name}\":{json}"));
    if !entry.version.is_empty() {
        add("version", string_json(&entry.version));
    }
    add("repository", string_json(&entry.repository));
    if !entry.condition.is_empty() {
        add("condition", string_json(&entry.condition));
    }
    if !entry.tags.is_empty() {
        add("tags", list_json(entry.tags.iter().map(|tag| string_json(tag))));
    }
    if entry.enabled {
        add("enabled", "true".to_owned());
    }
    if !entry.import_values.is_empty() {
        add("import-values", list_json(entry.import_values.iter().map(value_json)));
    }
    if !entry.alias.is_empty() {
        add("alias", string_json(&entry.alias));
    }
    format!("{{{}}}", fields.join(","))
}

fn list_json(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn value_json(value: &Value) -> String {
    match value {
        Value::String(text) => string_json(text),
        Value::Array(items) => list_json(items.iter().map(value_json)),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("{}:{}", string_json(name), value_json(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Number(number) => number_json(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// Digits, or the exponent form for what is very large or very small.
fn number_json(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
            _ => text,
        };
    }
    number.to_string()
}

/// Go's encoder also escapes what would have a meaning in HTML.
fn string_json(text: &str) -> String {
    let mut json = Value::from(text).to_string();
    for (plain, escaped) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        if json.contains(plain) {
            json = json.replace(plain, escaped);
        }
    }
    json
}
