//! How one source becomes manifests.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_engine::event::SourceFailure;
use capstan_engine::targets::TargetContext;
use capstan_model::annotations::DETERMINISM;
use capstan_model::{ApplicationSource, Manifest, SecretBytes, shown_revision};
use capstan_render::{Determinism, FileTree, Interrupt, Random, ReadError, RenderCache, RenderError, RenderInputs};

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
    /// Stops the render when its time is up.
    pub interrupt: &'a Interrupt,
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
pub struct TreeRenderer {
    seed: SecretBytes,
    fresh: Fresh,
    cache: RenderCache,
}

/// New randomness and the time, for applications that want every render to differ.
pub struct Fresh {
    /// Makes a source of random bytes.
    pub random: Box<dyn Fn() -> Box<dyn Random> + Send + Sync>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub now: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl TreeRenderer {
    /// `seed` is the installation's secret: what templates draw at random is a function of it, unless the application says otherwise.
    #[must_use]
    pub fn new(seed: SecretBytes, fresh: Fresh) -> Self {
        Self {
            seed,
            fresh,
            cache: RenderCache::default(),
        }
    }

    /// What the application's annotation says.
    fn determinism(&self, annotation: &str) -> Result<Determinism<'_>, SourceFailure> {
        match annotation {
            "" | "stable" => Ok(Determinism::Stable {
                seed: self.seed.expose(),
            }),
            "helm" => Ok(Determinism::Helm {
                random: &*self.fresh.random,
                now: (self.fresh.now)(),
            }),
            "forbid" => Ok(Determinism::Forbid),
            other => Err(SourceFailure {
                message: format!("annotation {DETERMINISM}: {other:?} is none of stable, helm and forbid"),
                transient: false,
            }),
        }
    }
}

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
            determinism: self.determinism(&input.context.determinism)?,
            interrupt: input.interrupt.clone(),
            cache: Some(&self.cache),
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
