//! Several Applications, each with its own repository, on one cluster; and what the API server does when an Application is deleted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use capstan_engine::compare::compare;
use capstan_engine::effect::{DryRun, Effect, EffectKind, Propagation, RenderTask};
use capstan_engine::event::{Descent, Outcome, ResolvedRevision, SourceFailure, WriteError};
use capstan_engine::guard::DeletePermit;
use capstan_engine::view::ApplicationView;
use capstan_engine::{Engine, Event, Settings};
use capstan_model::{AppProject, Application, ApplicationId, ClusterId, Identity, ResourceKey, Timestamp};
use serde_json::{Value, json};

use crate::cluster::{Cluster, discovery, merge_patch};
use crate::describe::describe;
use crate::rig::{Commit, commit_id, grounds_are_told, targets};

pub(crate) struct Fleet {
    pub(crate) cluster: Cluster,
    pub(crate) engine: Engine,
    pub(crate) resources: BTreeMap<String, Value>,
    pub(crate) commits: BTreeMap<String, Vec<Commit>>,
    /// Repositories that cannot be read, by the name of their application.
    pub(crate) unreadable: BTreeSet<String>,
    pub(crate) now: Timestamp,
    pub(crate) log: Vec<String>,
    /// What was asked for that changes the cluster, and as whom.
    pub(crate) written: Vec<(String, Identity)>,
    projects: Vec<AppProject>,
    /// Looks at everything there is after each event, and at each effect when it is asked for.
    pub(crate) oracle: Option<fn(&Self, Option<&Effect>)>,
    pending: VecDeque<Effect>,
    version: u64,
}

/// An Application of its own repository.
pub(crate) fn application(name: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "uid": format!("uid-of-{name}"), "resourceVersion": "1",
            "generation": 1, "annotations": {}},
        "spec": {
            "project": "default",
            "source": {"repoURL": format!("https://example.com/{name}.git"), "path": ".", "targetRevision": "main"},
            "destination": {"server": ClusterId::IN_CLUSTER, "namespace": "prod"},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}}
        }
    })
}

/// The same, which waits for others.
pub(crate) fn waiting(name: &str, depends_on: &str) -> Value {
    let mut resource = application(name);
    resource["metadata"]["annotations"]["capstan.dev/depends-on"] = json!(depends_on);
    resource
}

impl Fleet {
    /// Nothing yet but the cluster.
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let mut fleet = Self {
            cluster: Cluster::default(),
            engine: Engine::new(settings),
            resources: BTreeMap::new(),
            commits: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            now: Timestamp::from_seconds(1_773_478_800),
            log: Vec::new(),
            written: Vec::new(),
            projects: Vec::new(),
            oracle: None,
            pending: VecDeque::new(),
            version: 1,
        };
        fleet.begin();
        fleet
    }

    fn begin(&mut self) {
        self.cluster.watched.clear();
        for project in self.projects.clone() {
            self.handle(Event::ProjectObserved(Box::new(project)));
        }
        self.handle(Event::ProjectsListed);
        self.handle(Event::ClusterConnected(ClusterId::in_cluster(), discovery()));
        for name in self.resources.keys().cloned().collect::<Vec<_>>() {
            self.observe(&name);
        }
        self.handle(Event::ApplicationsListed);
    }

    /// The process ends, whatever it was at, and another one begins.
    pub(crate) fn restart(&mut self) {
        self.engine = Engine::new(self.engine.settings().clone());
        self.pending.clear();
        self.begin();
    }

    pub(crate) fn project(&mut self, project: &Value) {
        let project: AppProject = serde_json::from_value(project.clone()).unwrap();
        self.projects.push(project.clone());
        self.handle(Event::ProjectObserved(Box::new(project)));
    }

    /// Creates an Application, or writes it anew, with a first commit of these objects.
    pub(crate) fn create(&mut self, resource: Value, objects: Vec<Value>) {
        let name = resource["metadata"]["name"].as_str().unwrap().to_owned();
        self.commit(&name, objects);
        self.resources.insert(name.clone(), resource);
        self.observe(&name);
    }

    fn commit(&mut self, name: &str, objects: Vec<Value>) {
        let commits = self.commits.entry(name.to_owned()).or_default();
        commits.push((commit_id(commits.len() + 1), Ok(objects)));
    }

    pub(crate) fn push(&mut self, name: &str, objects: Vec<Value>) {
        self.commit(name, objects);
        self.handle(Event::SourceChanged {
            repo_url: format!("https://example.com/{name}.git"),
        });
    }

    /// Somebody changes an Application.
    pub(crate) fn patch(&mut self, name: &str, patch: &Value) {
        self.write_resource(name, patch);
        self.observe(name);
    }

    /// Somebody deletes an Application.
    pub(crate) fn delete(&mut self, name: &str) {
        let patch = json!({"metadata": {"deletionTimestamp": self.now.to_string()}});
        self.write_resource(name, &patch);
        self.observe(name);
    }

    fn write_resource(&mut self, name: &str, patch: &Value) -> String {
        self.version += 1;
        let resource = self.resources.get_mut(name).unwrap();
        merge_patch(resource, patch);
        resource["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.version.to_string()
    }

    fn observe(&mut self, name: &str) {
        let resource = &self.resources[name];
        let metadata = &resource["metadata"];
        let is_held = metadata["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if metadata["deletionTimestamp"].is_string() && !is_held {
            self.resources.remove(name);
            return self.handle(Event::ApplicationGone(ApplicationId::new("argocd", name)));
        }
        let application = Application::parse(resource).unwrap();
        self.handle(Event::ApplicationObserved(Box::new(application)));
    }

    pub(crate) fn handle(&mut self, event: Event) {
        self.engine.handle(self.now, event);
        self.collect();
    }

    fn collect(&mut self) {
        self.engine.audit().unwrap_or_else(|what| panic!("{what}"));
        if let Some(oracle) = self.oracle {
            oracle(self, None);
        }
        while let Some(effect) = self.engine.poll_effect() {
            self.log.push(describe(&effect));
            grounds_are_told(&self.engine, &effect);
            crate::impersonation::is_as_somebody(&effect);
            let identity = effect.identity.iter();
            self.written
                .extend(identity.map(|identity| (describe(&effect), identity.clone())));
            if let Some(oracle) = self.oracle {
                oracle(self, Some(&effect));
            }
            self.pending.push_back(effect);
        }
    }

    /// Carries out at most so many effects and works of controllers. Gives whether there was nothing left to do.
    pub(crate) fn drive(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            if let Some(effect) = self.pending.pop_front() {
                self.perform(&effect);
            } else if let Some(key) = self.cluster.behind().first() {
                let object = self.cluster.work(key);
                self.see(object);
            } else {
                return true;
            }
        }
        false
    }

    /// Carries out at most so many effects, what was asked for last first. What is to be watched stays in its order.
    pub(crate) fn drive_newest(&mut self, steps: usize) {
        for _ in 0..steps {
            let mut newest = self.pending.iter();
            let Some(at) = newest.rposition(|effect| !matches!(effect.kind, EffectKind::WatchKinds { .. })) else {
                return;
            };
            let effect = self.pending.remove(at).unwrap();
            self.perform(&effect);
        }
    }

    /// Goes on, through deadlines too, for so long.
    pub(crate) fn settle(&mut self, within: Duration) {
        let end = self.now + within;
        loop {
            assert!(self.drive(5_000), "it never comes to rest:\n{}", self.tail());
            match self.engine.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.engine.handle_timeout(self.now);
                    self.collect();
                }
                _ => break,
            }
        }
        self.now = self.now.max(end);
    }

    pub(crate) fn tail(&self) -> String {
        self.log[self.log.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) fn see(&mut self, object: Value) {
        if self
            .cluster
            .watched
            .contains(&crate::cluster::key_of(&object).group_kind())
        {
            self.handle(Event::LiveObserved(ClusterId::in_cluster(), Box::new(object)));
        }
    }

    /// Somebody deletes a live object, or it disappears by itself.
    pub(crate) fn vanish(&mut self, key: &ResourceKey) {
        if let Some(object) = self.cluster.objects.remove(key) {
            self.gone(key, &object);
        }
    }

    /// Somebody takes a finalizer off a live object.
    pub(crate) fn release(&mut self, key: &ResourceKey, finalizer: &str) {
        if let Some(object) = self.cluster.release(key, finalizer) {
            self.gone(key, &object);
        } else if let Some(object) = self.cluster.objects.get(key).cloned() {
            self.see(object);
        }
    }

    fn gone(&mut self, key: &ResourceKey, object: &Value) {
        let uid = object["metadata"]["uid"].as_str().unwrap().to_owned();
        self.handle(Event::LiveGone {
            cluster: ClusterId::in_cluster(),
            key: key.clone(),
            uid,
        });
    }

    fn perform(&mut self, effect: &Effect) {
        self.now = self.now + Duration::from_millis(10);
        let name = effect.id.application.name.clone();
        if let Some(outcome) = self.carry_out(&name, &effect.kind) {
            self.handle(Event::Completed(effect.id.clone(), outcome));
        }
        let is_patch = matches!(
            effect.kind,
            EffectKind::PatchStatus { .. } | EffectKind::PatchApplication { .. }
        );
        if is_patch && self.resources.contains_key(&name) {
            self.observe(&name);
        }
    }

    fn carry_out(&mut self, name: &str, kind: &EffectKind) -> Option<Outcome> {
        Some(match kind {
            EffectKind::TraceDescent { steps } => Outcome::Descent(Ok(vec![Descent::Follows; steps.len()])),
            EffectKind::ResolveRevision { sources, .. } => self.resolve(name, &sources[0].target_revision),
            EffectKind::Render(task) => self.render(name, task),
            EffectKind::Compare(task) => Outcome::Compared(compare(task)),
            EffectKind::Apply(task) => {
                let result = self.cluster.apply(task);
                if let (Ok(object), DryRun::No) = (&result, &task.dry_run) {
                    self.see(object.clone());
                }
                Outcome::Applied(result.map(Box::new))
            }
            EffectKind::Delete {
                permit, propagation, ..
            } => self.remove(permit, *propagation),
            EffectKind::Observe { key, .. } => {
                Outcome::Observed(Ok(self.cluster.objects.get(key).cloned().map(Box::new)))
            }
            EffectKind::RemoveFinalizer { key, finalizer, .. } => {
                self.release(&key.clone(), finalizer);
                Outcome::Patched(Ok(String::new()))
            }
            EffectKind::MigrateFields { .. } => Outcome::Patched(Ok(String::new())),
            EffectKind::Pause { .. } => Outcome::Paused(Ok(())),
            EffectKind::PatchApplication { patch, .. } => Outcome::Patched(self.patch_metadata(name, patch)),
            EffectKind::PatchStatus { patch, .. } => Outcome::Patched(match self.resources.contains_key(name) {
                true => Ok(self.write_resource(name, &json!({"status": patch}))),
                false => Err(WriteError::NotFound(format!("{name} not found"))),
            }),
            EffectKind::WatchKinds { kinds, .. } => {
                let watched = std::mem::replace(&mut self.cluster.watched, kinds.clone());
                for kind in kinds.difference(&watched).cloned() {
                    let objects = self.cluster.objects.iter();
                    let of_kind = objects.filter(|(key, _)| key.group_kind() == kind);
                    let objects = of_kind.map(|(_, object)| object.clone()).collect();
                    let cluster = ClusterId::in_cluster();
                    self.handle(Event::Relisted { cluster, kind, objects });
                }
                return None;
            }
        })
    }

    fn remove(&mut self, permit: &DeletePermit, propagation: Propagation) -> Outcome {
        self.cluster.propagation.insert(permit.key().clone(), propagation);
        let before = self.cluster.objects.get(permit.key()).cloned();
        let result = self.cluster.delete(permit);
        match (before, self.cluster.objects.get(permit.key()).cloned()) {
            (Some(object), None) => self.gone(permit.key(), &object),
            (_, Some(object)) => self.see(object),
            (None, None) => {}
        }
        Outcome::Deleted(result)
    }

    fn resolve(&self, name: &str, wanted: &str) -> Outcome {
        if self.unreadable.contains(name) {
            return Outcome::Resolved(Err(unreadable()));
        }
        let commits = &self.commits[name];
        let (revision, _) = commits.iter().find(|(id, _)| id == wanted).or(commits.last()).unwrap();
        Outcome::Resolved(Ok(vec![ResolvedRevision {
            revision: revision.clone(),
            author: "Ada <ada@example.com>".into(),
            subject: "change".into(),
            time: None,
        }]))
    }

    fn render(&self, name: &str, task: &RenderTask) -> Outcome {
        if self.unreadable.contains(name) {
            return Outcome::Rendered(Err(unreadable()));
        }
        let (_, wanted) = &task.sources[0];
        let (_, objects) = self.commits[name].iter().find(|(id, _)| id == wanted).unwrap();
        Outcome::Rendered(Ok(targets(objects.as_ref().unwrap(), &task.context)))
    }

    fn patch_metadata(&mut self, name: &str, patch: &Value) -> Result<String, WriteError> {
        let Some(resource) = self.resources.get(name) else {
            return Err(WriteError::NotFound(format!("{name} not found")));
        };
        let expected = patch.pointer("/metadata/resourceVersion");
        if expected.is_some_and(|version| *version != resource["metadata"]["resourceVersion"]) {
            return Err(WriteError::Conflict("the object has been modified".into()));
        }
        Ok(self.write_resource(name, patch))
    }

    pub(crate) fn view(&self, name: &str) -> ApplicationView {
        self.engine.view(&ApplicationId::new("argocd", name)).unwrap()
    }

    pub(crate) fn sync(&self, name: &str) -> String {
        let view = self.view(name);
        format!("{} {}", view.sync, view.health.status)
    }

    /// Of the resource's status.
    pub(crate) fn status(&self, name: &str, pointer: &str) -> &str {
        let value = self.resources[name].pointer(&format!("/status{pointer}"));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// Conditions in the resource's status, a line each, with since when they hold.
    pub(crate) fn conditions(&self, name: &str) -> String {
        let all = self.resources[name]
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let text = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        let line = |condition: &Value| {
            let (kind, message) = (text(condition, "type"), text(condition, "message"));
            format!("{kind} since {}: {message}", text(condition, "lastTransitionTime"))
        };
        all.into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        self.cluster
            .objects
            .keys()
            .any(|key| key.kind == kind && key.name == name)
    }

    /// The journal, a line an entry.
    pub(crate) fn journal(&self) -> String {
        let lines = self.engine.journal().after(0).map(|entry| {
            let object = entry.object.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            let message = match entry.message.as_str() {
                "" => String::new(),
                message => format!(" — {message}"),
            };
            let (name, machine) = (&entry.application.name, entry.machine);
            format!("{name}: {machine}{object}: {} → {}{message}", entry.from, entry.to)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn unreadable() -> SourceFailure {
    SourceFailure {
        message: "the repository does not answer".into(),
        transient: true,
    }
}
