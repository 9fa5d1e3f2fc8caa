//! `capstan app get`.

use std::process::ExitCode;

use capstan_model::{Application, ResourceStatus};
use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::output::{Format, one_line, print, print_value, short, table};
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    let (application, invalid) = session.readable(&id).await?;
    match arguments.output {
        Format::Json | Format::Yaml => print_value(&json!(application), arguments.output == Format::Yaml),
        Format::Name => print(&id.to_string()),
        Format::Table | Format::Wide => print(&describe(&application, invalid.as_deref())),
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(application: &Application, invalid: Option<&str>) -> String {
    let (spec, status) = (&application.spec, &application.status);
    let mut lines = vec![
        format!("Name:         {}", application.id()),
        format!("Project:      {}", spec.project()),
        format!(
            "Sync:         {} to {}",
            status.sync.status,
            short(&status.sync.revision)
        ),
        format!(
            "Health:       {} {}",
            status.health.status,
            one_line(&status.health.message)
        ),
    ];
    lines.extend(invalid.map(|why| format!("Invalid:      {why}")));
    for source in spec.sources() {
        lines.push(format!(
            "Source:       {} {} at {}",
            source.repo_url, source.path, source.target_revision
        ));
    }
    let destination = &spec.destination;
    lines.push(format!(
        "Destination:  {}{}, namespace {}",
        destination.server, destination.name, destination.namespace
    ));
    if let Some(state) = &status.operation_state {
        lines.push(format!("Operation:    {}: {}", state.phase, one_line(&state.message)));
    }
    for condition in &status.conditions {
        lines.push(format!(
            "Condition:    {}: {}",
            condition.kind,
            one_line(&condition.message)
        ));
    }
    let rows: Vec<Vec<String>> = status.resources.iter().map(row).collect();
    format!(
        "{}\n\n{}",
        lines.join("\n"),
        table(&["OBJECT", "SYNC", "HEALTH", "WAVE", "MESSAGE"], &rows)
    )
}

fn row(resource: &ResourceStatus) -> Vec<String> {
    let health = resource.health.as_ref();
    vec![
        resource.key().to_string(),
        resource.status.map(|status| status.to_string()).unwrap_or_default(),
        health.map(|health| health.status.to_string()).unwrap_or_default(),
        resource.sync_wave.to_string(),
        health.map(|health| one_line(&health.message)).unwrap_or_default(),
    ]
}
