//! `capstan app diff`: rendered here, compared here, by the same code as the controller's.

use std::process::ExitCode;

use capstan_engine::compare::{ComparePair, CompareTask, Verdict, compare};
use capstan_engine::policy::ignore_rules;
use capstan_engine::targets::Target;
use capstan_model::{AppProject, Blob, ResourceStatus};
use clap::Args;

use crate::desired::{Origin, Setting, targets};
use crate::error::CommandError;
use crate::output::{complain, print};
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// Commit, branch, tag or version to compare with, of the first source that is not only referred to; the Application's own when absent.
    #[arg(long)]
    revision: Option<String>,
    /// The controller's --installation-id.
    #[arg(long, default_value = "")]
    installation_id: String,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    let application = session.application(&id).await?;
    let origin = Origin::Remote(arguments.revision.as_deref());
    let setting = Setting {
        project: &project(session, application.spec.project()).await?,
        installation_id: &arguments.installation_id,
    };
    let targets = targets(session, &application, &origin, &setting).await?;
    let mut lines = Vec::new();
    let mut pairs = Vec::new();
    let options = application.spec.sync_policy.options();
    for target in targets.objects().iter().filter(|target| target.meta.is_resource()) {
        let live = session.cluster.observe(&target.key, &target.gvk).await;
        match live.map_err(|error| CommandError::Api(format!("{}: {error}", target.key)))? {
            Some(live) => pairs.push(ComparePair {
                key: target.key.clone(),
                desired: target.object.clone(),
                live: Blob::new(&live),
                rules: ignore_rules(&application.spec.ignore_differences, &target.key).with_options(&options),
            }),
            None => lines.push(format!(
                "{}: not in the cluster, declared at {}",
                target.key, target.location
            )),
        }
    }
    for verdict in compare(&CompareTask { pairs }) {
        match verdict.verdict {
            Verdict::Equal => {}
            Verdict::Different(fields) => {
                lines.push(format!("{}:", verdict.key));
                lines.extend(fields.iter().map(|field| format!("  {field}")));
            }
            Verdict::Failed(why) => lines.push(format!("{}: cannot be compared: {why}", verdict.key)),
        }
    }
    let declared: Vec<&Target> = targets.objects().iter().collect();
    let is_extra =
        |resource: &&ResourceStatus| resource.requires_pruning && !declared.iter().any(|t| t.key == resource.key());
    let extra = application.status.resources.iter().filter(is_extra);
    lines.extend(extra.map(|resource| format!("{}: not in Git", resource.key())));
    if lines.is_empty() {
        complain("no differences");
        return Ok(ExitCode::SUCCESS);
    }
    print(&lines.join("\n"));
    Ok(ExitCode::FAILURE)
}

/// Where charts that others depend on may come from.
async fn project(session: &Session, name: &str) -> Result<AppProject, CommandError> {
    match session.project(name).await {
        Ok(project) => Ok(project.unwrap_or_else(|| AppProject::permissive(name))),
        Err(why) => Err(CommandError::Api(format!("AppProject {name}: {why}"))),
    }
}
