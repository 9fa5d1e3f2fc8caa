//! What comes before what by its kind.
//!
//! Within a wave, kinds fall into tiers: a tier is written when the one before it was accepted. The tiers are runs of Argo CD's order
//! of kinds, so that nothing comes earlier than there what depends on something else, and what is independent (a ConfigMap, a
//! Secret) goes in parallel. `guards: argo` makes every kind a tier of its own.

use capstan_model::ResourceKey;

use crate::settings::Guards;

/// Argo CD's order of kinds; each inner list is a tier.
const TIERS: [&[&str]; 6] = [
    &["Namespace"],
    &[
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "PodSecurityPolicy",
        "PodDisruptionBudget",
        "ServiceAccount",
        "Secret",
        "SecretList",
        "ConfigMap",
        "StorageClass",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "CustomResourceDefinition",
    ],
    &[
        "ClusterRole",
        "ClusterRoleList",
        "ClusterRoleBinding",
        "ClusterRoleBindingList",
        "Role",
        "RoleList",
        "RoleBinding",
        "RoleBindingList",
    ],
    &["Service"],
    &[
        "DaemonSet",
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "HorizontalPodAutoscaler",
        "StatefulSet",
        "Job",
        "CronJob",
    ],
    &["IngressClass", "Ingress", "APIService"],
];

/// Where a kind stands in Argo CD's order of kinds, which looks at its name alone; every kind that is not listed comes last.
pub(crate) fn rank(kind: &str) -> usize {
    let listed = TIERS.iter().copied().flatten();
    let count = listed.clone().count();
    listed.copied().position(|name| name == kind).unwrap_or(count)
}

/// The tier of an object; every kind that is not listed comes last, and so do those of other groups than Kubernetes' own that only
/// share a name with one: a Service of Knative is no Service.
pub(super) fn tier(key: &ResourceKey, guards: Guards) -> usize {
    let is_own = !key.group.contains('.') || key.group.ends_with(".k8s.io");
    match guards {
        Guards::Argo => rank(&key.kind),
        Guards::Capstan if !is_own => TIERS.len(),
        Guards::Capstan => {
            let tier = TIERS.iter().position(|kinds| kinds.contains(&&*key.kind));
            tier.unwrap_or(TIERS.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(group: &str, kind: &str, guards: Guards) -> usize {
        tier(&ResourceKey::new(group, kind, "", "a"), guards)
    }

    #[test]
    fn tiers_never_contradict_the_order_of_kinds() {
        let kinds = || TIERS.iter().copied().flatten().copied().chain(["Foo"]);
        let of = |guards| -> Vec<usize> { kinds().map(|kind| of("", kind, guards)).collect() };
        assert!(of(Guards::Capstan).is_sorted());
        assert_eq!(of(Guards::Argo), (0..kinds().count()).collect::<Vec<_>>());
    }

    #[test]
    fn a_kind_is_not_its_name_alone() {
        let service = of("", "Service", Guards::Capstan);
        assert!(service < of("serving.knative.dev", "Service", Guards::Capstan));
        assert_eq!(
            of("networking.k8s.io", "Ingress", Guards::Capstan),
            of("extensions", "Ingress", Guards::Capstan)
        );
        let (one, other) = (
            of("", "Service", Guards::Argo),
            of("serving.knative.dev", "Service", Guards::Argo),
        );
        assert_eq!(one, other);
    }
}
