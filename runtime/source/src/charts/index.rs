//! `index.yaml` of a Helm repository: which versions of which charts there are, and where.
//!
//! Read as Helm reads it: JSON or YAML; `null` in place of a chart's versions or of one version is nothing; a version whose metadata are
//! invalid is passed over. Of everything else only what is needed to choose and fetch is kept. What cannot be read at all is an error
//! of the one chart that is asked for, never an absence.

use std::collections::BTreeMap;

use capstan_yaml::{Mode, parse_one, text_from_bytes};
use serde_json::{Map, Value};

use super::version::{self, Choice};
use crate::constraint::Version;

/// Versions that are listed in a message.
const SHOWN: usize = 5;

/// A repository's charts.
#[derive(Debug, Default)]
pub(crate) struct Index {
    charts: BTreeMap<String, Versions>,
}

/// All versions of one chart, newest first.
#[derive(Debug, Default)]
struct Versions {
    all: Vec<Entry>,
    /// What could not be read of them.
    broken: Option<String>,
}

/// One version of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) version: String,
    /// Where it is, as written: relative to the repository or not. Helm takes the first one.
    pub(crate) url: String,
    /// As written; empty when there is none.
    pub(crate) digest: String,
    /// When it was put there, as written.
    pub(crate) created: String,
    pub(crate) deprecated: bool,
}

/// Why no version was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotChosen {
    NoChart(String),
    NoVersion(String),
    Broken(String),
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = text_from_bytes(bytes).map_err(|error| error.to_string())?;
        if text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        let root = match text.trim_start().starts_with('{') {
            // YAML is read ten times slower and contains JSON.
            true => serde_json::from_str(text).or_else(|_| parse_one(text, Mode::Kube11)),
            false => parse_one(text, Mode::Kube11),
        };
        let Value::Object(mut root) = root.map_err(|error| error.to_string())? else {
            return Err("it is not a mapping; is this the URL of a Helm repository?".to_owned());
        };
        if root
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty()
        {
            return Err("it has no apiVersion; is this the URL of a Helm repository?".to_owned());
        }
        let entries = match root.remove("entries") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(entries)) => entries,
            Some(_) => return Err("its entries are not a mapping of charts".to_owned()),
        };
        let charts = entries
            .into_iter()
            .map(|(name, versions)| (name, Versions::read(versions)));
        Ok(Self {
            charts: charts.collect(),
        })
    }

    /// The version that Helm would take for `wanted`: the very one, or the newest that fits the range.
    pub(crate) fn choose(&self, chart: &str, wanted: &str) -> Result<&Entry, NotChosen> {
        let Some(versions) = self.charts.get(chart) else {
            return Err(NotChosen::NoChart(self.similar(chart)));
        };
        let found = version::choose(versions.all.iter().map(|entry| entry.version.as_str()), wanted);
        match found {
            Choice::Found(index) => Ok(&versions.all[index]),
            Choice::Invalid(reason) => Err(NotChosen::NoVersion(reason)),
            Choice::None => match &versions.broken {
                Some(broken) => Err(NotChosen::Broken(broken.clone())),
                None => Err(NotChosen::NoVersion(version::list(
                    versions.all.iter().map(|entry| entry.version.as_str()),
                    SHOWN,
                ))),
            },
        }
    }

    /// Charts whose names hold the asked one, or which it holds.
    fn similar(&self, chart: &str) -> String {
        let lower = chart.to_lowercase();
        let similar = |name: &&String| {
            let name = name.to_lowercase();
            name.contains(&lower) || lower.contains(&name)
        };
        let names: Vec<&str> = self
            .charts
            .keys()
            .filter(similar)
            .take(SHOWN)
            .map(String::as_str)
            .collect();
        match names.as_slice() {
            [] => format!("none of its {} charts has that name", self.charts.len()),
            names => format!("did you mean {}?", names.join(" or ")),
        }
    }
}

impl Versions {
    fn read(value: Value) -> Self {
        let items = match value {
            Value::Null => Vec::new(),
            Value::Array(items) => items,
            _ => {
                return Self {
                    all: Vec::new(),
                    broken: Some("its versions are not a list".to_owned()),
                };
            }
        };
        let mut versions = Self::default();
        let mut sorted: Vec<(Version, Entry)> = Vec::new();
        for (number, item) in items.into_iter().enumerate() {
            match Entry::read(item) {
                Ok(found) => sorted.extend(found),
                Err(reason) => {
                    versions
                        .broken
                        .get_or_insert(format!("its version number {} {reason}", number + 1));
                }
            }
        }
        sorted.sort_by(|a, b| b.0.cmp(&a.0));
        versions.all = sorted.into_iter().map(|(_, entry)| entry).collect();
        versions
    }
}

impl Entry {
    /// `None` for what Helm passes over.
    fn read(item: Value) -> Result<Option<(Version, Self)>, &'static str> {
        let fields = match item {
            Value::Null => return Ok(None),
            Value::Object(fields) => fields,
            _ => return Err("is not a mapping"),
        };
        let version = text(&fields, "version")?;
        let parsed = Version::parse(&version);
        let Some(parsed) = parsed.filter(|_| has_valid_metadata(&fields)) else {
            return Ok(None);
        };
        let url = match fields.get("urls") {
            None | Some(Value::Null) => String::new(),
            Some(Value::Array(urls)) => match urls.first() {
                None => String::new(),
                Some(Value::String(url)) => url.clone(),
                Some(_) => return Err("has a URL that is not a text"),
            },
            Some(_) => return Err("has urls that are not a list"),
        };
        let entry = Self {
            version,
            url,
            digest: text(&fields, "digest")?,
            created: text(&fields, "created").unwrap_or_default(),
            deprecated: fields.get("deprecated").and_then(Value::as_bool).unwrap_or_default(),
        };
        Ok(Some((parsed, entry)))
    }
}

/// A text field; absent is empty.
fn text(fields: &Map<String, Value>, name: &'static str) -> Result<String, &'static str> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err("has a version or digest that is not a text; it has to be quoted"),
    }
}

/// Helm's validation of a chart's metadata, as far as it makes Helm pass over a version.
fn has_valid_metadata(fields: &Map<String, Value>) -> bool {
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = field("name");
    let name_fits = !matches!(name, "" | "." | "..") && !name.contains('/');
    let type_fits = matches!(field("type"), "" | "application" | "library");
    let alias_fits = |dependency: &Value| {
        let alias = dependency.get("alias").and_then(Value::as_str).unwrap_or_default();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        dependency.is_object() && alias.chars().all(allowed)
    };
    let dependencies = fields.get("dependencies").and_then(Value::as_array);
    let maintainers = fields.get("maintainers").and_then(Value::as_array);
    name_fits
        && type_fits
        && dependencies.is_none_or(|all| all.iter().all(alias_fits))
        && maintainers.is_none_or(|all| all.iter().all(Value::is_object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(index: &Index, chart: &str, wanted: &str) -> Result<String, NotChosen> {
        index.choose(chart, wanted).map(|entry| entry.version.clone())
    }

    const ODD: &str = "
apiVersion: v1
entries:
  web:
  -
  - {name: web, version: 1.0.0, urls: [web-1.0.0.tgz], digest: abc}
  - {name: web, version: 1.2.0, urls: []}
  - {name: web, version: nonsense}
  - {name: ../web, version: 9.0.0}
  - {name: web, version: 9.0.1, type: plugin}
  - {name: web, version: 9.0.2, dependencies: [null]}
  - {name: web, version: 9.0.3, dependencies: [{name: a, alias: 'b/c'}]}
  - {name: web, version: 1.10.0, dependencies: [{name: a}, {name: a}], urls: [a, b], deprecated: true}
  - {name: web, version: 2.0.0-rc.1}
  nothing:
  broken: 7
  partly:
  - 7
  - {name: partly, version: 1.0.0}
";

    #[test]
    fn what_helm_passes_over_is_passed_over() {
        let index = Index::parse(ODD.as_bytes()).unwrap();
        assert_eq!(chosen(&index, "web", "").unwrap(), "1.10.0");
        let entry = index.choose("web", "^1").unwrap();
        assert_eq!((entry.url.as_str(), entry.deprecated), ("a", true));
        assert_eq!(chosen(&index, "web", "~1.2").unwrap(), "1.2.0");
        assert_eq!(chosen(&index, "web", "1.0.0").unwrap(), "1.0.0");
        assert_eq!(chosen(&index, "web", ">=2.0.0-0").unwrap(), "2.0.0-rc.1");
        assert_eq!(
            chosen(&index, "web", "^3"),
            Err(NotChosen::NoVersion(
                "the newest are 2.0.0-rc.1, 1.10.0, 1.2.0, 1.0.0".to_owned()
            ))
        );
        assert_eq!(
            chosen(&index, "nothing", "1"),
            Err(NotChosen::NoVersion("it has no version at all".to_owned()))
        );
        assert_eq!(
            chosen(&index, "we", "1"),
            Err(NotChosen::NoChart("did you mean web?".to_owned()))
        );
        assert_eq!(
            chosen(&index, "broken", "1"),
            Err(NotChosen::Broken("its versions are not a list".to_owned()))
        );
        assert_eq!(chosen(&index, "partly", "1.x").unwrap(), "1.0.0");
        assert_eq!(
            chosen(&index, "partly", "2.x"),
            Err(NotChosen::Broken("its version number 1 is not a mapping".to_owned()))
        );
    }

    #[test]
    fn json_is_read_and_nonsense_is_refused() {
        let json = br#"{"apiVersion":"v1","entries":{"a":[{"name":"a","version":"0.1.0"}]}}"#;
        assert_eq!(chosen(&Index::parse(json).unwrap(), "a", "*").unwrap(), "0.1.0");
        let none = Index::parse(b"apiVersion: v1\nentries:\n").unwrap();
        assert!(matches!(chosen(&none, "a", ""), Err(NotChosen::NoChart(_))));
        for (bad, says) in [
            (&b""[..], "empty"),
            (b"  \n", "empty"),
            (b"<!DOCTYPE html><html></html>", "not a mapping"),
            (b"entries: {}", "apiVersion"),
            (b"apiVersion: v1\nentries: []", "mapping of charts"),
            (b"apiVersion: v1\nentries: {a: [}", "line 2"),
            (b"\xff\xfe", "UTF-16"),
            (b"\x1f\x8b\x08\x00", "UTF-8"),
        ] {
            let error = Index::parse(bad).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
