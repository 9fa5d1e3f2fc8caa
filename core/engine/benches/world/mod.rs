//! A repository and a cluster of maps, for as many objects as are asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use capstan_engine::compare::compare;
use capstan_engine::effect::{ApplyTask, DryRun, EffectKind};
use capstan_engine::event::{Deletion, Discovery, Outcome, ResolvedRevision, ServedKind};
use capstan_engine::plan::PruneItem;
use capstan_engine::targets::{TargetContext, Targets};
use capstan_engine::{Effect, Engine, Event, Settings};
use capstan_model::tracking::tracking_id;
use capstan_model::{
    Application, ApplicationId, ClusterId, GroupKind, GroupVersionKind, Manifest, OperationPhase, ResourceKey,
    SourceLocation, Timestamp,
};
use serde_json::{Value, json};

/// One Deployment among so many ConfigMaps.
const DEPLOYMENTS: usize = 10;
/// One hook among so many objects.
const HOOKS: usize = 20;

/// What a sync consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    OneWave,
    TenWaves,
    /// A twentieth of the tasks are hooks, before, within and after.
    Hooks,
    /// Half of the tasks are prunes.
    Prunes,
}

impl Shape {
    pub(crate) const ALL: [Self; 4] = [Self::OneWave, Self::TenWaves, Self::Hooks, Self::Prunes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneWave => "one wave",
            Self::TenWaves => "ten waves",
            Self::Hooks => "hooks",
            Self::Prunes => "half prunes",
        }
    }
}

/// A sync to be carried out.
pub(crate) struct Story {
    pub(crate) targets: Targets,
    pub(crate) prune: Vec<PruneItem>,
    /// What is in the cluster before.
    live: BTreeMap<GroupKind, Vec<Value>>,
    application: Application,
    tasks: usize,
}

fn id() -> ApplicationId {
    ApplicationId::new("argocd", "shop")
}

fn context() -> TargetContext {
    TargetContext {
        application: id(),
        project: "default".into(),
        control_namespace: "argocd".into(),
        destination_namespace: "prod".into(),
        namespaced: Arc::new(
            KINDS
                .iter()
                .map(|(group, kind)| (GroupKind::new(*group, *kind), true))
                .collect(),
        ),
        ..TargetContext::default()
    }
}

const KINDS: [(&str, &str); 5] = [
    ("", "ConfigMap"),
    ("", "Pod"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("batch", "Job"),
];

fn discovery() -> Discovery {
    let served = |kind: &str| ServedKind {
        version: "v1".into(),
        versions: vec!["v1".into()],
        plural: format!("{}s", kind.to_lowercase()),
        namespaced: true,
        watchable: true,
    };
    Discovery {
        cluster_uid: "cluster".into(),
        version: "v1.36.3".into(),
        kinds: KINDS
            .iter()
            .map(|(group, kind)| (GroupKind::new(*group, *kind), served(kind)))
            .collect(),
        ..Discovery::default()
    }
}

fn object(shape: Shape, index: usize) -> Value {
    let wave = if shape == Shape::TenWaves { index % 10 } else { 0 };
    let annotations = json!({"argocd.argoproj.io/sync-wave": wave.to_string()});
    let mut metadata = json!({"name": format!("object-{index:06}"), "namespace": "prod", "annotations": annotations});
    if shape == Shape::Hooks && index.is_multiple_of(HOOKS) {
        let phase = ["PreSync", "Sync", "PostSync"][index / HOOKS % 3];
        metadata["annotations"]["argocd.argoproj.io/hook"] = json!(phase);
        return json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"image": "job"}});
    }
    if index % DEPLOYMENTS == 1 {
        return json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}}});
    }
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": "1"}})
}

/// An object of an earlier commit, as it is live.
fn leftover(index: usize) -> (ResourceKey, Value) {
    let key = ResourceKey::new("", "ConfigMap", "prod", format!("leftover-{index:06}"));
    let tracking = tracking_id(&id(), "argocd", "prod", &key);
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": key.name, "namespace": "prod", "uid": format!("old-{index}"), "resourceVersion": "1",
        "annotations": {"argocd.argoproj.io/tracking-id": tracking}}, "data": {"v": "0"}});
    (key, object)
}

impl Story {
    pub(crate) fn new(shape: Shape, tasks: usize) -> Self {
        let prunes = if shape == Shape::Prunes { tasks / 2 } else { 0 };
        let manifest = |index: usize| {
            let location = SourceLocation {
                file: "all.yaml".into(),
                line: 1,
            };
            Manifest::parse(object(shape, index), location).expect("an object")
        };
        let manifests = (0..tasks - prunes).map(manifest).collect();
        let targets = Targets::prepare(manifests, &context(), "Directory").expect("each once");
        let (keys, old): (Vec<ResourceKey>, Vec<Value>) = (0..prunes).map(leftover).unzip();
        let prune = keys.into_iter().map(|key| PruneItem {
            key,
            gvk: GroupVersionKind::from_api_version("v1", "ConfigMap"),
            wave: 0,
            last: false,
        });
        let resource = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd", "uid": "app-uid", "resourceVersion": "1"},
            "spec": {
                "project": "default",
                "source": {"repoURL": "https://example.com/infra.git", "path": "shop", "targetRevision": "main"},
                "destination": {"server": ClusterId::IN_CLUSTER, "namespace": "prod"},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["MaxPrunePercentage=100"]}
            }
        });
        Self {
            targets,
            prune: prune.collect(),
            live: BTreeMap::from([(GroupKind::new("", "ConfigMap"), old)]),
            application: Application::parse(&resource).expect("an application"),
            tasks,
        }
    }
}

struct Run<'a> {
    story: &'a Story,
    engine: Engine,
    now: Timestamp,
    effects: VecDeque<Effect>,
    events: usize,
    versions: u64,
    application: Application,
}

/// Carries out the whole sync, and checks that it was. Gives how many events that took.
pub(crate) fn sync(story: &Story) -> usize {
    let mut run = Run {
        story,
        engine: Engine::new(Settings::default()),
        now: Timestamp::from_seconds(1_773_478_800),
        effects: VecDeque::new(),
        events: 0,
        versions: 1,
        application: story.application.clone(),
    };
    run.handle(Event::ProjectsListed);
    run.handle(Event::ClusterConnected(ClusterId::in_cluster(), discovery()));
    run.handle(Event::ApplicationObserved(Box::new(story.application.clone())));
    run.handle(Event::ApplicationsListed);
    run.work();
    let view = run.engine.view(&id()).expect("the application is known");
    let operation = view.operation.expect("it was synced");
    assert_eq!(operation.phase, OperationPhase::Succeeded, "{}", operation.message);
    assert_eq!(operation.tasks.len(), story.tasks);
    assert_eq!(view.sync.to_string(), "Synced");
    run.events
}

impl Run<'_> {
    fn handle(&mut self, event: Event) {
        self.events += 1;
        self.now = self.now + Duration::from_millis(1);
        self.engine.handle(self.now, event);
        while let Some(effect) = self.engine.poll_effect() {
            self.effects.push_back(effect);
        }
    }

    /// Answers, until there is nothing to do but what has a time.
    fn work(&mut self) {
        loop {
            if let Some(effect) = self.effects.pop_front() {
                self.perform(effect);
                continue;
            }
            let Some(at) = self.engine.poll_timeout() else { return };
            let is_over = self
                .application
                .status
                .operation_state
                .as_ref()
                .is_some_and(|state| state.phase.is_completed());
            if is_over && at > self.now + Duration::from_secs(60) {
                return;
            }
            self.now = at;
            self.engine.handle_timeout(at);
            while let Some(effect) = self.engine.poll_effect() {
                self.effects.push_back(effect);
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        let answer = match effect.kind {
            EffectKind::ResolveRevision { .. } => Outcome::Resolved(Ok(vec![ResolvedRevision {
                revision: "c".repeat(40),
                ..ResolvedRevision::default()
            }])),
            EffectKind::Render(_) => Outcome::Rendered(Ok(self.story.targets.clone())),
            EffectKind::Compare(task) => Outcome::Compared(compare(&task)),
            EffectKind::Apply(task) => return self.apply(effect.id, &task),
            EffectKind::Delete { .. } => Outcome::Deleted(Ok(Deletion::Gone)),
            EffectKind::PatchStatus { patch, .. } => {
                self.versions += 1;
                let mut status = serde_json::to_value(&self.application.status).expect("a status");
                merge_patch(&mut status, &patch);
                self.application.status = serde_json::from_value(status).expect("a status");
                self.application.metadata.resource_version = self.versions.to_string();
                let version = Outcome::Patched(Ok(self.versions.to_string()));
                self.handle(Event::Completed(effect.id, version));
                let application = Box::new(self.application.clone());
                return self.handle(Event::ApplicationObserved(application));
            }
            EffectKind::WatchKinds { kinds, .. } => {
                for kind in kinds {
                    let objects = self.story.live.get(&kind).cloned().unwrap_or_default();
                    let cluster = ClusterId::in_cluster();
                    self.handle(Event::Relisted { cluster, kind, objects });
                }
                return;
            }
            other => panic!("not part of this story: {other:?}"),
        };
        self.handle(Event::Completed(effect.id, answer));
    }

    /// What was written, and a moment later that it works.
    fn apply(&mut self, id: capstan_engine::EffectId, task: &ApplyTask) {
        self.versions += 1;
        let mut object = task.object.value().expect("an object");
        object["metadata"]["uid"] = json!(format!("uid-{}", task.key.name));
        object["metadata"]["resourceVersion"] = json!(self.versions.to_string());
        object["metadata"]["generation"] = json!(1);
        self.handle(Event::Completed(id, Outcome::Applied(Ok(Box::new(object.clone())))));
        if task.dry_run != DryRun::No || task.key.kind == "ConfigMap" {
            return;
        }
        self.versions += 1;
        object["metadata"]["resourceVersion"] = json!(self.versions.to_string());
        object["status"] = match task.key.kind.as_str() {
            "Job" => json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}),
            _ => json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
                "readyReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}),
        };
        self.handle(Event::LiveObserved(ClusterId::in_cluster(), Box::new(object)));
    }
}

fn merge_patch(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    into.remove(name);
                } else {
                    merge_patch(into.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}
