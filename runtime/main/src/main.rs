//! The `capstan` binary: parses the command line, installs what there may be only one of, and hands over.

mod backend;
mod controller;
mod demo;
mod logging;
mod seed;
mod serve;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Git push deploys: the cluster hauls its desired state from Git.
#[derive(Parser)]
#[command(name = "capstan", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything at once, on this machine: a simulated cluster, a Git repository, the controller and the dashboard.
    Demo(demo::Arguments),
    /// The controller, against a real cluster.
    Controller(controller::Arguments),
    /// A simulated cluster on a loopback port, for kubectl and for the controller.
    World(world::Arguments),
    #[command(flatten)]
    Offline(capstan_cli::Command),
}

fn main() -> ExitCode {
    // One TLS provider for everything in the process. Fails only if one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Demo(arguments) => run(demo::run(arguments)),
        Command::Controller(arguments) => run(controller::run(arguments)),
        Command::World(arguments) => run(world::run(arguments)),
        Command::Offline(command) => return capstan_cli::run(command),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
}

/// Runs a long-lived command on a runtime of its own.
fn run(command: impl Future<Output = miette::Result<ExitCode>>) -> miette::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| miette::miette!("the async runtime cannot be started: {error}"))?;
    let done = runtime.block_on(command);
    // A blocking read of a stalled remote must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

#[expect(clippy::print_stderr, reason = "the last word of a program that failed")]
fn report(error: &miette::Report) {
    eprintln!("{error:?}");
}
