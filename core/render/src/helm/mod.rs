//! Helm charts, rendered as Helm 4.2 renders them.
//!
//! Order, as Helm's: load the charts, merge the values, drop disabled dependencies, check versions, render every template with one
//! shared context a chart, take the output apart.

mod chart;
mod ignore;
mod manifests;
mod objects;
mod parameters;
mod templates;
mod values;

use std::collections::BTreeMap;

use capstan_model::HelmSource;
use capstan_template::matches_constraint;

use crate::recording::RecordingTree;
use crate::{FileTree, RenderError, RenderOutput, RenderRequest};
use chart::Chart;

pub use objects::{DEFAULT_API_VERSIONS, DEFAULT_KUBE_VERSION};

/// Where a chart and its values are read from.
pub(crate) struct Sources<'a> {
    /// The source's own tree.
    pub(crate) tree: &'a dyn FileTree,
    /// Trees of the sources that have a name.
    pub(crate) references: &'a BTreeMap<&'a str, RecordingTree<'a>>,
}

/// Longest release name that Helm accepts.
const RELEASE_NAME_LIMIT: usize = 53;

pub(crate) fn render(
    request: &RenderRequest<'_>,
    path: &str,
    sources: &Sources<'_>,
) -> Result<RenderOutput, RenderError> {
    let helm = request.source.helm.clone().unwrap_or_default();
    let prepared = prepare(request, &helm, path, sources)?;
    let files = templates::render(&prepared)?;
    let mut output = RenderOutput {
        source_type: "Helm",
        warnings: prepared.chart.warnings(),
        ..RenderOutput::default()
    };
    if !helm.skip_crds {
        manifests::add_definitions(&prepared.chart, &mut output)?;
    }
    manifests::add_rendered(&prepared.chart, &files, helm.skip_tests, &mut output)?;
    Ok(output)
}

pub(crate) fn render_files(
    request: &RenderRequest<'_>,
    path: &str,
    sources: &Sources<'_>,
) -> Result<BTreeMap<String, String>, RenderError> {
    let helm = request.source.helm.clone().unwrap_or_default();
    templates::render(&prepare(request, &helm, path, sources)?)
}

/// Everything that templates are executed with.
pub(crate) struct Prepared<'a> {
    pub(crate) chart: Chart,
    pub(crate) values: serde_json::Map<String, serde_json::Value>,
    pub(crate) release: String,
    pub(crate) namespace: String,
    pub(crate) kube_version: String,
    pub(crate) api_versions: &'a [String],
    /// Seed of everything that is random.
    pub(crate) key: String,
}

fn prepare<'a>(
    request: &'a RenderRequest<'_>,
    helm: &'a HelmSource,
    path: &str,
    sources: &Sources<'_>,
) -> Result<Prepared<'a>, RenderError> {
    let mut chart = Chart::load(path, sources.tree)?;
    let supplied = values::supplied(helm, path, sources)?;
    chart.select_dependencies(&supplied)?;
    let values = values::coalesce(&chart, supplied);
    let kube_version = if helm.kube_version.is_empty() {
        request.kube_version
    } else {
        &helm.kube_version
    };
    let kube_version = if kube_version.is_empty() {
        DEFAULT_KUBE_VERSION
    } else {
        kube_version
    };
    let kube_version = format!("v{}", kube_version.trim_start_matches('v'));
    check_kube_version(&chart, &kube_version)?;
    chart.check_present()?;
    let release = if helm.release_name.is_empty() {
        request.application
    } else {
        &helm.release_name
    };
    check_release_name(path, release)?;
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
        key: format!("{}/{release}/{}", request.application, chart.digest()),
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
    })
}

fn check_kube_version(chart: &Chart, kube_version: &str) -> Result<(), RenderError> {
    let wanted = &chart.metadata.kube_version;
    let core = kube_version.split(['+']).next().unwrap_or(kube_version);
    if wanted.is_empty() || matches_constraint(wanted, core).unwrap_or(false) {
        return Ok(());
    }
    Err(RenderError::Chart {
        file: chart.file("Chart.yaml"),
        reason: format!("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {kube_version}"),
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
