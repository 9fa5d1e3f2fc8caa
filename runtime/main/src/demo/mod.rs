//! `capstan demo`: a cluster, a repository, the controller and the dashboard, in one process and on this machine only.
//!
//! Nothing is a stand-in: the controller speaks HTTP to the simulated cluster with the client it uses in production, and reads a real
//! repository that is pushed to with Git.

mod files;
mod repository;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use capstan_controller::ControllerHandle;
use capstan_model::{HealthStatusCode, SyncStatusCode};
use capstan_sim::front_ends::{WorldServer, write_kubeconfig};
use capstan_sim::{Method, Request};
use capstan_yaml::Mode;
use clap::Args;
use miette::{Context, IntoDiagnostic};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::controller::{Settings, start};
use crate::serve;
use crate::world::{self, Actors};
use repository::Repository;

/// Port of the dashboard when none is asked for; a free one if it is taken.
const PORT: u16 = 8080;
/// How long `--once` waits for everything to be Synced and Healthy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Arguments of `capstan demo`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Port of the dashboard on 127.0.0.1; 8080, or a free one if that is taken.
    #[arg(long)]
    port: Option<u16>,
    /// Folder for kubeconfig, infra.git and infra; a temporary one that is removed at the end when absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// End as soon as everything is Synced and Healthy (exit code 0), or when that does not happen (the reason is printed).
    #[arg(long)]
    once: bool,
}

/// A folder that is removed at the end, or one that stays.
enum Folder {
    Temporary(tempfile::TempDir),
    Given(PathBuf),
}

impl Folder {
    fn open(dir: Option<PathBuf>) -> miette::Result<Self> {
        let Some(dir) = dir else {
            return Ok(Self::Temporary(tempfile::tempdir().into_diagnostic()?));
        };
        std::fs::create_dir_all(&dir)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be made", dir.display()))?;
        let dir = dir.canonicalize().into_diagnostic()?;
        Ok(Self::Given(dir))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Given(dir) => dir,
        }
    }
}

/// Held as long as the demo runs: a second one in the same folder would take its kubeconfig away.
fn lock(folder: &Path) -> miette::Result<std::fs::File> {
    let path = folder.join("lock");
    let file = std::fs::File::create(&path)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be made", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(error) => Err(miette::miette!(
            "a demo runs in {} already: choose another --dir ({error})",
            folder.display()
        )),
    }
}

/// Runs until interrupted, or once.
pub(crate) async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    crate::logging::start("warn");
    let began = Instant::now();
    let folder = Folder::open(arguments.dir)?;
    let _lock = lock(folder.path())?;
    let repository = Repository::create(folder.path())?;
    let mut cluster = world::serve(0, Actors::Realistic, 1).await?;
    let kubeconfig = folder.path().join("kubeconfig");
    write_kubeconfig(&kubeconfig, &cluster.url()).into_diagnostic()?;
    declare(&cluster, &repository)?;
    let settings = Settings {
        kubeconfig: Some(kubeconfig.clone()),
        cache: folder.path().join("cache"),
        poll_interval: Duration::from_secs(1),
        ..Settings::default()
    };
    let running = start(settings).await?;
    let listener = match arguments.port {
        Some(port) => serve::listen(IpAddr::V4(Ipv4Addr::LOCALHOST), port).await?,
        None => match serve::listen(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT).await {
            Ok(listener) => listener,
            Err(_) => serve::listen(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).await?,
        },
    };
    let options = capstan_server::Options {
        allow_actions: true,
        unsigned_webhooks: true,
        ..Default::default()
    };
    let address = serve::spawn(listener, running.handle.clone(), options)?;
    announce(&format!("http://{address}"), &kubeconfig, &repository);
    let settled = tokio::select! {
        biased;
        () = crate::controller::interrupted() => return Ok(ExitCode::SUCCESS),
        settled = settle(&running.handle, repository::declarations().count() - 1) => settled,
    };
    let code = conclude(settled, began.elapsed());
    let code = if arguments.once {
        code
    } else {
        tokio::select! {
            biased;
            () = crate::controller::interrupted() => {}
            () = cluster.finished() => {}
        }
        ExitCode::SUCCESS
    };
    running.shutdown.cancel();
    running.task.await.into_diagnostic()?;
    Ok(code)
}

/// Defines Argo CD's resources in the cluster and creates the project and the Applications, as somebody would with kubectl.
fn declare(cluster: &WorldServer, repository: &Repository) -> miette::Result<()> {
    let create = |path: &str, object: Value| {
        let response = cluster.cluster().handle(Request::json(Method::Post, path, object));
        match response.is_success() {
            true => Ok(()),
            false => Err(miette::miette!(
                "the simulated cluster refuses {path}: {}",
                response.value()
            )),
        }
    };
    for definition in capstan_kubernetes::crds::definitions() {
        create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            definition.value,
        )?;
    }
    create(
        "/api/v1/namespaces",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}),
    )?;
    for (path, text) in repository::declarations() {
        let mut object =
            capstan_yaml::parse_one(text, Mode::Kube11).map_err(|error| miette::miette!("{path}: {error}"))?;
        let plural = match object["kind"].as_str() {
            Some("AppProject") => "appprojects",
            _ => {
                object["spec"]["source"]["repoURL"] = json!(repository.url());
                "applications"
            }
        };
        create(
            &format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/{plural}"),
            object,
        )?;
    }
    Ok(())
}

/// Waits until every application is Synced and Healthy; otherwise says what each of the others waits for.
async fn settle(controller: &ControllerHandle, expected: usize) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let applications = controller.applications();
        let open: Vec<String> = applications
            .values()
            .filter(|view| view.sync != SyncStatusCode::Synced || view.health.status != HealthStatusCode::Healthy)
            .map(|view| {
                format!(
                    "{}: {}, {}: {}",
                    view.id.name, view.sync, view.health.status, view.sentence
                )
            })
            .collect();
        if open.is_empty() && applications.len() >= expected {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(match open.is_empty() {
                true => format!("only {} of {expected} applications were seen", applications.len()),
                false => open.join("\n"),
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn announce(url: &str, kubeconfig: &Path, repository: &Repository) {
    let (config, clone) = (kubeconfig.display(), repository.clone.display());
    println!("dashboard    {url}");
    println!("cluster      KUBECONFIG={config} kubectl get applications -A");
    println!("repository   {clone}   (a clone of {})", repository.bare.display());
    println!();
    println!("try          cd {clone}");
    println!("             sed -i 's/3.2.0/3.3.0/' services/patient-portal/values-prod.yaml");
    println!("             git commit -am 'patient-portal 3.3.0' && git push      # deployed within seconds");
    println!("             git revert --no-edit HEAD && git push                  # and back");
    println!(
        "             KUBECONFIG={config} kubectl -n production scale deployment patient-portal --replicas 9   # reverted at once"
    );
    println!();
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the command's output")]
fn conclude(settled: Result<(), String>, took: Duration) -> ExitCode {
    match settled {
        Ok(()) => {
            println!(
                "ready        everything is Synced and Healthy after {:.1} s",
                took.as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!(
                "not everything is Synced and Healthy after {:.0} s:\n{reason}",
                took.as_secs_f64()
            );
            ExitCode::from(4)
        }
    }
}
