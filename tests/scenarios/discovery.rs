//! What a world serves, as the engine is told.

use std::collections::BTreeMap;

use capstan_engine::event::{Discovery, ServedKind};
use capstan_model::{GroupKind, GroupVersionKind, ResourceKey, Timestamp};
use capstan_sim::{Method, Registry, Request, World, api_version, text};

/// Everything that `world` serves.
pub(crate) fn discover(now: Timestamp, world: &mut World) -> Discovery {
    let namespace = world.handle(now, Request::new(Method::Get, "/api/v1/namespaces/kube-system"));
    let version = world.handle(now, Request::new(Method::Get, "/version"));
    let mut kinds: BTreeMap<GroupKind, ServedKind> = BTreeMap::new();
    let snapshot = world.snapshot();
    for group in snapshot.registry().groups() {
        for version in &group.versions {
            for served in version.resources.iter().filter(|served| served.serves("get")) {
                let known = kinds
                    .entry(GroupKind::new(&group.name, &served.kind))
                    .or_insert_with(|| ServedKind {
                        version: version.name.clone(),
                        versions: Vec::new(),
                        plural: served.plural.clone(),
                        namespaced: served.namespaced,
                        watchable: served.serves("watch") && served.serves("list"),
                    });
                known.versions.push(version.name.clone());
            }
        }
    }
    Discovery {
        cluster_uid: text(namespace.value(), &["metadata", "uid"]).to_owned(),
        version: text(version.value(), &["gitVersion"]).to_owned(),
        kinds,
        incomplete_groups: Vec::new(),
    }
}

/// The path of a collection, over all namespaces when `namespace` is empty; `None` when the kind is not served.
pub(crate) fn collection(registry: &Registry, gvk: &GroupVersionKind, namespace: &str) -> Option<String> {
    let served = registry.kind(&gvk.group, &gvk.version, &gvk.kind)?;
    let root = if gvk.group.is_empty() { "/api" } else { "/apis" };
    let version = api_version(&gvk.group, &gvk.version);
    Some(match namespace {
        "" => format!("{root}/{version}/{}", served.plural),
        namespace => format!("{root}/{version}/namespaces/{namespace}/{}", served.plural),
    })
}

/// The path of an object; `None` when the kind is not served.
pub(crate) fn object(registry: &Registry, gvk: &GroupVersionKind, key: &ResourceKey) -> Option<String> {
    let collection = collection(registry, gvk, &key.namespace)?;
    Some(format!("{collection}/{}", key.name))
}
