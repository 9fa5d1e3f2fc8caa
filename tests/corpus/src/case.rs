//! One chart with what it is rendered with.

use std::fs;
use std::path::{Path, PathBuf};

use capstan_model::{ApplicationSource, HelmSource};
use capstan_render::{HelmOutput, MemoryTree, RenderRequest, SetArgument, SetKind, helm_template};

/// Folders in folders are searched so deep, symbolic links included.
const DEPTH: usize = 24;

/// One chart with what it is rendered with.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// What it is called in a report.
    pub name_in_report: String,
    /// The chart's folder or archive.
    pub chart: PathBuf,
    /// Values files, in order.
    pub values: Vec<PathBuf>,
    /// `--set`.
    pub set: Vec<String>,
    /// `--set-string`.
    pub set_string: Vec<String>,
    /// The release's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// `--kube-version`, empty for the default.
    pub kube_version: String,
    /// `--api-versions`.
    pub api_versions: Vec<String>,
}

impl Case {
    /// A chart with its own values.
    #[must_use]
    pub fn new(chart: &Path) -> Self {
        Self {
            name_in_report: chart.display().to_string(),
            chart: chart.to_owned(),
            name: "rel".into(),
            namespace: "team".into(),
            ..Self::default()
        }
    }

    /// The same chart with a values file.
    #[must_use]
    pub fn with_values(&self, file: &Path) -> Self {
        let mut case = self.clone();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        case.name_in_report = format!("{} -f {name}", self.name_in_report);
        case.values.push(file.to_owned());
        case
    }

    /// What we render.
    ///
    /// # Errors
    /// Our message.
    pub fn render(&self) -> Result<HelmOutput, String> {
        let mut tree = MemoryTree::default();
        let root = if self.chart.is_dir() {
            add(&mut tree, &self.chart, "chart", DEPTH);
            "chart".to_owned()
        } else {
            let name = self
                .chart
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            tree.write(name.clone(), fs::read(&self.chart).unwrap_or_default());
            name
        };
        let mut value_files = Vec::new();
        for (number, file) in self.values.iter().enumerate() {
            let name = format!("values-{number}.yaml");
            if let Ok(bytes) = fs::read(file) {
                tree.write(name.clone(), bytes);
            }
            value_files.push(format!("/{name}"));
        }
        let source = ApplicationSource {
            path: root,
            helm: Some(HelmSource {
                value_files,
                ..HelmSource::default()
            }),
            ..ApplicationSource::default()
        };
        let argument = |kind: SetKind| {
            move |text: &String| SetArgument {
                kind,
                text: text.clone(),
            }
        };
        let typed = self.set.iter().map(argument(SetKind::Typed));
        let set: Vec<SetArgument> = typed
            .chain(self.set_string.iter().map(argument(SetKind::String)))
            .collect();
        let request = RenderRequest {
            namespace: &self.namespace,
            kube_version: &self.kube_version,
            api_versions: &self.api_versions,
            set: &set,
            ..RenderRequest::new(&self.name, &source)
        };
        helm_template(&request, &tree).map_err(|error| error.to_string())
    }
}

/// Files below a folder; links are followed, as Helm follows them.
fn add(tree: &mut MemoryTree, folder: &Path, name: &str, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            add(tree, &path, &name, depth);
        } else if let Ok(bytes) = fs::read(&path) {
            tree.write(name, bytes);
        }
    }
}

/// Every chart below a folder, in the order of their paths: folders with a Chart.yaml that are no subchart of another, and archives.
#[must_use]
pub fn charts_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    search(folder, &mut found);
    found.sort();
    found
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) {
    let is_chart = folder.join("Chart.yaml").is_file();
    if is_chart {
        found.push(folder.to_owned());
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_vendored = is_chart && ["charts", "templates", "crds"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !path.is_symlink() && !is_vendored {
            search(&path, found);
        } else if !is_chart && path.extension().is_some_and(|extension| extension == "tgz") {
            found.push(path);
        }
    }
}
