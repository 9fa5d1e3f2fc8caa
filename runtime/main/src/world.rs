//! `capstan world`: the simulated cluster alone.

use std::path::PathBuf;
use std::process::ExitCode;

use capstan_model::Timestamp;
use capstan_sim::actors::{self, Profile};
use capstan_sim::front_ends::{Cluster, WorldServer, write_kubeconfig};
use capstan_sim::{Options, World};
use clap::{Args, ValueEnum};
use miette::{Context, IntoDiagnostic};
use tokio::net::TcpListener;

/// Writes that the served world remembers: it may run for days.
const HISTORY: usize = 10_000;

/// Arguments of `capstan world`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Write a kubeconfig for it here.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// What acts in the cluster: nothing, everything at once, or everything after a while as in a real cluster.
    #[arg(long, value_enum, default_value_t = Actors::Realistic)]
    actors: Actors,
    /// Seed of uids, generated names and allocations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How the cluster's own controllers behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Actors {
    /// No controllers, no nodes: only the API.
    None,
    /// Pods start, Jobs end and objects go without delay.
    Instant,
    /// Pods take a moment to start, Jobs to run.
    Realistic,
}

/// A simulated cluster that is served.
pub(crate) async fn serve(port: u16, actors: Actors, seed: u64) -> miette::Result<WorldServer> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .into_diagnostic()
        .wrap_err_with(|| format!("port {port} of 127.0.0.1 cannot be listened on: choose another with --port"))?;
    let epoch = now();
    let mut world = World::new(
        epoch,
        Options {
            seed,
            history: Some(HISTORY),
            ..Options::default()
        },
    );
    let profile = match actors {
        Actors::None => None,
        Actors::Instant => Some(Profile::INSTANT),
        Actors::Realistic => Some(Profile::REALISTIC),
    };
    profile
        .into_iter()
        .flat_map(actors::all)
        .for_each(|actor| world.add_actor(actor));
    WorldServer::serve(listener, Cluster::new(world, epoch)).into_diagnostic()
}

/// The wall clock. Only here and in the controller's clock time enters the program.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Serves until interrupted.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub(crate) async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let mut server = serve(arguments.port, arguments.actors, arguments.seed).await?;
    if let Some(path) = &arguments.kubeconfig {
        write_kubeconfig(path, &server.url())
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be written", path.display()))?;
        println!("KUBECONFIG={} kubectl get all -A", path.display());
    }
    println!("simulated cluster at {} — ready", server.url());
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {}
        () = server.finished() => {}
    }
    Ok(ExitCode::SUCCESS)
}
