//! What comes before what by its kind.
//!
//! Within a wave, kinds fall into tiers: a tier is written when the one before it was accepted. The tiers are runs of Argo CD's order
//! of kinds, so that nothing comes earlier than there what depends on something else, and what is independent (a ConfigMap, a
//! Secret) goes in parallel. `guards: argo` makes every kind a tier of its own.

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
    tier(kind, Guards::Argo)
}

/// The tier of a kind; every kind that is not listed comes last.
pub(crate) fn tier(kind: &str, guards: Guards) -> usize {
    let mut rank = 0;
    for (tier, kinds) in TIERS.iter().enumerate() {
        match (kinds.iter().position(|name| *name == kind), guards) {
            (Some(_), Guards::Capstan) => return tier,
            (Some(at), Guards::Argo) => return rank + at,
            (None, _) => rank += kinds.len(),
        }
    }
    match guards {
        Guards::Capstan => TIERS.len(),
        Guards::Argo => rank,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_never_contradict_the_order_of_kinds() {
        let kinds: Vec<&str> = TIERS
            .iter()
            .flat_map(|tier| tier.iter().copied())
            .chain(["Foo"])
            .collect();
        let of = |guards| -> Vec<usize> { kinds.iter().map(|kind| tier(kind, guards)).collect() };
        assert!(of(Guards::Capstan).is_sorted());
        assert_eq!(of(Guards::Argo), (0..kinds.len()).collect::<Vec<_>>());
    }
}
