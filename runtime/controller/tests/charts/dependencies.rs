//! Charts that name dependencies.

use std::path::PathBuf;

use super::*;

/// `app/`, an umbrella chart with these dependencies, in a repository. Its lock is made by Helm when there is one to be.
fn umbrella(scene: &Scene, helm: Option<&Helm>, dependencies: &str) {
    scene.write(
        "app/Chart.yaml",
        &format!("apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n{dependencies}"),
    );
    if let Some(helm) = helm {
        helm.run(&scene.work(), &["dependency", "update", "app", "--plain-http"]);
        std::fs::remove_dir_all(scene.work().join("app/charts")).unwrap();
    }
    scene.commit("umbrella");
}

/// What the real Helm puts into `charts/`, by file name.
fn built(helm: &Helm, scene: &Scene) -> BTreeMap<String, Vec<u8>> {
    helm.run(&scene.work(), &["dependency", "build", "app", "--plain-http"]);
    let charts = scene.work().join("app/charts");
    let files = std::fs::read_dir(&charts).unwrap().map(|entry| entry.unwrap());
    let files = files.map(|file| {
        (
            file.file_name().into_string().unwrap(),
            std::fs::read(file.path()).unwrap(),
        )
    });
    let built = files.collect();
    std::fs::remove_dir_all(charts).unwrap();
    built
}

async fn brought(sources: &Sources, source: &ApplicationSource) -> BTreeMap<String, Vec<u8>> {
    let resolved = sources.resolve(source, Freshness::Remote).await.unwrap();
    let (_, tree) = completed(sources, source, &resolved.revision, &any()).await.unwrap();
    let files = tree.list("app/charts").unwrap().unwrap_or_default();
    let content = |name: &str| tree.read(&format!("app/charts/{name}")).unwrap().unwrap().to_vec();
    files
        .iter()
        .map(|file| (file.name.clone(), content(&file.name)))
        .collect()
}

/// A Helm repository with `web` and a registry with `store`, and a chart that wants both.
struct Stage {
    dir: tempfile::TempDir,
    helm: Helm,
    repository: PathBuf,
    dependencies: String,
    _site: Site,
    _registry: Registry,
}

impl Stage {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (helm, registry) = (Helm::new(dir.path())?, Registry::start(None, false)?);
        for version in ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"] {
            helm.pack(dir.path(), "web", version, "");
            let packed = helm.pack(dir.path(), "store", version, "").display().to_string();
            helm.run(dir.path(), &["push", &packed, &registry.url("charts"), "--plain-http"]);
        }
        let repository = helm.index(dir.path(), &[]);
        let site = Site::of_files(&repository, "");
        let (http, oci) = (site.url(""), registry.url("charts"));
        helm.run(dir.path(), &["repo", "add", "stable", &http]);
        let web = format!("- {{name: web, version: '~1.2', repository: '{http}'}}\n");
        let store = format!("- {{name: store, version: '<1.10', repository: '{oci}', alias: database}}\n");
        Some(Self {
            dir,
            helm,
            repository,
            dependencies: format!("{web}{store}"),
            _site: site,
            _registry: registry,
        })
    }

    /// Everything is of version 1.2.0; then there is a newer one that fits.
    fn publish_newer(&self) {
        self.helm.pack(self.dir.path(), "web", "1.2.9", "");
        self.helm.index(self.dir.path(), &[]);
    }

    fn sources(&self, name: &str) -> Sources {
        sources(&self.dir.path().join(name))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_lock_the_newest_that_fits_is_what_helm_builds() {
    let Some(stage) = Stage::new() else { return };
    let scene = Scene::empty();
    umbrella(&scene, None, &stage.dependencies);
    let (sources, source) = (stage.sources("a"), git_source(&scene, "app"));
    let found = brought(&sources, &source).await;
    assert_eq!(found, built(&stage.helm, &scene));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["store-1.2.0.tgz", "web-1.2.0.tgz"]);
    let objects = render(&sources, &source, &any()).await.unwrap();
    assert_eq!(names(&objects), ["demo-store=1.2.0", "demo-web=1.2.0"]);
    // It stays so until somebody asks for a render without caches.
    stage.publish_newer();
    assert!(brought(&sources, &source).await.contains_key("web-1.2.0.tgz"));
    let resolved = sources.resolve(&source, Freshness::Remote).await.unwrap();
    let tree = sources.tree(&source, &resolved.revision).await.unwrap();
    let tree = sources.complete(&source, tree, &any(), true).await.unwrap();
    assert!(tree.read("app/charts/web-1.2.9.tgz").unwrap().is_some());
    assert!(tree.read("app/charts/web-1.2.0.tgz").unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_lock_what_it_says_is_what_helm_builds() {
    let Some(stage) = Stage::new() else { return };
    let scene = Scene::empty();
    umbrella(&scene, Some(&stage.helm), &stage.dependencies);
    stage.publish_newer();
    let (sources, source) = (stage.sources("a"), git_source(&scene, "app"));
    let found = brought(&sources, &source).await;
    assert_eq!(found, built(&stage.helm, &scene));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["store-1.2.0.tgz", "web-1.2.0.tgz"]);
    // What is locked is gone: what fits is not taken instead.
    std::fs::remove_file(stage.repository.join("web-1.2.0.tgz")).unwrap();
    stage.helm.index(stage.dir.path(), &[]);
    let error = render(&stage.sources("b"), &source, &any()).await.unwrap_err();
    assert!(
        error.transient && error.message.contains("dependency web") && error.message.contains("1.2.0"),
        "{}",
        error.message
    );
    assert!(
        stage
            .helm
            .try_run(&scene.work(), &["dependency", "build", "app", "--plain-http"])
            .is_err()
    );
    // A lock that does not belong to the chart.
    let changed = stage.dependencies.replace("~1.2", "^1");
    scene.write(
        "app/Chart.yaml",
        &format!("apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n{changed}"),
    );
    scene.commit("changed");
    let error = render(&sources, &source, &any()).await.unwrap_err();
    assert!(
        !error.transient && error.message.contains("out of sync"),
        "{}",
        error.message
    );
}

/// A private repository with `web`, and a chart that calls it `@stable`.
struct Private {
    dir: tempfile::TempDir,
    scene: Scene,
    site: Site,
}

impl Private {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let helm = Helm::new(dir.path())?;
        helm.pack(dir.path(), "web", "1.0.0", "");
        let site = Site::of_files(&helm.index(dir.path(), &[]), AUTHORIZATION);
        let scene = Scene::empty();
        umbrella(&scene, None, "- {name: web, version: ^1, repository: '@stable'}\n");
        Some(Self { dir, scene, site })
    }

    fn secret(&self, more: &[(&str, &str)]) -> Value {
        let url = self.site.url("");
        let known = [("url", url.as_str()), ("name", "stable"), ("type", "helm")];
        secret("stable", &[&known[..], more].concat())
    }
}

const LOGIN: [(&str, &str); 2] = [("username", "ada"), ("password", "hunter2")];

async fn refused(sources: &Sources, source: &ApplicationSource, project: &AppProject) -> (String, bool) {
    let error = render(sources, source, project).await.unwrap_err();
    assert!(!error.message.contains("hunter2"), "{}", error.message);
    (error.message, error.transient)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_credentials_come_from_secrets_and_projects_have_a_say() {
    let Some(private) = Private::new() else { return };
    let (sources, source) = (sources(private.dir.path()), git_source(&private.scene, "app"));
    let (message, transient) = refused(&sources, &source, &any()).await;
    assert!(
        transient && message.contains("no repository is called \"stable\""),
        "{message}"
    );
    let secrets = sources.secrets().unwrap();
    secrets.tell(SeenSecrets::Listed(vec![private.secret(&[])]));
    let (message, transient) = refused(&sources, &source, &any()).await;
    assert!(transient && message.contains("HTTP 401"), "{message}");
    secrets.tell(SeenSecrets::Changed(Box::new(private.secret(&LOGIN))));
    let objects = render(&sources, &source, &any()).await.unwrap();
    assert_eq!(names(&objects), ["demo-web=1.0.0"]);
    let mut project = AppProject::permissive("team");
    project.spec.source_repos = vec![private.scene.url().to_string()];
    let (message, transient) = refused(&sources, &source, &project).await;
    assert!(
        !transient && message.contains("project team does not permit the repository"),
        "{message}"
    );
    project.spec.source_repos.push(private.site.url(""));
    assert!(render(&sources, &source, &project).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_are_odd_gone_or_not_seen_yet() {
    let Some(private) = Private::new() else { return };
    let (sources, source) = (
        sources(private.dir.path()),
        chart_source(&private.site.url(""), "web", "^1"),
    );
    let secrets = sources.secrets().unwrap();
    // A Secret that cannot be understood is not taken for none.
    let odd = private.secret(&[LOGIN[0], LOGIN[1], ("insecure", "hunter2")]);
    secrets.tell(SeenSecrets::Changed(Box::new(odd)));
    let (message, _) = refused(&sources, &source, &any()).await;
    assert!(message.contains("key insecure"), "{message}");
    let url = private.site.url("");
    assert!(sources.poll(&url).await.is_err());
    secrets.tell(SeenSecrets::Changed(Box::new(private.secret(&LOGIN))));
    assert!(sources.poll(&url).await.unwrap(), "mended: that is news");
    secrets.tell(SeenSecrets::Gone("stable".into()));
    let (message, _) = refused(&sources, &source, &any()).await;
    assert!(message.contains("HTTP 401"), "{message}");
    // Until they were seen once, they are waited for; when they cannot be read any more, they stay.
    let sources = crate::sources(&private.dir.path().join("fresh"));
    let secrets = sources.secrets().unwrap();
    secrets.expect();
    let told = private.secret(&LOGIN);
    let teller = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        secrets.tell(SeenSecrets::Listed(vec![told]));
        secrets.tell(SeenSecrets::ConfigMap(None));
        secrets.tell(SeenSecrets::Unavailable("on purpose".into()));
    });
    assert!(render(&sources, &source, &any()).await.is_ok());
    teller.await.unwrap();
    assert!(render(&sources, &source, &any()).await.is_ok());
}
