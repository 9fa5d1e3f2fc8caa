//! Real repositories, made by the `git` program, and a real server: `git http-backend` behind a small HTTP front.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::print_stdout, reason = "a test that cannot run says so")]

pub(crate) mod helm;
pub(crate) mod registry;
pub(crate) mod server;
pub(crate) mod site;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use capstan_source::{LocalRepositories, Options, RepoUrl, Repositories};

/// A bare repository and a clone to commit in.
pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
}

impl Scene {
    /// An empty bare repository whose HEAD names `main`, and its clone.
    pub(crate) fn empty() -> Self {
        let scene = Self {
            dir: tempfile::tempdir().expect("a temporary folder"),
        };
        git(scene.dir.path(), &["init", "-q", "--bare", "-b", "main", "infra.git"]);
        git(scene.dir.path(), &["clone", "-q", "infra.git", "work"]);
        git(&scene.work(), &["checkout", "-q", "-B", "main"]);
        scene
    }

    /// With a first commit on `main`: `services/a/values.yaml`, `services/b/values.yaml` and `README.md`.
    pub(crate) fn new() -> Self {
        let scene = Self::empty();
        scene.write("services/a/values.yaml", "tag: 1\n");
        scene.write("services/b/values.yaml", "replicas: 1\n");
        scene.write("README.md", "# infra\n");
        scene.commit("first");
        scene
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.dir.path().join("infra.git")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn url(&self) -> RepoUrl {
        RepoUrl::parse(&format!("file://{}", self.bare().display())).expect("a valid URL")
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }

    /// Commits everything and pushes the current branch; the commit's id.
    pub(crate) fn commit(&self, message: &str) -> String {
        git(&self.work(), &["add", "-A"]);
        git(&self.work(), &["commit", "-q", "--allow-empty", "-m", message]);
        git(&self.work(), &["push", "-q", "-f", "origin", "HEAD"]);
        git(&self.work(), &["rev-parse", "HEAD"])
    }

    /// The id of an object, by Git's own reckoning.
    pub(crate) fn id(&self, name: &str) -> String {
        git(&self.work(), &["rev-parse", name])
    }

    /// Everything may be read; mirrors lie below the scene's folder.
    pub(crate) fn repositories(&self) -> Repositories {
        Repositories::new(self.dir.path().join("cache"), anywhere())
    }
}

/// Options under which every local folder may be read.
pub(crate) fn anywhere() -> Options {
    Options {
        local: LocalRepositories::Anywhere,
        ..Options::default()
    }
}

/// Runs Git with an own identity and without the machine's configuration; what it prints.
pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = try_git(dir, arguments);
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn try_git(dir: &Path, arguments: &[&str]) -> Output {
    command(dir).args(arguments).output().expect("git can be started")
}

/// `git`, isolated.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for (role, name) in [("AUTHOR", "Ada Author"), ("COMMITTER", "Carl Committer")] {
        command.env(format!("GIT_{role}_NAME"), name);
        command.env(
            format!("GIT_{role}_EMAIL"),
            format!("{}@example.com", role.to_lowercase()),
        );
        command.env(format!("GIT_{role}_DATE"), "2026-03-14T09:00:00+02:00");
    }
    command
}
