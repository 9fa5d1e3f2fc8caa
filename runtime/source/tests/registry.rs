//! Charts in registries: pushed by the real Helm to a real registry, and registries that misbehave.

mod support;

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use capstan_source::{
    Access, Chart, ChartRepository, ChartVersion, Charts, Digest, FetchLimits, FetchPolicy, Login, SourceError,
};
use support::helm::Helm;
use support::registry::Registry;
use support::site::{Reply, Request, Site};

/// `ada:hunter2`.
const AUTHORIZATION: &str = "Basic YWRhOmh1bnRlcjI=";

fn login(user: &str, password: &str) -> Access {
    Access {
        login: Login::Basic {
            user: user.into(),
            password: password.into(),
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

fn charts(dir: &Path) -> Charts {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let limits = FetchLimits {
        idle: Duration::from_secs(5),
        exchange: Duration::from_secs(5),
        archive_bytes: 64 << 10,
        registry_bytes: 16 << 10,
        tags: 2000,
        ..FetchLimits::default()
    };
    Charts::new(dir.join("cache"), limits)
}

fn resolve(charts: &Charts, chart: &Chart, wanted: &str) -> Result<ChartVersion, SourceError> {
    charts.resolve(chart, wanted, FetchPolicy::Fetch)
}

/// Packs versions of `web` and pushes them below `charts`.
fn push(helm: &Helm, dir: &Path, registry: &Registry, versions: &[&str]) {
    for version in versions {
        let packed = helm.pack(dir, "web", version, "").display().to_string();
        helm.run(dir, &["push", &packed, &registry.url("charts"), "--plain-http"]);
    }
}

#[test]
fn what_helm_pushed_is_resolved_and_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(helm), Some(registry)) = (Helm::new(dir.path()), Registry::start(None, false)) else {
        return;
    };
    push(
        &helm,
        dir.path(),
        &registry,
        &["1.0.0", "1.2.0", "1.10.0", "1.10.1+build.7", "2.0.0-rc.1"],
    );
    let charts = charts(dir.path());
    let web = chart(&registry.url("charts"), "web", Access::default());
    for (wanted, version) in [
        ("", "1.10.1+build.7"),
        ("~1.2", "1.2.0"),
        ("1.10.0", "1.10.0"),
        ("1.10.1+build.7", "1.10.1+build.7"),
        (">=2.0.0-0", "2.0.0-rc.1"),
    ] {
        let found = resolve(&charts, &web, wanted).unwrap();
        assert_eq!(found.version, version, "{wanted}");
        let packed = std::fs::read(dir.path().join(format!("repository/web-{version}.tgz"))).unwrap();
        assert_eq!(*charts.fetch(&web, &found).unwrap().bytes, packed);
        // By its digest, and when the URL names the chart itself.
        let whole = chart(&registry.url("charts/web"), "", Access::default());
        let by_digest = resolve(&charts, &whole, &found.digest.to_string()).unwrap();
        assert_eq!(*charts.fetch(&whole, &by_digest).unwrap().bytes, packed);
        // As the real Helm pulls it.
        let target = dir.path().join("pulled");
        std::fs::create_dir_all(&target).unwrap();
        let url = registry.url("charts/web");
        helm.run(&target, &["pull", &url, "--version", version, "--plain-http"]);
        assert_eq!(
            std::fs::read(target.join(format!("web-{version}.tgz"))).unwrap(),
            packed
        );
    }
}

#[test]
fn what_was_not_pushed_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(helm), Some(registry)) = (Helm::new(dir.path()), Registry::start(None, false)) else {
        return;
    };
    push(&helm, dir.path(), &registry, &["1.10.1+build.7", "2.0.0-rc.1"]);
    let charts = charts(dir.path());
    let web = chart(&registry.url("charts"), "web", Access::default());
    let error = resolve(&charts, &web, "^7").unwrap_err();
    assert!(
        error.to_string().contains("the newest are 2.0.0-rc.1, 1.10.1+build.7"),
        "{error}"
    );
    let error = resolve(&charts, &web, "9.9.9").unwrap_err();
    assert_eq!(error.name(), "ChartVersionNotFound", "{error}");
    let error = resolve(
        &charts,
        &chart(&registry.url("charts"), "wab", Access::default()),
        "1.x",
    )
    .unwrap_err();
    assert_eq!(
        (error.name(), error.is_transient()),
        ("ChartNotFound", false),
        "{error}"
    );
    for odd in ["a b", "../../x", "1.0.0/../../y", "ü"] {
        let error = resolve(&charts, &web, odd).unwrap_err();
        assert_eq!(error.name(), "ChartVersionNotFound", "{error}");
    }
}

#[test]
fn a_version_that_was_pushed_again_is_another_and_the_old_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(helm), Some(registry)) = (Helm::new(dir.path()), Registry::start(None, false)) else {
        return;
    };
    push(&helm, dir.path(), &registry, &["1.0.0"]);
    let web = chart(&registry.url("charts"), "web", Access::default());
    let first = resolve(&charts(dir.path()), &web, "1.0.0").unwrap();
    let source = dir.path().join("src/web-1.0.0/web/templates/more.yaml");
    std::fs::write(source, "# more\n").unwrap();
    let (chart_dir, target) = (dir.path().join("src/web-1.0.0/web"), dir.path().join("repository"));
    let arguments = [
        "package",
        &chart_dir.display().to_string(),
        "-d",
        &target.display().to_string(),
    ];
    let before = std::fs::read(target.join("web-1.0.0.tgz")).unwrap();
    helm.run(dir.path(), &arguments);
    let packed = target.join("web-1.0.0.tgz");
    helm.run(
        dir.path(),
        &[
            "push",
            &packed.display().to_string(),
            &registry.url("charts"),
            "--plain-http",
        ],
    );
    let second = resolve(&charts(dir.path()), &web, "1.0.0").unwrap();
    assert_ne!(first.digest, second.digest);
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(
        *charts(fresh.path()).fetch(&web, &first).unwrap().bytes,
        before,
        "registries keep what a digest names"
    );
    assert_eq!(
        *charts(fresh.path()).fetch(&web, &second).unwrap().bytes,
        std::fs::read(packed).unwrap()
    );
}

#[test]
fn credentials_as_basic_and_by_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let Some(helm) = Helm::new(dir.path()) else { return };
    for tokens in [false, true] {
        let Some(registry) = Registry::start(Some(("ada", "hunter2")), tokens) else {
            return;
        };
        let packed = helm.pack(dir.path(), "web", "1.0.0", "").display().to_string();
        let (url, ada) = (
            registry.url("charts"),
            ["--username", "ada", "--password", "hunter2", "--plain-http"],
        );
        helm.run(
            dir.path(),
            &[&["push", packed.as_str(), url.as_str()], &ada[..]].concat(),
        );
        let right = chart(&url, "web", login("ada", "hunter2"));
        let fetcher = charts(&dir.path().join(tokens.to_string()));
        for wanted in ["1.x", "1.0.0"] {
            let found = resolve(&fetcher, &right, wanted).unwrap();
            assert_eq!(
                *fetcher.fetch(&right, &found).unwrap().bytes,
                std::fs::read(&packed).unwrap()
            );
        }
        for wrong in [Access::default(), login("ada", "wrong-passw0rd")] {
            let fetcher = charts(&dir.path().join(format!("{tokens}-wrong")));
            let error = resolve(&fetcher, &chart(&url, "web", wrong), "1.x").unwrap_err();
            assert_eq!((error.name(), error.is_transient()), ("Unauthorized", false), "{error}");
            assert!(!error.to_string().contains("wrong-passw0rd"), "{error}");
        }
    }
}

const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const HELM_CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

fn manifest(config: &str, layer: &str, bytes: &[u8]) -> String {
    let (digest, size) = (Digest::of(bytes), bytes.len());
    let nothing = Digest::of(b"{}");
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"{config}","digest":"{nothing}","size":2}},"layers":[{{"mediaType":"application/vnd.cncf.helm.chart.provenance.v1.prov","digest":"{nothing}","size":2}},{{"mediaType":"{layer}","digest":"{digest}","size":{size}}}]}}"#
    )
}

/// A registry with one chart `web:1.0.0` whose layer is `packed`; `blob` answers for it.
fn small(manifest: String, blob: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Site {
    Site::start(move |request| {
        let path = request.path.split('?').next().unwrap_or_default();
        match path.strip_prefix("/v2/web/") {
            Some("tags/list") => Reply::ok(r#"{"name":"web","tags":["1.0.0","latest","1.0.0_b"]}"#),
            Some(path) if path.starts_with("manifests/") => {
                Reply::ok(manifest.clone()).with("Docker-Content-Digest", Digest::of(manifest.as_bytes()).to_string())
            }
            Some(path) if path.starts_with("blobs/") => blob(request),
            _ => Reply::status(404),
        }
    })
}

fn web(site: &Site, access: Access) -> Chart {
    chart(&format!("oci://{}", site.address), "web", access)
}

#[test]
fn media_types_old_and_foreign() {
    let dir = tempfile::tempdir().unwrap();
    for (config, layer, says) in [
        (HELM_CONFIG, HELM_CHART, ""),
        (HELM_CONFIG, "application/tar+gzip", ""),
        (HELM_CONFIG, "application/octet-stream", "no layer of type"),
        (
            "application/vnd.oci.image.config.v1+json",
            HELM_CHART,
            "not a Helm chart",
        ),
    ] {
        let site = small(manifest(config, layer, b"packed"), |_| Reply::ok("packed"));
        let (charts, web) = (charts(dir.path()), web(&site, Access::default()));
        let version = resolve(&charts, &web, "1.0.0").unwrap();
        match charts.fetch(&web, &version) {
            Ok(archive) => assert_eq!((&*archive.bytes, says), (b"packed".as_slice(), "")),
            Err(error) => assert!(error.name() == "NoChart" && error.to_string().contains(says), "{error}"),
        }
    }
    for (body, says) in [
        (r#"{"schemaVersion":2,"manifests":[{}]}"#, "several images"),
        ("{", "cannot be read"),
        ("[]", "config is not named"),
        ("{}", "not a Helm chart"),
    ] {
        let site = small(body.to_owned(), |_| Reply::status(404));
        let (charts, web) = (charts(dir.path()), web(&site, Access::default()));
        let version = resolve(&charts, &web, "latest").unwrap();
        let error = charts.fetch(&web, &version).unwrap_err();
        assert!(error.name() == "NoChart" && error.to_string().contains(says), "{error}");
    }
}

#[test]
fn blobs_elsewhere_see_no_credentials_and_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Site::start(|_| Reply::ok("packed"));
    let there = storage.url("/bucket?signature=hunter2");
    let site = small(manifest(HELM_CONFIG, HELM_CHART, b"packed"), |_| Reply::status(500));
    let open = manifest(HELM_CONFIG, HELM_CHART, b"packed");
    let inner = small(open.clone(), move |_| Reply::redirect(there.clone()));
    let address = inner.address;
    site.behave(move |request| match request.header("authorization") == AUTHORIZATION {
        false => Reply::status(401).with("WWW-Authenticate", "Basic realm=\"r\""),
        true if request.path.contains("/blobs/") => Reply::redirect(format!("http://{address}{}", request.path)),
        true => Reply::ok(open.clone()),
    });
    let (fetcher, private) = (charts(dir.path()), web(&site, login("ada", "hunter2")));
    let version = resolve(&fetcher, &private, "1.0.0").unwrap();
    assert_eq!(*fetcher.fetch(&private, &version).unwrap().bytes, *b"packed");
    for elsewhere in [&inner, &storage] {
        let seen = elsewhere.requests().pop().unwrap();
        assert_eq!(seen.header("authorization"), "");
    }
    assert!(!site.requests().is_empty());
    let cases: Vec<(Reply, &str, bool)> = vec![
        (Reply::ok("pucked"), "DigestMismatch", false),
        (Reply::CutOff(b"pac".to_vec(), 3), "Unreachable", true),
        (Reply::Endless, "Limit", false),
        (Reply::status(404), "NoChart", false),
        (Reply::status(401), "Unauthorized", false),
        (Reply::status(403), "Forbidden", false),
        (Reply::status(429), "Unreachable", true),
    ];
    for (reply, name, transient) in cases {
        storage.behave(move |_| reply.clone());
        let fresh = tempfile::tempdir().unwrap();
        let error = charts(fresh.path()).fetch(&private, &version).unwrap_err();
        assert_eq!((error.name(), error.is_transient()), (name, transient), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn a_manifest_that_is_not_its_digest_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let good = manifest(HELM_CONFIG, HELM_CHART, b"packed");
    let promised = Digest::of(good.as_bytes()).to_string();
    let site = Site::start(move |request| match request.path.as_str() {
        "/v2/web/manifests/1.0.0" => Reply::ok("").with("Docker-Content-Digest", promised.clone()),
        _ => Reply::ok(manifest(HELM_CONFIG, HELM_CHART, b"evil")),
    });
    let (charts, web) = (charts(dir.path()), web(&site, Access::default()));
    let version = resolve(&charts, &web, "1.0.0").unwrap();
    let error = charts.fetch(&web, &version).unwrap_err();
    assert_eq!(error.name(), "DigestMismatch", "{error}");
    // One that says no digest is hashed.
    site.behave(move |_| Reply::ok(good.clone()));
    assert_eq!(resolve(&charts, &web, "1.0.0").unwrap(), version);
}

#[test]
fn tags_come_in_pages_of_the_same_list_and_in_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let charts = charts(dir.path());
    let site = Site::start(|request| {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match (path, query.contains("last=")) {
            ("/v2/web/tags/list", false) => {
                Reply::ok(r#"{"tags":["1.0.0"]}"#).with("Link", "</v2/web/tags/list?last=1.0.0&n=1>; rel=\"next\"")
            }
            ("/v2/web/tags/list", true) => Reply::ok(r#"{"tags":["1.1.0"]}"#),
            _ => Reply::ok(manifest(HELM_CONFIG, HELM_CHART, b"packed")),
        }
    });
    let web = web(&site, Access::default());
    assert_eq!(resolve(&charts, &web, "1.x").unwrap().version, "1.1.0");
    let endless = |link: &'static str| {
        move |request: &Request| {
            let next = request.path.len();
            Reply::ok(r#"{"tags":["1.0.0"]}"#).with("Link", link.replace("NEXT", &next.to_string()))
        }
    };
    for (link, name) in [
        ("</v2/other/tags/list?last=x>; rel=\"next\"", "Protocol"),
        ("<http://169.254.169.254/v2/other?last=x>; rel=\"next\"", "Protocol"),
        ("</v2/web/tags/list?n=1000>; rel=\"next\"", "Protocol"),
    ] {
        site.behave(endless(link));
        let error = resolve(&charts, &web, "1.x").unwrap_err();
        assert_eq!(error.name(), name, "{error}");
    }
    for (body, name) in [
        ("{\"tags\":null}".to_owned(), "ChartVersionNotFound"),
        ("no".to_owned(), "Protocol"),
        (format!("{{\"tags\":[{}\"x\"]}}", "\"1.0.0\",".repeat(100_000)), "Limit"),
        (format!("{{\"tags\":[{}1]}}", "0,".repeat(2500)), "Protocol"),
    ] {
        site.behave(move |_| Reply::ok(body.clone()));
        let error = resolve(&charts, &web, "1.x").unwrap_err();
        assert_eq!(error.name(), name, "{error}");
    }
}

#[test]
fn realms_that_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let charts = charts(dir.path());
    let site = Site::start(|_| Reply::status(500));
    let private = web(&site, login("ada", "hunter2"));
    for (challenge, says) in [
        ("Bearer service=\"x\"", "does not say where"),
        ("Bearer realm=\"nonsense\"", "does not say where"),
        ("Bearer realm=\"http://169.254.169.254/token\"", "link-local"),
        ("Bearer realm=\"http://tokens.example.com/token\"", "clear text"),
        ("Bearer realm=\"file:///etc/passwd\"", "scheme"),
        ("Negotiate", "not accepted"),
        ("", "not accepted"),
    ] {
        site.behave(move |_| Reply::status(401).with("WWW-Authenticate", challenge));
        let error = resolve(&charts, &private, "1.0.0").unwrap_err();
        assert!(error.to_string().contains(says), "{challenge}: {error}");
        assert!(
            site.requests()
                .iter()
                .all(|request| request.header("authorization").is_empty())
        );
    }
    for (answer, says) in [
        (Reply::ok("{}"), "is none"),
        (Reply::ok("token"), "not JSON"),
        (Reply::ok("{\"token\":\"a\\nb\"}"), "is none"),
        (Reply::status(403), "HTTP 403"),
        (Reply::status(503), "HTTP 503"),
    ] {
        let realm = format!("Bearer realm=\"{}\"", site.url("/token"));
        site.behave(move |request| match request.path.starts_with("/token") {
            true => answer.clone(),
            false => Reply::status(401).with("WWW-Authenticate", realm.clone()),
        });
        let error = resolve(&charts, &private, "1.0.0").unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        let asked = site.requests().pop().unwrap();
        assert_eq!(asked.header("authorization"), AUTHORIZATION);
        assert!(asked.path.contains("scope=repository%3Aweb%3Apull"), "{}", asked.path);
    }
}

#[test]
fn plain_http_is_for_this_machine_or_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let charts = charts(dir.path());
    let site = Site::start(|_| Reply::status(404));
    let url = format!("oci://localhost:{}", site.address.port());
    let careful = Access {
        authorities: include_str!("support/authority.pem").to_owned(),
        ..Access::default()
    };
    let error = resolve(&charts, &chart(&url, "web", careful), "1.0.0").unwrap_err();
    assert!(
        matches!(error, SourceError::Tls { .. } | SourceError::Unreachable { .. }),
        "{error}"
    );
    assert_eq!(
        site.requests()
            .iter()
            .filter(|request| request.path.contains("web"))
            .count(),
        0
    );
    let error = resolve(&charts, &chart(&url, "web", Access::default()), "1.0.0").unwrap_err();
    assert_eq!(error.name(), "ChartVersionNotFound", "{error}");
}

#[test]
fn an_index_may_name_an_artifact_of_a_registry() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(helm), Some(registry)) = (Helm::new(dir.path()), Registry::start(None, false)) else {
        return;
    };
    push(&helm, dir.path(), &registry, &["1.0.0"]);
    let packed = std::fs::read(dir.path().join("repository/web-1.0.0.tgz")).unwrap();
    let (url, digest) = (registry.url("charts/web:1.0.0"), Digest::of(&packed));
    let index =
        format!("apiVersion: v1\nentries: {{web: [{{name: web, version: 1.0.0, urls: ['{url}'], digest: {digest}}}]}}");
    let site = Site::start(move |_| Reply::ok(index.clone()));
    let (charts, web) = (charts(dir.path()), chart(&site.url(""), "web", login("ada", "hunter2")));
    let version = resolve(&charts, &web, "^1").unwrap();
    assert_eq!(*charts.fetch(&web, &version).unwrap().bytes, packed);
}
