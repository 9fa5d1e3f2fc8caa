//! `capstan app list`.

use std::process::ExitCode;

use capstan_model::Application;
use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::output::{Format, complain, print, print_value, short, table};
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let objects = session
        .cluster
        .applications()
        .await
        .map_err(|error| CommandError::Api(error.to_string()))?;
    if matches!(arguments.output, Format::Json | Format::Yaml) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        print_value(&list, arguments.output == Format::Yaml);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = objects
        .iter()
        .map(|object| match Application::parse(object) {
            Ok(application) => row(&application),
            Err(error) => {
                let application = Application::readable(object);
                complain(&format!("application {} is invalid: {error}", application.id()));
                row(&application)
            }
        })
        .collect();
    match arguments.output {
        Format::Name => rows.iter().filter_map(|row| row.first()).for_each(print),
        Format::Wide => print(&table(
            &[
                "NAME",
                "SYNC",
                "HEALTH",
                "REVISION",
                "PROJECT",
                "DESTINATION",
                "PATH",
                "OPERATION",
            ],
            &rows,
        )),
        _ => print(&table(&["NAME", "SYNC", "HEALTH", "REVISION", "PROJECT"], &rows)),
    }
    Ok(ExitCode::SUCCESS)
}

fn row(application: &Application) -> Vec<String> {
    let (spec, status) = (&application.spec, &application.status);
    let path = spec
        .sources()
        .first()
        .map(|source| source.path.clone())
        .unwrap_or_default();
    let operation = status
        .operation_state
        .as_ref()
        .map(|state| state.phase.to_string())
        .unwrap_or_default();
    vec![
        application.id().to_string(),
        status.sync.status.to_string(),
        status.health.status.to_string(),
        short(&status.sync.revision).to_owned(),
        spec.project().to_owned(),
        spec.destination.namespace.clone(),
        path,
        operation,
    ]
}
