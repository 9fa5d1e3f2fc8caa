//! Is an application to be worked on at all?

use capstan_model::{AppProject, Application, ApplicationSpec};

use super::Engine;
use super::state::ApplicationState;
use crate::policy::admit;

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
        if let Some(error) = app.invalid.as_ref().filter(|_| !goes_by_spec_before(&app.application)) {
            return Gate::Refused(error.clone());
        }
        if !self.projects_listed {
            return Gate::Waiting("waiting for the list of projects".into());
        }
        let spec = &app.application.spec;
        let found = self.projects.get(spec.project());
        let project = match admit(spec, found, &self.settings.control_namespace) {
            Ok(project) => project,
            Err(refusal) => return Gate::Refused(refusal),
        };
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

/// Of an Application that cannot be understood: what is deleted goes by the spec that it had, where that is known.
fn goes_by_spec_before(application: &Application) -> bool {
    application.metadata.deletion_timestamp.is_some() && application.spec != ApplicationSpec::default()
}
