//! Processes, repositories and clusters that end with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program under test.
pub(crate) const CAPSTAN: &str = env!("CARGO_BIN_EXE_capstan");

/// Is this the project's own check, in which nothing may be missing?
pub(crate) fn nothing_may_be_missing() -> bool {
    std::env::var_os("CAPSTAN_CI").is_some()
}

/// Is `program` installed? Says so when not.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program)
        .arg("version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        assert!(!nothing_may_be_missing(), "{program} is not installed");
        println!("skipped: {program} is not installed");
    }
    found
}

/// A child process whose output is kept, and which is killed with the test.
pub(crate) struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for stream in streams {
            let output = output.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    output.lock().expect("not poisoned").push_str(&format!("{line}\n"));
                }
            });
        }
        Self { child, output }
    }

    pub(crate) fn output(&self) -> String {
        self.output.lock().expect("not poisoned").clone()
    }

    /// Waits for a line that contains `text`.
    pub(crate) fn wait_for_line(&mut self, text: &str, patience: Duration) -> String {
        let end = Instant::now() + patience;
        loop {
            if let Some(line) = self.output().lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            if let Some(status) = self.child.try_wait().expect("can be asked") {
                panic!(
                    "the program ended with {status} before it said {text:?}:\n{}",
                    self.output()
                );
            }
            assert!(
                Instant::now() < end,
                "no line with {text:?} within {patience:?}:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its number.
    #[allow(dead_code, reason = "for the benchmarks")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end; panics with its output when it fails.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed with {}:\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Asks until the answer is yes; panics with `what` when that takes too long. Returns how long it took.
pub(crate) fn eventually(what: &str, patience: Duration, mut ask: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !ask() {
        assert!(began.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(15));
    }
    began.elapsed()
}

/// kubectl with a kubeconfig.
#[derive(Clone)]
pub(crate) struct Kubectl {
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(kubeconfig: &Path) -> Self {
        Self {
            kubeconfig: kubeconfig.to_owned(),
        }
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", &self.kubeconfig).args(words);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> String {
        run(&mut self.command(words))
    }

    /// An object, or `None` when kubectl cannot get it.
    pub(crate) fn object(&self, words: &[&str]) -> Option<Value> {
        let output = self
            .command(&["get", "-o", "json"])
            .args(words)
            .output()
            .expect("kubectl starts");
        output
            .status
            .success()
            .then(|| serde_json::from_slice(&output.stdout).expect("kubectl prints JSON"))
    }

    pub(crate) fn apply(&self, manifest: &str) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), manifest).expect("written");
        self.run(&["apply", "-f", file.path().to_str().expect("text")]);
    }

    /// Sync status and health of an Application.
    pub(crate) fn state(&self, application: &str) -> (String, String) {
        let object = self
            .object(&["-n", "argocd", "applications.argoproj.io", application])
            .unwrap_or_default();
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        (text("/status/sync/status"), text("/status/health/status"))
    }

    pub(crate) fn is_settled(&self, application: &str) -> bool {
        self.state(application) == ("Synced".to_owned(), "Healthy".to_owned())
    }

    /// All text of an Application's conditions and operation.
    pub(crate) fn words(&self, application: &str) -> String {
        let object = self
            .object(&["-n", "argocd", "applications.argoproj.io", application])
            .unwrap_or_default();
        let mut words = object["status"]["conditions"].to_string();
        words.push_str(&object["status"]["operationState"].to_string());
        words.push_str(&object["status"]["health"].to_string());
        words
    }
}

/// A clone to commit in.
pub(crate) struct Clone {
    pub(crate) path: PathBuf,
}

impl Clone {
    pub(crate) fn git(&self, words: &[&str]) -> String {
        let mut command = Command::new("git");
        command
            .current_dir(&self.path)
            .args(["-c", "user.name=Ana", "-c", "user.email=ana@capstan.example"])
            .args(words);
        run(&mut command)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().expect("has a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path.join(path)).expect("read")
    }

    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replace(from, to));
    }

    /// Commits everything and pushes it.
    pub(crate) fn push(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["push", "-q", "origin", "HEAD:main"]);
    }
}

/// `capstan demo`, ready.
pub(crate) struct Demo {
    _process: Process,
    pub(crate) kubectl: Kubectl,
    pub(crate) clone: Clone,
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Demo {
    /// `None` when kubectl or Git is not installed.
    pub(crate) fn start() -> Option<Self> {
        if !has("kubectl") || !has("git") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(CAPSTAN);
        command.args(["demo", "--port", "0", "--dir"]).arg(folder.path());
        let mut process = Process::start(&mut command);
        process.wait_for_line("ready", Duration::from_secs(60));
        let line = process.wait_for_line("dashboard", Duration::from_secs(1));
        let url = line.split_whitespace().last().expect("a URL").to_owned();
        let kubectl = Kubectl::new(&folder.path().join("kubeconfig"));
        let clone = Clone {
            path: folder.path().join("infra"),
        };
        Some(Self {
            _process: process,
            kubectl,
            clone,
            url,
            folder,
        })
    }

    /// GETs a path of the dashboard's server.
    pub(crate) fn get(&self, path: &str) -> String {
        http(&self.url, "GET", path, "")
    }

    pub(crate) fn journal(&self) -> Vec<Value> {
        let answer: Value = serde_json::from_str(&self.get("/api/v1/journal")).expect("JSON");
        answer["items"].as_array().cloned().unwrap_or_default()
    }
}

/// A plain HTTP exchange; panics unless the answer is a success.
pub(crate) fn http(url: &str, method: &str, path: &str, body: &str) -> String {
    let answer = exchange(url, method, path, "Accept: */*", body);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {head}\n{body}");
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        dechunk(body)
    } else {
        body.to_owned()
    }
}

/// The same with a header of its own, and the whole answer.
pub(crate) fn exchange(url: &str, method: &str, path: &str, header: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = std::net::TcpStream::connect(host).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn dechunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        text.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    text
}
