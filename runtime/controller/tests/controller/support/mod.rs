//! A repository in memory, a renderer of plain manifests, and the two servers that are asked: the simulated one, and a real one when
//! `CAPSTAN_API_KUBECONFIG` names its kubeconfig.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use capstan_controller::{RenderInputs, RenderedSource, Renderer, SourceProvider, SourceToRender};
use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun, Freshness};
use capstan_engine::event::{ResolvedRevision, SourceFailure};
use capstan_kubernetes::{Cluster, ClusterSettings, crds};
use capstan_model::{
    ApplicationSource, Blob, ClusterId, Digest, GroupVersionKind, Manifest, ResourceKey, SourceLocation, Timestamp,
};
use capstan_render::{EntryKind, FileTree, ReadError, TreeEntry};
use capstan_sim::front_ends::{Cluster as WorldCluster, WorldService};
use capstan_sim::{Options, World, actors};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

pub(crate) const EPOCH: Timestamp = Timestamp::from_seconds(1_772_000_000);

pub(crate) fn world() -> (WorldCluster, Cluster) {
    let mut world = World::new(EPOCH, Options::default());
    for actor in actors::all(actors::Profile::REALISTIC) {
        world.add_actor(actor);
    }
    let world = WorldCluster::new(world, EPOCH);
    let service = WorldService::new(world.clone());
    let cluster = Cluster::from_service(ClusterId::in_cluster(), service, ClusterSettings::default());
    (world, cluster)
}

/// One commit: path to content.
#[derive(Clone, Default)]
pub(crate) struct Commit(BTreeMap<String, Vec<u8>>);

impl FileTree for Commit {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok(self.0.get(path).map(|content| content.as_slice().into()))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        let prefix = format!("{dir}/");
        let files = self.0.iter().filter_map(|(path, content)| {
            let name = path.strip_prefix(&prefix)?.to_owned();
            let size = content.len() as u64;
            let kind = EntryKind::File;
            (!name.contains('/')).then_some(TreeEntry { name, kind, size })
        });
        let files: Vec<TreeEntry> = files.collect();
        Ok((!files.is_empty()).then_some(files))
    }

    fn id(&self, path: &str) -> Result<Option<String>, ReadError> {
        let prefix = format!("{path}/");
        let within = |name: &String| name == path || name.starts_with(&prefix);
        let found: Vec<_> = self.0.iter().filter(|(name, _)| within(name)).collect();
        Ok((!found.is_empty()).then(|| Digest::of_json(&json!(found)).to_string()))
    }
}

/// A repository with one branch.
#[derive(Default)]
pub(crate) struct Repository {
    commits: Mutex<Vec<Commit>>,
    polled: Mutex<usize>,
}

impl Repository {
    /// Commits the last tree with a change.
    pub(crate) fn commit(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) {
        let mut commits = self.commits.lock().unwrap();
        let mut next = commits.last().cloned().unwrap_or_default();
        change(&mut next.0);
        commits.push(next);
    }

    pub(crate) fn write(&self, path: &str, object: &Value) {
        self.commit(|files| {
            files.insert(path.to_owned(), object.to_string().into_bytes());
        });
    }

    fn head(&self) -> String {
        format!("{:040x}", self.commits.lock().unwrap().len())
    }
}

impl SourceProvider for Repository {
    fn resolve<'a>(
        &'a self,
        _: &'a ApplicationSource,
        _: Freshness,
    ) -> BoxFuture<'a, Result<ResolvedRevision, SourceFailure>> {
        let revision = ResolvedRevision {
            revision: self.head(),
            author: "Ada <ada@example.org>".into(),
            subject: "a change".into(),
            time: None,
        };
        futures::future::ready(Ok(revision)).boxed()
    }

    fn tree<'a>(
        &'a self,
        _: &'a ApplicationSource,
        revision: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>> {
        let number = usize::from_str_radix(revision, 16).unwrap();
        let commit = self.commits.lock().unwrap()[number - 1].clone();
        futures::future::ready(Ok(Arc::new(commit) as Arc<dyn FileTree>)).boxed()
    }

    fn poll<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool, SourceFailure>> {
        let commits = self.commits.lock().unwrap().len();
        let before = std::mem::replace(&mut *self.polled.lock().unwrap(), commits);
        futures::future::ready(Ok(before != commits)).boxed()
    }

    fn retain(&self, _: &BTreeSet<String>) {}
}

/// Every file of a folder is one object, in JSON. Counts how often it is asked.
#[derive(Default)]
pub(crate) struct Plain {
    pub(crate) renders: Mutex<usize>,
}

impl Renderer for Plain {
    fn render(&self, input: &SourceToRender<'_>, tree: &dyn FileTree) -> Result<RenderedSource, SourceFailure> {
        *self.renders.lock().unwrap() += 1;
        let failed = |message: String| SourceFailure {
            message,
            transient: false,
        };
        let folder = &input.source.path;
        let unread = |error: ReadError| failed(error.to_string());
        let entries = tree.list(folder).map_err(unread)?;
        let entries = entries.ok_or_else(|| failed(format!("{folder} does not exist")))?;
        let mut rendered = RenderedSource {
            source_type: "Directory".into(),
            inputs: RenderInputs::from([(folder.clone(), tree.id(folder).map_err(unread)?)]),
            ..RenderedSource::default()
        };
        for entry in entries {
            let file = format!("{folder}/{}", entry.name);
            let content = tree.read(&file).map_err(unread)?.unwrap();
            let value = serde_json::from_slice(&content).map_err(|error| failed(format!("{file}: {error}")))?;
            let location = SourceLocation { file, line: 1 };
            rendered
                .manifests
                .push(Manifest::parse(value, location).map_err(|error| failed(error.to_string()))?);
        }
        Ok(rendered)
    }
}

/// Writes an object as somebody else than the controller.
pub(crate) async fn apply(cluster: &Cluster, object: &Value) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let gvk = GroupVersionKind::from_api_version(text("/apiVersion"), text("/kind"));
    let task = ApplyTask {
        cluster: ClusterId::in_cluster(),
        key: ResourceKey::new(
            &gvk.group,
            &gvk.kind,
            text("/metadata/namespace"),
            text("/metadata/name"),
        ),
        gvk,
        object: Blob::new(object),
        mode: ApplyMode::ServerSide { force: true },
        dry_run: DryRun::No,
        recreate: false,
        validate: false,
    };
    cluster.apply(&task).await.unwrap();
}

/// Installs the definitions, a namespace and a project.
pub(crate) async fn install(cluster: &Cluster) {
    cluster.discover().await.unwrap();
    for definition in crds::definitions() {
        apply(cluster, &definition.value).await;
    }
    loop {
        let table = cluster.discover().await.unwrap();
        if table
            .discovery
            .kinds
            .keys()
            .filter(|kind| kind.group == "argoproj.io")
            .count()
            == 3
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    apply(
        cluster,
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}),
    )
    .await;
    let spec = json!({"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]});
    let metadata = json!({"name": "default", "namespace": "argocd"});
    let project =
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata, "spec": spec});
    apply(cluster, &project).await;
}

pub(crate) fn application(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.example.org/infra.git", "targetRevision": "main", "path": name},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["CreateNamespace=true"]},
        },
    })
}

pub(crate) fn map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": value}})
}
