//! Does a commit follow another one? As `git merge-base --is-ancestor` says.

mod support;

use capstan_source::{Ancestry, FetchPolicy};
use support::{Scene, git};

#[test]
fn what_follows_and_what_was_moved_elsewhere() {
    let scene = Scene::new();
    let first = scene.id("HEAD");
    let second = scene.commit("second");
    git(&scene.work(), &["checkout", "-q", "-b", "side", &first]);
    let side = scene.commit("on another branch");
    git(&scene.work(), &["checkout", "-q", "main"]);
    git(&scene.work(), &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let merge = scene.commit("after the merge");
    let repositories = scene.repositories();
    let follows = |from: &str, to: &str| repositories.ancestry(&scene.url(), from, to).unwrap();
    for (from, to) in [
        (&first, &first),
        (&first, &second),
        (&first, &merge),
        (&side, &merge),
        (&second, &merge),
    ] {
        assert_eq!(follows(from, to), Ancestry::Follows, "{from} {to}");
    }
    for (from, to) in [(&second, &first), (&side, &second), (&second, &side), (&merge, &second)] {
        assert_eq!(follows(from, to), Ancestry::Diverged, "{from} {to}");
    }
    let unknown = "0123456789012345678901234567890123456789";
    assert_eq!(
        follows(unknown, &merge),
        Ancestry::Diverged,
        "what is not there is no ancestor"
    );
    assert!(matches!(follows("main", &merge), Ancestry::Unknown(_)));
}

#[test]
fn a_forced_push_diverges() {
    let scene = Scene::new();
    let first = scene.id("HEAD");
    let old = scene.commit("to be forgotten");
    let repositories = scene.repositories();
    let resolve = || {
        let resolved = repositories.resolve(&scene.url(), "main", FetchPolicy::Fetch, None);
        resolved.unwrap().commit
    };
    assert_eq!(resolve(), old);
    git(&scene.work(), &["reset", "-q", "--hard", &first]);
    scene.write("README.md", "# another story\n");
    let new = scene.commit("instead");
    assert_eq!(resolve(), new);
    let ancestry = |from: &str| repositories.ancestry(&scene.url(), from, &new).unwrap();
    assert_eq!(
        (ancestry(&old), ancestry(&first)),
        (Ancestry::Diverged, Ancestry::Follows)
    );
}

#[test]
fn a_shallow_clone_does_not_know() {
    let scene = Scene::new();
    let first = scene.id("HEAD");
    let second = scene.commit("second");
    let url = format!("file://{}", scene.bare().display());
    git(
        scene.dir.path(),
        &["clone", "-q", "--bare", "--depth", "1", &url, "shallow.git"],
    );
    let shallow = scene.dir.path().join("shallow.git");
    let shallow = capstan_source::RepoUrl::parse(&format!("file://{}", shallow.display())).unwrap();
    let ancestry = scene.repositories().ancestry(&shallow, &first, &second).unwrap();
    assert!(matches!(ancestry, Ancestry::Unknown(why) if why.contains("shallow")));
}
