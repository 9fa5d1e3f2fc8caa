//! What goes with a Namespace or a definition when that is deleted: everything in it, whoever's it is.
//!
//! Prevents: a namespace that two teams share, deleted with all that is in it because one of them removed its manifest; the objects of a
//! kind, deleted with the definition that one application brought. So before such an object is deleted its contents are listed, by the
//! executor, right before the DELETE, and held against the permit; a list that cannot be read is not an empty one.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{DeleteOption, GroupKind, PruneOption, ResourceKey};
use serde_json::Value;

use crate::sabotage::{self, Sabotage};

/// What has to be listed before an object may be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Everything in a namespace.
    Namespace(String),
    /// All objects of the kind that a definition defines.
    Definition {
        /// The kind.
        kind: GroupKind,
        /// A version at which it is served.
        version: String,
        /// Its plural name in URLs.
        plural: String,
    },
}

/// One object that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Which.
    pub key: ResourceKey,
    /// Its identity.
    pub uid: String,
    /// Identities of its owners.
    pub owners: Vec<String>,
    /// It is going already.
    pub is_deleting: bool,
}

impl Content {
    /// Of an object of a list of `kind`; metadata is enough.
    pub fn of(kind: &GroupKind, object: &Value) -> Self {
        let text = |object: &Value, pointer: &str| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let owners = owners.into_iter().flatten().map(|owner| text(owner, "/uid"));
        Self {
            key: ResourceKey::new(
                &kind.group,
                &kind.kind,
                text(object, "/metadata/namespace"),
                text(object, "/metadata/name"),
            ),
            uid: text(object, "/metadata/uid"),
            owners: owners.collect(),
            is_deleting: !text(object, "/metadata/deletionTimestamp").is_empty(),
        }
    }
}

/// What has to be listed before `live` may be deleted: everything in a namespace, all objects of a definition's kind, else nothing.
pub fn survey(live: &Value) -> Option<Survey> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match (text("/apiVersion"), text("/kind")) {
        ("v1", "Namespace") => Some(Survey::Namespace(text("/metadata/name").to_owned())),
        (version, "CustomResourceDefinition") if version.starts_with("apiextensions.k8s.io/") => {
            let versions = live.pointer("/spec/versions").and_then(Value::as_array);
            let served = versions
                .into_iter()
                .flatten()
                .find(|version| version["served"] == true)?;
            Some(Survey::Definition {
                kind: GroupKind::new(text("/spec/group"), text("/spec/names/kind")),
                version: served["name"].as_str()?.to_owned(),
                plural: text("/spec/names/plural").to_owned(),
            })
        }
        _ => None,
    }
}

/// Kinds whose objects come and go by themselves and hold nothing: they need not even be listed.
pub fn is_incidental(kind: &GroupKind) -> bool {
    matches!(
        (kind.group.as_str(), kind.kind.as_str()),
        ("" | "events.k8s.io", "Event")
            | ("", "Endpoints")
            | ("discovery.k8s.io", "EndpointSlice")
            | ("coordination.k8s.io", "Lease")
    )
}

/// What Kubernetes puts into every namespace.
fn is_furniture(key: &ResourceKey) -> bool {
    matches!(
        (key.group.as_str(), key.kind.as_str(), key.name.as_str()),
        ("", "ServiceAccount", "default") | ("", "ConfigMap", "kube-root-ca.crt")
    )
}

/// The objects that would go and are not `ours` to delete. What is owned by another of them goes with its owner, and is not told.
pub(super) fn others(found: &[Content], ours: &BTreeSet<ResourceKey>) -> Vec<ResourceKey> {
    if sabotage::is(Sabotage::DeletesInUse) {
        return Vec::new();
    }
    let by_uid: BTreeMap<&str, &Content> = found.iter().map(|content| (content.uid.as_str(), content)).collect();
    let mut others: Vec<ResourceKey> = found
        .iter()
        .filter(|content| {
            let is_owned = content.owners.iter().any(|owner| by_uid.contains_key(owner.as_str()));
            let is_nobodys = is_incidental(&content.key.group_kind()) || is_furniture(&content.key);
            !is_owned && !is_nobodys && !content.is_deleting && !ours.contains(&content.key)
        })
        .map(|content| content.key.clone())
        .collect();
    others.sort();
    others
}

/// Is it looked into before an object is deleted? A person's word is enough for a namespace; for the objects of a kind it is not.
pub(crate) fn is_looked_into(key: &ResourceKey, by_person: bool) -> bool {
    match key.kind.as_str() {
        "Namespace" => !by_person && !sabotage::is(Sabotage::DeletesNamespacesInUse),
        "CustomResourceDefinition" => !sabotage::is(Sabotage::DeletesDefinitionsInUse),
        _ => false,
    }
}

/// May an object that the application tracks go when its namespace or its definition goes? `option` is its own or the application's; a
/// confirmation that was given is none to wait for.
pub(crate) fn may_go_along(option: Option<PruneOption>, is_declared: bool, is_held: bool) -> bool {
    matches!(option, None | Some(PruneOption::Allow)) && !is_declared && !is_held
}

/// May an object that the application tracks go when its namespace goes with the application? `option` is its own or the application's;
/// `is_left`: the last look has shown that it is not to be deleted.
pub(crate) fn goes_with_application(option: Option<DeleteOption>, is_left: bool) -> bool {
    option != Some(DeleteOption::Never) && !is_left
}

/// What becomes of a prune of a namespace that no application deletes.
pub(crate) const RESERVED: &str = "left as it is: namespaces of Kubernetes and of the controller are never deleted";

/// Namespaces that no application deletes, whatever it says: Kubernetes' own, the default one, the controller's.
pub(crate) fn is_reserved(key: &ResourceKey, control_namespace: &str) -> bool {
    let is_namespace = key.group.is_empty() && key.kind == "Namespace";
    let is_whole = !sabotage::is(Sabotage::DeletesReserved);
    is_namespace
        && is_whole
        && (key.name.starts_with("kube-") || key.name == "default" || key.name == control_namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(kind: &str, name: &str, owners: &[&str]) -> Content {
        let owners: Vec<Value> = owners.iter().map(|owner| json!({"uid": owner})).collect();
        let object = json!({"metadata": {"namespace": "prod", "name": name, "uid": name, "ownerReferences": owners}});
        Content::of(&GroupKind::new("", kind), &object)
    }

    #[test]
    fn what_is_not_ours_and_not_a_namespace_s_own_is_told_once() {
        let ours = BTreeSet::from([ResourceKey::new("", "ConfigMap", "prod", "mine")]);
        let mut found = vec![
            content("ConfigMap", "mine", &[]),
            content("Pod", "mine-1", &["mine"]),
            content("ConfigMap", "kube-root-ca.crt", &[]),
            content("ServiceAccount", "default", &[]),
            content("Event", "e", &[]),
        ];
        assert!(others(&found, &ours).is_empty());
        found.push(content("Secret", "theirs", &[]));
        found.push(content("Pod", "theirs-1", &["theirs"]));
        found.push(content("Pod", "of-something-elsewhere", &["unknown"]));
        let mut going = content("Secret", "going", &[]);
        going.is_deleting = true;
        found.push(going);
        let told: Vec<String> = others(&found, &ours).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["Pod/prod/of-something-elsewhere", "Secret/prod/theirs"]);
    }

    #[test]
    fn namespaces_and_definitions_are_surveyed_and_nothing_else() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}});
        assert_eq!(survey(&namespace), Some(Survey::Namespace("prod".into())));
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "a.io", "names": {"kind": "Thing", "plural": "things"},
                "versions": [{"name": "v1alpha1", "served": false}, {"name": "v1", "served": true}]}});
        let expected = Survey::Definition {
            kind: GroupKind::new("a.io", "Thing"),
            version: "v1".into(),
            plural: "things".into(),
        };
        assert_eq!(survey(&definition), Some(expected));
        assert_eq!(survey(&json!({"apiVersion": "v1", "kind": "ConfigMap"})), None);
        assert_eq!(survey(&json!({"apiVersion": "a.io/v1", "kind": "Namespace"})), None);
    }

    #[test]
    fn reserved_namespaces() {
        let namespace = |name: &str| ResourceKey::new("", "Namespace", "", name);
        for name in ["kube-system", "kube-public", "default", "argocd"] {
            assert!(is_reserved(&namespace(name), "argocd"), "{name}");
        }
        assert!(!is_reserved(&namespace("prod"), "argocd"));
        assert!(!is_reserved(
            &ResourceKey::new("", "ConfigMap", "prod", "default"),
            "argocd"
        ));
    }
}
