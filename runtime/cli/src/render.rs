//! `capstan render`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use capstan_model::{ApplicationSource, HelmParameter, HelmSource, Manifest};
use capstan_render::{RenderOutput, RenderRequest, helm_template, render};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::local_tree::LocalTree;
use crate::output::{complain, print, print_value};

/// What a folder is rendered with. Names are `helm template`'s.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// A chart, or a folder of manifests.
    dir: PathBuf,
    /// Values file, from the current folder; the last one wins.
    #[arg(long = "values", short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,
    /// A value, such as image.tag=1.2.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A value that is a string whatever it looks like.
    #[arg(long, value_name = "KEY=VALUE")]
    set_string: Vec<String>,
    /// Release name; the folder's name when absent.
    #[arg(long)]
    name: Option<String>,
    /// Namespace of objects that have none.
    #[arg(long, short, default_value = "default")]
    namespace: String,
    /// Kubernetes version that the chart sees.
    #[arg(long, default_value = "")]
    kube_version: String,
    /// API versions that the chart sees beside the usual ones.
    #[arg(long, short)]
    api_versions: Vec<String>,
}

/// Arguments of `capstan render`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Also print what is in crds/.
    #[arg(long)]
    include_crds: bool,
    /// `files` is a JSON map from template to the text exactly as it rendered.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
    Files,
}

impl Source {
    /// The release name.
    pub(crate) fn release(&self) -> Result<String, CommandError> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let folder = self.folder()?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(name.unwrap_or_else(|| "release-name".into()))
    }

    /// Namespace of objects that have none.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    fn folder(&self) -> Result<PathBuf, CommandError> {
        absolute(&self.dir)
    }

    /// Renders it. Paths are from the folder above the source and the values files that all of them are in.
    pub(crate) fn render(&self, skip_crds: bool) -> Result<RenderOutput, CommandError> {
        self.with(skip_crds, |request, tree| render(request, tree))
    }

    fn with<T>(
        &self,
        skip_crds: bool,
        work: impl FnOnce(&RenderRequest<'_>, &LocalTree) -> Result<T, capstan_render::RenderError>,
    ) -> Result<T, CommandError> {
        let folder = self.folder()?;
        let files = self
            .values
            .iter()
            .map(|file| absolute(file))
            .collect::<Result<Vec<_>, _>>()?;
        let root = common_root(&folder, &files);
        let relative = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_string_lossy().into_owned();
        let parameters = self
            .set
            .iter()
            .map(|text| (text, false))
            .chain(self.set_string.iter().map(|text| (text, true)));
        let is_chart = folder.join("Chart.yaml").exists();
        let helm = HelmSource {
            value_files: files.iter().map(|file| format!("/{}", relative(file))).collect(),
            parameters: parameters
                .map(|(text, force)| parameter(text, force))
                .collect::<Result<_, _>>()?,
            skip_crds,
            ..HelmSource::default()
        };
        let source = ApplicationSource {
            path: relative(&folder),
            helm: is_chart.then_some(helm),
            ..ApplicationSource::default()
        };
        let release = self.release()?;
        let request = RenderRequest {
            application: &release,
            source: &source,
            namespace: &self.namespace,
            kube_version: &self.kube_version,
            api_versions: &self.api_versions,
            references: &BTreeMap::new(),
        };
        work(&request, &LocalTree::new(&root)).map_err(|error| CommandError::Source(error.to_string()))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    path.canonicalize().map_err(|error| CommandError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

/// The deepest folder above everything that is read.
fn common_root(folder: &Path, files: &[PathBuf]) -> PathBuf {
    let mut root = folder.parent().unwrap_or(folder).to_owned();
    while !files.iter().all(|file| file.starts_with(&root)) {
        if !root.pop() {
            break;
        }
    }
    root
}

fn parameter(text: &str, force_string: bool) -> Result<HelmParameter, CommandError> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| CommandError::Usage(format!("--set {text}: write KEY=VALUE")))?;
    Ok(HelmParameter {
        name: name.to_owned(),
        value: value.to_owned(),
        force_string,
    })
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    if arguments.output == Format::Files {
        let files = arguments.source.with(true, |request, tree| {
            helm_template(request, tree).map(|output| output.files)
        });
        return Ok(match files {
            Ok(files) => {
                print_value(&json!(files), false);
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        });
    }
    let output = match arguments.source.render(!arguments.include_crds) {
        Ok(output) => output,
        Err(error) => return Ok(failed(&error)),
    };
    output
        .warnings
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    match arguments.output {
        Format::Json => print_value(
            &output
                .manifests
                .iter()
                .map(|manifest| manifest.value.clone())
                .collect::<Value>(),
            false,
        ),
        _ => output.manifests.iter().for_each(|manifest| print(&document(manifest))),
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: &CommandError) -> ExitCode {
    complain(&format!("error: {error}"));
    ExitCode::FAILURE
}

fn document(manifest: &Manifest) -> String {
    format!(
        "---\n# {}\n{}",
        manifest.location,
        capstan_yaml::to_go_yaml(&manifest.value)
    )
}
