//! Chart sources and charts' dependencies: packed, indexed, pushed and locked by the real Helm, served by real and by hostile servers.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it found, and fails by panicking"
)]

mod application;
mod archives;
mod dependencies;
#[path = "../../../source/tests/support/mod.rs"]
mod repositories;
#[allow(dead_code, reason = "shared with the other test program")]
#[path = "../controller/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use capstan_controller::{
    Clock, Controller, ControllerSettings, RenderedSource, Renderer as _, SourceProvider as _, SourceToRender, Sources,
    TreeRenderer,
};
use capstan_engine::effect::Freshness;
use capstan_engine::event::SourceFailure;
use capstan_engine::targets::TargetContext;
use capstan_kubernetes::{Cluster, SeenSecrets};
use capstan_model::{AppProject, ApplicationId, ApplicationSource, GroupVersionKind, ResourceKey};
use capstan_render::FileTree;
use capstan_source::{Charts, Digest, FetchLimits, SECRET_TYPE_LABEL};
use repositories::helm::Helm;
use repositories::registry::Registry;
use repositories::site::{Reply, Site};
use repositories::{Scene, anywhere};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The renderer of a controller.
fn renderer() -> TreeRenderer {
    let fresh = capstan_controller::Fresh {
        random: Box::new(|| panic!("no application asks for it")),
        now: Box::new(|| 0),
    };
    TreeRenderer::new("a seed of an installation in tests".into(), fresh)
}

/// `ada:hunter2`.
const AUTHORIZATION: &str = "Basic YWRhOmh1bnRlcjI=";

fn sources(dir: &Path) -> Sources {
    let limits = FetchLimits {
        idle: Duration::from_secs(3),
        exchange: Duration::from_secs(3),
        index_lifetime: Duration::ZERO,
        ..FetchLimits::default()
    };
    let charts = Charts::new(dir.join("charts-cache"), limits);
    let repositories = capstan_source::Repositories::new(dir.join("git-cache"), anywhere());
    Sources::new(Arc::new(repositories), Arc::new(charts)).rechecking_charts_every(Duration::ZERO)
}

fn chart_source(url: &str, chart: &str, revision: &str) -> ApplicationSource {
    ApplicationSource {
        repo_url: url.to_owned(),
        chart: chart.to_owned(),
        target_revision: revision.to_owned(),
        ..ApplicationSource::default()
    }
}

fn git_source(scene: &Scene, path: &str) -> ApplicationSource {
    ApplicationSource {
        repo_url: scene.url().to_string(),
        path: path.to_owned(),
        target_revision: "main".to_owned(),
        ..ApplicationSource::default()
    }
}

fn any() -> AppProject {
    AppProject::permissive("default")
}

/// Resolved, brought, completed and rendered, as the controller does it.
async fn render(
    sources: &Sources,
    source: &ApplicationSource,
    project: &AppProject,
) -> Result<Vec<Value>, SourceFailure> {
    let resolved = sources.resolve(source, Freshness::Remote).await?;
    let (_, tree) = completed(sources, source, &resolved.revision, project).await?;
    let context = TargetContext {
        determinism: String::new(),
        application: ApplicationId::new("argocd", "demo"),
        control_namespace: "argocd".into(),
        installation_id: String::new(),
        destination_namespace: "default".into(),
        namespaced: Arc::default(),
        project: "default".into(),
    };
    let input = SourceToRender {
        source,
        revision: &resolved.revision,
        context: &context,
        kube_version: "v1.36.0",
        api_versions: &[],
        references: &BTreeMap::new(),
        interrupt: &capstan_render::Interrupt::default(),
    };
    let rendered: RenderedSource = renderer().render(&input, &*tree)?;
    Ok(rendered
        .manifests
        .iter()
        .map(|manifest| manifest.value.clone())
        .collect())
}

async fn completed(
    sources: &Sources,
    source: &ApplicationSource,
    revision: &str,
    project: &AppProject,
) -> Result<(String, Arc<dyn FileTree>), SourceFailure> {
    let tree = sources.tree(source, revision).await?;
    let tree = sources.complete(source, tree, project, false).await?;
    Ok((revision.to_owned(), tree))
}

fn names(objects: &[Value]) -> Vec<String> {
    let name =
        |object: &Value| format!("{}={}", object["metadata"]["name"], object["data"]["version"]).replace('"', "");
    let mut names: Vec<String> = objects.iter().map(name).collect();
    names.sort();
    names
}

/// A Secret about a repository.
fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let data: serde_json::Map<String, Value> = data
        .iter()
        .map(|(key, text)| ((*key).to_owned(), json!(encode(text))))
        .collect();
    json!({"apiVersion": "v1", "kind": "Secret", "data": data,
        "metadata": {"name": name, "namespace": "argocd", "labels": {SECRET_TYPE_LABEL: "repository"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_of_a_helm_repository_is_rendered_and_news_of_it_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let Some(helm) = Helm::new(dir.path()) else { return };
    helm.pack(dir.path(), "web", "1.0.0", "");
    let repository = helm.index(dir.path(), &[]);
    let site = Site::of_files(&repository, "");
    let (sources, source) = (sources(dir.path()), chart_source(&site.url(""), "web", "1.x"));
    let first = sources.resolve(&source, Freshness::Remote).await.unwrap();
    let packed = std::fs::read(repository.join("web-1.0.0.tgz")).unwrap();
    assert_eq!(first.revision, format!("1.0.0@{}", Digest::of(&packed)));
    assert_eq!(first.subject, "web 1.0.0");
    assert!(first.time.is_some());
    assert_eq!(
        names(&render(&sources, &source, &any()).await.unwrap()),
        ["demo-web=1.0.0"]
    );
    let url = site.url("");
    assert!(!sources.poll(&url).await.unwrap());
    helm.pack(dir.path(), "web", "1.1.0", "");
    helm.pack(dir.path(), "other", "1.0.0", "");
    helm.index(dir.path(), &[]);
    assert!(sources.poll(&url).await.unwrap());
    let second = sources.resolve(&source, Freshness::Cached).await.unwrap();
    assert!(second.revision.starts_with("1.1.0@"), "{}", second.revision);
    assert!(!sources.poll(&url).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_goes_on_whatever_the_server_says() {
    let dir = tempfile::tempdir().unwrap();
    let Some(helm) = Helm::new(dir.path()) else { return };
    helm.pack(dir.path(), "web", "1.0.0", "");
    let repository = helm.index(dir.path(), &[]);
    let site = Site::of_files(&repository, "");
    let (sources, url) = (sources(dir.path()), site.url(""));
    let source = chart_source(&url, "web", "1.x");
    let first = sources.resolve(&source, Freshness::Remote).await.unwrap();
    helm.pack(dir.path(), "web", "1.1.0", "");
    helm.index(dir.path(), &[]);
    // A pinned operation goes on with what it was pinned to.
    let pinned = ApplicationSource {
        target_revision: first.revision.clone(),
        ..source.clone()
    };
    assert_eq!(
        sources.resolve(&pinned, Freshness::Remote).await.unwrap().revision,
        first.revision
    );
    assert_eq!(
        names(&render(&sources, &pinned, &any()).await.unwrap()),
        ["demo-web=1.0.0"]
    );
    // A bare version, as Argo CD leaves it in a status.
    assert!(sources.tree(&source, "1.0.0").await.is_ok());
    // Could not be reached: told as such, and news once it answers again.
    site.behave(|_| Reply::status(503));
    let error = sources.poll(&url).await.unwrap_err();
    assert!(
        error.transient && error.message.contains("HTTP 503"),
        "{}",
        error.message
    );
    let error = sources.resolve(&source, Freshness::Remote).await.unwrap_err();
    assert!(error.transient, "{}", error.message);
    assert_eq!(
        names(&render(&sources, &pinned, &any()).await.unwrap()),
        ["demo-web=1.0.0"],
        "from the cache"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_uses_is_not_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::start(|_| Reply::status(404));
    let (sources, url) = (sources(dir.path()), site.url("/charts"));
    let source = chart_source(&url, "web", "1.x");
    assert!(sources.resolve(&source, Freshness::Remote).await.is_err());
    assert!(sources.poll(&url).await.is_err(), "what failed is asked for again");
    assert_eq!(site.asked_for("/charts/index.yaml"), 2);
    sources.retain(&["https://else.example".to_owned()].into());
    let before = site.requests().len();
    assert!(
        sources.poll(&url).await.is_err(),
        "it is taken for a Git repository that is not there"
    );
    assert!(
        site.requests()[before..]
            .iter()
            .all(|request| !request.path.ends_with(".yaml"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_of_registries_with_and_without_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(helm), Some(registry)) = (Helm::new(dir.path()), Registry::start(None, false)) else {
        return;
    };
    let packed = helm.pack(dir.path(), "web", "1.0.0", "").display().to_string();
    helm.run(dir.path(), &["push", &packed, &registry.url("charts"), "--plain-http"]);
    let sources = sources(dir.path());
    for source in [
        chart_source(&registry.url("charts"), "web", "^1"),
        chart_source(&format!("{}/charts", registry.address), "web", "1.0.0"),
        ApplicationSource {
            path: ".".into(),
            ..chart_source(&registry.url("charts/web"), "", "1.0.0")
        },
    ] {
        assert_eq!(
            names(&render(&sources, &source, &any()).await.unwrap()),
            ["demo-web=1.0.0"]
        );
    }
    let wrong = chart_source(&registry.url("charts"), "wab", "^1");
    let error = render(&sources, &wrong, &any()).await.unwrap_err();
    assert!(
        !error.transient && error.message.contains("no chart"),
        "{}",
        error.message
    );
}
