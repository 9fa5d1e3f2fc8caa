//! `capstan controller`: the controller against a cluster, with the dashboard and the probes beside it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capstan_controller::{Clock, Controller, ControllerHandle, ControllerSettings, Fresh, Sources, TreeRenderer};
use capstan_engine::settings::{Guards, parse_kind};
use capstan_kubernetes::{Cluster, ClusterSettings, ElectionSettings, KubeconfigSource};
use capstan_model::{ClusterId, GroupKind, SecretBytes, parse_duration};
use capstan_source::{Charts, FetchLimits, LocalRepositories, Options, Repositories};
use clap::Args;
use miette::{Context, IntoDiagnostic};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{seed, serve};

/// Arguments of `capstan controller`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Kubeconfig of the cluster; `KUBECONFIG`, `~/.kube/config` or the pod's service account when absent.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Port of dashboard, API, probes and metrics; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address to listen on. Actions are served on loopback addresses only: put a proxy that authenticates before any other.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Folder for mirrors of repositories: a cache, nothing in it is needed after a restart. A temporary one when absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Namespace of the controller: Applications in it are named without it.
    #[arg(long, default_value = "argocd")]
    namespace: String,
    /// How often each repository is asked for news, such as 3s or 2m.
    #[arg(long, default_value = "3s", value_parser = duration)]
    poll_interval: Duration,
    /// Told apart from other installations on the same cluster by this.
    #[arg(long, default_value = "")]
    installation_id: String,
    /// Lead by a Lease, so that one of several replicas writes. `false`: see to it that there is only one.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "true|false")]
    leader_elect: bool,
    /// What this replica is called in the Lease: of no two that run at once, and best the same after a crash, such as a pod's name. Made up
    /// when absent.
    #[arg(long, env = "POD_NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    identity: Option<String>,
    /// File with the installation's seed, a secret of 32 bytes or more: what charts draw at random (passwords, keys) follows from it, so that
    /// it stays the same. When absent, `seed` in --dir, made at the first start.
    #[arg(long, env = "CAPSTAN_SEED_FILE")]
    seed_file: Option<PathBuf>,
    /// `argo` carries syncs out the way Argo CD's own engine does, its hazards included.
    #[arg(long, default_value = "capstan", value_name = "capstan|argo")]
    guards: Guards,
    /// A kind that is pruned automatically only with an approval, such as Secret or apps/StatefulSet; beside Namespaces, definitions, volumes
    /// and their claims. May be given several times.
    #[arg(long, value_name = "[GROUP/]KIND", value_parser = parse_kind)]
    protect_kind: Vec<GroupKind>,
    /// How long what is deleted is kept for `capstan undelete`, in Secrets of --namespace; 0 keeps nothing.
    #[arg(long, default_value = "24h", value_parser = keep)]
    undelete_keep: Duration,
    /// Deploy with the rights of the service account that the AppProject names for the destination (`spec.destinationServiceAccounts`), and with
    /// no others. Argo CD's `application.sync.impersonation.enabled`.
    #[arg(long)]
    impersonation: bool,
    /// Secret that webhooks are signed with. Without it they are accepted on loopback addresses only.
    #[arg(long, env = "CAPSTAN_WEBHOOK_SECRET", hide_env_values = true, value_parser = secret)]
    webhook_secret: Option<SecretBytes>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).ok_or_else(|| format!("{text:?} is no duration such as 3s or 2m"))?;
    if duration < Duration::from_millis(100) {
        return Err("at least 100ms".into());
    }
    Ok(duration)
}

#[expect(clippy::unnecessary_wraps, reason = "what a parser of arguments looks like")]
fn secret(text: &str) -> Result<SecretBytes, String> {
    Ok(SecretBytes::from(text))
}

fn keep(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|_| !text.is_empty());
    duration.ok_or_else(|| format!("{text:?} is no duration such as 24h, nor 0 to keep nothing"))
}

/// What a controller is started with.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Kubeconfig file; inferred when absent.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Folder of mirrors.
    pub(crate) cache: PathBuf,
    /// How often each repository is asked for news.
    pub(crate) poll_interval: Duration,
    /// Namespace of the controller.
    pub(crate) namespace: String,
    /// Told apart from other installations by this.
    pub(crate) installation_id: String,
    /// Safe defaults, or Argo CD's.
    pub(crate) guards: Guards,
    /// Kinds that are pruned automatically only with an approval, beside the built-in ones.
    pub(crate) protected_kinds: Vec<GroupKind>,
    /// How long what is deleted is kept.
    pub(crate) undelete_keep: Duration,
    /// Deploys as the service accounts that projects name.
    pub(crate) impersonation: bool,
    /// Which folders may be read as repositories.
    pub(crate) local: LocalRepositories,
    /// What charts draw at random follows from this.
    pub(crate) seed: SecretBytes,
    /// By what name it runs for the lead; without one it leads.
    pub(crate) identity: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            cache: PathBuf::new(),
            poll_interval: Duration::from_secs(3),
            namespace: "argocd".into(),
            installation_id: String::new(),
            guards: Guards::default(),
            protected_kinds: Vec::new(),
            undelete_keep: Duration::from_secs(24 * 3600),
            impersonation: false,
            local: LocalRepositories::Anywhere,
            seed: SecretBytes::from(""),
            identity: None,
        }
    }
}

/// A controller at work.
pub(crate) struct Running {
    /// How to talk to it.
    pub(crate) handle: ControllerHandle,
    /// Asks it to end.
    pub(crate) shutdown: CancellationToken,
    /// Ends when it has.
    pub(crate) task: JoinHandle<()>,
}

/// The machine's randomness and clock.
fn fresh() -> Fresh {
    Fresh {
        random: Box::new(|| Box::new(seed::SystemRandomness::default())),
        now: Box::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        }),
    }
}

/// A lease of each installation.
fn election(namespace: &str, installation_id: &str, identity: &str) -> ElectionSettings {
    let mut election = ElectionSettings::new(namespace, identity);
    if !installation_id.is_empty() {
        election.name = format!("{}-{installation_id}", election.name);
    }
    election
}

/// By what name it runs for the lead, if it does.
fn identity(elects: bool, given: Option<String>) -> Option<String> {
    elects.then(|| given.unwrap_or_else(made_up_identity))
}

/// A name that no other process has: the machine's, and which process of it since when.
fn made_up_identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim())
        .filter(|host| !host.is_empty())
        .unwrap_or("capstan")
        .to_owned();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{host}_{}_{}", std::process::id(), since.as_nanos())
}

/// Connects and starts a controller on this runtime.
pub(crate) async fn start(settings: Settings) -> miette::Result<Running> {
    let source = settings
        .kubeconfig
        .map_or(KubeconfigSource::Inferred, KubeconfigSource::File);
    let connection = ClusterSettings {
        impersonation: settings.impersonation,
        ..ClusterSettings::default()
    };
    let cluster = Cluster::connect(ClusterId::in_cluster(), &source, connection)
        .await
        .into_diagnostic()?;
    let options = Options {
        local: settings.local,
        ..Options::default()
    };
    let charts = Charts::new(settings.cache.join("charts"), FetchLimits::default());
    let sources = Sources::new(Arc::new(Repositories::new(settings.cache, options)), Arc::new(charts));
    let mut controller = ControllerSettings {
        poll_interval: settings.poll_interval,
        election: settings
            .identity
            .map(|identity| election(&settings.namespace, &settings.installation_id, &identity)),
        undelete_keep: settings.undelete_keep,
        ..ControllerSettings::default()
    };
    controller.engine.control_namespace = settings.namespace;
    controller.engine.installation_id = settings.installation_id;
    controller.engine.guards = settings.guards;
    controller.engine.protected_kinds = settings.protected_kinds;
    controller.engine.impersonation = settings.impersonation;
    let controller = Controller::new(
        cluster,
        Arc::new(sources),
        Arc::new(TreeRenderer::new(settings.seed, fresh())),
        controller,
        Clock::system(),
    );
    let (handle, shutdown) = (controller.handle(), CancellationToken::new());
    let task = tokio::spawn(controller.run(shutdown.clone()));
    Ok(Running { handle, shutdown, task })
}

/// A pod must not read its own disk as a repository because a tenant's Application says so.
fn local() -> LocalRepositories {
    match std::env::var_os("KUBERNETES_SERVICE_HOST") {
        Some(_) => LocalRepositories::Refused,
        None => LocalRepositories::Anywhere,
    }
}

/// What it is started with, by its arguments.
fn settings(arguments: &Arguments, cache: PathBuf, seed: SecretBytes) -> Settings {
    Settings {
        kubeconfig: arguments.kubeconfig.clone(),
        cache,
        poll_interval: arguments.poll_interval,
        namespace: arguments.namespace.clone(),
        installation_id: arguments.installation_id.clone(),
        guards: arguments.guards,
        protected_kinds: arguments.protect_kind.clone(),
        undelete_keep: arguments.undelete_keep,
        impersonation: arguments.impersonation,
        local: local(),
        seed,
        identity: identity(arguments.leader_elect, arguments.identity.clone()),
    }
}

/// Runs until interrupted.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub(crate) async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    crate::logging::start("info");
    let temporary = match &arguments.dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().into_diagnostic()?),
    };
    let cache = match (&arguments.dir, &temporary) {
        (Some(dir), _) => dir.join("repositories"),
        (None, Some(dir)) => dir.path().to_owned(),
        (None, None) => unreachable!("there is a temporary folder when none is given"),
    };
    std::fs::create_dir_all(&cache)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be made", cache.display()))?;
    let seed_file = arguments.seed_file.clone();
    let seed = seed::read_or_make(&seed_file.unwrap_or_else(|| arguments.dir.as_ref().unwrap_or(&cache).join("seed")))?;
    let settings = settings(&arguments, cache, seed);
    let listener = serve::listen(arguments.address, arguments.port).await?;
    let mut running = start(settings).await?;
    let options = capstan_server::Options {
        allow_actions: true,
        unsigned_webhooks: arguments.address.is_loopback(),
        webhook_secret: arguments.webhook_secret,
    };
    let address = serve::spawn(listener, running.handle.clone(), options)?;
    println!("dashboard at http://{address}");
    tokio::select! {
        biased;
        () = interrupted() => {}
        ended = &mut running.task => {
            ended.into_diagnostic().wrap_err("the controller ended")?;
            return Ok(ExitCode::FAILURE);
        }
    }
    running.shutdown.cancel();
    running.task.await.into_diagnostic()?;
    Ok(ExitCode::SUCCESS)
}

/// Ctrl-C, or the signal by which a pod is asked to end.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return drop(tokio::signal::ctrl_c().await);
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
