//! Under which names we write fields.

/// Our field manager in server-side apply: part of the wire format, since ownership recorded under it must be found again.
pub const FIELD_MANAGER: &str = "capstan";

/// Argo CD's field manager. What it owns is what Git declared when Argo CD last synced, so after a take-over it counts as ours.
pub const ARGO_FIELD_MANAGER: &str = "argocd-controller";

/// Field managers whose fields are ours.
pub const FIELD_MANAGERS: [&str; 2] = [FIELD_MANAGER, ARGO_FIELD_MANAGER];
