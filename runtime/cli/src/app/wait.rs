//! `capstan app wait`.

use std::process::ExitCode;
use std::time::Duration;

use capstan_model::{Application, ApplicationId, HealthStatusCode, OperationPhase, SyncStatusCode};
use clap::Args;
use tokio::time::Instant;

use super::duration;
use crate::error::CommandError;
use crate::output::{complain, one_line};
use crate::session::Session;

/// How often the Application is read.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// How long to wait.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    until(session, &id, arguments.timeout, settled).await
}

/// Is it Synced and Healthy, with no operation under way?
fn settled(application: &Application) -> Option<ExitCode> {
    let status = &application.status;
    let running = status
        .operation_state
        .as_ref()
        .is_some_and(|state| !state.phase.is_completed());
    let good = status.sync.status == SyncStatusCode::Synced && status.health.status == HealthStatusCode::Healthy;
    (good && !running && application.operation.is_none()).then_some(ExitCode::SUCCESS)
}

/// Reads the Application until `done` says a code, telling people what changes meanwhile. On time-out it says what is waited for.
pub(crate) async fn until(
    session: &Session,
    id: &ApplicationId,
    timeout: Duration,
    done: impl Fn(&Application) -> Option<ExitCode>,
) -> Result<ExitCode, CommandError> {
    let end = Instant::now() + timeout;
    let mut said = String::new();
    loop {
        let application = session.application(id).await?;
        let state = describe(&application);
        if state != said {
            complain(&state);
            said = state;
        }
        if let Some(code) = done(&application) {
            return Ok(code);
        }
        if Instant::now() >= end {
            complain(&format!("timed out after {} s", timeout.as_secs()));
            blockers(&application).iter().for_each(|line| complain(line));
            return Ok(ExitCode::from(3));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The objects that are not as they should be.
fn blockers(application: &Application) -> Vec<String> {
    let resources = application.status.resources.iter();
    let lines = resources.filter_map(|resource| {
        let health = resource
            .health
            .as_ref()
            .filter(|health| health.status != HealthStatusCode::Healthy);
        let sync = resource.status.filter(|status| *status != SyncStatusCode::Synced);
        let (health_word, message) = health
            .map(|h| (h.status.to_string(), one_line(&h.message)))
            .unwrap_or_default();
        let sync_word = sync.map(|status| status.to_string()).unwrap_or_default();
        (health.is_some() || sync.is_some())
            .then(|| format!("  {}: {sync_word} {health_word} {message}", resource.key()))
    });
    lines.collect()
}

fn describe(application: &Application) -> String {
    let status = &application.status;
    let operation = match &status.operation_state {
        Some(state) if state.phase == OperationPhase::Running && state.message.is_empty() => ", syncing".to_owned(),
        Some(state) if state.phase == OperationPhase::Running => format!(", {}", one_line(&state.message)),
        Some(state) => format!(", last operation {}", state.phase),
        None => String::new(),
    };
    format!(
        "{}: {}, {}{operation}",
        application.id(),
        status.sync.status,
        status.health.status
    )
}
