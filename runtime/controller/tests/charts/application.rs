//! The whole controller.

use super::*;

async fn application_of(cluster: &Cluster) -> Value {
    let key = ResourceKey::new("argoproj.io", "Application", "argocd", "web");
    let gvk = GroupVersionKind::from_api_version("argoproj.io/v1alpha1", "Application");
    *cluster.observe(&key, &gvk).await.unwrap().unwrap()
}

async fn wait_for(cluster: &Cluster, version: &str) -> Value {
    for _ in 0..400 {
        let application = application_of(cluster).await;
        let status = &application["status"];
        if status["sync"]["status"] == "Synced" && status["sync"]["revision"] == version {
            return application;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not synced to {version}: {:#}", application_of(cluster).await["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_follows_a_range_of_a_private_repository() {
    let dir = tempfile::tempdir().unwrap();
    let Some(helm) = Helm::new(dir.path()) else { return };
    helm.pack(dir.path(), "web", "1.0.0", "");
    let repository = helm.index(dir.path(), &[]);
    let site = Site::of_files(&repository, AUTHORIZATION);
    let url = site.url("");
    let (_world, cluster) = support::world();
    support::install(&cluster).await;
    let login = [
        ("url", url.as_str()),
        ("type", "helm"),
        ("username", "ada"),
        ("password", "hunter2"),
    ];
    support::apply(&cluster, &secret("charts", &login)).await;
    let mut application = support::application("web", "argocd");
    application["spec"]["source"] = json!({"repoURL": url, "chart": "web", "targetRevision": "1.x"});
    support::apply(&cluster, &application).await;
    let settings = ControllerSettings {
        poll_interval: Duration::from_millis(200),
        ..ControllerSettings::default()
    };
    let controller = Controller::new(
        cluster.clone(),
        Arc::new(sources(dir.path())),
        Arc::new(renderer()),
        settings,
        Clock::system(),
    );
    let _handle = controller.handle();
    let running = tokio::spawn(controller.run(CancellationToken::new()));
    let synced = wait_for(&cluster, "1.0.0").await;
    let packed = std::fs::read(repository.join("web-1.0.0.tgz")).unwrap();
    let pinned = format!("1.0.0@{}", Digest::of(&packed));
    assert_eq!(synced["status"]["history"][0]["revision"], pinned.as_str());
    assert_eq!(synced["status"]["sourceType"], "Helm");
    helm.pack(dir.path(), "web", "1.1.0", "");
    helm.index(dir.path(), &[]);
    wait_for(&cluster, "1.1.0").await;
    let key = ResourceKey::new("", "ConfigMap", "argocd", "web-web");
    let live = cluster
        .observe(&key, &GroupVersionKind::from_api_version("v1", "ConfigMap"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(live["data"]["version"], "1.1.0");
    assert!(!application_of(&cluster).await.to_string().contains("hunter2"));
    running.abort();
}
