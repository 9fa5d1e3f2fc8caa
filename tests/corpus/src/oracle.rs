//! The real Helm, asked over a pipe.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::Case;

/// What Helm makes of a case.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Text of every template, by Helm's name of it.
    pub files: Option<BTreeMap<String, String>>,
    /// The files that a second run rendered differently.
    pub varying: Option<BTreeSet<String>>,
    /// What `helm template` prints, without hooks.
    pub manifest: String,
    /// Why it fails; empty when it does not.
    pub error: String,
}

/// A process of the real Helm. It ends with this value.
#[derive(Debug)]
pub struct Oracle {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts one; `None`, with a message, where it has not been built.
    ///
    /// The program is `helm-render` in `CAPSTAN_ORACLES`, by default `~/.cache/capstan/oracles`, where `tests/oracles/build.sh` puts it.
    #[must_use]
    pub fn start() -> Option<Self> {
        let program = Self::program("helm-render")?;
        let started = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = started.ok()?;
        let requests = process.stdin.take()?;
        let answers = BufReader::new(process.stdout.take()?);
        Some(Self {
            process,
            requests,
            answers,
        })
    }

    /// A program of the real Helm's module, if it has been built.
    #[must_use]
    pub fn program(name: &str) -> Option<PathBuf> {
        let folder = std::env::var_os("CAPSTAN_ORACLES").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/capstan/oracles"));
        let path = folder.or_else(home)?.join(name);
        path.exists().then_some(path)
    }

    /// Renders a case.
    ///
    /// # Panics
    /// When the process is gone: the test cannot go on.
    pub fn ask(&mut self, case: &Case) -> Answer {
        let asked = json!({
            "chart": case.chart,
            "values": case.values,
            "set": case.set,
            "setString": case.set_string,
            "name": case.name,
            "namespace": case.namespace,
            "kubeVersion": case.kube_version,
            "apiVersions": case.api_versions,
        });
        let mut line = String::new();
        self.requests
            .write_all(format!("{asked}\n").as_bytes())
            .and_then(|()| self.answers.read_line(&mut line))
            .unwrap_or_else(|error| panic!("the real helm is gone: {error}"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the real helm answers {line:?}: {error}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
