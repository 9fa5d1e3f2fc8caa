//! The two servers: the real one as child processes, ended by their ids when dropped, and the world in this process.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capstan_model::Timestamp;
use capstan_sim::front_ends::{Cluster, WorldServer};
use capstan_sim::{Options, World};

use crate::client::Client;

const TOKEN: &str = "conformance";
const START: Duration = Duration::from_secs(30);

/// The folder with etcd and kube-apiserver, if both are there.
pub(crate) fn oracles() -> Option<PathBuf> {
    let folder = std::env::var_os("CAPSTAN_ORACLES").map(PathBuf::from).or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        Some(home.join(".cache/capstan/oracles"))
    })?;
    ["etcd", "kube-apiserver"]
        .iter()
        .all(|name| folder.join(name).is_file())
        .then_some(folder)
}

/// A world on a loopback port, without actors.
pub(crate) async fn world() -> io::Result<WorldServer> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let epoch = Timestamp::from_millis(i64::try_from(since.as_millis()).map_err(io::Error::other)?);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    WorldServer::serve(listener, Cluster::new(World::new(epoch, Options::default()), epoch))
}

/// A real API server on its own etcd, in a folder of its own.
pub(crate) struct Real {
    processes: Vec<Child>,
    url: String,
    _folder: tempfile::TempDir,
}

impl Real {
    /// Starts both and waits until the API server is ready.
    pub(crate) async fn start(oracles: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(
            folder.path().join("tokens.csv"),
            format!("{TOKEN},admin,admin,system:masters\n"),
        )?;
        let [client, peer, api] = [free_port()?, free_port()?, free_port()?];
        let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let etcd = [
            format!("--data-dir={}", at("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".into(),
        ];
        // The server makes its own serving key; signing tokens with it saves making another.
        let key = at("certs/apiserver.key");
        let apiserver = [
            format!("--etcd-servers={client}"),
            format!("--secure-port={api}"),
            "--bind-address=127.0.0.1".into(),
            format!("--cert-dir={}", at("certs")),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--token-auth-file={}", at("tokens.csv")),
            "--authorization-mode=RBAC".into(),
            "--service-cluster-ip-range=10.0.0.0/24".into(),
            "--allow-privileged".into(),
        ];
        let mut real = Self {
            processes: Vec::new(),
            url: format!("https://127.0.0.1:{api}"),
            _folder: folder,
        };
        for (name, arguments) in [("etcd", etcd.as_slice()), ("kube-apiserver", apiserver.as_slice())] {
            let log = File::create(real._folder.path().join(format!("{name}.log")))?;
            let child = Command::new(oracles.join(name))
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()?;
            real.processes.push(child);
        }
        let client = real.client();
        let deadline = tokio::time::Instant::now() + START;
        while !client.ready().await {
            if tokio::time::Instant::now() > deadline {
                let log = std::fs::read_to_string(real._folder.path().join("kube-apiserver.log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                return Err(io::Error::other(format!(
                    "kube-apiserver is not ready after {START:?}: {tail:?}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(real)
    }

    /// A client of it, as its administrator.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, Some(TOKEN)).expect("a client of fixed settings can be built")
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            // It may have ended by itself; then there is nothing to end.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
