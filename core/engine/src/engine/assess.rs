//! What each object of an application is: there, equal, healthy, to be pruned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use capstan_live::Node;
use capstan_model::{
    Digest, GroupKind, GroupVersionKind, HealthStatus, HealthStatusCode, ObjectMeta, PruneOption, ResourceKey,
    SyncStatusCode,
};

use super::Engine;
use super::cluster::Cluster;
use super::state::{ApplicationState, Assessment, Existence, InFlight, ObjectState, PairDigests};
use crate::compare::{ComparePair, CompareTask, IgnoreRules, Verdict};
use crate::effect::EffectKind;
use crate::health::{ManagedResource, aggregate};
use crate::policy::ignore_rules;
use crate::sabotage::{self, Sabotage};
use crate::targets::Target;

/// Of no rules, which is what most objects have: worked out once.
static NO_RULES: LazyLock<Digest> = LazyLock::new(|| IgnoreRules::default().digest());

impl Engine {
    /// Looks at every object, and asks for the comparisons that are missing.
    pub(super) fn step_assess(&mut self, app: &mut ApplicationState) {
        let Some(cluster) = self.cluster(app) else { return };
        let mut pairs = BTreeMap::new();
        let mut objects = BTreeMap::new();
        for target in app.desired.iter().flat_map(super::state::Desired::resources) {
            let state = declared(app, cluster, target, &mut pairs);
            objects.insert(target.key.clone(), state);
        }
        let undeclared: BTreeSet<ResourceKey> = cluster
            .live
            .tracked(&app.id())
            .chain(app.inventory.keys())
            .filter(|key| !objects.contains_key(*key))
            .cloned()
            .collect();
        let mut extra = BTreeMap::new();
        for key in undeclared {
            let meta = extra_meta(app, cluster, &key);
            if let Some(state) = undeclared_state(app, cluster, &key, meta.as_ref().map(|(_, meta)| meta)) {
                objects.insert(key.clone(), state);
            }
            if let Some(meta) = meta {
                extra.insert(key, meta);
            }
        }
        let assessment = summed_up(app, objects);
        app.extra = extra;
        keep_inventory(app, &assessment);
        app.assessment = assessment;
        self.ask_for_verdicts(app, pairs);
    }

    fn ask_for_verdicts(
        &mut self,
        app: &mut ApplicationState,
        pairs: BTreeMap<ResourceKey, (PairDigests, ComparePair)>,
    ) {
        if pairs.is_empty() || app.is_in_flight(|what| matches!(what, InFlight::Compare(_))) {
            return;
        }
        let digests = pairs
            .iter()
            .map(|(key, (digests, _))| (key.clone(), *digests))
            .collect();
        let task = CompareTask {
            pairs: pairs.into_values().map(|(_, pair)| pair).collect(),
        };
        self.emit(app, EffectKind::Compare(Box::new(task)), InFlight::Compare(digests));
    }
}

fn declared(
    app: &ApplicationState,
    cluster: &Cluster,
    target: &Target,
    pairs: &mut BTreeMap<ResourceKey, (PairDigests, ComparePair)>,
) -> ObjectState {
    let key = &target.key;
    let (existence, node) = cluster.existence(key);
    let sync = match (existence, node) {
        (_, Some(node)) => verdict(app, target, node, pairs),
        (Existence::Missing, None) => Some(SyncStatusCode::OutOfSync),
        (Existence::Unlisted, None) => None,
        (Existence::Unavailable | Existence::Present, None) => Some(SyncStatusCode::Unknown),
    };
    ObjectState {
        gvk: target.gvk.clone(),
        wave: target.meta.wave,
        existence,
        sync,
        health: health(existence, node).map(|health| of_rollout(cluster, node, health)),
        requires_pruning: false,
        declared: true,
        extraneous: false,
        ignore_health: target.meta.ignore_healthcheck,
        needs_confirmation: false,
    }
}

/// The verdict on a pair, if it was passed; else the pair is put down to be compared.
fn verdict(
    app: &ApplicationState,
    target: &Target,
    node: &Node,
    pairs: &mut BTreeMap<ResourceKey, (PairDigests, ComparePair)>,
) -> Option<SyncStatusCode> {
    // An object that carries another application's tracking id, or none, is compared all the same: the id itself differs then.
    let rules = ignore_rules(&app.application.spec.ignore_differences, &target.key);
    let of = PairDigests {
        desired: target.object.digest(),
        live: node.content(),
        rules: if rules.is_empty() { *NO_RULES } else { rules.digest() },
    };
    match app.compared.get(&target.key) {
        Some(compared) if compared.of == of => Some(match compared.verdict {
            Verdict::Equal => SyncStatusCode::Synced,
            Verdict::Different(_) => SyncStatusCode::OutOfSync,
            Verdict::Failed(_) => SyncStatusCode::Unknown,
        }),
        _ => match node.manifest() {
            Some(live) => {
                let pair = ComparePair {
                    key: target.key.clone(),
                    desired: target.object.clone(),
                    live: live.clone(),
                    rules,
                };
                pairs.insert(target.key.clone(), (of, pair));
                None
            }
            // Not tracked by anybody, so the document was not kept; without a tracking id it cannot be as desired.
            None => Some(SyncStatusCode::OutOfSync),
        },
    }
}

fn health(existence: Existence, node: Option<&Node>) -> Option<HealthStatus> {
    match (existence, node) {
        (_, Some(node)) => node.health(),
        (Existence::Missing, None) => Some(HealthStatus::new(HealthStatusCode::Missing, "")),
        _ => None,
    }
}

/// A workload that is on its way and whose Pods cannot start will not get there by itself: its health is told by the Pod, with the
/// reason, long before the workload's own deadline. Waves go on waiting for the workload: it may still recover.
fn of_rollout(cluster: &Cluster, node: Option<&Node>, health: HealthStatus) -> HealthStatus {
    if health.status != HealthStatusCode::Progressing {
        return health;
    }
    let stuck = node.and_then(|node| stuck_pod(cluster, &node.uid(), 3));
    match stuck.and_then(|pod| Some((pod, pod.health()?))) {
        Some((pod, reason)) => {
            HealthStatus::new(HealthStatusCode::Degraded, format!("{}: {}", pod.key(), reason.message))
        }
        None => health,
    }
}

/// A degraded Pod that the object of this uid owns, directly or through so many others.
fn stuck_pod<'a>(cluster: &'a Cluster, uid: &str, depth: u8) -> Option<&'a Node> {
    let children: Vec<&Node> = cluster.live.children(uid).collect();
    let is_stuck = |node: &&&Node| node.gvk().kind == "Pod" && node.health_code() == Some(HealthStatusCode::Degraded);
    if let Some(pod) = children.iter().find(is_stuck) {
        return Some(pod);
    }
    let depth = depth.checked_sub(1)?;
    children
        .iter()
        .find_map(|child| stuck_pod(cluster, &child.uid(), depth))
}

/// The annotations of a live object that is not declared, read once for each content of it.
fn extra_meta(app: &ApplicationState, cluster: &Cluster, key: &ResourceKey) -> Option<(Digest, ObjectMeta)> {
    let node = cluster.node(key)?;
    match app.extra.get(key) {
        Some((content, meta)) if *content == node.content() => Some((*content, meta.clone())),
        _ => {
            let object = node.manifest()?.value().ok()?;
            Some((node.content(), ObjectMeta::of(&object)))
        }
    }
}

/// Of an object that is tracked or was once, and is not declared. `None` when it is no longer ours: gone, handed over, or a hook.
fn undeclared_state(
    app: &ApplicationState,
    cluster: &Cluster,
    key: &ResourceKey,
    meta: Option<&ObjectMeta>,
) -> Option<ObjectState> {
    let (existence, node) = cluster.existence(key);
    let known = app.inventory.get(key);
    let id = app.id();
    if let Some(node) = node
        && (node.tracked_by() != Some(&id) || node.is_owned() || meta.is_some_and(|meta| meta.is_hook))
        && !(known.is_some() && sabotage::is(Sabotage::DeletesUntracked))
    {
        return None;
    }
    if existence == Existence::Missing {
        return None;
    }
    let rendered = app.desired.is_some() && app.refresh.failure().is_none();
    let extraneous = meta.is_some_and(|meta| meta.ignore_extraneous);
    Some(ObjectState {
        gvk: GroupVersionKind {
            group: key.group.clone(),
            version: node.map_or_else(
                || known.map(|entry| entry.version.clone()).unwrap_or_default(),
                |node| node.version().to_owned(),
            ),
            kind: key.kind.clone(),
        },
        wave: meta.map_or_else(|| known.map_or(0, |entry| entry.wave), |meta| meta.wave),
        existence,
        sync: match existence {
            Existence::Present if rendered => Some(SyncStatusCode::OutOfSync),
            Existence::Unlisted => None,
            _ => Some(SyncStatusCode::Unknown),
        },
        health: health(existence, node),
        requires_pruning: rendered && existence == Existence::Present,
        declared: false,
        extraneous,
        ignore_health: meta.is_some_and(|meta| meta.ignore_healthcheck),
        needs_confirmation: meta.is_some_and(|meta| meta.sync_options.prune == Some(PruneOption::Confirm)),
    })
}

fn summed_up(app: &ApplicationState, objects: BTreeMap<ResourceKey, ObjectState>) -> Assessment {
    let counted = || objects.values().filter(|object| !object.extraneous);
    let settled = objects.values().all(|object| object.sync.is_some());
    let has = |code| counted().any(|object| object.sync == Some(code));
    let sync = if app.desired.is_none() || app.refresh.failure().is_some() || !settled {
        SyncStatusCode::Unknown
    } else if has(SyncStatusCode::OutOfSync) && !sabotage::is(Sabotage::CallsEverythingSynced) {
        SyncStatusCode::OutOfSync
    } else if has(SyncStatusCode::Unknown) {
        SyncStatusCode::Unknown
    } else {
        SyncStatusCode::Synced
    };
    let managed = objects.iter().map(|(key, object)| ManagedResource {
        key,
        health: object.health.as_ref(),
        live: object.existence == Existence::Present,
        ignored: object.ignore_health,
    });
    let unavailable = objects
        .iter()
        .find(|(_, object)| object.existence == Existence::Unavailable);
    let health = match unavailable {
        Some((key, _)) => HealthStatus::new(HealthStatusCode::Unknown, format!("{key}: its kind cannot be read")),
        None if app.desired.is_none() && objects.is_empty() => HealthStatus::new(HealthStatusCode::Unknown, ""),
        None => aggregate(managed),
    };
    Assessment {
        settled: settled && (app.desired.is_some() || app.refresh.failure().is_some()),
        objects,
        sync,
        health,
    }
}

/// What is there is in the inventory. An entry leaves only when its object is proven gone, or is no longer ours.
fn keep_inventory(app: &mut ApplicationState, assessment: &Assessment) {
    let id_known = |key: &ResourceKey| assessment.objects.get(key);
    app.inventory
        .retain(|key, _| id_known(key).is_some_and(|object| object.existence != Existence::Missing));
    for (key, object) in &assessment.objects {
        if object.existence == Existence::Present {
            let entry = super::state::InventoryEntry {
                version: object.gvk.version.clone(),
                wave: object.wave,
            };
            app.inventory.insert(key.clone(), entry);
        }
    }
}

/// Kinds of the objects that workloads make, so that what they own is seen.
pub(super) fn descendants(kind: &GroupKind) -> &'static [(&'static str, &'static str)] {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") => &[("apps", "ReplicaSet"), ("", "Pod")],
        ("apps", "ReplicaSet" | "StatefulSet" | "DaemonSet") | ("batch", "Job") | ("", "ReplicationController") => {
            &[("", "Pod")]
        }
        ("batch", "CronJob") => &[("batch", "Job"), ("", "Pod")],
        _ => &[],
    }
}
