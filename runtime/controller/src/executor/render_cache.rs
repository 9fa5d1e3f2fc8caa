//! The last render of each application, and what it was made of.
//!
//! A commit changes one application of a thousand. The others find that every path their render looked at has the same content in
//! the new tree (or is absent from both), and take what they had: two look-ups a path instead of a render.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_engine::effect::RenderTask;
use capstan_engine::targets::{TargetContext, Targets};
use capstan_model::{ApplicationId, ApplicationSource};
use capstan_render::RenderInputs;

/// Everything but the files that a render is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameters {
    sources: Vec<ApplicationSource>,
    kube_version: String,
    api_versions: Vec<String>,
    context: TargetContext,
    /// Where dependencies may come from.
    source_repos: Vec<String>,
}

impl Parameters {
    pub(super) fn of(task: &RenderTask) -> Self {
        Self {
            sources: task.sources.iter().map(|(source, _)| source.clone()).collect(),
            kube_version: task.kube_version.clone(),
            api_versions: task.api_versions.clone(),
            context: task.context.clone(),
            source_repos: task.project.spec.source_repos.clone(),
        }
    }
}

/// A render.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    pub(super) parameters: Parameters,
    /// Commits, one a source.
    pub(super) revisions: Vec<String>,
    /// What each source's render looked at.
    pub(super) inputs: Vec<RenderInputs>,
    pub(super) targets: Targets,
}

/// Shares the targets with the engine, so that it holds little of its own.
#[derive(Debug, Default)]
pub(super) struct RenderCache {
    renders: Mutex<BTreeMap<ApplicationId, Arc<Rendered>>>,
}

impl RenderCache {
    /// The last render with these parameters, at whatever commits.
    pub(super) fn find(&self, application: &ApplicationId, parameters: &Parameters) -> Option<Arc<Rendered>> {
        let renders = self.renders.lock().unwrap_or_else(PoisonError::into_inner);
        renders
            .get(application)
            .filter(|rendered| rendered.parameters == *parameters)
            .cloned()
    }

    pub(super) fn keep(&self, application: ApplicationId, rendered: Rendered) {
        let mut renders = self.renders.lock().unwrap_or_else(PoisonError::into_inner);
        renders.insert(application, Arc::new(rendered));
    }

    pub(super) fn forget(&self, application: &ApplicationId) {
        self.renders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(application);
    }
}
