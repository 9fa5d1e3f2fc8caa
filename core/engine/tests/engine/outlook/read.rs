//! What somebody outside reads of the cluster to plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_engine::event::KindLookup;
use capstan_engine::guard::{Content, Survey, survey};
use capstan_engine::plan::{LiveObject, Plan, PlanRequest, PruneItem};
use capstan_engine::settings::Guards;
use capstan_engine::targets::{TargetContext, Targets};
use capstan_model::{Application, GroupVersionKind, ObjectMeta, ResourceKey};

use super::generate::Case;
use crate::cluster::discovery;
use crate::rig::{Rig, id, targets};

/// What a plan is made of, read off the cluster and the resource, as somebody outside does it.
pub(super) struct Reads {
    pub(super) application: Application,
    pub(super) targets: Targets,
    pub(super) plan: Plan,
    pub(super) live: BTreeMap<ResourceKey, LiveObject>,
    pub(super) contents: BTreeMap<ResourceKey, Result<Vec<Content>, String>>,
}

pub(super) fn read(rig: &Rig, case: &Case) -> Reads {
    let application = Application::parse(&rig.resource).unwrap();
    let served = discovery();
    let targets = targets(rig.commits.last().unwrap().1.as_ref().unwrap(), &context(case));
    let declared = |key: &ResourceKey| targets.objects().iter().any(|target| target.key == *key);
    let mut undeclared: Vec<(ResourceKey, String)> = Vec::new();
    for resource in &application.status.resources {
        if !resource.hook && !declared(&resource.key()) {
            undeclared.push((resource.key(), resource.version.clone()));
        }
    }
    let look = |key: &ResourceKey| match rig.cluster.objects.get(key) {
        Some(object) => LiveObject::Present(Box::new(object.clone())),
        None if served.lookup(&key.group_kind()) == KindLookup::NotServed => LiveObject::NotServed,
        None => LiveObject::Absent,
    };
    let namespace = ResourceKey::new("", "Namespace", "", "prod");
    let wanted = targets.objects().iter().map(|target| &target.key);
    let live = wanted
        .chain(undeclared.iter().map(|(key, _)| key))
        .chain([&namespace])
        .map(|key| (key.clone(), look(key)))
        .collect();
    let items = undeclared.iter().map(|(key, version)| item_of(rig, key, version));
    let items: Vec<PruneItem> = items.collect();
    let options = application.spec.sync_policy.options();
    let plan = Plan::new(&PlanRequest {
        targets: &targets,
        prune: &items,
        hooks: true,
        selection: &[],
        options: &options,
        destination_namespace: "prod",
        create_namespace: options.create_namespace == Some(true),
        hook_suffix: "1",
        guards: Guards::default(),
    })
    .unwrap();
    let contents = undeclared
        .iter()
        .filter_map(|(key, _)| Some((key.clone(), Ok(within(rig, key)?))))
        .collect();
    Reads {
        application,
        targets,
        plan,
        live,
        contents,
    }
}

fn context(case: &Case) -> TargetContext {
    let served = discovery();
    let namespaced = served
        .kinds
        .iter()
        .map(|(kind, served)| (kind.clone(), served.namespaced));
    TargetContext {
        application: id(),
        control_namespace: "argocd".into(),
        installation_id: case.settings().installation_id,
        destination_namespace: "prod".into(),
        namespaced: Arc::new(namespaced.collect()),
        ..TargetContext::default()
    }
}

fn item_of(rig: &Rig, key: &ResourceKey, version: &str) -> PruneItem {
    let meta = rig.cluster.objects.get(key).map(ObjectMeta::of);
    PruneItem {
        key: key.clone(),
        gvk: GroupVersionKind {
            group: key.group.clone(),
            version: version.to_owned(),
            kind: key.kind.clone(),
        },
        wave: meta.map_or(0, |meta| meta.wave),
        last: false,
    }
}

pub(super) fn within(rig: &Rig, key: &ResourceKey) -> Option<Vec<Content>> {
    let survey = survey(rig.cluster.objects.get(key)?)?;
    let is_within = |key: &ResourceKey| match &survey {
        Survey::Namespace(name) => key.namespace == *name,
        Survey::Definition { kind, .. } => key.group_kind() == *kind,
    };
    let found = rig.cluster.objects.iter().filter(|(key, _)| is_within(key));
    Some(
        found
            .map(|(key, object)| Content::of(&key.group_kind(), object))
            .collect(),
    )
}
