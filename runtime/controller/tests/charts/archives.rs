//! Archives that are no charts.

use super::*;

/// An index with one chart `web:1.0.0` that is these bytes.
fn site_of(bytes: Vec<u8>) -> Site {
    let digest = Digest::of(&bytes);
    let index =
        format!("apiVersion: v1\nentries: {{web: [{{name: web, version: 1.0.0, urls: [w.tgz], digest: {digest}}}]}}");
    Site::start(move |request| match request.path.as_str() {
        "/index.yaml" => Reply::ok(index.clone()),
        _ => Reply::ok(bytes.clone()),
    })
}

/// A packed chart with these files, by the real tar.
fn packed(dir: &Path, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let folder = tempfile::tempdir_in(dir).unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let output = std::process::Command::new("tar")
        .current_dir(folder.path())
        .args(["czf", "-", "web"])
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_are_none_or_too_much_fail_the_application_only() {
    let dir = tempfile::tempdir().unwrap();
    let metadata = || {
        (
            "web/Chart.yaml",
            b"apiVersion: v2\nname: web\nversion: 1.0.0\n".to_vec(),
        )
    };
    let bomb = packed(dir.path(), &[metadata(), ("web/zeroes", vec![0; 64 << 20])]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    for (bytes, says) in [
        (bomb, "limit"),
        (b"no gzip".to_vec(), "gzip"),
        (Vec::new(), "w"),
        (
            packed(dir.path(), &[("web/values.yaml", b"a: 1".to_vec())]),
            "Chart.yaml",
        ),
        (
            packed(
                dir.path(),
                &[
                    metadata(),
                    ("web/templates/a.yaml", b"{{ fail \"on purpose\" }}".to_vec()),
                ],
            ),
            "on purpose",
        ),
    ] {
        let (fresh, site) = (tempfile::tempdir().unwrap(), site_of(bytes));
        let sources = sources(fresh.path());
        let error = render(&sources, &chart_source(&site.url(""), "web", "1.0.0"), &any())
            .await
            .unwrap_err();
        assert!(
            !error.transient && error.message.contains(says),
            "{says}: {}",
            error.message
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_asked_again() {
    let site = site_of(b"x".to_vec());
    site.behave(|_| Reply::Hang);
    let fresh = tempfile::tempdir().unwrap();
    let error = render(
        &sources(fresh.path()),
        &chart_source(&site.url(""), "web", "1.0.0"),
        &any(),
    )
    .await
    .unwrap_err();
    assert!(error.transient, "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_does_not_hold_up_another() {
    let (hanging, answering) = (site_of(b"x".to_vec()), site_of(b"x".to_vec()));
    hanging.behave(|_| Reply::Hang);
    let dir = tempfile::tempdir().unwrap();
    let sources = Arc::new(sources(dir.path()));
    let stuck: Vec<_> = (0..40)
        .map(|number| {
            let sources = sources.clone();
            let source = chart_source(&hanging.url(&format!("/{number}")), "web", "1.0.0");
            tokio::spawn(async move { sources.resolve(&source, Freshness::Remote).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let source = chart_source(&answering.url(""), "web", "1.0.0");
    let answer = tokio::time::timeout(Duration::from_secs(1), sources.resolve(&source, Freshness::Remote)).await;
    assert!(answer.unwrap().is_ok());
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
}
