//! A chart and its subcharts, read from a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_model::Digest;
use capstan_template::matches_constraint;
use capstan_yaml::{Mode, parse_documents};
use serde_json::{Map, Value};

use super::ignore::Ignore;
use super::values;
use crate::request::in_folder;
use crate::{EntryKind, FileTree, RenderError};

/// Subcharts in subcharts are read so deep.
const DEPTH: u8 = 16;

/// What templates see of `Chart.yaml`, and what is checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kube_version: String,
    pub(crate) is_library: bool,
    /// The whole document.
    pub(crate) document: Value,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of `dependencies`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) condition: String,
    pub(crate) tags: Vec<String>,
    pub(crate) alias: String,
}

/// One chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Its folder, from the root of the repository.
    pub(crate) path: String,
    pub(crate) metadata: Metadata,
    pub(crate) values: Map<String, Value>,
    /// Everything but what has a meaning of its own, by path in the chart.
    pub(crate) files: BTreeMap<String, Arc<[u8]>>,
    /// By path in the chart (`templates/x.yaml`).
    pub(crate) templates: BTreeMap<String, String>,
    pub(crate) subcharts: Vec<Self>,
    has_schema: bool,
    digest: Digest,
}

impl Chart {
    /// Reads the chart in a folder.
    pub(crate) fn load(path: &str, tree: &dyn FileTree) -> Result<Self, RenderError> {
        Self::load_to_depth(path, tree, DEPTH)
    }

    fn load_to_depth(path: &str, tree: &dyn FileTree, depth: u8) -> Result<Self, RenderError> {
        let ignore = match tree.read(&in_folder(path, ".helmignore"))? {
            Some(bytes) => Ignore::parse(&String::from_utf8_lossy(&bytes)),
            None => Ignore::default(),
        };
        let mut raw = BTreeMap::new();
        collect(tree, path, "", &ignore, &mut raw)?;
        let mut chart = Self {
            path: path.to_owned(),
            metadata: Metadata::default(),
            values: Map::new(),
            files: BTreeMap::new(),
            templates: BTreeMap::new(),
            subcharts: Vec::new(),
            has_schema: raw.contains_key("values.schema.json"),
            digest: Digest::of_all(
                raw.iter()
                    .flat_map(|(n, b)| [Digest::of_bytes(n.as_bytes()), Digest::of_bytes(b)]),
            ),
        };
        chart.metadata = read_metadata(path, &raw)?;
        if let Some(bytes) = raw.get("values.yaml") {
            chart.values = values::parse(&chart.file("values.yaml"), bytes)?;
        }
        for (name, bytes) in raw {
            if name.starts_with("templates/") {
                let text = String::from_utf8(bytes.to_vec()).map_err(|_| RenderError::NotText {
                    file: chart.file(&name),
                })?;
                chart
                    .templates
                    .insert(name, text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned());
            } else if !matches!(
                name.as_str(),
                "Chart.yaml" | "Chart.lock" | "values.yaml" | "values.schema.json"
            ) {
                chart.files.insert(name, bytes);
            }
        }
        chart.load_subcharts(tree, depth)?;
        Ok(chart)
    }

    fn load_subcharts(&mut self, tree: &dyn FileTree, depth: u8) -> Result<(), RenderError> {
        let folder = in_folder(&self.path, "charts");
        let Some(depth) = depth.checked_sub(1) else {
            let reason = format!("subcharts are nested more than {DEPTH} deep");
            return Err(RenderError::Chart { file: folder, reason });
        };
        for entry in tree.list(&folder)?.into_iter().flatten() {
            let path = in_folder(&folder, &entry.name);
            if entry.name.starts_with(['_', '.']) {
                continue;
            }
            if entry.name.ends_with(".tgz") {
                let instead = ": unpack it (`helm dependency build` and tar) and commit the folder";
                return Err(RenderError::Unsupported {
                    file: path,
                    what: "a packed subchart".into(),
                    instead,
                });
            }
            let is_folder = entry.kind == EntryKind::Directory
                || entry.kind == EntryKind::Symlink && tree.list(&path).is_ok_and(|list| list.is_some());
            if is_folder {
                self.subcharts.push(Self::load_to_depth(&path, tree, depth)?);
            }
        }
        Ok(())
    }

    /// A file of the chart, from the root of the repository.
    pub(crate) fn file(&self, name: &str) -> String {
        in_folder(&self.path, name)
    }

    /// Of the chart's own files and its subcharts'.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of_all(std::iter::once(self.digest).chain(self.subcharts.iter().map(Self::digest)))
    }

    /// What is known not to be looked at.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let own = self.has_schema.then(|| {
            format!(
                "{}: values are not checked against it yet",
                self.file("values.schema.json")
            )
        });
        own.into_iter()
            .chain(self.subcharts.iter().flat_map(Self::warnings))
            .collect()
    }

    /// Renames aliased dependencies, and drops those that tags and conditions switch off.
    pub(crate) fn select_dependencies(&mut self, supplied: &Map<String, Value>) -> Result<(), RenderError> {
        let all = values::coalesce(self, supplied.clone());
        self.select("", &all);
        Ok(())
    }

    fn select(&mut self, prefix: &str, all: &Map<String, Value>) {
        let mut kept = Vec::new();
        for subchart in std::mem::take(&mut self.subcharts) {
            let named: Vec<&Dependency> = self
                .metadata
                .dependencies
                .iter()
                .filter(|entry| entry.is_met_by(&subchart))
                .collect();
            if named.is_empty() {
                kept.push(subchart);
                continue;
            }
            for dependency in named {
                if dependency.is_enabled(prefix, all) {
                    let mut subchart = subchart.clone();
                    if !dependency.alias.is_empty() {
                        subchart.metadata.name.clone_from(&dependency.alias);
                    }
                    kept.push(subchart);
                }
            }
        }
        self.subcharts = kept;
        for subchart in &mut self.subcharts {
            let prefix = format!("{prefix}{}.", subchart.metadata.name);
            subchart.select(&prefix, all);
        }
        self.metadata
            .dependencies
            .retain(|dependency| dependency.is_enabled(prefix, all));
    }

    /// Is every dependency that is switched on there?
    pub(crate) fn check_present(&self) -> Result<(), RenderError> {
        let names: Vec<&str> = self
            .subcharts
            .iter()
            .map(|chart| chart.metadata.name.as_str())
            .collect();
        let name_of = |entry: &Dependency| {
            if entry.alias.is_empty() {
                entry.name.clone()
            } else {
                entry.alias.clone()
            }
        };
        let missing: Vec<String> = self
            .metadata
            .dependencies
            .iter()
            .map(name_of)
            .filter(|name| !names.contains(&name.as_str()))
            .collect();
        if missing.is_empty() {
            return self.subcharts.iter().try_for_each(Self::check_present);
        }
        Err(RenderError::Chart {
            file: self.file("Chart.yaml"),
            reason: format!(
                "found in Chart.yaml, but missing in charts/ directory: {}; commit them there, since dependencies are not fetched yet",
                missing.join(", ")
            ),
        })
    }
}

impl Dependency {
    fn is_met_by(&self, chart: &Chart) -> bool {
        let version = chart.metadata.version.as_str();
        self.name == chart.metadata.name
            && (self.version.is_empty() || matches_constraint(&self.version, version).unwrap_or(false))
    }

    /// Tags first; the first path of the condition that holds a boolean overrides them.
    fn is_enabled(&self, prefix: &str, all: &Map<String, Value>) -> bool {
        let tags = all.get("tags").and_then(Value::as_object);
        let flags: Vec<bool> = self.tags.iter().filter_map(|tag| tags?.get(tag)?.as_bool()).collect();
        let by_tags = flags.is_empty() || flags.contains(&true);
        let paths = self.condition.split(',').map(str::trim).filter(|path| !path.is_empty());
        let mut found = paths.filter_map(|path| lookup(all, &format!("{prefix}{path}"))?.as_bool());
        found.next().unwrap_or(by_tags)
    }
}

fn lookup<'a>(values: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = values.get(first)?;
    match rest {
        Some(rest) => lookup(value.as_object()?, rest),
        None => Some(value),
    }
}

/// Reads every file of a chart but those of its subcharts.
fn collect(
    tree: &dyn FileTree,
    root: &str,
    below: &str,
    ignore: &Ignore,
    files: &mut BTreeMap<String, Arc<[u8]>>,
) -> Result<(), RenderError> {
    let folder = if below.is_empty() {
        root.to_owned()
    } else {
        in_folder(root, below)
    };
    for entry in tree.list(&folder)?.into_iter().flatten() {
        let name = in_folder(below, &entry.name);
        let path = in_folder(root, &name);
        let is_folder = entry.kind == EntryKind::Directory
            || entry.kind == EntryKind::Symlink && tree.list(&path).is_ok_and(|list| list.is_some());
        if name == "charts" && is_folder || ignore.ignores(&name, is_folder) {
            continue;
        }
        if is_folder {
            collect(tree, root, &name, ignore, files)?;
        } else if entry.kind != EntryKind::Submodule
            && let Some(bytes) = tree.read(&path)?
        {
            files.insert(name, bytes);
        }
    }
    Ok(())
}

fn read_metadata(path: &str, raw: &BTreeMap<String, Arc<[u8]>>) -> Result<Metadata, RenderError> {
    let file = in_folder(path, "Chart.yaml");
    let bytes = raw.get("Chart.yaml").ok_or_else(|| RenderError::Chart {
        file: file.clone(),
        reason: "Chart.yaml file is missing".into(),
    })?;
    let document = document(&file, bytes)?;
    let text = |field: &str| {
        document
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let missing = |field: &str| RenderError::Chart {
        file: file.clone(),
        reason: format!("chart.metadata.{field} is required"),
    };
    let (name, version) = (text("name"), text("version"));
    if name.is_empty() {
        return Err(missing("name"));
    }
    if version.is_empty() {
        return Err(missing("version"));
    }
    if matches!(name.as_str(), "." | "..") || name.contains(['/', '\\']) {
        return Err(RenderError::Chart {
            file,
            reason: format!("chart.metadata.name {name:?} is invalid"),
        });
    }
    let kind = text("type");
    if !matches!(kind.as_str(), "" | "application" | "library") {
        return Err(RenderError::Chart {
            file,
            reason: "chart.metadata.type must be application or library".into(),
        });
    }
    let listed = match raw.get("requirements.yaml") {
        Some(bytes) if text("apiVersion") != "v2" => self::document(&in_folder(path, "requirements.yaml"), bytes)?,
        _ => document.clone(),
    };
    let dependencies = dependencies(&file, &listed)?;
    Ok(Metadata {
        name,
        version,
        kube_version: text("kubeVersion"),
        is_library: kind == "library",
        document,
        dependencies,
    })
}

fn document(file: &str, bytes: &[u8]) -> Result<Value, RenderError> {
    let yaml = |error| RenderError::Yaml {
        file: file.to_owned(),
        error,
    };
    let text = capstan_yaml::text_from_bytes(bytes).map_err(yaml)?;
    let documents = parse_documents(text, Mode::Kube11).map_err(yaml)?;
    Ok(documents
        .into_iter()
        .next()
        .map(|document| document.value)
        .unwrap_or_default())
}

fn dependencies(file: &str, document: &Value) -> Result<Vec<Dependency>, RenderError> {
    let entries = document.get("dependencies").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .map(|entry| {
            let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            if text("name").is_empty() {
                let reason = "dependencies must not contain empty or null nodes, or ones without a name".into();
                return Err(RenderError::Chart {
                    file: file.to_owned(),
                    reason,
                });
            }
            if entry
                .get("import-values")
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
            {
                return Err(RenderError::Unsupported {
                    file: file.to_owned(),
                    what: "import-values".into(),
                    instead: "",
                });
            }
            let tags = entry.get("tags").and_then(Value::as_array).into_iter().flatten();
            Ok(Dependency {
                name: text("name"),
                version: text("version"),
                condition: text("condition"),
                tags: tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
                alias: text("alias"),
            })
        })
        .collect()
}
