//! How one source becomes manifests.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_engine::event::SourceFailure;
use capstan_engine::targets::TargetContext;
use capstan_model::{ApplicationSource, Manifest, shown_revision};
use capstan_render::{FileTree, ReadError, RenderError, RenderInputs};

/// One source at its commit, and what it is rendered for.
#[derive(Clone, Copy)]
pub struct SourceToRender<'a> {
    /// The source.
    pub source: &'a ApplicationSource,
    /// Its commit.
    pub revision: &'a str,
    /// The application and where it goes.
    pub context: &'a TargetContext,
    /// `.Capabilities.KubeVersion`.
    pub kube_version: &'a str,
    /// `.Capabilities.APIVersions`.
    pub api_versions: &'a [String],
    /// Trees of the sources that have a name.
    pub references: &'a BTreeMap<String, Arc<dyn FileTree>>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct RenderedSource {
    /// The objects.
    pub manifests: Vec<Manifest>,
    /// `Helm`, `Directory`, …
    pub source_type: String,
    /// What was odd and did not matter.
    pub warnings: Vec<String>,
    /// Everything it depends on, absences included: with the same inputs the result is the same.
    pub inputs: RenderInputs,
}

/// Renders sources. Pure: the same source, files and parameters give the same objects.
pub trait Renderer: Send + Sync + 'static {
    /// Renders one source.
    ///
    /// # Errors
    /// What is wrong, where (file:line), why, and what next.
    fn render(&self, input: &SourceToRender<'_>, tree: &dyn FileTree) -> Result<RenderedSource, SourceFailure>;
}

/// The renderer of Helm charts and plain directories, `capstan_render`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TreeRenderer;

impl Renderer for TreeRenderer {
    fn render(&self, input: &SourceToRender<'_>, tree: &dyn FileTree) -> Result<RenderedSource, SourceFailure> {
        let application = &input.context.application;
        let environment = capstan_render::build_environment(
            (&application.namespace, &application.name, &input.context.project),
            input.source,
            shown_revision(input.revision),
            input.kube_version,
            input.api_versions,
        );
        let request = capstan_render::RenderRequest {
            environment: &environment,
            namespace: &input.context.destination_namespace,
            kube_version: input.kube_version,
            api_versions: input.api_versions,
            references: input.references,
            ..capstan_render::RenderRequest::new(&application.name, input.source)
        };
        let output = capstan_render::render(&request, tree).map_err(|error| SourceFailure {
            transient: matches!(error, RenderError::Read(ReadError::Unavailable { .. })),
            message: error.to_string(),
        })?;
        Ok(RenderedSource {
            manifests: output.manifests,
            source_type: output.source_type.to_owned(),
            warnings: output.warnings,
            inputs: output.inputs,
        })
    }
}
