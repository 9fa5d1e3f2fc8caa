//! `capstan app history`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::output::{Format, print, print_value, short, table};
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
    let (application, _) = session.readable(&session.id(&arguments.name)?).await?;
    let history = &application.status.history;
    if matches!(arguments.output, Format::Json | Format::Yaml) {
        print_value(&json!(history), arguments.output == Format::Yaml);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = history
        .iter()
        .map(|row| {
            let by = if row.initiated_by.automated {
                "automated"
            } else {
                row.initiated_by.username.as_str()
            };
            let when = row.deployed_at.map(|time| time.to_string()).unwrap_or_default();
            vec![row.id.to_string(), when, short(&row.revision).to_owned(), by.to_owned()]
        })
        .collect();
    print(&table(&["ID", "DEPLOYED", "REVISION", "BY"], &rows));
    Ok(ExitCode::SUCCESS)
}
