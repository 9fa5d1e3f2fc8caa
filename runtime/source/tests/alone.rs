//! No child process, no `git` program: the proof, and what reading costs.

#![allow(clippy::print_stdout, reason = "the measurement is for reading")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use capstan_render::FileTree as _;
use capstan_source::{FetchPolicy, Poller, RepoUrl, Repositories};
use support::server::{Manner, Server};
use support::{Scene, anywhere, git};

/// Set for the process that only reads: URLs, one a line.
const URLS: &str = "CAPSTAN_TEST_URLS";
/// Set for the process that only reads: its cache folder.
const CACHE: &str = "CAPSTAN_TEST_CACHE";

#[test]
fn reading_needs_no_program_and_starts_no_process() {
    let scene = Scene::new();
    let server = Server::start(scene.dir.path(), Manner::Git);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "only_reads", "--nocapture"])
        .env_clear()
        .env("PATH", "")
        .env(URLS, format!("{}\n{}", scene.url(), server.url()))
        .env(CACHE, scene.dir.path().join("other-cache"))
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(server.packs(), 1);
}

/// The other half of the test above: does nothing when it is run by itself.
#[test]
fn only_reads() {
    let Ok(urls) = std::env::var(URLS) else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let repositories = Repositories::new(std::env::var(CACHE).unwrap(), anywhere());
    for url in urls.lines() {
        let url = RepoUrl::parse(url).unwrap();
        let resolved = repositories.resolve(&url, "main", FetchPolicy::Fetch, None).unwrap();
        let tree = repositories.tree(&url, &resolved.commit).unwrap();
        assert_eq!(
            tree.read("services/a/values.yaml").unwrap().unwrap().as_ref(),
            b"tag: 1\n"
        );
        assert!(
            repositories
                .resolve(&url, &resolved.commit[..8], FetchPolicy::Fetch, None)
                .is_ok()
        );
    }
    // Page faults of children that ended and were waited for; a process that never had one has none.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    assert_eq!(fields[8], "0", "cminflt: a child process ran");
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        assert_eq!(children.trim(), "", "a child process runs");
    }
}

fn time<R>(what: &str, count: u32, mut action: impl FnMut() -> R) {
    let begin = Instant::now();
    for _ in 0..count {
        std::hint::black_box(action());
    }
    let each: Duration = begin.elapsed() / count;
    println!("{what}: {each:?}");
}

/// `cargo test --release -p capstan-source --test alone -- --ignored --nocapture`
#[test]
#[ignore = "prints times; proves nothing"]
fn what_reading_costs() {
    let scene = Scene::new();
    for number in 0..10_000 {
        let folder = format!("apps/app-{number:05}");
        scene.write(&format!("{folder}/values.yaml"), &format!("tag: {number}\n"));
    }
    let commit = scene.commit("ten thousand folders");
    git(&scene.bare(), &["gc", "-q"]);
    let url = scene.url();
    time("local: open, resolve and tree id", 50, || {
        read(&scene.repositories(), &url)
    });
    let repositories = scene.repositories();
    time("local: resolve again", 1000, || {
        repositories.resolve(&url, "main", FetchPolicy::Fetch, None).unwrap()
    });
    let tree = repositories.tree(&url, &commit).unwrap();
    time("tree: id of one folder of 10,000", 10_000, || {
        tree.id("apps/app-07777").unwrap()
    });
    time("tree: one small file", 10_000, || {
        tree.read("apps/app-07777/values.yaml").unwrap()
    });
    let mut poller = Poller::new(url.clone());
    time("local: poll", 1000, || poller.poll(&repositories, None).unwrap());
    let server = Server::start(Path::new(scene.dir.path()), Manner::Git);
    time("http: clone and resolve", 1, || read(&repositories, &server.url()));
    let mut poller = Poller::new(server.url());
    time(
        "http: poll (most of it is the test server's two git processes)",
        20,
        || poller.poll(&repositories, None).unwrap(),
    );
}

fn read(repositories: &Repositories, url: &RepoUrl) -> Option<String> {
    let resolved = repositories
        .resolve(url, "main", FetchPolicy::Fetch, None)
        .expect("it resolves");
    repositories
        .tree(url, &resolved.commit)
        .expect("it is here")
        .id("services/a")
        .expect("it is whole")
}
