//! The cluster and the resource just before the engine sees the next commit.

use std::collections::BTreeSet;
use std::time::Duration;

use capstan_engine::Settings;
use capstan_engine::guard::Pause;
use capstan_model::{AppProject, GroupKind, ProjectResource, ResourceKey};
use serde_json::{Value, json};

use super::generate::{Case, Deed, Item, Project};
use crate::cluster::key_of;
use crate::rig::Rig;

const MINUTE: Duration = Duration::from_secs(60);

impl Case {
    /// Each identity once.
    fn objects(items: &[Item], bulk: u8) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let bulk = (0..bulk).map(|n| {
            // Some of the many wait for a confirmation.
            let option = if n % 5 == 0 { "Prune=confirm" } else { "" };
            let mut object = Item {
                kind: "ConfigMap",
                name: 0,
                value: 0,
                option,
            }
            .object();
            object["metadata"]["name"] = json!(format!("bulk{n:02}"));
            object
        });
        let objects = items.iter().map(|item| item.object()).chain(bulk);
        objects.filter(|object| seen.insert(key_of(object))).collect()
    }

    /// The cluster and the resource after the first sync, and what others did since, with the second commit pushed.
    pub(super) fn prepare(&self) -> Rig {
        let rig = Rig::new(Self::objects(&self.first, self.bulk.0));
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        assert!(run.sync().starts_with("Synced"), "{}\n{}", run.sync(), run.journal());
        let mut rig = run.rig;
        let second = Self::objects(&self.second, self.bulk.1);
        let declared: BTreeSet<ResourceKey> = second.iter().map(key_of).collect();
        for deed in &self.deeds {
            act(&mut rig, *deed, &declared);
        }
        let spec = &mut rig.resource["spec"];
        spec["syncPolicy"] = json!({"syncOptions": self.options, "retry": {"limit": 0}});
        if self.automated {
            spec["syncPolicy"]["automated"] = json!({"prune": self.prune, "allowEmpty": self.allow_empty});
        }
        if self.metadata {
            spec["syncPolicy"]["managedNamespaceMetadata"] = json!({"labels": {"v": "1"}});
        }
        spec["project"] = json!("shops");
        if self.by_person {
            rig.resource["operation"] =
                json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true, "syncOptions": self.options}});
        }
        rig.commit(second);
        rig
    }

    pub(super) fn project(&self) -> Option<AppProject> {
        let mut project = AppProject::permissive("shops");
        let kind = |kind: &str| ProjectResource {
            kind: kind.into(),
            ..ProjectResource::default()
        };
        match self.project {
            Project::Absent => return None,
            Project::Permissive => {}
            Project::ForbidsSecrets => project.spec.namespace_resource_blacklist = vec![kind("Secret")],
            Project::ForbidsNamespaces => project.spec.cluster_resource_blacklist = vec![kind("Namespace")],
            Project::ForbidsDestination => project.spec.destinations.clear(),
        }
        Some(project)
    }

    pub(super) fn pause(&self) -> Pause {
        Pause {
            projects: self
                .pause
                .then(|| ("shops".to_owned(), "an incident".to_owned()))
                .into_iter()
                .collect(),
            ..Pause::default()
        }
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            installation_id: if self.is_named { "blue".into() } else { String::new() },
            protected_kinds: self
                .protects_secrets
                .then(|| GroupKind::new("", "Secret"))
                .into_iter()
                .collect(),
            ..Settings::default()
        }
    }
}

fn act(rig: &mut Rig, deed: Deed, declared: &BTreeSet<ResourceKey>) {
    let objects = &mut rig.cluster.objects;
    let all: Vec<ResourceKey> = objects.keys().cloned().collect();
    let keys: Vec<ResourceKey> = all.iter().filter(|key| key.kind != "Job").cloned().collect();
    let pick = |n: u8| keys.get(usize::from(n) % keys.len().max(1)).cloned();
    let undeclared = |n: u8| {
        // A sync waits until the namespace that it goes to is gone, which here it never is.
        let is_undeclared = |key: &&ResourceKey| !declared.contains(*key) && key.name != "prod";
        let keys: Vec<&ResourceKey> = keys.iter().filter(is_undeclared).collect();
        keys.get(usize::from(n) % keys.len().max(1)).map(|key| (*key).clone())
    };
    match deed {
        Deed::Edit(n) => {
            if let Some(key) = pick(n) {
                rig.cluster.edit(&key, &["spec", "value"], json!(7), "kubectl-edit");
            }
        }
        Deed::Remove(n) => drop(pick(n).and_then(|key| objects.remove(&key))),
        Deed::Steal(n) => {
            let key = all.get(usize::from(n) % all.len().max(1));
            if let Some(object) = key.and_then(|key| objects.get_mut(key)) {
                let id = &mut object["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"];
                *id = json!(id.as_str().unwrap_or_default().replacen("shop:", "blog:", 1));
            }
        }
        Deed::Doom(n) => {
            if let Some(object) = undeclared(n).and_then(|key| objects.get_mut(&key)) {
                object["metadata"]["deletionTimestamp"] = json!("2026-03-14T09:00:00Z");
                object["metadata"]["finalizers"] = json!(["example.com/held"]);
            }
        }
        Deed::Own(n) => {
            if let Some(object) = undeclared(n).and_then(|key| objects.get_mut(&key)) {
                object["metadata"]["ownerReferences"] =
                    json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "owner"}]);
            }
        }
        Deed::Squat => {
            let metadata = json!({"name": "theirs", "namespace": "team", "uid": "theirs"});
            let object = planted("ConfigMap", &metadata);
            objects.insert(key_of(&object), object);
        }
        Deed::Found(value) => {
            let labels = json!({"v": value.to_string()});
            let object = planted("Namespace", &json!({"name": "prod", "uid": "prod", "labels": labels}));
            objects.insert(key_of(&object), object);
        }
    }
}

/// An object that somebody else made.
fn planted(kind: &str, metadata: &Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
    for (field, value) in [
        ("resourceVersion", json!("0")),
        ("generation", json!(1)),
        ("managedFields", json!([])),
    ] {
        object["metadata"][field] = value;
    }
    object
}
