//! Is an application worked on at all, within its project?

use capstan_model::{AppProject, ApplicationSpec, odd_in_project};

/// The project that an application is worked on within, given what was `found` under the name of its project; or why it is not worked on.
pub fn admit(
    spec: &ApplicationSpec,
    found: Option<&AppProject>,
    control_namespace: &str,
) -> Result<AppProject, String> {
    let project = match (found, spec.project()) {
        (Some(project), _) => project.clone(),
        // Argo CD installs it so.
        (None, "default") => AppProject::permissive("default"),
        (None, name) => {
            return Err(format!(
                "spec.project: there is no AppProject {name:?} in namespace {control_namespace}: create it, or name another"
            ));
        }
    };
    let refusal = spec
        .sources()
        .iter()
        .try_for_each(|source| project.permits_source(source))
        .and_then(|()| project.permits_destination(&spec.destination, &spec.destination.namespace));
    match refusal {
        Ok(()) => Ok(project),
        // It may be refused since a pattern cannot be read.
        Err(refusal) => Err(match odd_in_project(&project).first() {
            Some(odd) => format!("{refusal} ({odd})"),
            None => refusal.to_string(),
        }),
    }
}
