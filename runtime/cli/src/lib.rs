//! The command line: one file per command.
//!
//! Offline commands call the core directly and need no cluster. Commands on applications speak to the Kubernetes API by kubeconfig, as
//! kubectl does: what they change is a field of the Application, and the controller does the rest.
//!
//! Standard output is data, standard error is for people. Exit codes: 0 done; 1 `diff` found differences, `plan` that the sync would be
//! refused, or a plain failure elsewhere; 2 usage or internal error; 3 timed out; 4 finished, but Degraded or Failed.

mod app;
mod desired;
mod error;
mod local_tree;
mod output;
mod plan;
mod render;
mod session;
mod undelete;

use std::process::ExitCode;

use clap::Subcommand;

/// Commands that end by themselves.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print what a folder of charts or manifests renders to. Needs no cluster.
    Render(render::Arguments),
    /// Print the order in which objects are applied, and why; with a cluster, also what would change there, and why.
    Plan(plan::Arguments),
    /// Applications: list, get, sync, wait, diff, history.
    App(app::Arguments),
    /// What was deleted and is kept for a while; with an object, create it again.
    Undelete(undelete::Arguments),
}

/// Runs a command to its end.
pub fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Render(arguments) => render::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::App(arguments) => app::run(arguments),
        Command::Undelete(arguments) => undelete::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            output::complain(&format!("{:?}", miette::Report::new(error)));
            ExitCode::from(2)
        }
    }
}
