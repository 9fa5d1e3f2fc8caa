//! Is an application to be worked on at all?

use capstan_model::AppProject;

use super::Engine;
use super::state::ApplicationState;

/// The answer.
#[derive(Debug)]
pub(crate) enum Gate {
    /// Yes, within this project.
    Open(Box<AppProject>),
    /// Not yet.
    Waiting(String),
    /// No: its spec cannot mean anything, or its project forbids it.
    Refused(String),
}

impl Gate {
    pub(crate) fn project(&self) -> Option<&AppProject> {
        match self {
            Self::Open(project) => Some(project),
            Self::Waiting(_) | Self::Refused(_) => None,
        }
    }
}

impl Engine {
    pub(super) fn gate(&self, app: &ApplicationState) -> Gate {
        if let Some(error) = &app.invalid {
            return Gate::Refused(error.clone());
        }
        if !self.projects_listed {
            return Gate::Waiting("waiting for the list of projects".into());
        }
        let spec = &app.application.spec;
        let project = match (self.projects.get(spec.project()), spec.project()) {
            (Some(project), _) => project.clone(),
            // Argo CD installs it so.
            (None, "default") => AppProject::permissive("default"),
            (None, name) => {
                return Gate::Refused(format!(
                    "spec.project: there is no AppProject {name:?} in namespace {}: create it, or name another",
                    self.settings.control_namespace
                ));
            }
        };
        let refusal = spec
            .sources()
            .iter()
            .try_for_each(|source| project.permits_source(source))
            .and_then(|()| project.permits_destination(&spec.destination, &spec.destination.namespace));
        if let Err(refusal) = refusal {
            return Gate::Refused(refusal.to_string());
        }
        let cluster = spec.destination.cluster();
        match self.clusters.get(&cluster) {
            Some(known) if known.discovery.is_some() => Gate::Open(Box::new(project)),
            Some(known) => Gate::Waiting(match &known.lost {
                Some(reason) => format!("cluster {cluster} does not answer: {reason}"),
                None => format!("waiting for cluster {cluster}"),
            }),
            // Only clusters that are connected are known; the controller's own is the first of them.
            None if self.clusters.values().any(|known| known.discovery.is_some()) => Gate::Refused(format!(
                "spec.destination: cluster {cluster} is not one that this controller deploys to (it is {})",
                self.clusters
                    .keys()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
            None => Gate::Waiting(format!("waiting for cluster {cluster}")),
        }
    }
}
