//! A chart and its subcharts, read from a tree: folders, archives, archives in folders, folders and archives in archives.
//!
//! **As Helm does.** All files are read first, those of subcharts included, and only then taken apart: `templates/**`, `charts/*`,
//! the few files with a meaning, and everything else is `.Files`. `.helmignore` is looked at in the folder that is rendered, not in
//! archives and not in subcharts. Links are followed inside the tree.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_model::Digest;
use capstan_yaml::{Mode, Step, line_of, parse_one_with_floats};
use serde_json::{Map, Value};

use super::decode::Misfit;
use super::dependencies;
use super::ignore::Ignore;
use super::lock::Lock;
use super::metadata::{Metadata, api_version};
use super::schema::Schema;
use super::values;
use crate::archive::{Budget, ChartFile, ChartLimits, unpack, without_mark};
use crate::request::in_folder;
use crate::{EntryKind, FileTree, ReadError, RenderError};

/// Subcharts in subcharts are read so deep.
const DEPTH: u8 = 16;

/// One chart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chart {
    /// Its folder or archive, from the root of the repository.
    pub(crate) path: String,
    /// What the names of its templates begin with in a release; known once dependencies are selected.
    pub(super) full_name: String,
    pub(crate) metadata: Metadata,
    pub(crate) values: Map<String, Value>,
    /// Everything but what has a meaning of its own, by path in the chart.
    pub(crate) files: BTreeMap<String, Arc<[u8]>>,
    /// Those of `files` that are in `crds/`, in the order in which Helm reads them.
    pub(crate) definitions: Vec<String>,
    /// By path in the chart (`templates/x.yaml`).
    pub(crate) templates: BTreeMap<String, Arc<[u8]>>,
    pub(crate) subcharts: Vec<Self>,
    /// `values.schema.json`.
    pub(crate) schema: Option<Arc<Schema>>,
    /// `Chart.lock` or `requirements.lock`.
    pub(crate) lock: Option<Lock>,
    pub(super) digest: Digest,
}

impl Chart {
    /// Reads the chart that is rendered: a folder or an archive.
    ///
    /// Dependencies with a `file://` repository that are not in `charts/` are read from where they are.
    pub(crate) fn load(path: &str, tree: &dyn FileTree) -> Result<Self, RenderError> {
        let mut loader = Loader::new(tree);
        let (mut chart, is_folder) = loader.root(path)?;
        if is_folder {
            loader.add_local(&mut chart)?;
        }
        Ok(chart)
    }

    /// Reads a chart as [`Chart::load`] does, without what is not in `charts/`.
    pub(super) fn load_vendored(path: &str, tree: &dyn FileTree) -> Result<Self, RenderError> {
        Ok(Loader::new(tree).root(path)?.0)
    }

    /// A file of the chart, from the root of the repository.
    pub(crate) fn file(&self, name: &str) -> String {
        in_folder(&self.path, name)
    }

    /// Of everything that was read.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of what was read, roughly: what it weighs in a cache.
    pub(crate) fn weight(&self) -> usize {
        let files: usize = self.files.values().map(|bytes| bytes.len()).sum();
        let templates: usize = self.templates.values().map(|text| text.len()).sum();
        let schema = self.schema.as_ref().map_or(0, |schema| schema.weight());
        files + templates + schema + self.subcharts.iter().map(Self::weight).sum::<usize>()
    }

    /// What was odd and did not matter.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let deprecated = self
            .metadata
            .deprecated
            .then(|| format!("{}: this chart is deprecated", self.file("Chart.yaml")));
        deprecated.into_iter().chain(dependencies::warnings(self)).collect()
    }

    /// Renames aliased dependencies, drops those that tags and conditions switch off, and imports values.
    pub(crate) fn select_dependencies(&mut self, supplied: &Map<String, Value>) -> Result<(), RenderError> {
        dependencies::process(self, supplied)
    }

    /// Is every dependency there? Asked before any of them is switched off.
    pub(crate) fn check_present(&self) -> Result<(), RenderError> {
        dependencies::check_present(self)
    }

    /// Only applications are rendered.
    pub(crate) fn check_installable(&self) -> Result<(), RenderError> {
        match self.metadata.kind.as_str() {
            "" | "application" => Ok(()),
            kind => Err(RenderError::Chart {
                file: self.file("Chart.yaml"),
                reason: format!("{kind} charts are not installable: name it as a dependency of an application chart"),
            }),
        }
    }
}

/// Reads charts within one budget.
pub(super) struct Loader<'a> {
    pub(super) tree: &'a dyn FileTree,
    budget: Budget,
}

impl<'a> Loader<'a> {
    pub(super) fn new(tree: &'a dyn FileTree) -> Self {
        Self {
            tree,
            budget: Budget::new(ChartLimits::default()),
        }
    }

    /// The chart at a path, and whether it is a folder.
    fn root(&mut self, path: &str) -> Result<(Chart, bool), RenderError> {
        let files = match self.tree.list(path) {
            Ok(Some(_)) => return Ok((self.folder(path)?, true)),
            Ok(None) => return Err(RenderError::MissingPath { path: path.to_owned() }),
            Err(ReadError::WrongKind { .. }) => match self.tree.read(path)? {
                Some(bytes) => unpack(path, &bytes, &mut self.budget)?,
                None => return Err(RenderError::MissingPath { path: path.to_owned() }),
            },
            Err(error) => return Err(error.into()),
        };
        check_api_version(path, &files)?;
        Ok((self.chart(path, files, DEPTH)?, false))
    }

    /// The chart in a folder, by the rules for the folder that is rendered.
    pub(super) fn folder(&mut self, path: &str) -> Result<Chart, RenderError> {
        let file = in_folder(path, ".helmignore");
        let rules = self.tree.read(&file)?.unwrap_or_default();
        let ignore = Ignore::parse(&String::from_utf8_lossy(&rules)).map_err(|(line, reason)| RenderError::Chart {
            file: format!("{file}:{line}"),
            reason,
        })?;
        let mut files = Vec::new();
        self.collect(path, "", &ignore, &mut files)?;
        check_api_version(path, &files)?;
        self.chart(path, files, DEPTH)
    }

    /// Reads every file below a folder that is not left out.
    fn collect(
        &mut self,
        root: &str,
        below: &str,
        ignore: &Ignore,
        files: &mut Vec<ChartFile>,
    ) -> Result<(), RenderError> {
        let folder = if below.is_empty() {
            root.to_owned()
        } else {
            in_folder(root, below)
        };
        for entry in self.tree.list(&folder)?.into_iter().flatten() {
            let name = in_folder(below, &entry.name);
            let path = in_folder(root, &name);
            let is_folder = self.is_folder(entry.kind, &path)?;
            if ignore.ignores(&name, is_folder) {
                continue;
            }
            self.budget.count_entry(&path)?;
            if is_folder {
                self.collect(root, &name, ignore, files)?;
                continue;
            }
            if entry.kind == EntryKind::File {
                self.budget.count_file(&path, entry.size)?;
            }
            let bytes = self.tree.read(&path)?.ok_or_else(|| dangling(&path))?;
            if entry.kind != EntryKind::File {
                self.budget.count_file(&path, bytes.len() as u64)?;
            }
            let content = without_mark(&bytes);
            let content = if content.len() == bytes.len() {
                bytes
            } else {
                content.into()
            };
            files.push((name, content));
        }
        Ok(())
    }

    fn is_folder(&self, kind: EntryKind, path: &str) -> Result<bool, RenderError> {
        Ok(match kind {
            EntryKind::File => false,
            // An error when it is looked into, unless it is left out.
            EntryKind::Directory | EntryKind::Submodule => true,
            EntryKind::Symlink => match self.tree.list(path) {
                Ok(Some(_)) => true,
                Ok(None) => return Err(dangling(path)),
                Err(ReadError::WrongKind { .. }) => false,
                Err(error) => return Err(error.into()),
            },
        })
    }

    /// A chart from its files and those of its subcharts, by their paths in it.
    fn chart(&mut self, path: &str, files: Vec<ChartFile>, depth: u8) -> Result<Chart, RenderError> {
        self.budget.count_chart(path)?;
        let digests = files.iter();
        let digests = digests.flat_map(|(n, b)| [Digest::of_bytes(n.as_bytes()), Digest::of_bytes(b)]);
        let mut chart = Chart {
            path: path.to_owned(),
            full_name: String::new(),
            metadata: read_metadata(path, &files)?,
            values: Map::new(),
            files: BTreeMap::new(),
            definitions: Vec::new(),
            templates: BTreeMap::new(),
            subcharts: Vec::new(),
            schema: None,
            lock: None,
            digest: Digest::of_all(digests),
        };
        let mut subcharts: BTreeMap<String, Vec<ChartFile>> = BTreeMap::new();
        for (name, bytes) in files {
            match name.strip_prefix("charts/") {
                // Signatures of subcharts are ordinary files.
                Some(below) if !below.ends_with(".prov") => {
                    let first = below.split('/').next().unwrap_or(below).to_owned();
                    subcharts.entry(first).or_default().push((below.to_owned(), bytes));
                }
                _ => chart.take(name, bytes)?,
            }
        }
        for (name, files) in subcharts {
            if !name.starts_with(['_', '.']) {
                let subchart = self.subchart(&in_folder(&in_folder(path, "charts"), &name), &name, files, depth)?;
                chart.subcharts.push(subchart);
            }
        }
        Ok(chart)
    }

    /// What stands in `charts/` under one name. Everything there has to be a chart.
    fn subchart(&mut self, path: &str, name: &str, files: Vec<ChartFile>, depth: u8) -> Result<Chart, RenderError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(RenderError::Limit {
                place: path.to_owned(),
                what: "subcharts in subcharts",
                limit: DEPTH.into(),
                found: u64::from(DEPTH) + 1,
            });
        };
        if name.ends_with(".tgz") {
            return match files.first() {
                Some((first, bytes)) if first == name => {
                    let files = unpack(path, bytes, &mut self.budget)?;
                    self.chart(path, files, depth)
                }
                _ => Err(RenderError::Chart {
                    file: path.to_owned(),
                    reason: "error unpacking subchart tar: it is a folder".into(),
                }),
            };
        }
        let within = |(full, bytes): ChartFile| Some((full.split_once('/')?.1.to_owned(), bytes));
        let files: Vec<ChartFile> = files.into_iter().filter_map(within).collect();
        self.chart(path, files, depth)
    }
}

impl Chart {
    /// Puts one file where it belongs.
    fn take(&mut self, name: String, bytes: Arc<[u8]>) -> Result<(), RenderError> {
        let file = self.file(&name);
        match name.as_str() {
            "Chart.yaml" => {}
            "values.yaml" => self.values = values::parse(&file, &bytes)?,
            "values.schema.json" => self.schema = Some(Arc::new(Schema::new(bytes))),
            "Chart.lock" => self.lock = Lock::parse(&file, &bytes)?,
            "requirements.yaml" | "requirements.lock" => {
                if name == "requirements.lock" {
                    self.lock = Lock::parse(&file, &bytes)?;
                }
                if self.metadata.api_version == "v1" {
                    self.files.insert(name, bytes);
                }
            }
            _ if name.starts_with("templates/") => {
                self.templates.insert(name, bytes);
            }
            _ => {
                if name.starts_with("crds/") && is_manifest(&name) && !self.files.contains_key(&name) {
                    self.definitions.push(name.clone());
                }
                self.files.insert(name, bytes);
            }
        }
        Ok(())
    }
}

/// By its name, in whatever case.
fn is_manifest(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    [".yaml", ".yml", ".json"].iter().any(|end| lower.ends_with(end))
}

/// `Chart.yaml`, and what an older chart says in `requirements.yaml`, read and checked.
fn read_metadata(path: &str, files: &[ChartFile]) -> Result<Metadata, RenderError> {
    let mut metadata = Metadata::default();
    let named = |wanted: &'static str| files.iter().filter(move |(name, _)| name == wanted);
    let mut last = None;
    for (name, bytes) in named("Chart.yaml").chain(named("requirements.yaml")) {
        let file = in_folder(path, name);
        let (text, document) = document(&file, bytes)?;
        let applied = metadata.apply(&document);
        applied.map_err(|misfit| misfit_error(&file, &text, &misfit, &format!("cannot load {name}: ")))?;
        let has_dependencies = document.get("dependencies").is_some();
        if name == "Chart.yaml" {
            if metadata.api_version.is_empty() {
                metadata.api_version = "v1".to_owned();
            }
            last = Some((file.clone(), text.clone(), file, text));
        } else if let Some((_, _, about_dependencies, its_text)) = &mut last
            && has_dependencies
        {
            (*about_dependencies, *its_text) = (file, text);
        }
    }
    let Some((file, text, about_dependencies, its_text)) = last else {
        return Err(RenderError::Chart {
            file: in_folder(path, "Chart.yaml"),
            reason: "Chart.yaml file is missing: a chart, and everything in its charts/ folder, needs one".into(),
        });
    };
    metadata.validate().map_err(|misfit| {
        let is_dependency = matches!(misfit.path.first(), Some(Step::Key(key)) if key == "dependencies");
        match is_dependency {
            true => misfit_error(&about_dependencies, &its_text, &misfit, ""),
            false => misfit_error(&file, &text, &misfit, ""),
        }
    })?;
    Ok(metadata)
}

/// The version of the format, which decides who reads the chart that is rendered. Subcharts are read whatever they say.
fn check_api_version(path: &str, files: &[ChartFile]) -> Result<(), RenderError> {
    let file = in_folder(path, "Chart.yaml");
    let refuse = |reason: String| RenderError::Chart {
        file: file.clone(),
        reason,
    };
    let Some((_, bytes)) = files.iter().find(|(name, _)| name == "Chart.yaml") else {
        return Err(refuse("Chart.yaml file is missing: unable to detect a chart".into()));
    };
    let (text, document) = document(&file, bytes)?;
    let version = api_version(&document);
    match version
        .map_err(|misfit| misfit_error(&file, &text, &misfit, "cannot load Chart.yaml: "))?
        .as_str()
    {
        "" | "v1" | "v2" => Ok(()),
        "v3" => Err(refuse(
            "invalid chart apiVersion: v3 charts are experimental and not rendered".into(),
        )),
        other => Err(refuse(format!(
            "unsupported chart version {other:?}: apiVersion must be v1 or v2"
        ))),
    }
}

/// The first document of a file.
pub(super) fn document<'b>(file: &str, bytes: &'b [u8]) -> Result<(Cow<'b, str>, Value), RenderError> {
    let yaml = |error| RenderError::Yaml {
        file: file.to_owned(),
        error,
    };
    let value = parse_one_with_floats(bytes, Mode::Kube11).map_err(yaml)?;
    // Only for the places of errors.
    let text = capstan_yaml::decode(bytes).unwrap_or_default();
    Ok((text, value))
}

/// A field that does not fit, with its line.
pub(super) fn misfit_error(file: &str, text: &str, misfit: &Misfit, prefix: &str) -> RenderError {
    let line = line_of(text, &misfit.path);
    RenderError::Chart {
        file: line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}")),
        reason: format!("{prefix}{}", misfit.message),
    }
}

fn dangling(path: &str) -> RenderError {
    RenderError::Chart {
        file: path.to_owned(),
        reason: "error evaluating symlink: it points to nothing".into(),
    }
}
