//! `capstan app sync`.

use std::process::ExitCode;
use std::time::Duration;

use capstan_model::{
    Application, Operation, OperationInitiator, OperationPhase, OperationState, ResourceResult, SyncOperation,
    SyncOperationResource, SyncStrategy, SyncStrategyForce,
};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{duration, wait};
use crate::error::CommandError;
use crate::output::{complain, one_line, print, table};
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// Delete what is no longer in Git.
    #[arg(long)]
    prune: bool,
    /// Commit, branch or tag to sync to; the Application's own when absent.
    #[arg(long, default_value = "")]
    revision: String,
    /// Ask the server about every object, and write nothing. Prints what would become of each.
    #[arg(long)]
    dry_run: bool,
    /// Only this object, without hooks. May be given several times.
    #[arg(long = "resource", value_name = "GROUP:KIND:[NAMESPACE/]NAME", value_parser = resource)]
    resources: Vec<SyncOperationResource>,
    /// Delete what the server does not let be changed, and make it anew.
    #[arg(long)]
    force: bool,
    /// With hooks or without.
    #[arg(long, value_enum, default_value_t)]
    strategy: Strategy,
    /// An option beside the Application's own, such as `Replace=true`. May be given several times.
    #[arg(long = "sync-option", value_name = "OPTION")]
    sync_options: Vec<String>,
    /// Do not wait for the end.
    #[arg(long = "async")]
    no_wait: bool,
    /// How long to wait.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// Hooks run.
    #[default]
    Hook,
    /// No hooks.
    Apply,
}

/// `apps:Deployment:web`, or `:ConfigMap:team/settings` of the core group.
fn resource(text: &str) -> Result<SyncOperationResource, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let &[group, kind, name] = &parts[..] else {
        return Err("it is GROUP:KIND:NAME or GROUP:KIND:NAMESPACE/NAME, with an empty GROUP for the core one".into());
    };
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    if kind.is_empty() || name.is_empty() {
        return Err("it has no kind or no name".into());
    }
    Ok(SyncOperationResource {
        group: group.into(),
        kind: kind.into(),
        name: name.into(),
        namespace: namespace.into(),
    })
}

impl Arguments {
    fn sync(&self) -> SyncOperation {
        let force = SyncStrategyForce {
            force: self.force,
            ..SyncStrategyForce::default()
        };
        let strategy = match self.strategy {
            Strategy::Apply => Some(SyncStrategy {
                apply: Some(force),
                hook: None,
            }),
            Strategy::Hook if self.force => Some(SyncStrategy {
                apply: None,
                hook: Some(force),
            }),
            Strategy::Hook => None,
        };
        SyncOperation {
            prune: self.prune,
            revision: self.revision.clone(),
            dry_run: self.dry_run,
            sync_strategy: strategy,
            resources: self.resources.clone(),
            sync_options: self.sync_options.clone(),
            ..SyncOperation::default()
        }
    }
}

/// Who asks.
pub(crate) const USERNAME: &str = "capstan-cli";

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    let application = session.application(&id).await?;
    let initiated_by = OperationInitiator {
        username: USERNAME.into(),
        automated: false,
    };
    let operation = Operation {
        initiated_by,
        sync: Some(arguments.sync()),
        ..Operation::default()
    };
    request(session, &application, &operation, arguments.no_wait, arguments.timeout).await
}

/// Asks for an operation by the resource's field, and waits for its end.
pub(crate) async fn request(
    session: &Session,
    before: &Application,
    operation: &Operation,
    no_wait: bool,
    timeout: Duration,
) -> Result<ExitCode, CommandError> {
    let id = before.id();
    if before.operation.is_some() {
        return Err(CommandError::Usage(format!(
            "an operation of {id} is asked for already: wait for it, or stop it"
        )));
    }
    let patch = json!({"operation": operation});
    let patched = session
        .cluster
        .patch_application(&id, &before.metadata.uid, patch)
        .await;
    patched.map_err(|error| CommandError::Api(error.to_string()))?;
    if no_wait {
        complain("asked for");
        return Ok(ExitCode::SUCCESS);
    }
    let last = before.status.operation_state.as_ref();
    wait::until(session, &id, timeout, |application| ended(application, last)).await
}

/// Is there an operation that ended, and is it not the one from before?
fn ended(application: &Application, last: Option<&OperationState>) -> Option<ExitCode> {
    let state = application.status.operation_state.as_ref()?;
    let news = last != Some(state);
    if application.operation.is_some() || !state.phase.is_completed() || !news {
        return None;
    }
    if state.operation.sync.as_ref().is_some_and(|sync| sync.dry_run) {
        let rows = state.sync_result.iter().flat_map(|result| &result.resources);
        print(&table(
            &["OBJECT", "PHASE", "RESULT"],
            &rows.map(row).collect::<Vec<_>>(),
        ));
    }
    complain(&format!("{}: {}", state.phase, one_line(&state.message)));
    Some(if state.phase == OperationPhase::Succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(4)
    })
}

fn row(result: &ResourceResult) -> Vec<String> {
    let phase = result.sync_phase.map(|phase| phase.to_string());
    let status = result.status.map(|status| format!("{status:?}: "));
    let became = format!("{}{}", status.unwrap_or_default(), one_line(&result.message));
    vec![result.key().to_string(), phase.unwrap_or_default(), became]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_as_argo_cds_cli_does() {
        let read = |text: &str| resource(text).map(|one| [one.group, one.kind, one.namespace, one.name].join("|"));
        assert_eq!(read("apps:Deployment:web").as_deref(), Ok("apps|Deployment||web"));
        assert_eq!(
            read(":ConfigMap:team/settings").as_deref(),
            Ok("|ConfigMap|team|settings")
        );
        for odd in [
            "",
            "web",
            "Deployment:web",
            "apps:Deployment:",
            "apps::web",
            ":ConfigMap:team/",
            "a:b:c:d",
        ] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }
}
