//! `capstan render`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use capstan_model::{ApplicationSource, HelmSource, Manifest};
use capstan_render::{
    FileTree, HelmOutput, OverlayTree, RenderOutput, RenderRequest, SetArgument, SetKind, helm_template, render,
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::local_tree::LocalTree;
use crate::output::{complain, print, print_value};

/// What a folder is rendered with. Names are `helm template`'s.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// A chart (a folder or a .tgz), or a folder of manifests.
    dir: Option<PathBuf>,
    /// Values file, from the current folder; the last one wins. `-` is standard input; pipes are read, too.
    #[arg(long = "values", short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,
    /// A value, such as image.tag=1.2.
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    set: Vec<String>,
    /// A value that is a string whatever it looks like.
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    set_string: Vec<String>,
    /// A value as JSON.
    #[arg(long, value_name = "KEY=JSON", allow_hyphen_values = true)]
    set_json: Vec<String>,
    /// A value that is everything after the first =.
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    set_literal: Vec<String>,
    /// Release name; `release-name` when absent, as in Helm.
    #[arg(long, allow_hyphen_values = true)]
    name: Option<String>,
    /// Namespace of objects that have none.
    #[arg(long, short, default_value = "default", allow_hyphen_values = true)]
    namespace: String,
    /// Kubernetes version that the chart sees.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    kube_version: String,
    /// API versions that the chart sees beside the usual ones.
    #[arg(long, short, value_parser = comma_separated, allow_hyphen_values = true)]
    api_versions: Vec<Vec<String>>,
}

/// Arguments of `capstan render`.
#[derive(Debug, Args)]
#[command(mut_arg("dir", |dir| dir.required(true)))]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Also print what is in crds/.
    #[arg(long)]
    include_crds: bool,
    /// `yaml` of a chart is what `helm template` prints; `json` is a list of the objects; `files` is a JSON map from template to the
    /// text exactly as it rendered.
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
    pub(crate) fn release(&self) -> &str {
        self.name.as_deref().unwrap_or("release-name")
    }

    /// Namespace of objects that have none.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    fn folder(&self) -> Result<PathBuf, CommandError> {
        let dir = self.dir.as_deref();
        absolute(dir.ok_or_else(|| CommandError::Usage("a folder is needed".into()))?)
    }

    /// Renders it. Paths are from the folder above the source and the values files that all of them are in.
    pub(crate) fn render(&self, skip_crds: bool) -> Result<RenderOutput, CommandError> {
        self.with(skip_crds, |request, tree| render(request, tree))
    }

    /// In Helm's order: JSON, typed, strings, literal.
    fn set_arguments(&self) -> Vec<SetArgument> {
        let kinds = [
            (SetKind::Json, &self.set_json),
            (SetKind::Typed, &self.set),
            (SetKind::String, &self.set_string),
            (SetKind::Literal, &self.set_literal),
        ];
        let of_kind = |(kind, texts): (SetKind, &Vec<String>)| {
            let texts = texts.clone().into_iter();
            texts.map(move |text| SetArgument { kind, text })
        };
        kinds.into_iter().flat_map(of_kind).collect()
    }

    /// The chart as `helm template` renders it.
    fn template(&self) -> Result<HelmOutput, CommandError> {
        self.with(true, |request, tree| helm_template(request, tree))
    }

    fn is_chart(&self) -> Result<bool, CommandError> {
        let folder = self.folder()?;
        Ok(folder.is_file() || folder.join("Chart.yaml").exists())
    }

    fn with<T>(
        &self,
        skip_crds: bool,
        work: impl FnOnce(&RenderRequest<'_>, &dyn FileTree) -> Result<T, capstan_render::RenderError>,
    ) -> Result<T, CommandError> {
        let folder = self.folder()?;
        let files = self
            .values
            .iter()
            .map(|file| ValuesFile::find(file))
            .collect::<Result<Vec<_>, _>>()?;
        let root = common_root(&folder, &files);
        let (value_files, piped) = named(files, &root);
        let helm = HelmSource {
            value_files,
            skip_crds,
            ..HelmSource::default()
        };
        let source = ApplicationSource {
            path: below(&root, &folder),
            helm: self.is_chart()?.then_some(helm),
            ..ApplicationSource::default()
        };
        let set = self.set_arguments();
        let api_versions = self.api_versions.concat();
        let request = RenderRequest {
            namespace: &self.namespace,
            kube_version: &self.kube_version,
            api_versions: &api_versions,
            set: &set,
            command_line: true,
            ..RenderRequest::new(self.release(), &source)
        };
        let local = Arc::new(LocalTree::new(&root));
        let worked = OverlayTree::new(local.clone(), piped)
            .map_err(capstan_render::RenderError::from)
            .and_then(|tree| work(&request, &tree))
            .map_err(|error| CommandError::Source(error.to_string()));
        for link in local.links_out() {
            complain(&format!(
                "warning: {link} is a link that leads out of {}: in a repository it is refused",
                root.display()
            ));
        }
        worked
    }
}

/// The fields of one line of comma-separated values, of which a quoted one may hold commas; what follows the line is not looked at.
fn comma_separated(text: &str) -> Result<Vec<String>, String> {
    let mut rest = text.trim_start_matches(['\r', '\n']);
    let mut fields = Vec::new();
    if rest.is_empty() {
        return match text.is_empty() {
            true => Ok(fields),
            false => Err("there is nothing on the line".into()),
        };
    }
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        if !rest.starts_with('"') && field.contains('"') {
            return Err(format!("a quote in {field:?}, which is not quoted"));
        }
        let ends = after.is_empty() || after.starts_with('\n');
        fields.push(if ends {
            field.trim_end_matches('\r').to_owned()
        } else {
            field
        });
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// A field whose opening quote is taken, and what follows its closing one; two quotes stand for one.
fn quoted_field(mut rest: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    loop {
        let Some((text, after)) = rest.split_once('"') else {
            return Err("a quote is not closed".into());
        };
        field.push_str(text);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None if after.is_empty() || after.starts_with([',', '\n']) => return Ok((field, after)),
            None => return Err("a closing quote is followed by text".into()),
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    path.canonicalize().map_err(|error| CommandError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

/// A values file of the command line.
enum ValuesFile {
    /// Its place, links resolved.
    Path(PathBuf),
    /// Standard input or a pipe: its name, and all of it, since it can be read once only.
    Piped(String, Arc<[u8]>),
}

impl ValuesFile {
    fn find(path: &Path) -> Result<Self, CommandError> {
        let unreadable = |error: std::io::Error| CommandError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        if path == Path::new("-") {
            let mut content = Vec::new();
            std::io::stdin().read_to_end(&mut content).map_err(unreadable)?;
            return Ok(Self::Piped("-".into(), content.into()));
        }
        // Asked of the path as it is: what a shell passes for a pipe (/dev/fd/63) is a link to nothing that has a name.
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if metadata.is_file() || metadata.is_dir() {
            return absolute(path).map(Self::Path);
        }
        let name = path.to_string_lossy().trim_start_matches('/').to_owned();
        Ok(Self::Piped(name, std::fs::read(path).map_err(unreadable)?.into()))
    }
}

/// The files' names in the tree below `root`, and the content of those that are not in it.
fn named(files: Vec<ValuesFile>, root: &Path) -> (Vec<String>, BTreeMap<String, Arc<[u8]>>) {
    let mut piped = BTreeMap::new();
    let name = |file| match file {
        ValuesFile::Path(path) => format!("/{}", below(root, &path)),
        ValuesFile::Piped(name, content) => {
            piped.insert(name.clone(), content);
            format!("/{name}")
        }
    };
    let names = files.into_iter().map(name).collect();
    (names, piped)
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// The deepest folder above everything that is read.
fn common_root(folder: &Path, files: &[ValuesFile]) -> PathBuf {
    let mut root = folder.parent().unwrap_or(folder).to_owned();
    let below = |file: &ValuesFile, root: &Path| match file {
        ValuesFile::Path(path) => path.starts_with(root),
        ValuesFile::Piped(..) => true,
    };
    while !files.iter().all(|file| below(file, &root)) {
        if !root.pop() {
            break;
        }
    }
    root
}

/// Runs the command. Whatever cannot be rendered ends it with 1, as it ends `helm template`.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match show(arguments) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            complain(&format!("error: {error}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn show(arguments: &Arguments) -> Result<(), CommandError> {
    let source = &arguments.source;
    match arguments.output {
        Format::Files => print_value(&json!(source.template()?.files), false),
        Format::Yaml if source.is_chart()? => {
            let output = source.template()?;
            warn(&output.warnings);
            print(&output.to_yaml(arguments.include_crds));
        }
        format => {
            let output = source.render(!arguments.include_crds)?;
            warn(&output.warnings);
            let values = || output.manifests.iter().map(|manifest| manifest.value.clone());
            match format {
                Format::Json => print_value(&values().collect::<Value>(), false),
                _ => output.manifests.iter().for_each(|manifest| print(&document(manifest))),
            }
        }
    }
    Ok(())
}

fn warn(warnings: &[String]) {
    warnings
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
}

fn document(manifest: &Manifest) -> String {
    format!(
        "---\n# {}\n{}",
        manifest.location,
        capstan_yaml::to_go_yaml(&manifest.value)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_are_fields_of_a_line() {
        let fields = |text: &str| comma_separated(text).ok();
        for (text, expected) in [
            ("a/v1", &["a/v1"][..]),
            ("a/v1,b/v1", &["a/v1", "b/v1"]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"x\"\"y\"", &["x\"y"]),
            ("a\nb", &["a"]),
            ("a,", &["a", ""]),
            ("", &[]),
        ] {
            assert_eq!(fields(text).unwrap(), expected, "{text:?}");
        }
        for text in ["a\"b", "\"a", "\"a\"b", "\n"] {
            assert_eq!(fields(text), None, "{text:?}");
        }
    }
}
