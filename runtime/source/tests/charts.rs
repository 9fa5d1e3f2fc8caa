//! Helm repositories: what the real Helm packed and indexed, behind a web server, and servers that misbehave.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use capstan_source::{
    Access, Chart, ChartRepository, ChartVersion, Charts, Digest, FetchLimits, FetchPolicy, Login, SourceError,
    Unreachable,
};
use support::helm::Helm;
use support::site::{Reply, Site};

/// `ada:hunter2`.
const AUTHORIZATION: &str = "Basic YWRhOmh1bnRlcjI=";
const SECRET: [&str; 2] = ["hunter2", "YWRhOmh1bnRlcjI="];

fn ada() -> Access {
    Access {
        login: Login::Basic {
            user: "ada".into(),
            password: "hunter2".into(),
        },
        ..Access::default()
    }
}

fn chart(url: &str, name: &str, access: Access) -> Chart {
    Chart {
        repository: ChartRepository::parse(url).expect("a valid URL"),
        name: name.to_owned(),
        access,
    }
}

/// Asks the server every time.
fn charts(dir: &Path) -> Charts {
    let limits = FetchLimits {
        index_lifetime: Duration::ZERO,
        ..FetchLimits::default()
    };
    Charts::new(dir.join("cache"), limits)
}

/// Short limits, so that a stalled server ends within the test.
fn hurried(dir: &Path) -> Charts {
    let limits = FetchLimits {
        connect: Duration::from_millis(500),
        idle: Duration::from_millis(500),
        exchange: Duration::from_millis(900),
        index_bytes: 256 << 10,
        archive_bytes: 64 << 10,
        index_lifetime: Duration::ZERO,
        ..FetchLimits::default()
    };
    Charts::new(dir.join("cache"), limits)
}

fn resolve(charts: &Charts, chart: &Chart, wanted: &str) -> Result<ChartVersion, SourceError> {
    charts.resolve(chart, wanted, FetchPolicy::Fetch)
}

#[test]
fn what_helm_packed_and_indexed_is_resolved_and_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let Some(helm) = Helm::new(dir.path()) else { return };
    for version in ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "1.10.1+build.7"] {
        helm.pack(dir.path(), "web", version, "deprecated: false\n");
    }
    helm.pack(dir.path(), "old", "0.1.0", "deprecated: true\n");
    let repository = helm.index(dir.path(), &[]);
    let site = Site::of_files(&repository, AUTHORIZATION);
    let (charts, web) = (charts(dir.path()), chart(&site.url(""), "web", ada()));
    for (wanted, version) in [
        ("", "1.10.1+build.7"),
        ("*", "1.10.1+build.7"),
        ("1.10.0", "1.10.0"),
        ("~1.2", "1.2.0"),
        ("<1.2", "1.0.0"),
        (">=2.0.0-0", "2.0.0-rc.1"),
    ] {
        let found = resolve(&charts, &web, wanted).unwrap();
        assert_eq!(found.version, version, "{wanted}");
        let packed = std::fs::read(repository.join(format!("web-{version}.tgz"))).unwrap();
        assert_eq!(found.digest, Digest::of(&packed));
        assert!(found.created.is_some());
        assert_eq!(ChartVersion::parse(&found.to_string()).unwrap().digest, found.digest);
        let archive = charts.fetch(&web, &found).unwrap();
        assert_eq!(*archive.bytes, packed);
    }
    // Helm pulls the same, by the same index.
    let url = site.url("");
    let pull = [
        "pull",
        "web",
        "--repo",
        &url,
        "--version",
        "~1.2",
        "--username",
        "ada",
        "--password",
        "hunter2",
    ];
    helm.run(dir.path(), &pull);
    let pulled = std::fs::read(dir.path().join("web-1.2.0.tgz")).unwrap();
    let found = resolve(&charts, &web, "~1.2").unwrap();
    assert_eq!(*charts.fetch(&web, &found).unwrap().bytes, pulled);
    let old = resolve(&charts, &chart(&url, "old", ada()), "").unwrap();
    assert_eq!(old.note.as_deref(), Some("version 0.1.0 of chart old is deprecated"));
}

#[test]
fn an_index_is_asked_for_conditionally_and_charts_come_once() {
    let dir = tempfile::tempdir().unwrap();
    let Some(helm) = Helm::new(dir.path()) else { return };
    helm.pack(dir.path(), "web", "1.0.0", "");
    let repository = helm.index(dir.path(), &[]);
    let site = Site::of_files(&repository, "");
    let (charts, web) = (charts(dir.path()), chart(&site.url(""), "web", Access::default()));
    let first = resolve(&charts, &web, "1.x").unwrap();
    charts.fetch(&web, &first).unwrap();
    resolve(&charts, &web, "1.x").unwrap();
    charts.resolve(&web, "1.x", FetchPolicy::Cached).unwrap();
    charts.fetch(&web, &first).unwrap();
    let conditional: Vec<bool> = site
        .requests()
        .iter()
        .filter(|request| request.path == "/index.yaml")
        .map(|request| !request.header("if-none-match").is_empty())
        .collect();
    assert_eq!(
        conditional,
        [false, true],
        "what is known is not asked for, and else only for news"
    );
    assert_eq!(site.asked_for("/web-1.0.0.tgz"), 1);
    // Another process, the same folder.
    let again = crate::charts(dir.path());
    again.fetch(&web, &first).unwrap();
    assert_eq!(site.asked_for("/web-1.0.0.tgz"), 1);
    // What is corrupt is fetched anew.
    let hex = first.digest.hex();
    let blob = dir.path().join("cache").join(&hex[..2]).join(hex);
    std::fs::write(&blob, b"corrupt").unwrap();
    let archive = again.fetch(&web, &first).unwrap();
    assert_eq!(*archive.bytes, std::fs::read(repository.join("web-1.0.0.tgz")).unwrap());
    assert_eq!(site.asked_for("/web-1.0.0.tgz"), 2);
    helm.pack(dir.path(), "web", "1.1.0", "");
    helm.index(dir.path(), &[]);
    assert_eq!(resolve(&charts, &web, "1.x").unwrap().version, "1.1.0");
}

#[test]
fn many_who_ask_at_once_ask_once() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = b"packed".to_vec();
    let digest = Digest::of(&bytes);
    let index = format!(
        "apiVersion: v1\nentries:\n  web:\n  - {{name: web, version: 1.0.0, urls: [w.tgz], digest: {digest}}}\n"
    );
    let site = Site::start(move |request| {
        std::thread::sleep(Duration::from_millis(300));
        match request.path.as_str() {
            "/index.yaml" => Reply::ok(index.clone()),
            "/w.tgz" => Reply::ok(bytes.clone()),
            _ => Reply::status(404),
        }
    });
    let charts = Arc::new(charts(dir.path()));
    let web = chart(&site.url(""), "web", Access::default());
    let threads: Vec<_> = (0..12)
        .map(|_| {
            let (charts, web) = (Arc::clone(&charts), web.clone());
            std::thread::spawn(move || {
                let version = charts.resolve(&web, "1.x", FetchPolicy::Cached).unwrap();
                charts.fetch(&web, &version).unwrap().digest
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), digest);
    }
    assert_eq!((site.asked_for("/index.yaml"), site.asked_for("/w.tgz")), (1, 1));
}

/// An index whose only chart is at `url`, with the digest of `bytes`.
fn index_of(url: &str, bytes: &[u8]) -> String {
    let digest = Digest::of(bytes);
    format!(
        "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0.0\n    urls: [{url:?}]\n    digest: {digest}\n"
    )
}

#[test]
fn credentials_go_to_their_origin_only() {
    let dir = tempfile::tempdir().unwrap();
    let other = Site::start(|_| Reply::ok(b"packed".as_slice()));
    let elsewhere = other.url("/w.tgz");
    let absolute = index_of(&elsewhere, b"packed");
    let site = Site::start(move |request| match request.path.as_str() {
        "/charts/index.yaml" => Reply::ok(absolute.clone()),
        _ => Reply::status(404),
    });
    let web = chart(&site.url("/charts/"), "web", ada());
    let version = resolve(&charts(dir.path()), &web, "1.0.0").unwrap();
    charts(dir.path()).fetch(&web, &version).unwrap();
    assert_eq!(site.requests()[0].header("authorization"), AUTHORIZATION);
    assert_eq!(
        other.requests().last().unwrap().header("authorization"),
        "",
        "another port is another origin"
    );
    // Unless a person says so.
    let generous = Chart {
        access: Access {
            pass_credentials: true,
            ..ada()
        },
        ..web.clone()
    };
    let fresh = tempfile::tempdir().unwrap();
    let fetcher = charts(fresh.path());
    let version = resolve(&fetcher, &generous, "1.0.0").unwrap();
    fetcher.fetch(&generous, &version).unwrap();
    assert_eq!(other.requests().last().unwrap().header("authorization"), AUTHORIZATION);
    // Nor are they sent after a redirect, not even back.
    let before = other.requests().len();
    let (away, home) = (other.url("/back"), site.url("/charts/real.yaml"));
    other.behave(move |_| Reply::redirect(home.clone()));
    let relative = index_of("w.tgz", b"packed");
    site.behave(move |request| match request.path.as_str() {
        "/charts/index.yaml" => Reply::redirect(away.clone()),
        "/charts/real.yaml" => Reply::ok(relative.clone()),
        _ => Reply::status(404),
    });
    resolve(&charts(fresh.path()), &web, "1.0.0").unwrap();
    assert_eq!(other.requests()[before].header("authorization"), "");
    let last = site.requests().pop().unwrap();
    assert_eq!(
        (last.path.as_str(), last.header("authorization")),
        ("/charts/real.yaml", "")
    );
}

#[test]
fn bearer_tokens_and_clear_text() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::start(|_| Reply::ok(index_of("w.tgz", b"packed")));
    let token = Access {
        login: Login::Bearer("t0ken".into()),
        ..Access::default()
    };
    resolve(&charts(dir.path()), &chart(&site.url(""), "web", token), "").unwrap();
    assert_eq!(site.requests()[0].header("authorization"), "Bearer t0ken");
    let clear = chart("http://charts.example.com", "web", ada());
    let error = resolve(&charts(dir.path()), &clear, "").unwrap_err();
    assert!(error.to_string().contains("clear text"), "{error}");
    let odd = Access {
        login: Login::Bearer("a\nb".into()),
        ..Access::default()
    };
    let error = resolve(&charts(dir.path()), &chart(&site.url(""), "web", odd), "").unwrap_err();
    assert!(matches!(error, SourceError::Protocol { .. }), "{error}");
}

/// What a server does, the name and a part of the error, and whether it may go away.
type Case = (Reply, &'static str, &'static str, bool);

/// `index` is where the index is.
fn misbehaviours(index: &str) -> Vec<Case> {
    let far = "http://169.254.169.254/latest/meta-data";
    vec![
        (Reply::Hang, "Timeout", "did not answer", true),
        (
            Reply::Drip(Duration::from_millis(50)),
            "Timeout",
            "did not answer",
            true,
        ),
        (Reply::Endless, "Limit", "bytes of the index exceeds the limit", false),
        (Reply::redirect(index), "Protocol", "circle", false),
        (Reply::redirect(far), "Protocol", "link-local", false),
        (Reply::redirect("file:///etc/passwd"), "Protocol", "scheme", false),
        (Reply::status(302), "Protocol", "where to", false),
    ]
}

/// What a server answers, in order but of no use.
fn answers() -> Vec<Case> {
    vec![
        (Reply::status(401), "Unauthorized", "HTTP 401", false),
        (Reply::status(403), "Forbidden", "HTTP 403", false),
        (
            Reply::status(404),
            "ChartRepositoryNotFound",
            "index.yaml lies directly below",
            false,
        ),
        (Reply::status(418), "Protocol", "HTTP 418", false),
        (Reply::status(429), "Unreachable", "HTTP 429", true),
        (Reply::status(500), "Unreachable", "HTTP 500", true),
        (Reply::status(304), "Protocol", "HTTP 304", false),
        (
            Reply::CutOff(b"apiVersion: v1\n".to_vec(), 10),
            "Unreachable",
            "broke",
            true,
        ),
        (Reply::ok("<html>"), "InvalidIndex", "not a mapping", false),
        (
            Reply::ok("apiVersion: v1\nentries: {web: 7}"),
            "InvalidIndex",
            "\"web\"",
            false,
        ),
        (
            Reply::ok("apiVersion: v1\nentries: {wab: []}"),
            "ChartNotFound",
            "none of its 1 charts",
            false,
        ),
        (
            Reply::ok("apiVersion: v1\nentries: {web: null}"),
            "ChartVersionNotFound",
            "no version at all",
            false,
        ),
        (
            Reply::ok(format!("apiVersion: v1\nentries: {}", "[".repeat(5000))),
            "InvalidIndex",
            "nesting",
            false,
        ),
    ]
}

#[test]
fn misbehaviour_has_distinct_messages_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let charts = hurried(dir.path());
    let site = Site::start(|_| Reply::Hang);
    let web = chart(&site.url(""), "web", ada());
    for (reply, name, says, transient) in [misbehaviours(&site.url("/index.yaml")), answers()].concat() {
        let shown = format!("{reply:?}").chars().take(60).collect::<String>();
        site.behave(move |_| reply.clone());
        let start = Instant::now();
        let error = resolve(&charts, &web, "").unwrap_err();
        let text = error.to_string();
        assert_eq!(
            (error.name(), error.is_transient()),
            (name, transient),
            "{shown}: {text}"
        );
        assert!(text.contains(says), "{shown}: {text}");
        assert!(text.contains("127.0.0.1"), "{shown}: {text}");
        assert!(!SECRET.iter().any(|secret| text.contains(secret)), "{text}");
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{shown}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn nobody_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let charts = hurried(dir.path());
    let _provider = Site::start(|_| Reply::Hang);
    let closed = chart("http://127.0.0.1:9", "web", Access::default());
    let error = resolve(&charts, &closed, "").unwrap_err();
    assert!(
        matches!(
            error,
            SourceError::Unreachable {
                cause: Unreachable::Connect,
                ..
            }
        ),
        "{error}"
    );
    let nowhere = chart("http://nowhere.invalid", "web", Access::default());
    let error = resolve(&charts, &nowhere, "").unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[test]
fn a_chart_that_is_not_what_the_index_says_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let charts = hurried(dir.path());
    let site = Site::start(|_| Reply::Hang);
    let web = chart(&site.url(""), "web", Access::default());
    let cases: Vec<(Reply, &str, bool)> = vec![
        (Reply::ok("other"), "DigestMismatch", false),
        (Reply::ok(""), "DigestMismatch", false),
        (Reply::CutOff(b"pack".to_vec(), 2), "Unreachable", true),
        (Reply::Endless, "Limit", false),
        (Reply::Hang, "Timeout", true),
        (Reply::status(404), "ChartRepositoryNotFound", false),
        (Reply::status(503), "Unreachable", true),
        (Reply::ok("packed"), "", false),
    ];
    for (reply, name, transient) in cases {
        let shown = format!("{reply:?}").chars().take(60).collect::<String>();
        site.behave(move |request| match request.path.as_str() {
            "/index.yaml" => Reply::ok(index_of("w.tgz", b"packed")),
            _ => reply.clone(),
        });
        let version = resolve(&charts, &web, "1.0.0").unwrap();
        match charts.fetch(&web, &version) {
            Ok(archive) => assert_eq!((&*archive.bytes, name), (b"packed".as_slice(), "")),
            Err(error) => assert_eq!(
                (error.name(), error.is_transient()),
                (name, transient),
                "{shown}: {error}"
            ),
        }
    }
}

#[test]
fn a_version_that_is_published_again_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::start(|request| match request.path.as_str() {
        "/index.yaml" => Reply::ok(index_of("w.tgz", b"first")),
        _ => Reply::ok("first"),
    });
    let web = chart(&site.url(""), "web", Access::default());
    let kept = charts(dir.path());
    let first = resolve(&kept, &web, "1.0.0").unwrap();
    kept.fetch(&web, &first).unwrap();
    site.behave(|request| match request.path.as_str() {
        "/index.yaml" => Reply::ok(index_of("w.tgz", b"second")),
        _ => Reply::ok("second"),
    });
    assert_eq!(*kept.fetch(&web, &first).unwrap().bytes, *b"first", "from the cache");
    let second = resolve(&kept, &web, "1.0.0").unwrap();
    assert_ne!(first, second);
    assert_eq!(*kept.fetch(&web, &second).unwrap().bytes, *b"second");
    let fresh = tempfile::tempdir().unwrap();
    let error = charts(fresh.path()).fetch(&web, &first).unwrap_err();
    assert!(error.to_string().contains("published again"), "{error}");
    // Without digests in the index: what comes first is what it is.
    site.behave(|request| match request.path.as_str() {
        "/index.yaml" => Reply::ok("apiVersion: v1\nentries: {web: [{name: web, version: 1.0.0, urls: [w.tgz]}]}"),
        _ => Reply::ok("third"),
    });
    let third = resolve(&kept, &web, "1.0.0").unwrap();
    assert_eq!(third.digest, Digest::of(b"third"));
    let error = kept.fetch(&web, &first.clone()).map(|archive| archive.bytes.len());
    assert_eq!(error, Ok(5), "still in the cache");
    let error = charts(fresh.path()).fetch(&web, &first).unwrap_err();
    assert_eq!(error.name(), "DigestMismatch", "{error}");
}

#[test]
fn odd_urls_of_an_index_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let charts = hurried(dir.path());
    let site = Site::start(|_| Reply::Hang);
    let web = chart(&site.url("/a/b"), "web", Access::default());
    for (url, says) in [
        ("file:///etc/passwd", "scheme"),
        ("http://169.254.169.254/x", "link-local"),
        ("http://[::ffff:a9fe:a9fe]/x", "link-local"),
        ("http://user:hunter2@127.0.0.1/x", "user or password"),
        ("http://0xa9fea9fe/x", "link-local"),
        ("", "names no URL"),
        ("oci://127.0.0.1", "without artifact or tag"),
        ("oci://169.254.169.254/a:1", "link-local"),
    ] {
        let index = index_of(url, b"packed");
        site.behave(move |_| Reply::ok(index.clone()));
        let version = resolve(&charts, &web, "").unwrap();
        let error = charts.fetch(&web, &version).unwrap_err();
        assert!(error.to_string().contains(says), "{url}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    // Relative ones stay below the repository unless they climb on purpose; the query of a signed URL is used and not shown.
    for (url, path) in [
        ("w.tgz", "/a/b/w.tgz"),
        ("../w.tgz", "/a/w.tgz"),
        ("/w.tgz?sig=hunter2", "/w.tgz?sig=hunter2"),
    ] {
        let index = index_of(url, url.as_bytes());
        site.behave(move |request| match request.path.ends_with("index.yaml") {
            true => Reply::ok(index.clone()),
            false => Reply::status(403),
        });
        let version = resolve(&charts, &web, "").unwrap();
        let error = charts.fetch(&web, &version).unwrap_err();
        assert_eq!(site.requests().pop().unwrap().path, path);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
