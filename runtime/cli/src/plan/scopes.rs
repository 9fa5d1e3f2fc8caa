//! Which kinds live in namespaces, where there is no cluster to say so.
//!
//! Kubernetes' own do not change their scope; a kind that a definition beside it defines has the scope that the definition says. Of all others it is not known:
//! they are taken to live in one, as the controller takes them until their definition is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_model::{GroupKind, Manifest};

/// Kubernetes' kinds that live in no namespace (1.36, and what earlier versions had).
const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    ("", &["Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    (
        "certificates.k8s.io",
        &["CertificateSigningRequest", "ClusterTrustBundle"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &[
            "CSIDriver",
            "CSINode",
            "StorageClass",
            "VolumeAttachment",
            "VolumeAttributesClass",
        ],
    ),
];

/// By Kubernetes' own kinds, and by the definitions among these objects.
pub(super) fn without_a_cluster(manifests: &[Manifest]) -> Arc<BTreeMap<GroupKind, bool>> {
    let all = CLUSTER_SCOPED.iter();
    let own = all.flat_map(|(group, kinds)| kinds.iter().map(|kind| (GroupKind::new(*group, *kind), false)));
    let definitions = manifests
        .iter()
        .filter(|manifest| manifest.gvk.kind == "CustomResourceDefinition");
    let defined = definitions.filter_map(|definition| {
        let text = |pointer| definition.value.pointer(pointer).and_then(serde_json::Value::as_str);
        let kind = GroupKind::new(text("/spec/group")?, text("/spec/names/kind")?);
        Some((kind, text("/spec/scope")? == "Namespaced"))
    });
    Arc::new(own.chain(defined).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_says_where_its_kind_lives() {
        let definition = |kind: &str, scope: &str| {
            let value = serde_json::json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": kind}, "spec": {"group": "a.io", "names": {"kind": kind}, "scope": scope}});
            Manifest::parse(value, capstan_model::SourceLocation::default()).expect("a manifest")
        };
        let scopes = without_a_cluster(&[definition("Zone", "Cluster"), definition("Thing", "Namespaced")]);
        let of = |group: &str, kind: &str| scopes.get(&GroupKind::new(group, kind)).copied();
        assert_eq!(of("a.io", "Zone"), Some(false));
        assert_eq!(of("a.io", "Thing"), Some(true));
        assert_eq!(of("rbac.authorization.k8s.io", "ClusterRole"), Some(false));
        assert_eq!(of("", "ConfigMap"), None);
    }
}
