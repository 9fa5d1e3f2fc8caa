//! The sample repository: every file of `runtime/main/demo`, inside the binary. A test holds the list against the folder.

/// Path and content.
pub(super) const FILES: &[(&str, &str)] = &[
    ("README.md", include_str!("../../demo/README.md")),
    (
        "argocd/appointments.yaml",
        include_str!("../../demo/argocd/appointments.yaml"),
    ),
    ("argocd/billing.yaml", include_str!("../../demo/argocd/billing.yaml")),
    (
        "argocd/lab-results.yaml",
        include_str!("../../demo/argocd/lab-results.yaml"),
    ),
    (
        "argocd/notifications.yaml",
        include_str!("../../demo/argocd/notifications.yaml"),
    ),
    (
        "argocd/patient-portal.yaml",
        include_str!("../../demo/argocd/patient-portal.yaml"),
    ),
    (
        "argocd/platform-config.yaml",
        include_str!("../../demo/argocd/platform-config.yaml"),
    ),
    ("argocd/project.yaml", include_str!("../../demo/argocd/project.yaml")),
    (
        "argocd/status-page.yaml",
        include_str!("../../demo/argocd/status-page.yaml"),
    ),
    (
        "services/appointments/Chart.yaml",
        include_str!("../../demo/services/appointments/Chart.yaml"),
    ),
    (
        "services/appointments/values-prod.yaml",
        include_str!("../../demo/services/appointments/values-prod.yaml"),
    ),
    (
        "services/appointments/values-staging.yaml",
        include_str!("../../demo/services/appointments/values-staging.yaml"),
    ),
    (
        "services/appointments/values.yaml",
        include_str!("../../demo/services/appointments/values.yaml"),
    ),
    (
        "services/appointments/templates/_names.tpl",
        include_str!("../../demo/services/appointments/templates/_names.tpl"),
    ),
    (
        "services/appointments/templates/service.yaml",
        include_str!("../../demo/services/appointments/templates/service.yaml"),
    ),
    (
        "services/appointments/templates/statefulset.yaml",
        include_str!("../../demo/services/appointments/templates/statefulset.yaml"),
    ),
    (
        "services/billing/Chart.yaml",
        include_str!("../../demo/services/billing/Chart.yaml"),
    ),
    (
        "services/billing/values-prod.yaml",
        include_str!("../../demo/services/billing/values-prod.yaml"),
    ),
    (
        "services/billing/values-staging.yaml",
        include_str!("../../demo/services/billing/values-staging.yaml"),
    ),
    (
        "services/billing/values.yaml",
        include_str!("../../demo/services/billing/values.yaml"),
    ),
    (
        "services/billing/templates/_names.tpl",
        include_str!("../../demo/services/billing/templates/_names.tpl"),
    ),
    (
        "services/billing/templates/deployment.yaml",
        include_str!("../../demo/services/billing/templates/deployment.yaml"),
    ),
    (
        "services/billing/templates/migration.yaml",
        include_str!("../../demo/services/billing/templates/migration.yaml"),
    ),
    (
        "services/billing/templates/secret.yaml",
        include_str!("../../demo/services/billing/templates/secret.yaml"),
    ),
    (
        "services/billing/templates/service.yaml",
        include_str!("../../demo/services/billing/templates/service.yaml"),
    ),
    (
        "services/lab-results/Chart.yaml",
        include_str!("../../demo/services/lab-results/Chart.yaml"),
    ),
    (
        "services/lab-results/values-prod.yaml",
        include_str!("../../demo/services/lab-results/values-prod.yaml"),
    ),
    (
        "services/lab-results/values-staging.yaml",
        include_str!("../../demo/services/lab-results/values-staging.yaml"),
    ),
    (
        "services/lab-results/values.yaml",
        include_str!("../../demo/services/lab-results/values.yaml"),
    ),
    (
        "services/lab-results/templates/_names.tpl",
        include_str!("../../demo/services/lab-results/templates/_names.tpl"),
    ),
    (
        "services/lab-results/templates/deployment.yaml",
        include_str!("../../demo/services/lab-results/templates/deployment.yaml"),
    ),
    (
        "services/lab-results/templates/disruption.yaml",
        include_str!("../../demo/services/lab-results/templates/disruption.yaml"),
    ),
    (
        "services/lab-results/templates/import.yaml",
        include_str!("../../demo/services/lab-results/templates/import.yaml"),
    ),
    (
        "services/lab-results/templates/service.yaml",
        include_str!("../../demo/services/lab-results/templates/service.yaml"),
    ),
    (
        "services/notifications/Chart.yaml",
        include_str!("../../demo/services/notifications/Chart.yaml"),
    ),
    (
        "services/notifications/values-prod.yaml",
        include_str!("../../demo/services/notifications/values-prod.yaml"),
    ),
    (
        "services/notifications/values-staging.yaml",
        include_str!("../../demo/services/notifications/values-staging.yaml"),
    ),
    (
        "services/notifications/values.yaml",
        include_str!("../../demo/services/notifications/values.yaml"),
    ),
    (
        "services/notifications/templates/_names.tpl",
        include_str!("../../demo/services/notifications/templates/_names.tpl"),
    ),
    (
        "services/notifications/templates/deployment.yaml",
        include_str!("../../demo/services/notifications/templates/deployment.yaml"),
    ),
    (
        "services/notifications/templates/hooks.yaml",
        include_str!("../../demo/services/notifications/templates/hooks.yaml"),
    ),
    (
        "services/notifications/templates/service.yaml",
        include_str!("../../demo/services/notifications/templates/service.yaml"),
    ),
    (
        "services/patient-portal/Chart.yaml",
        include_str!("../../demo/services/patient-portal/Chart.yaml"),
    ),
    (
        "services/patient-portal/values-prod.yaml",
        include_str!("../../demo/services/patient-portal/values-prod.yaml"),
    ),
    (
        "services/patient-portal/values-staging.yaml",
        include_str!("../../demo/services/patient-portal/values-staging.yaml"),
    ),
    (
        "services/patient-portal/values.yaml",
        include_str!("../../demo/services/patient-portal/values.yaml"),
    ),
    (
        "services/patient-portal/templates/_names.tpl",
        include_str!("../../demo/services/patient-portal/templates/_names.tpl"),
    ),
    (
        "services/patient-portal/templates/config.yaml",
        include_str!("../../demo/services/patient-portal/templates/config.yaml"),
    ),
    (
        "services/patient-portal/templates/deployment.yaml",
        include_str!("../../demo/services/patient-portal/templates/deployment.yaml"),
    ),
    (
        "services/patient-portal/templates/ingress.yaml",
        include_str!("../../demo/services/patient-portal/templates/ingress.yaml"),
    ),
    (
        "services/patient-portal/templates/service.yaml",
        include_str!("../../demo/services/patient-portal/templates/service.yaml"),
    ),
    (
        "services/patient-portal/templates/serviceaccount.yaml",
        include_str!("../../demo/services/patient-portal/templates/serviceaccount.yaml"),
    ),
    (
        "services/platform-config/Chart.yaml",
        include_str!("../../demo/services/platform-config/Chart.yaml"),
    ),
    (
        "services/platform-config/values-prod.yaml",
        include_str!("../../demo/services/platform-config/values-prod.yaml"),
    ),
    (
        "services/platform-config/values-staging.yaml",
        include_str!("../../demo/services/platform-config/values-staging.yaml"),
    ),
    (
        "services/platform-config/values.yaml",
        include_str!("../../demo/services/platform-config/values.yaml"),
    ),
    (
        "services/platform-config/templates/configmap.yaml",
        include_str!("../../demo/services/platform-config/templates/configmap.yaml"),
    ),
    (
        "services/status-page/config.yaml",
        include_str!("../../demo/services/status-page/config.yaml"),
    ),
    (
        "services/status-page/deployment.yaml",
        include_str!("../../demo/services/status-page/deployment.yaml"),
    ),
    (
        "services/status-page/service.yaml",
        include_str!("../../demo/services/status-page/service.yaml"),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => collect(root, &path, found),
                false => drop(found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned())),
            }
        }
    }

    #[test]
    fn every_file_is_listed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
        let mut found = BTreeSet::new();
        collect(&root, &root, &mut found);
        let listed: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(found, listed);
    }
}
