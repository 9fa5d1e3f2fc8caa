//! Repositories on this machine, read in place.

mod support;

use std::os::unix::fs::symlink;

use capstan_render::{EntryKind, FileTree as _, ReadError};
use capstan_source::{
    FetchPolicy, LocalRepositories, ObjectProblem, Options, Poller, Reference, RepoUrl, Repositories, SourceError,
};
use support::{Scene, anywhere, git};

fn resolve(scene: &Scene, repositories: &Repositories, revision: &str) -> Result<String, SourceError> {
    repositories
        .resolve(&scene.url(), revision, FetchPolicy::Fetch, None)
        .map(|resolved| resolved.commit)
}

#[test]
fn names_lead_to_the_commits_git_says() {
    let scene = Scene::new();
    let first = scene.id("HEAD");
    git(&scene.work(), &["tag", "light"]);
    git(&scene.work(), &["tag", "-a", "v1.4.0", "-m", "release"]);
    git(
        &scene.work(),
        &["tag", "-a", "v1.5.0", "v1.4.0", "-m", "a tag of a tag"],
    );
    scene.write("services/a/values.yaml", "tag: 2\n");
    let second = scene.commit("second\n\nwith a body");
    git(&scene.work(), &["push", "-q", "origin", "--tags"]);
    let repositories = scene.repositories();
    let short = &second[..9];
    for (revision, commit) in [
        ("", &second),
        ("HEAD", &second),
        ("main", &second),
        ("refs/heads/main", &second),
        (second.as_str(), &second),
        (short, &second),
        ("light", &first),
        ("v1.4.0", &first),
        ("v1.5.0", &first),
        ("~1.4", &first),
        (first.as_str(), &first),
    ] {
        assert_eq!(&resolve(&scene, &repositories, revision).unwrap(), commit, "{revision}");
    }
    let resolved = repositories
        .resolve(&scene.url(), "main", FetchPolicy::Cached, None)
        .unwrap();
    assert_eq!(
        (resolved.author_name.as_str(), resolved.author_email.as_str()),
        ("Ada Author", "author@example.com")
    );
    assert_eq!(resolved.subject, "second");
    assert_eq!(resolved.time.as_seconds(), 1_773_471_600);
    assert_eq!(resolved.reference, Reference::Branch("main".to_owned()));
    assert_eq!(resolved.tree, scene.id("HEAD^{tree}"));
}

#[test]
fn packed_refs_and_packs_are_read_and_pushes_are_seen_while_open() {
    let scene = Scene::new();
    let repositories = scene.repositories();
    let first = resolve(&scene, &repositories, "main").unwrap();
    let tree = repositories.tree(&scene.url(), &first).unwrap();
    git(&scene.bare(), &["gc", "-q", "--prune=now"]);
    assert!(!scene.bare().join("refs/heads/main").exists(), "gc packs refs");
    assert_eq!(resolve(&scene, &repositories, "main").unwrap(), first);
    scene.write("services/a/values.yaml", "tag: 2\n");
    let second = scene.commit("second");
    assert_eq!(resolve(&scene, &repositories, "main").unwrap(), second);
    // The tree that was open before goes on showing its own commit.
    assert_eq!(
        tree.read("services/a/values.yaml").unwrap().unwrap().as_ref(),
        b"tag: 1\n"
    );
    let new = repositories.tree(&scene.url(), &second).unwrap();
    assert_eq!(
        new.read("services/a/values.yaml").unwrap().unwrap().as_ref(),
        b"tag: 2\n"
    );
    assert_ne!(tree.id("services/a").unwrap(), new.id("services/a").unwrap());
    assert_eq!(
        tree.id("services/b").unwrap(),
        new.id("services/b").unwrap(),
        "untouched folders keep their id"
    );
    assert_eq!(new.id("services/b").unwrap().unwrap(), scene.id("HEAD:services/b"));
    git(&scene.bare(), &["repack", "-adq"]);
    assert_eq!(
        new.read("README.md").unwrap().unwrap().as_ref(),
        b"# infra\n",
        "packs may be replaced below it"
    );
}

#[test]
fn the_poller_names_what_moved() {
    let scene = Scene::new();
    let repositories = scene.repositories();
    let mut poller = Poller::new(scene.url());
    assert!(poller.poll(&repositories, None).unwrap().changes.is_empty());
    let before = scene.id("HEAD");
    git(&scene.work(), &["push", "-q", "origin", "HEAD:refs/heads/feature"]);
    let changes = poller.poll(&repositories, None).unwrap().changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].name.as_str(), &changes[0].from, &changes[0].to),
        ("refs/heads/feature", &None, &Some(before.clone()))
    );
    git(&scene.work(), &["push", "-q", "origin", ":feature"]);
    git(&scene.work(), &["commit", "-q", "--amend", "-m", "rewritten"]);
    git(&scene.work(), &["push", "-q", "-f", "origin", "HEAD"]);
    let changes = poller.poll(&repositories, None).unwrap().changes;
    let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["HEAD", "refs/heads/feature", "refs/heads/main"]);
    assert_eq!(changes[1].to, None);
    assert!(poller.poll(&repositories, None).unwrap().changes.is_empty());
    let error = resolve(&scene, &repositories, "feature").unwrap_err();
    assert!(matches!(&error, SourceError::RevisionNotFound { .. }), "{error}");
    // The commit that was pushed away still is there, by its id.
    assert_eq!(resolve(&scene, &repositories, &before).unwrap(), before);
}

#[test]
fn empty_and_unborn_are_errors_and_never_an_empty_tree() {
    let scene = Scene::empty();
    let repositories = scene.repositories();
    for revision in ["", "main", "1.x", "abcdef12"] {
        let error = resolve(&scene, &repositories, revision).unwrap_err();
        assert!(
            matches!(&error, SourceError::EmptyRepository { head, .. } if head == "main"),
            "{revision}: {error}"
        );
    }
    scene.write("a.yaml", "a: 1\n");
    git(&scene.work(), &["checkout", "-q", "-b", "other"]);
    scene.commit("first, but not on main");
    let error = resolve(&scene, &repositories, "HEAD").unwrap_err();
    assert!(
        error.to_string().contains("refs/heads/main, which does not exist"),
        "{error}"
    );
    assert!(resolve(&scene, &repositories, "other").is_ok());
}

#[test]
fn a_lost_or_damaged_object_is_named_and_is_no_absence() {
    let scene = Scene::new();
    let commit = scene.id("HEAD");
    let (blob, tree) = (scene.id("HEAD:services/a/values.yaml"), scene.id("HEAD:services/b"));
    let loose = |id: &str| scene.bare().join("objects").join(&id[..2]).join(&id[2..]);
    // Another object's valid bytes under this one's name: only the hash can tell.
    std::fs::remove_file(loose(&blob)).unwrap();
    std::fs::copy(loose(&scene.id("HEAD:README.md")), loose(&blob)).unwrap();
    std::fs::remove_file(loose(&tree)).unwrap();
    let repositories = scene.repositories();
    let files = repositories.tree(&scene.url(), &commit).unwrap();
    let error = files.read("services/a/values.yaml").unwrap_err();
    assert!(
        error.to_string().contains(&blob) && error.to_string().contains("hashes to"),
        "{error}"
    );
    for error in [
        files.list("services/b").unwrap_err(),
        files.read("services/b/none.yaml").unwrap_err(),
    ] {
        assert!(
            matches!(&error, ReadError::Unavailable { reason, .. } if reason.contains(&tree)),
            "{error}"
        );
    }
    assert_eq!(
        files.read("services/a/none.yaml").unwrap(),
        None,
        "a verified folder proves absence"
    );
    std::fs::write(loose(&commit), b"garbage").unwrap();
    let error = scene.repositories().tree(&scene.url(), &commit).unwrap_err();
    let SourceError::Object {
        id,
        problem: ObjectProblem::Corrupt(_),
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(id, &commit);
}

#[test]
fn alternates_are_followed() {
    let scene = Scene::new();
    git(
        scene.dir.path(),
        &["clone", "-q", "--bare", "--shared", "infra.git", "shared.git"],
    );
    let url = RepoUrl::parse(&scene.dir.path().join("shared.git").display().to_string()).unwrap();
    let repositories = scene.repositories();
    let resolved = repositories.resolve(&url, "main", FetchPolicy::Fetch, None).unwrap();
    let tree = repositories.tree(&url, &resolved.commit).unwrap();
    assert_eq!(tree.read("README.md").unwrap().unwrap().as_ref(), b"# infra\n");
}

/// Links of all sorts and a submodule, below `links/`.
fn scene_with_links() -> Scene {
    let scene = Scene::new();
    let at = |name: &str| scene.work().join("links").join(name);
    scene.write("links/file.yaml", "a: 1\n");
    for (name, target) in [
        ("good", "../services/a/values.yaml"),
        ("folder", "../services"),
        ("out", "../../etc/passwd"),
        ("absolute", "/etc/passwd"),
        ("loop", "loop"),
        ("dangling", "nowhere"),
    ] {
        symlink(target, at(name)).expect("a link");
    }
    let head = scene.id("HEAD");
    git(
        &scene.work(),
        &[
            "update-index",
            "--add",
            "--cacheinfo",
            &format!("160000,{head},links/module"),
        ],
    );
    git(&scene.work(), &["add", "links"]);
    git(
        &scene.work(),
        &[
            "update-index",
            "--add",
            "--cacheinfo",
            &format!("160000,{head},links/module"),
        ],
    );
    git(&scene.work(), &["commit", "-q", "-m", "links"]);
    git(&scene.work(), &["push", "-q", "origin", "HEAD"]);
    scene
}

#[test]
fn links_stay_within_the_tree_and_kinds_are_told() {
    let scene = scene_with_links();
    let repositories = scene.repositories();
    let tree = repositories.tree(&scene.url(), &scene.id("HEAD")).unwrap();
    assert_eq!(tree.read("links/good").unwrap().unwrap().as_ref(), b"tag: 1\n");
    assert_eq!(
        tree.read("links/folder/a/values.yaml").unwrap().unwrap().as_ref(),
        b"tag: 1\n"
    );
    assert_eq!(tree.read("links/dangling").unwrap(), None);
    assert!(matches!(tree.read("links/out"), Err(ReadError::OutOfBounds { .. })));
    assert!(matches!(
        tree.read("links/absolute"),
        Err(ReadError::OutOfBounds { .. })
    ));
    assert!(matches!(tree.read("links/loop"), Err(ReadError::Loop { .. })));
    assert!(matches!(tree.read("links/module/x"), Err(ReadError::Submodule { .. })));
    assert!(matches!(tree.read("links"), Err(ReadError::WrongKind { .. })));
    for bad in ["../x", "/etc/passwd", "a/../../b", ".git/config", "a\0b"] {
        assert!(matches!(tree.read(bad), Err(ReadError::InvalidPath { .. })), "{bad}");
    }
    let listed = tree.list("links").unwrap().unwrap();
    let kind = |name: &str| {
        listed
            .iter()
            .find(|entry| entry.name == name)
            .map(|entry| (entry.kind, entry.size))
    };
    assert_eq!(kind("file.yaml"), Some((EntryKind::File, 5)));
    assert_eq!(kind("out"), Some((EntryKind::Symlink, 0)));
    assert_eq!(kind("module"), Some((EntryKind::Submodule, 0)));
    assert_eq!(tree.list("").unwrap().unwrap().len(), 3);
    assert_eq!(tree.id("").unwrap().unwrap(), tree.root());
}

#[test]
fn what_is_not_allowed_or_not_there_is_told_apart() {
    let scene = Scene::new();
    let closed = Repositories::new(scene.dir.path().join("cache"), Options::default());
    assert!(matches!(
        resolve(&scene, &closed, "main"),
        Err(SourceError::Forbidden { .. })
    ));
    let under = |path: &str| Options {
        local: LocalRepositories::Under(vec![scene.dir.path().join(path)]),
        ..Options::default()
    };
    let below = Repositories::new(scene.dir.path().join("cache"), under("infra.git"));
    assert!(resolve(&scene, &below, "main").is_ok());
    let beside = Repositories::new(scene.dir.path().join("cache"), under("work"));
    assert!(matches!(
        resolve(&scene, &beside, "main"),
        Err(SourceError::Forbidden { .. })
    ));
    let open = Repositories::new(scene.dir.path().join("cache"), anywhere());
    for missing in ["none.git", "cache-less/none.git"] {
        let url = RepoUrl::parse(&scene.dir.path().join(missing).display().to_string()).unwrap();
        let error = open.resolve(&url, "main", FetchPolicy::Fetch, None).unwrap_err();
        assert!(matches!(error, SourceError::NotFound { .. }), "{error}");
    }
    // A folder that is no repository.
    let url = RepoUrl::parse(&scene.work().join("services").display().to_string()).unwrap();
    assert!(matches!(
        open.resolve(&url, "main", FetchPolicy::Fetch, None),
        Err(SourceError::NotFound { .. })
    ));
    for (revision, hint) in [
        ("Main", "main"),
        ("nope", "none of the 1 branches"),
        ("0123456789", "commit"),
    ] {
        let error = resolve(&scene, &open, revision).unwrap_err();
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!error.is_transient());
    }
}

#[test]
fn another_repository_in_the_same_place_is_noticed() {
    let scene = Scene::new();
    let repositories = scene.repositories();
    let first = resolve(&scene, &repositories, "main").unwrap();
    let other = Scene::new();
    other.write("other.yaml", "a: 1\n");
    let second = other.commit("elsewhere");
    std::fs::rename(scene.bare(), scene.dir.path().join("old.git")).unwrap();
    std::fs::rename(other.bare(), scene.bare()).unwrap();
    assert_ne!(first, second);
    assert_eq!(resolve(&scene, &repositories, "main").unwrap(), second);
}
