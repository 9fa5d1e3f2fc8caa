//! An engine with a repository, a cluster and the resource that describes the application; everything that could go in another order
//! asks a tape.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use capstan_engine::compare::compare;
use capstan_engine::effect::{ApplyTask, DryRun, Effect, EffectKind, RenderTask};
use capstan_engine::event::{Descent, Discovery, Outcome, ResolvedRevision, SourceFailure, WriteError};
use capstan_engine::journal::JournalEntry;
use capstan_engine::targets::Targets;
use capstan_engine::{Engine, Event, Settings};
use capstan_model::{
    Application, ApplicationId, ClusterId, GroupKind, Manifest, ResourceKey, SourceLocation, Timestamp,
};
use serde_json::{Value, json};

use crate::cluster::{Cluster, discovery, key_of, merge_patch};

/// One commit: its id and the objects it declares, or why it cannot be rendered.
pub(crate) type Commit = (String, Result<Vec<Value>, String>);

#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) cluster: Cluster,
    /// Another cluster: whatever is asked of it is asked of the one at hand.
    pub(crate) elsewhere: Cluster,
    pub(crate) commits: Vec<Commit>,
    pub(crate) resource: Value,
    pub(crate) now: Timestamp,
    /// UID of the namespace kube-system.
    pub(crate) cluster_uid: String,
    /// What a render that bypasses the caches gives instead, once.
    pub(crate) second_render: Option<Result<Vec<Value>, SourceFailure>>,
    /// What is said of every step of history.
    pub(crate) descent: Descent,
    version: u64,
}

pub(crate) struct Run {
    pub(crate) rig: Rig,
    pub(crate) engine: Engine,
    /// Effects that were asked for and not carried out yet.
    pub(crate) pending: VecDeque<Effect>,
    /// Effects in the order in which they were asked for, as text.
    pub(crate) log: Vec<String>,
    /// Outcomes that were delivered.
    pub(crate) delivered: Vec<(capstan_engine::EffectId, Outcome)>,
    /// Choices: 0 is the ordinary one.
    pub(crate) tape: Vec<u8>,
    position: usize,
}

/// The n-th commit: 40 digits that differ in the first ones.
pub(crate) fn commit_id(n: usize) -> String {
    format!("{n:05}{}", "c".repeat(35))
}

pub(crate) fn id() -> ApplicationId {
    ApplicationId::new("argocd", "shop")
}

pub(crate) fn config(name: &str, wave: i32, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "prod",
        "annotations": {"argocd.argoproj.io/sync-wave": wave.to_string()}}, "data": {"v": value}})
}

pub(crate) fn workload(kind: &str, name: &str, wave: i32, image: &str) -> Value {
    let (api, spec) = match kind {
        "Job" => ("batch/v1", json!({"image": image})),
        _ => ("apps/v1", json!({"replicas": 1, "image": image})),
    };
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "prod",
        "annotations": {"argocd.argoproj.io/sync-wave": wave.to_string()}}, "spec": spec})
}

pub(crate) fn hook(name: &str, kind: &str) -> Value {
    let mut object = workload("Job", name, 0, "hook");
    object["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!(kind);
    object
}

impl Rig {
    pub(crate) fn new(first: Vec<Value>) -> Self {
        Self {
            cluster: Cluster::default(),
            elsewhere: Cluster::default(),
            commits: vec![(commit_id(1), Ok(first))],
            resource: json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                "metadata": {"name": "shop", "namespace": "argocd", "uid": "app-uid", "resourceVersion": "1", "generation": 1},
                "spec": {
                    "project": "default",
                    "source": {"repoURL": "https://example.com/infra.git", "path": "shop", "targetRevision": "main"},
                    "destination": {"server": ClusterId::IN_CLUSTER, "namespace": "prod"},
                    "syncPolicy": {"automated": {"prune": true, "selfHeal": true}}
                }
            }),
            now: Timestamp::from_seconds(1_773_478_800),
            cluster_uid: "cluster".into(),
            second_render: None,
            descent: Descent::Follows,
            version: 1,
        }
    }

    pub(crate) fn commit(&mut self, objects: Vec<Value>) {
        self.commits.push((commit_id(self.commits.len() + 1), Ok(objects)));
    }

    /// A new process.
    pub(crate) fn start(self, tape: Vec<u8>) -> Run {
        self.start_with(Settings::default(), tape)
    }

    /// A new process, with these settings.
    pub(crate) fn start_with(self, settings: Settings, tape: Vec<u8>) -> Run {
        let engine = Engine::new(settings);
        let mut run = Run {
            rig: self,
            engine,
            pending: VecDeque::new(),
            log: Vec::new(),
            delivered: Vec::new(),
            tape,
            position: 0,
        };
        run.rig.cluster.watched.clear();
        run.handle(Event::ProjectsListed);
        let discovery = Discovery {
            cluster_uid: run.rig.cluster_uid.clone(),
            ..discovery()
        };
        run.handle(Event::ClusterConnected(ClusterId::in_cluster(), discovery));
        run.observe_application();
        run.handle(Event::ApplicationsListed);
        run
    }

    pub(crate) fn patch_resource(&mut self, field: &[&str], patch: &Value) -> String {
        let mut at = &mut self.resource;
        for name in field {
            at = &mut at[*name];
        }
        merge_patch(at, patch);
        self.version += 1;
        self.resource["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.version.to_string()
    }

    pub(crate) fn status(&self, pointer: &str) -> &str {
        self.resource
            .pointer(&format!("/status{pointer}"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

impl Run {
    pub(crate) fn handle(&mut self, event: Event) {
        self.engine.handle(self.rig.now, event);
        self.collect();
    }

    fn collect(&mut self) {
        self.engine
            .audit()
            .unwrap_or_else(|what| panic!("{what}\n{}", self.log.join("\n")));
        while let Some(effect) = self.engine.poll_effect() {
            self.log.push(crate::describe::describe(&effect));
            grounds_are_told(&self.engine, &effect);
            crate::impersonation::is_as_somebody(&effect);
            self.pending.push_back(effect);
        }
    }

    pub(crate) fn observe_application(&mut self) {
        let application = Application::parse(&self.rig.resource).unwrap();
        self.handle(Event::ApplicationObserved(Box::new(application)));
    }

    pub(crate) fn push(&mut self, objects: Vec<Value>) {
        self.rig.commit(objects);
        self.handle(Event::SourceChanged {
            repo_url: "https://example.com/infra".into(),
        });
    }

    fn choose(&mut self, of: usize) -> usize {
        let choice = self.tape.get(self.position).copied().unwrap_or(0);
        self.position += 1;
        usize::from(choice) % of.max(1)
    }

    /// Goes on until nothing is left to do, or only waiting. Gives false when it was stopped before that.
    pub(crate) fn drive(&mut self, mut steps: usize) -> bool {
        loop {
            if steps == 0 {
                return false;
            }
            steps -= 1;
            let behind = self.rig.cluster.behind();
            let of = self.pending.len() + behind.len();
            if of == 0 {
                return true;
            }
            match self.choose(of) {
                choice if choice < self.pending.len() => {
                    let effect = self.pending.remove(choice).unwrap();
                    self.perform(&effect);
                }
                choice => {
                    let object = self.rig.cluster.work(&behind[choice - self.pending.len()]);
                    self.see(object);
                }
            }
        }
    }

    /// A deadline may have come.
    pub(crate) fn handle_timeout(&mut self) {
        self.engine.handle_timeout(self.rig.now);
        self.collect();
    }

    /// Goes on, through deadlines too, for so long.
    pub(crate) fn settle(&mut self, within: Duration) {
        let end = self.rig.now + within;
        loop {
            assert!(
                self.drive(5_000),
                "it never comes to rest:\n{}",
                self.log[self.log.len().saturating_sub(30)..].join("\n")
            );
            match self.engine.poll_timeout() {
                Some(at) if at <= end => {
                    self.rig.now = at;
                    self.engine.handle_timeout(at);
                    self.collect();
                }
                _ => return,
            }
        }
    }

    /// Its watch tells of an object.
    pub(crate) fn see(&mut self, object: Value) {
        let kind = key_of(&object).group_kind();
        if self.rig.cluster.watched.contains(&kind) {
            self.handle(Event::LiveObserved(self.rig.cluster.id(), Box::new(object)));
        }
    }

    /// Somebody edits a live object.
    pub(crate) fn edit(&mut self, key: &ResourceKey, path: &[&str], value: Value, manager: &str) {
        self.rig.cluster.edit(key, path, value, manager);
        let object = self.rig.cluster.objects[key].clone();
        self.see(object);
    }

    /// Somebody deletes a live object.
    pub(crate) fn delete(&mut self, key: &ResourceKey) {
        if let Some(object) = self.rig.cluster.objects.remove(key) {
            self.gone(key, &object);
        }
    }

    /// Its watch tells that an object is gone.
    pub(crate) fn gone(&mut self, key: &ResourceKey, object: &Value) {
        let uid = object["metadata"]["uid"].as_str().unwrap().to_owned();
        self.handle(Event::LiveGone {
            cluster: self.rig.cluster.id(),
            key: key.clone(),
            uid,
        });
    }

    pub(crate) fn complete(&mut self, effect: &Effect, outcome: Outcome) {
        self.rig.now = self.rig.now + Duration::from_millis(10);
        self.delivered.push((effect.id.clone(), outcome.clone()));
        self.handle(Event::Completed(effect.id.clone(), outcome));
    }

    /// Carries out one effect, and tells the engine.
    pub(crate) fn perform(&mut self, effect: &Effect) {
        if let Some(outcome) = self.carry_out(effect) {
            self.complete(effect, outcome);
        }
        if matches!(
            effect.kind,
            EffectKind::PatchStatus { .. } | EffectKind::PatchApplication { .. }
        ) {
            self.observe_application();
        }
    }

    /// Carries out one effect; what it would be answered, if anything is.
    pub(crate) fn carry_out(&mut self, effect: &Effect) -> Option<Outcome> {
        if effect.kind.cluster().is_some_and(|id| *id != self.rig.cluster.id()) {
            std::mem::swap(&mut self.rig.cluster, &mut self.rig.elsewhere);
        }
        Some(match &effect.kind {
            EffectKind::ResolveRevision { .. } => {
                let (revision, _) = self.rig.commits.last().unwrap().clone();
                let revision = ResolvedRevision {
                    revision,
                    author: "Ada <ada@example.com>".into(),
                    subject: "change".into(),
                    time: None,
                };
                Outcome::Resolved(Ok(vec![revision]))
            }
            EffectKind::TraceDescent { steps } => {
                Outcome::Descent(Ok(steps.iter().map(|_| self.rig.descent.clone()).collect()))
            }
            EffectKind::Render(task) => Outcome::Rendered(self.render(task)),
            EffectKind::Compare(task) => Outcome::Compared(compare(task)),
            EffectKind::Apply(task) => self.write(task),
            EffectKind::Delete {
                permit, propagation, ..
            } => {
                self.rig.cluster.propagation.insert(permit.key().clone(), *propagation);
                let before = self.rig.cluster.objects.get(permit.key()).cloned();
                let result = self.rig.cluster.delete(permit);
                if let (Some(object), false) = (before, self.rig.cluster.objects.contains_key(permit.key())) {
                    self.gone(permit.key(), &object);
                }
                Outcome::Deleted(result)
            }
            EffectKind::Observe { key, .. } => {
                Outcome::Observed(Ok(self.rig.cluster.objects.get(key).cloned().map(Box::new)))
            }
            EffectKind::RemoveFinalizer { key, finalizer, .. } => self.release(key, finalizer),
            EffectKind::MigrateFields { key, from, .. } => {
                let result = self.rig.cluster.hand_over(key, from);
                result.iter().for_each(|object| self.see(object.clone()));
                Outcome::Patched(result.map(|_| String::new()))
            }
            EffectKind::Pause { .. } => Outcome::Paused(Ok(())),
            EffectKind::PatchApplication { patch, .. } => Outcome::Patched(Ok(self.rig.patch_resource(&[], patch))),
            EffectKind::PatchStatus { patch, version, .. } => self.patch_status(patch, version.as_deref()),
            EffectKind::WatchKinds { kinds, .. } => {
                self.watch(kinds);
                return None;
            }
        })
    }

    fn patch_status(&mut self, patch: &Value, version: Option<&str>) -> Outcome {
        let is_stale = version.is_some_and(|version| self.rig.resource["metadata"]["resourceVersion"] != version);
        Outcome::Patched(match is_stale {
            true => Err(WriteError::Conflict("the object has been modified".into())),
            false => Ok(self.rig.patch_resource(&["status"], patch)),
        })
    }

    fn render(&mut self, task: &RenderTask) -> Result<Targets, SourceFailure> {
        if let Some(objects) = self.rig.second_render.take_if(|_| task.bypass_cache) {
            return objects.map(|objects| targets(&objects, &task.context));
        }
        let (_, wanted) = &task.sources[0];
        let (_, objects) = self.rig.commits.iter().find(|(id, _)| id == wanted).unwrap();
        match objects {
            Ok(objects) => Ok(targets(objects, &task.context)),
            Err(message) => Err(SourceFailure {
                message: message.clone(),
                transient: false,
            }),
        }
    }

    fn release(&mut self, key: &ResourceKey, finalizer: &str) -> Outcome {
        if self.rig.cluster.keeps_finalizers {
            return Outcome::Patched(Err(WriteError::Forbidden("403".into())));
        }
        if let Some(object) = self.rig.cluster.release(key, finalizer) {
            self.gone(key, &object);
        } else if let Some(object) = self.rig.cluster.objects.get(key).cloned() {
            self.see(object);
        }
        Outcome::Patched(Ok(String::new()))
    }

    fn write(&mut self, task: &ApplyTask) -> Outcome {
        let result = self.rig.cluster.apply(task);
        if let Ok(object) = &result
            && task.dry_run == DryRun::No
        {
            self.see(object.clone());
        }
        Outcome::Applied(result.map(Box::new))
    }

    /// From now on these kinds are watched. Those that were not are listed, and no others.
    pub(crate) fn watch(&mut self, kinds: &BTreeSet<GroupKind>) {
        let watched = std::mem::replace(&mut self.rig.cluster.watched, kinds.clone());
        kinds.difference(&watched).for_each(|kind| self.list(kind));
    }

    /// What is watched can be listed again, and is.
    pub(crate) fn list_all(&mut self) {
        let kinds = self.rig.cluster.watched.clone();
        kinds.iter().for_each(|kind| self.list(kind));
    }

    fn list(&mut self, kind: &GroupKind) {
        let objects = self.rig.cluster.objects.iter();
        let of_kind = objects.filter(|(key, _)| key.group_kind() == *kind);
        let objects = of_kind.map(|(_, object)| object.clone()).collect();
        let (cluster, kind) = (self.rig.cluster.id(), kind.clone());
        self.handle(Event::Relisted { cluster, kind, objects });
    }

    pub(crate) fn sync(&self) -> String {
        self.engine
            .view(&id())
            .map(|view| format!("{} {}", view.sync, view.health.status))
            .unwrap_or_default()
    }

    /// The journal, a line an entry.
    pub(crate) fn journal(&self) -> String {
        let lines = self.engine.journal().after(0).map(|entry| {
            let object = entry.object.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            let message = if entry.message.is_empty() {
                String::new()
            } else {
                format!(" — {}", entry.message)
            };
            format!("{}{object}: {} → {}{message}", entry.machine, entry.from, entry.to)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// What is deleted is in the journal, with why.
pub(crate) fn grounds_are_told(engine: &Engine, effect: &Effect) {
    let EffectKind::Delete { permit, .. } = &effect.kind else {
        return;
    };
    let grounds = permit.grounds().to_string();
    let is_told = |entry: &JournalEntry| {
        entry.application == effect.id.application
            && entry.object.as_ref() == Some(permit.key())
            && entry.message == grounds
    };
    assert!(
        engine.journal().after(0).any(is_told),
        "{} is deleted, and the journal does not say: {grounds}",
        permit.key()
    );
}

pub(crate) fn targets(objects: &[Value], context: &capstan_engine::targets::TargetContext) -> Targets {
    let manifest = |(index, value): (usize, &Value)| {
        let line = u32::try_from(index * 10 + 1).unwrap();
        Manifest::parse(
            value.clone(),
            SourceLocation {
                file: "shop/all.yaml".into(),
                line,
            },
        )
        .unwrap()
    };
    Targets::prepare(objects.iter().enumerate().map(manifest).collect(), context, "Directory").unwrap()
}
