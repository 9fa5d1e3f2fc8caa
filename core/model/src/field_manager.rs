//! Under which names we write fields, and whose fields become ours.

use std::fmt;

/// Our field manager in server-side apply: part of the wire format, since ownership recorded under it must be found again.
pub const FIELD_MANAGER: &str = "capstan";

/// Argo CD's field manager. What it owns is what Git declared when Argo CD last synced, so after a take-over it counts as ours.
pub const ARGO_FIELD_MANAGER: &str = "argocd-controller";

/// Field managers whose fields are ours.
pub const FIELD_MANAGERS: [&str; 2] = [FIELD_MANAGER, ARGO_FIELD_MANAGER];

/// The manager of `kubectl apply` without `--server-side`.
pub const KUBECTL_FIELD_MANAGER: &str = "kubectl-client-side-apply";

/// Managers of client-side apply, by plain updates: `kubectl`, and Argo CD under the names of all its versions. What they applied is what
/// somebody declared, so it is handed over to us.
pub const CLIENT_SIDE_MANAGERS: [&str; 3] = [
    KUBECTL_FIELD_MANAGER,
    ARGO_FIELD_MANAGER,
    "argocd-application-controller",
];

/// An entry of `metadata.managedFields` whose fields become ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormerManager {
    /// The manager's name.
    pub name: String,
    /// It applied server-side; else it wrote by plain updates.
    pub applies: bool,
}

impl FormerManager {
    /// Who applied client-side, or wrote otherwise.
    pub fn by_update(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { name, applies: false }
    }

    /// Who applied server-side.
    pub fn by_apply(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { name, applies: true }
    }
}

impl fmt::Display for FormerManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = if self.applies { "Apply" } else { "Update" };
        write!(f, "{}/{operation}", self.name)
    }
}
