//! Repositories behind HTTP: a real Git server, and servers that misbehave.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use capstan_render::FileTree as _;
use capstan_source::{
    Credentials, FetchPolicy, Limits, Options, Poller, RepoUrl, Repositories, SourceError, Unreachable,
};
use support::server::{Manner, Server};
use support::{Scene, git};

fn fetch(repositories: &Repositories, server: &Server, revision: &str) -> Result<String, SourceError> {
    repositories
        .resolve(&server.url(), revision, FetchPolicy::Fetch, None)
        .map(|resolved| resolved.commit)
}

/// Short limits, so that a stalled server ends within the test.
fn hurried(scene: &Scene) -> Repositories {
    let limits = Limits {
        connect: Duration::from_millis(500),
        idle: Duration::from_millis(500),
        listing: Duration::from_millis(900),
        listing_bytes: 256 << 10,
        ..Limits::default()
    };
    Repositories::new(
        scene.dir.path().join("cache"),
        Options {
            limits,
            ..Options::default()
        },
    )
}

#[test]
fn a_server_is_mirrored_and_an_unchanged_one_sends_no_pack() {
    let scene = Scene::new();
    git(&scene.work(), &["tag", "-a", "v1.0.0", "-m", "release"]);
    git(&scene.work(), &["push", "-q", "origin", "--tags"]);
    let server = Server::start(scene.dir.path(), Manner::Git);
    let repositories = scene.repositories();
    let first = fetch(&repositories, &server, "main").unwrap();
    assert_eq!((first.as_str(), server.packs()), (scene.id("HEAD").as_str(), 1));
    let tree = repositories.tree(&server.url(), &first).unwrap();
    assert_eq!(
        tree.read("services/a/values.yaml").unwrap().unwrap().as_ref(),
        b"tag: 1\n"
    );
    let before = server.requests();
    for revision in ["main", "v1.0.0", "^1", "HEAD"] {
        assert_eq!(fetch(&repositories, &server, revision).unwrap(), first, "{revision}");
    }
    assert_eq!(
        (server.packs(), server.requests() - before),
        (1, 8),
        "two small requests for each, no pack"
    );
    repositories
        .resolve(&server.url(), "main", FetchPolicy::Cached, None)
        .unwrap();
    repositories
        .resolve(&server.url(), &first, FetchPolicy::Fetch, None)
        .unwrap();
    repositories
        .resolve(&server.url(), &first[..8], FetchPolicy::Cached, None)
        .unwrap();
    assert_eq!(server.requests() - before, 8, "what is known is not asked for");
    scene.write("services/a/values.yaml", "tag: 2\n");
    let second = scene.commit("second");
    assert_eq!(fetch(&repositories, &server, "main").unwrap(), second);
    assert_eq!(server.packs(), 2);
    assert_eq!(
        tree.read("services/a/values.yaml").unwrap().unwrap().as_ref(),
        b"tag: 1\n"
    );
    // Another process, the same folder.
    let again = scene.repositories();
    assert_eq!(fetch(&again, &server, "main").unwrap(), second);
    assert_eq!(server.packs(), 2, "the mirror is taken over");
}

/// Branch `a` gives way to `a/b`, and `main` gets another history.
fn rewrite(scene: &Scene) {
    git(&scene.work(), &["push", "-q", "origin", ":a"]);
    scene.write("new.yaml", "a: 1\n");
    git(&scene.work(), &["checkout", "-q", "--orphan", "rewritten"]);
    git(&scene.work(), &["add", "-A"]);
    git(&scene.work(), &["commit", "-q", "-m", "rewritten"]);
    git(
        &scene.work(),
        &[
            "push",
            "-q",
            "-f",
            "origin",
            "HEAD:refs/heads/main",
            "HEAD:refs/heads/a/b",
        ],
    );
}

#[test]
fn force_pushes_deleted_branches_and_folders_in_place_of_files_are_followed() {
    let scene = Scene::new();
    git(&scene.work(), &["push", "-q", "origin", "HEAD:refs/heads/a"]);
    let server = Server::start(scene.dir.path(), Manner::Git);
    let repositories = scene.repositories();
    let mut poller = Poller::new(server.url());
    poller.poll(&repositories, None).unwrap();
    let before = fetch(&repositories, &server, "a").unwrap();
    rewrite(&scene);
    let names: Vec<String> = poller
        .poll(&repositories, None)
        .unwrap()
        .changes
        .into_iter()
        .map(|change| change.name)
        .collect();
    assert_eq!(names, ["HEAD", "refs/heads/a", "refs/heads/a/b", "refs/heads/main"]);
    let after = repositories
        .resolve(&server.url(), "a/b", FetchPolicy::Cached, None)
        .unwrap()
        .commit;
    assert_ne!(before, after);
    assert_eq!(after, scene.id("HEAD"));
    assert!(matches!(
        fetch(&repositories, &server, "a"),
        Err(SourceError::RevisionNotFound { .. })
    ));
    assert_eq!(
        fetch(&repositories, &server, &before).unwrap(),
        before,
        "still here by its id"
    );
    repositories.repair(&server.url(), None).unwrap();
    assert_eq!(
        fetch(&repositories, &server, "main").unwrap(),
        after,
        "a renewed mirror has what the server has"
    );
}

#[test]
fn a_damaged_mirror_is_repaired() {
    let scene = Scene::new();
    let server = Server::start(scene.dir.path(), Manner::Git);
    let commit = fetch(&scene.repositories(), &server, "main").unwrap();
    let cache = std::fs::read_dir(scene.dir.path().join("cache"))
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    for file in std::fs::read_dir(cache.join("objects/pack")).unwrap().flatten() {
        std::fs::remove_file(file.path()).unwrap();
    }
    std::fs::write(cache.join("packed-refs.lock"), "").unwrap();
    let repositories = scene.repositories();
    let error = repositories.tree(&server.url(), &commit).unwrap_err();
    assert!(
        matches!(&error, SourceError::Object { id, .. } if *id == commit),
        "{error}"
    );
    repositories.repair(&server.url(), None).unwrap();
    assert!(repositories.tree(&server.url(), &commit).is_ok());
}

#[test]
fn empty_repositories_and_unknown_commits_are_told() {
    let scene = Scene::empty();
    let server = Server::start(scene.dir.path(), Manner::Git);
    let repositories = scene.repositories();
    let error = fetch(&repositories, &server, "main").unwrap_err();
    assert!(
        matches!(&error, SourceError::EmptyRepository { head, .. } if head == "main"),
        "{error}"
    );
    scene.write("a.yaml", "a: 1\n");
    let commit = scene.commit("first");
    assert_eq!(fetch(&repositories, &server, "main").unwrap(), commit);
    let error = fetch(&repositories, &server, &"0123456789".repeat(4)).unwrap_err();
    assert!(matches!(&error, SourceError::RevisionNotFound { .. }), "{error}");
    let error = fetch(&repositories, &server, "0123456").unwrap_err();
    assert!(matches!(&error, SourceError::RevisionNotFound { .. }), "{error}");
}

#[test]
fn credentials_go_to_their_host_only_and_are_never_shown() {
    let scene = Scene::new();
    // user:hunter2
    let expected = "Basic dXNlcjpodW50ZXIy".to_owned();
    let server = Server::start(scene.dir.path(), Manner::Private(expected.clone()));
    let repositories = scene.repositories();
    let resolve = |credentials: Option<&Credentials>| {
        repositories
            .resolve(&server.url(), "main", FetchPolicy::Fetch, credentials)
            .map(|resolved| resolved.commit)
    };
    let error = resolve(None).unwrap_err();
    assert!(
        matches!(&error, SourceError::Unauthorized { advice, .. } if advice.contains("private")),
        "{error}"
    );
    let right = Credentials::basic(&server.url(), "user", "hunter2");
    assert!(!format!("{right:?}").contains("hunter2"));
    let error = resolve(Some(&right)).unwrap_err();
    assert!(error.to_string().contains("clear text"), "{error}");
    assert!(server.counters.authorizations.lock().unwrap().is_empty());
    let wrong = Credentials::basic(&server.url(), "user", "hunter3").allow_clear_text();
    let error = resolve(Some(&wrong)).unwrap_err();
    assert!(
        matches!(&error, SourceError::Unauthorized { advice, .. } if advice.contains("expired")),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter3"));
    let right = right.allow_clear_text();
    assert_eq!(resolve(Some(&right)).unwrap(), scene.id("HEAD"));
    let elsewhere = RepoUrl::parse("http://git.example.com/infra.git").unwrap();
    let error = resolve(Some(
        &Credentials::basic(&elsewhere, "user", "hunter2").allow_clear_text(),
    ))
    .unwrap_err();
    assert!(error.to_string().contains("another host"), "{error}");
    // A redirect to another host never sees them.
    let thief = Server::start(scene.dir.path(), Manner::Git);
    server.behave(Manner::Redirect(format!("http://{}/infra.git", thief.address)));
    assert!(resolve(Some(&right)).is_err());
    assert!(thief.counters.authorizations.lock().unwrap().is_empty());
    assert_eq!(
        resolve(None).unwrap(),
        scene.id("HEAD"),
        "without credentials the redirect is followed"
    );
}

#[test]
fn what_a_server_says_is_told_apart() {
    let scene = Scene::new();
    let server = Server::start(scene.dir.path(), Manner::Git);
    let repositories = hurried(&scene);
    for (status, name, transient) in [
        (401, "Unauthorized", false),
        (403, "Forbidden", false),
        (404, "NotFound", false),
        (429, "Unreachable", true),
        (503, "Unreachable", true),
    ] {
        server.behave(Manner::Status(status));
        let error = fetch(&repositories, &server, "main").unwrap_err();
        assert_eq!(
            (error.name(), error.is_transient()),
            (name, transient),
            "{status}: {error}"
        );
    }
    server.behave(Manner::Redirect(format!("http://{}/infra.git", server.address)));
    let error = fetch(&repositories, &server, "main").unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    server.behave(Manner::Git);
    assert_eq!(
        fetch(&repositories, &server, "main").unwrap(),
        scene.id("HEAD"),
        "it recovers by itself"
    );
}

#[test]
fn hosts_that_cannot_be_reached_are_told_apart() {
    let scene = Scene::new();
    let server = Server::start(scene.dir.path(), Manner::Git);
    let repositories = hurried(&scene);
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let closed = RepoUrl::parse(&format!("http://{unused}/r.git")).unwrap();
    let error = repositories
        .resolve(&closed, "main", FetchPolicy::Fetch, None)
        .unwrap_err();
    assert!(
        matches!(
            &error,
            SourceError::Unreachable {
                cause: Unreachable::Connect,
                ..
            }
        ),
        "{error}"
    );
    let nowhere = RepoUrl::parse("https://does-not-exist.invalid/r.git").unwrap();
    let error = repositories
        .resolve(&nowhere, "main", FetchPolicy::Fetch, None)
        .unwrap_err();
    assert!(
        error.is_transient() && error.to_string().contains("does-not-exist.invalid"),
        "{error}"
    );
    let plain = RepoUrl::parse(&format!("https://{}/infra.git", server.address)).unwrap();
    let error = repositories
        .resolve(&plain, "main", FetchPolicy::Fetch, None)
        .unwrap_err();
    assert!(matches!(&error, SourceError::Tls { .. }), "{error}");
}

#[test]
fn servers_that_hang_drip_or_never_end_are_left() {
    let scene = Scene::new();
    let server = Server::start(scene.dir.path(), Manner::Hang);
    let repositories = hurried(&scene);
    for (manner, name) in [
        (Manner::Hang, "Timeout"),
        (Manner::Drip, "Timeout"),
        (Manner::Endless, "Limit"),
    ] {
        server.behave(manner.clone());
        let begin = Instant::now();
        let error = fetch(&repositories, &server, "main").unwrap_err();
        assert_eq!(error.name(), name, "{manner:?}: {error}");
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{manner:?} took {:?}",
            begin.elapsed()
        );
        if name == "Timeout" {
            assert!(error.to_string().contains(&server.address.to_string()), "{error}");
        }
    }
    server.behave(Manner::Truncated);
    assert!(fetch(&repositories, &server, "main").is_err());
    server.behave(Manner::Git);
    assert_eq!(
        fetch(&repositories, &server, "main").unwrap(),
        scene.id("HEAD"),
        "a broken pack leaves nothing behind"
    );
}

#[test]
fn who_asks_at_the_same_time_shares_one_exchange() {
    let scene = Scene::new();
    let server = Server::start(scene.dir.path(), Manner::Git);
    let repositories = Arc::new(scene.repositories());
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (repositories, url) = (Arc::clone(&repositories), server.url());
            std::thread::spawn(move || {
                repositories
                    .resolve(&url, "main", FetchPolicy::Fetch, None)
                    .unwrap()
                    .commit
            })
        })
        .collect();
    let commits: std::collections::BTreeSet<String> =
        threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(commits.len(), 1);
    assert_eq!(server.packs(), 1);
    assert!(server.requests() < 16, "{} requests", server.requests());
}
