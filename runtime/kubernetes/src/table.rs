//! What a cluster serves, with what addressing needs beside the engine's `Discovery`.

use std::collections::BTreeSet;

use capstan_engine::event::{Discovery, KindLookup, ServedKind, WriteError};
use capstan_model::{GroupKind, GroupVersionKind, ResourceKey};

use crate::url;

/// What a cluster serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiTable {
    /// As the engine is told.
    pub discovery: Discovery,
    /// Kinds with a `status` subresource: their status is written there.
    pub status_subresources: BTreeSet<GroupKind>,
}

impl ApiTable {
    /// URL of the collection of a kind at a version, in a namespace or (empty) all of them.
    pub(crate) fn collection(&self, kind: &GroupKind, version: &str, namespace: &str) -> Result<String, Unaddressable> {
        let served = self.served(kind)?;
        if !served.versions.iter().any(|served| served == version) {
            return Err(Unaddressable::NotServed(format!(
                "the cluster serves {kind} at {}, not at {version}: change its apiVersion",
                served.versions.join(", ")
            )));
        }
        let mut path = url::group_version(&kind.group, version);
        if served.namespaced && !namespace.is_empty() {
            path.push_str("/namespaces");
            url::push_segment(&mut path, namespace).map_err(impossible)?;
        }
        path.push('/');
        path.push_str(&served.plural);
        Ok(path)
    }

    /// URL of one object.
    pub(crate) fn object(&self, key: &ResourceKey, gvk: &GroupVersionKind) -> Result<String, Unaddressable> {
        let kind = key.group_kind();
        if self.served(&kind)?.namespaced && key.namespace.is_empty() {
            return Err(Unaddressable::Impossible(format!(
                "{key} has no namespace, and its kind lives in one"
            )));
        }
        let mut path = self.collection(&kind, &gvk.version, &key.namespace)?;
        url::push_segment(&mut path, &key.name).map_err(impossible)?;
        Ok(path)
    }

    fn served(&self, kind: &GroupKind) -> Result<&ServedKind, Unaddressable> {
        match self.discovery.lookup(kind) {
            KindLookup::Served(served) => Ok(served),
            KindLookup::NotServed => Err(Unaddressable::NotServed(format!(
                "the cluster serves no kind {kind}: is its CustomResourceDefinition installed?"
            ))),
            KindLookup::Unknown => Err(Unaddressable::Unknown(format!(
                "what the API group {} serves could not be discovered: is its API service available?",
                kind.group
            ))),
        }
    }
}

/// Why something has no URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unaddressable {
    NotServed(String),
    Unknown(String),
    Impossible(String),
}

impl From<Unaddressable> for WriteError {
    fn from(error: Unaddressable) -> Self {
        match error {
            Unaddressable::NotServed(message) => Self::PathNotFound(message),
            Unaddressable::Unknown(message) => Self::Transient(message),
            Unaddressable::Impossible(message) => Self::Invalid(message),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn impossible(error: url::ImpossibleName) -> Unaddressable {
    Unaddressable::Impossible(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ApiTable {
        let mut table = ApiTable::default();
        let kind = |versions: &[&str], plural: &str, namespaced| ServedKind {
            version: versions[0].into(),
            versions: versions.iter().map(|&version| version.into()).collect(),
            plural: plural.into(),
            namespaced,
            watchable: true,
        };
        let kinds = &mut table.discovery.kinds;
        kinds.insert(GroupKind::new("apps", "Deployment"), kind(&["v1"], "deployments", true));
        kinds.insert(GroupKind::new("", "Namespace"), kind(&["v1"], "namespaces", false));
        table.discovery.incomplete_groups.push("metrics.k8s.io".into());
        table
    }

    fn url(group: &str, version: &str, kind: &str, namespace: &str) -> Result<String, Unaddressable> {
        let gvk = GroupVersionKind {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        };
        table().object(&ResourceKey::new(group, kind, namespace, "x"), &gvk)
    }

    #[test]
    fn urls_follow_the_scope() {
        assert_eq!(
            url("apps", "v1", "Deployment", "prod").unwrap(),
            "/apis/apps/v1/namespaces/prod/deployments/x"
        );
        assert_eq!(url("", "v1", "Namespace", "ignored").unwrap(), "/api/v1/namespaces/x");
        assert!(matches!(
            url("apps", "v1", "Deployment", ""),
            Err(Unaddressable::Impossible(_))
        ));
    }

    #[test]
    fn unknown_is_not_absent() {
        assert!(matches!(
            url("apps", "v1beta1", "Deployment", "p"),
            Err(Unaddressable::NotServed(_))
        ));
        assert!(matches!(
            url("x.io", "v1", "Thing", "p"),
            Err(Unaddressable::NotServed(_))
        ));
        assert!(matches!(
            url("metrics.k8s.io", "v1", "PodMetrics", "p"),
            Err(Unaddressable::Unknown(_))
        ));
    }
}
