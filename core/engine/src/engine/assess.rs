//! What each object of an application is: there, equal, healthy, to be pruned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use capstan_live::Node;
use capstan_model::{
    ApplicationId, Digest, GroupKind, GroupVersionKind, HealthStatus, HealthStatusCode, ObjectMeta, PruneOption,
    ResourceKey, SyncOptions, SyncStatusCode,
};

use super::Engine;
use super::assessment::{Assessment, Basis};
use super::cluster::Cluster;
use super::inventory::InventoryEntry;
use super::namespace::{kept_namespace, own_namespace};
use super::operation::home;
use super::state::{ApplicationState, Existence, InFlight, ObjectState, PairDigests};
use super::touched::{Touched, first_of, is_of};
use crate::compare::{ComparePair, CompareTask, IgnoreRules, Verdict};
use crate::effect::EffectKind;
use crate::guard::is_home;
use crate::policy::ignore_rules;
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;
use crate::targets::Target;

/// Of no rules, which is what most objects have: worked out once.
static NO_RULES: LazyLock<Digest> = LazyLock::new(|| IgnoreRules::default().digest());

impl Engine {
    /// Looks at the objects that were touched, or at all of them where what they all rest on changed, and asks for the comparisons that
    /// are missing. Gives what was touched.
    pub(super) fn step_assess(&mut self, app: &mut ApplicationState) -> Touched {
        let Some(cluster) = self.cluster(app) else {
            return Touched::default();
        };
        let mut touched = std::mem::take(&mut app.touched);
        let basis = Basis::of(app);
        let mut before = None;
        if touched.all || self.exhaustive || app.assessment.basis.as_ref() != Some(&basis) {
            let keys = all_keys(app, cluster);
            let anew = Assessment {
                basis: Some(basis),
                ..Assessment::default()
            };
            before = Some(std::mem::replace(&mut app.assessment, anew));
            app.extra.retain(|key, _| keys.contains(key));
            touched = Touched {
                all: true,
                keys,
                ..touched
            };
        }
        for kind in &touched.kinds {
            let known = app.assessment.objects.range(first_of(kind)..).map(|(key, _)| key);
            touched.keys.extend(known.take_while(|key| is_of(key, kind)).cloned());
            // It is looked at only once it is known whether it is there.
            touched.keys.extend(own_namespace(app).filter(|key| is_of(key, kind)));
        }
        let id = app.id();
        for key in &touched.keys {
            let (object, meta) = look(app, cluster, (&id, key), self.settings.guards);
            keep(app, key, object, meta);
        }
        if let Some(before) = before {
            app.assessment.rows_changed = before.rows_changed || !before.has_rows_of(&app.assessment);
        }
        app.assessment
            .conclude(app.desired.is_some(), app.refresh.failure().is_none());
        self.ask_for_verdicts(app);
        touched
    }

    fn ask_for_verdicts(&mut self, app: &mut ApplicationState) {
        if app.assessment.tally.uncompared.is_empty() || app.in_flight.is_comparing() {
            return;
        }
        let Some(cluster) = self.cluster(app) else { return };
        let mut digests = BTreeMap::new();
        let mut task = CompareTask::default();
        for key in &app.assessment.tally.uncompared {
            let Some((target, node)) = self.wanted(app, key).zip(cluster.node(key)) else {
                continue;
            };
            let (of, rules) = pair(app, &target, node);
            let Some(live) = node.manifest() else { continue };
            digests.insert(key.clone(), of);
            task.pairs.push(ComparePair {
                key: key.clone(),
                desired: target.object.clone(),
                live: live.clone(),
                rules,
            });
        }
        self.emit(app, EffectKind::Compare(Box::new(task)), InFlight::Compare(digests));
    }
}

/// The objects that an application has something to do with: desired, tracked, or once its own.
pub(super) fn all_keys(app: &ApplicationState, cluster: &Cluster) -> BTreeSet<ResourceKey> {
    let desired = app.desired.iter().flat_map(super::state::Desired::resources);
    desired
        .map(|target| &target.key)
        .chain(cluster.live.tracked(&app.id()))
        .chain(app.inventory.keys())
        .cloned()
        .chain(own_namespace(app))
        .collect()
}

type Meta = (Digest, ObjectMeta);

/// What one object is, and the annotations of one that is not declared. Rests on what is known and on nothing that was worked out before.
pub(super) fn look(
    app: &ApplicationState,
    cluster: &Cluster,
    (id, key): (&ApplicationId, &ResourceKey),
    guards: Guards,
) -> (Option<ObjectState>, Option<Meta>) {
    if let Some(target) = app.desired.as_ref().and_then(|desired| desired.resource(key)) {
        return (Some(declared(app, cluster, target)), None);
    }
    if let Some(namespace) = kept_namespace(app, cluster, key, guards) {
        return (Some(declared(app, cluster, &namespace)), None);
    }
    let is_tracked = cluster.node(key).is_some_and(|node| node.tracked_by() == Some(id));
    if !is_tracked && !app.inventory.contains(key) {
        return (None, None);
    }
    let meta = extra_meta(app, cluster, key);
    let object = undeclared_state(app, cluster, id, key, meta.as_ref().map(|(_, meta)| meta));
    (object, meta)
}

/// Takes in what one object is. What is there is in the inventory; an entry leaves only when its object is proven gone, or is no longer
/// ours.
fn keep(app: &mut ApplicationState, key: &ResourceKey, object: Option<ObjectState>, meta: Option<Meta>) {
    match object.as_ref().map(|object| (object.existence, object)) {
        Some((Existence::Present, object)) => {
            let entry = InventoryEntry {
                version: object.gvk.version.clone(),
                wave: object.wave,
            };
            app.inventory.insert(key.clone(), entry);
        }
        Some((Existence::Missing, _)) | None => app.inventory.remove(key),
        Some((Existence::Unlisted | Existence::Unavailable, _)) => {}
    }
    match meta {
        Some(meta) => drop(app.extra.insert(key.clone(), meta)),
        None => drop(app.extra.remove(key)),
    }
    app.assessment.put(key, object);
}

fn declared(app: &ApplicationState, cluster: &Cluster, target: &Target) -> ObjectState {
    let key = &target.key;
    let (existence, node) = cluster.existence(key);
    let sync = match (existence, node) {
        (_, Some(node)) => verdict(app, target, node),
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
        is_uncompared: sync.is_none() && node.is_some(),
    }
}

/// Names the comparison of a desired object with the live one.
fn pair(app: &ApplicationState, target: &Target, node: &Node) -> (PairDigests, IgnoreRules) {
    // An object that carries another application's tracking id, or none, is compared all the same: the id itself differs then.
    let options = app.application.spec.sync_policy.options();
    let rules = ignore_rules(&app.application.spec.ignore_differences, &target.key).with_options(&options);
    let of = PairDigests {
        desired: target.object.digest(),
        live: node.content(),
        rules: match rules == IgnoreRules::default() {
            true => *NO_RULES,
            false => rules.digest(),
        },
    };
    (of, rules)
}

/// The verdict on a pair, if it was passed; else it is to be compared.
fn verdict(app: &ApplicationState, target: &Target, node: &Node) -> Option<SyncStatusCode> {
    let (of, _) = pair(app, target, node);
    match app.compared.get(&target.key) {
        Some(compared) if compared.of == of => Some(match compared.verdict {
            Verdict::Equal => SyncStatusCode::Synced,
            Verdict::Different(_) => SyncStatusCode::OutOfSync,
            Verdict::Failed(_) => SyncStatusCode::Unknown,
        }),
        // Not tracked by anybody, so the document was not kept; without a tracking id it cannot be as desired. Nor is a namespace kept of which
        // we never applied anything.
        _ => node.manifest().is_none().then_some(SyncStatusCode::OutOfSync),
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

impl Engine {
    /// What a live object says of how it is synced. Of one that is not declared that is known; what an operation for another commit does not
    /// declare may well be declared now, and is read.
    pub(super) fn own_options(&self, app: &ApplicationState, key: &ResourceKey) -> Option<SyncOptions> {
        let (_, meta) = extra_meta(app, self.cluster(app)?, key)?;
        Some(meta.sync_options)
    }
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
    id: &ApplicationId,
    key: &ResourceKey,
    meta: Option<&ObjectMeta>,
) -> Option<ObjectState> {
    let (existence, node) = cluster.existence(key);
    let known = app.inventory.get(key);
    if let Some(node) = node
        && (node.tracked_by() != Some(id)
            || node.is_owned() && !sabotage::is(Sabotage::CountsOwned)
            || meta.is_some_and(|meta| meta.is_hook))
        && !(known.is_some() && sabotage::is(Sabotage::DeletesUntracked))
    {
        return None;
    }
    if existence == Existence::Missing {
        return None;
    }
    let rendered = app.desired.is_some() && app.refresh.failure().is_none();
    let is_meant = is_meant(app, key);
    let extraneous = meta.is_some_and(|meta| meta.ignore_extraneous) || is_meant;
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
            Existence::Present if rendered && is_meant => Some(SyncStatusCode::Synced),
            Existence::Present if rendered => Some(SyncStatusCode::OutOfSync),
            Existence::Unlisted => None,
            _ => Some(SyncStatusCode::Unknown),
        },
        health: health(existence, node),
        requires_pruning: rendered && existence == Existence::Present && !is_meant,
        declared: false,
        extraneous,
        ignore_health: meta.is_some_and(|meta| meta.ignore_healthcheck),
        needs_confirmation: meta.is_some_and(|meta| meta.sync_options.prune == Some(PruneOption::Confirm)),
        is_uncompared: false,
    })
}

/// Is an object meant to be there that no manifest declares as an ordinary one? An option may declare it, and it may be a hook from now on: a
/// change of a hook alone is no difference.
fn is_meant(app: &ApplicationState, key: &ResourceKey) -> bool {
    let options = || app.application.spec.sync_policy.options();
    let is_home = key.kind == "Namespace" && is_home(key, home(app, &options()));
    let is_hook = || {
        app.desired
            .as_ref()
            .is_some_and(|desired| desired.targets.find(key).is_some())
    };
    is_home || is_hook()
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
