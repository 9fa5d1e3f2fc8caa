//! Helm charts, rendered as Helm 4.2 renders them.
//!
//! Order, as Helm's: load the charts, merge the values, drop disabled dependencies, check versions, render every template with one
//! shared context a chart, take the output apart.

mod capabilities;
mod chart;
mod coalesce;
mod decode;
mod dependencies;
mod environment;
mod family;
mod ignore;
mod lock;
mod manifests;
mod metadata;
mod objects;
mod release;
mod schema;
mod set;
mod templates;
mod values;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_model::HelmSource;
use capstan_template::{Ambient, Interrupt, matches_constraint};

use crate::cache::LoadedChart;
use crate::recording::RecordingTree;
use crate::{
    Determinism, FileTree, RenderCache, RenderError, RenderInputs, RenderOutput, RenderRequest, inputs_unchanged,
};
use capabilities::KubeVersion;
pub(crate) use chart::Chart;

pub use capabilities::{DEFAULT_API_VERSIONS, DEFAULT_KUBE_VERSION};
pub use environment::build_environment;
pub use lock::{DependencyRepository, MissingDependency, missing_dependencies};
pub use set::{SetArgument, SetKind};

/// Where a chart and its values are read from.
pub(crate) struct Sources<'a> {
    /// The source's own tree.
    pub(crate) tree: &'a dyn FileTree,
    /// Trees of the sources that have a name.
    pub(crate) references: &'a BTreeMap<&'a str, RecordingTree<'a>>,
}

/// Longest release name that Helm accepts.
const RELEASE_NAME_LIMIT: usize = 53;

/// One document of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct HelmDocument {
    /// Helm's name of the template it comes from: `<chart>/templates/x.yaml`.
    pub template: String,
    /// Its text, trimmed as Helm trims it: bytes, which need not be UTF-8 to be YAML.
    pub text: Vec<u8>,
    /// Line of the rendered file at which it begins, counted from 1.
    pub line: usize,
    /// `kind`, empty where there is none.
    pub kind: String,
    /// Whether it is a test hook.
    pub is_test: bool,
    /// What its text parses to, or why it does not.
    pub(crate) parsed: Result<Vec<capstan_yaml::Document>, capstan_yaml::YamlError>,
}

/// What a chart renders to, as `helm template` sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HelmOutput {
    /// The text of every template, exactly as it was rendered, by Helm's name of it. NOTES.txt and blank results are there, partials are
    /// not. What is not UTF-8 is as Go writes it in JSON: see [`capstan_template::text`].
    pub files: BTreeMap<String, String>,
    /// What is in `crds/`, subcharts' included: Helm's name of the file, and its bytes.
    pub definitions: Vec<(String, Vec<u8>)>,
    /// All documents but hooks, in the order in which Helm installs them.
    pub manifests: Vec<HelmDocument>,
    /// Hooks, in the same order.
    pub hooks: Vec<HelmDocument>,
    /// What was odd and did not matter.
    pub warnings: Vec<String>,
}

impl HelmOutput {
    /// What `helm template` prints, to the byte: `crds/` where they are wanted, manifests, hooks.
    #[must_use]
    pub fn to_yaml(&self, include_crds: bool) -> Vec<u8> {
        let mut text = Vec::new();
        if include_crds {
            self.definitions
                .iter()
                .for_each(|(name, body)| add_source(&mut text, name, body));
        }
        self.manifests
            .iter()
            .for_each(|document| add_source(&mut text, &document.template, &document.text));
        let mut text = release::trim(&text).to_vec();
        text.push(b'\n');
        self.hooks
            .iter()
            .for_each(|hook| add_source(&mut text, &hook.template, &hook.text));
        text
    }
}

/// A document under the name of its file, as Helm prints it.
fn add_source(text: &mut Vec<u8>, name: &str, body: &[u8]) {
    for part in [b"---\n# Source: ", name.as_bytes(), b"\n", body, b"\n"] {
        text.extend_from_slice(part);
    }
}

pub(crate) fn render(
    request: &RenderRequest<'_>,
    path: &str,
    sources: &Sources<'_>,
) -> Result<RenderOutput, RenderError> {
    let helm = request.source.helm.clone().unwrap_or_default();
    let prepared = prepare(request, &helm, path, sources)?;
    let release = release(request, &prepared, sources)?;
    let mut output = RenderOutput {
        source_type: "Helm",
        warnings: release.warnings,
        ..RenderOutput::default()
    };
    if !helm.skip_crds {
        manifests::add_definitions(&prepared.chart, &mut output)?;
    }
    let documents = release.manifests.into_iter().chain(release.hooks);
    let documents = documents.filter(|document| !(helm.skip_tests && document.is_test));
    manifests::add_documents(&prepared.chart, documents, &mut output)?;
    Ok(output)
}

pub(crate) fn template(
    request: &RenderRequest<'_>,
    path: &str,
    sources: &Sources<'_>,
) -> Result<HelmOutput, RenderError> {
    let helm = request.source.helm.clone().unwrap_or_default();
    let mut output = release(request, &prepare(request, &helm, path, sources)?, sources)?;
    if helm.skip_tests {
        output.hooks.retain(|hook| !hook.is_test);
    }
    Ok(output)
}

fn release(
    request: &RenderRequest<'_>,
    prepared: &Prepared<'_>,
    sources: &Sources<'_>,
) -> Result<HelmOutput, RenderError> {
    let rendered = templates::render(prepared, ambient(request, prepared, sources.tree.time().unwrap_or(0)))?;
    let (mut manifests, mut hooks) = (Vec::new(), Vec::new());
    for (name, text) in &rendered {
        if name.ends_with("NOTES.txt") || release::trim(text).is_empty() {
            continue;
        }
        release::add(name, text, &mut manifests, &mut hooks)
            .map_err(|(line, error)| head_error(&prepared.chart, name, line, error))?;
    }
    release::sort(&mut manifests);
    release::sort(&mut hooks);
    Ok(HelmOutput {
        definitions: manifests::definitions(&prepared.chart),
        warnings: prepared.chart.warnings(),
        files: shown(rendered),
        manifests,
        hooks,
    })
}

/// Rendered files as Go writes them in JSON.
fn shown(rendered: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap_or_else(|error| capstan_template::text(error.as_bytes()).into_owned())
    };
    rendered.into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
}

/// Why the piece at a line of a rendered file is no manifest.
fn head_error(chart: &Chart, template: &str, line: usize, error: release::HeadError) -> RenderError {
    let file = manifests::file_of(chart, template);
    let located = |line| manifests::location(&file, line);
    match error {
        release::HeadError::NotText(error) => RenderError::Chart {
            reason: format!(
                "what the template renders to is no text at line {} of its output ({}): a function such as trunc cuts a \
                 character in two, b64dec gives bytes, or the template itself is in another encoding",
                line + error.line.saturating_sub(1),
                error.message
            ),
            file,
        },
        release::HeadError::Yaml(error) => RenderError::RenderedYaml {
            location: located(line + error.line.saturating_sub(1)),
            error,
        },
        release::HeadError::Field(reason) => RenderError::Chart {
            file: located(line).to_string(),
            reason: format!("what the template renders to is no Kubernetes object: {reason}"),
        },
    }
}

/// Everything that templates are executed with.
pub(crate) struct Prepared<'a> {
    pub(crate) chart: Chart,
    pub(crate) values: serde_json::Map<String, serde_json::Value>,
    pub(crate) release: String,
    pub(crate) namespace: String,
    pub(crate) kube_version: KubeVersion,
    pub(crate) api_versions: &'a [String],
    pub(crate) cache: Option<&'a RenderCache>,
    pub(crate) interrupt: Interrupt,
}

fn prepare<'a>(
    request: &'a RenderRequest<'_>,
    helm: &'a HelmSource,
    path: &str,
    sources: &Sources<'_>,
) -> Result<Prepared<'a>, RenderError> {
    let supplied = values::supplied(request, helm, path, sources)?;
    let loaded = load(request, path, sources)?;
    loaded.chart.check_installable()?;
    loaded.chart.check_present()?;
    let release = if helm.release_name.is_empty() {
        request.application
    } else {
        &helm.release_name
    };
    check_release_name(path, release)?;
    let mut chart = loaded.chart.clone();
    let values = chart_values(&mut chart, &supplied, helm)?;
    let wanted = match helm.kube_version.as_str() {
        "" => request.kube_version,
        own => own,
    };
    let kube_version = KubeVersion::parse(wanted).map_err(|reason| RenderError::Parameter {
        name: "kubeVersion".into(),
        reason,
    })?;
    check_kube_version(&chart, &kube_version)?;
    let namespace = if helm.namespace.is_empty() {
        request.namespace
    } else {
        &helm.namespace
    };
    let api_versions = if helm.api_versions.is_empty() {
        request.api_versions
    } else {
        &helm.api_versions
    };
    Ok(Prepared {
        interrupt: request.interrupt.clone(),
        chart,
        values,
        release: release.to_owned(),
        namespace: if namespace.is_empty() {
            "default".to_owned()
        } else {
            namespace.to_owned()
        },
        kube_version,
        api_versions,
        cache: request.cache,
    })
}

/// The values of a chart, of which what is switched off is taken out, checked against its schemas.
fn chart_values(
    chart: &mut Chart,
    supplied: &serde_json::Map<String, serde_json::Value>,
    helm: &HelmSource,
) -> Result<serde_json::Map<String, serde_json::Value>, RenderError> {
    chart.select_dependencies(supplied)?;
    let values = coalesce::values(chart, supplied)?;
    if !helm.skip_schema_validation {
        schema::check(chart, &values)?;
    }
    Ok(values)
}

/// What templates draw passwords, keys and the time from.
fn ambient(request: &RenderRequest<'_>, prepared: &Prepared<'_>, now: i64) -> Ambient {
    match request.determinism {
        Determinism::Stable { seed } => {
            let (release, digest) = (&prepared.release, prepared.chart.digest());
            let input = format!("/{}/{release}/{digest}", request.application);
            let length = (seed.len() as u64).to_be_bytes();
            Ambient::frozen(now, &[&length, seed, input.as_bytes()].concat())
        }
        Determinism::Helm { random, now } => Ambient::live(now, random()),
        Determinism::Forbid => Ambient::forbidden(),
    }
}

/// The chart, from the cache if nothing that loading it looked at has changed.
fn load(request: &RenderRequest<'_>, path: &str, sources: &Sources<'_>) -> Result<Arc<LoadedChart>, RenderError> {
    let read = match request.command_line {
        true => Chart::load_vendored,
        false => Chart::load,
    };
    let key = match request.cache.filter(|_| !request.command_line) {
        Some(cache) => sources.tree.id(path)?.map(|id| (cache, (path.to_owned(), id))),
        None => None,
    };
    if let Some((cache, key)) = &key
        && let Some(loaded) = cache.chart(key)
        && inputs_unchanged(&loaded.inputs, sources.tree, &BTreeMap::new())?
    {
        return Ok(loaded);
    }
    let inputs = Mutex::new(RenderInputs::new());
    let recorded = RecordingTree::new(sources.tree, String::new(), &inputs);
    let chart = read(path, &recorded)?;
    let inputs = inputs.into_inner().unwrap_or_else(PoisonError::into_inner);
    let loaded = Arc::new(LoadedChart { chart, inputs });
    if let Some((cache, key)) = key {
        cache.keep_chart(key, loaded.clone());
    }
    Ok(loaded)
}

fn check_kube_version(chart: &Chart, kube: &KubeVersion) -> Result<(), RenderError> {
    let wanted = &chart.metadata.kube_version;
    if wanted.is_empty() || matches_constraint(wanted, &kube.normalized).unwrap_or(false) {
        return Ok(());
    }
    let version = &kube.version;
    Err(RenderError::Chart {
        file: chart.file("Chart.yaml"),
        reason: format!("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}"),
    })
}

fn check_release_name(path: &str, release: &str) -> Result<(), RenderError> {
    let label = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    if release.len() <= RELEASE_NAME_LIMIT && release.split('.').all(label) {
        return Ok(());
    }
    Err(RenderError::Chart {
        file: path.to_owned(),
        reason: format!(
            "invalid release name {release:?}: lower case letters, digits, - and ., at most {RELEASE_NAME_LIMIT}; set helm.releaseName"
        ),
    })
}
