//! The namespace that `CreateNamespace=true` makes.

use std::sync::LazyLock;

use capstan_model::{
    ApplicationId, Blob, GroupVersionKind, ManagedNamespaceMetadata, ObjectMeta, ResourceKey, SourceLocation,
    SyncOptions,
};
use serde_json::{Value, json};

use super::{Target, Targets};
use crate::plan::is_written;
use crate::settings::Guards;

/// It as it is applied: without a tracking id, so that it is never pruned and never deleted with the application.
pub(crate) fn namespace_object(name: &str, metadata: Option<&ManagedNamespaceMetadata>) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let Some(metadata) = metadata else { return object };
    if !metadata.labels.is_empty() {
        object["metadata"]["labels"] = json!(metadata.labels);
    }
    if !metadata.annotations.is_empty() {
        object["metadata"]["annotations"] = json!(metadata.annotations);
    }
    object
}

/// The same as an object that is compared and put right.
pub(crate) fn namespace_target(key: &ResourceKey, metadata: Option<&ManagedNamespaceMetadata>) -> Target {
    Target {
        key: key.clone(),
        gvk: GroupVersionKind::from_api_version("v1", "Namespace"),
        generate_name: None,
        namespaced: Some(false),
        meta: ObjectMeta {
            // A replace would take away what others put on it.
            sync_options: SyncOptions {
                replace: Some(false),
                ..SyncOptions::default()
            },
            ..ObjectMeta::default()
        },
        object: Blob::new(&namespace_object(&key.name, metadata)),
        location: SourceLocation {
            file: "spec.syncPolicy.managedNamespaceMetadata".into(),
            line: 0,
        },
    }
}

/// The namespace that the option makes: that of the destination, unless one of that name is declared. Then the manifest is all there is, but
/// for one that is a hook which no sync runs.
pub(crate) fn made_namespace(targets: &Targets, name: &str, options: &SyncOptions) -> Option<ResourceKey> {
    if options.create_namespace != Some(true) || name.is_empty() {
        return None;
    }
    let key = ResourceKey::new("", "Namespace", "", name);
    let is_declared = targets.find(&key).is_some_and(is_written);
    (!is_declared).then_some(key)
}

/// What is known of the namespace that an application makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MadeNamespace<'a> {
    /// What the application says of it.
    pub(crate) metadata: Option<&'a ManagedNamespaceMetadata>,
    /// The application's last sync kept labels or annotations of it.
    pub(crate) was_kept: bool,
    /// A sync made it, or found it, and it is proven not to be there any more.
    pub(crate) is_gone: bool,
    /// Something of it was applied by us, or by Argo CD before us.
    pub(crate) is_applied: bool,
    /// Whose way it is done.
    pub(crate) guards: Guards,
    /// Which application declares it, by its tracking id.
    pub(crate) owner: Option<&'a ApplicationId>,
}

impl MadeNamespace<'_> {
    /// Is it held against what application `id` says? Else it is there, and that is enough.
    pub(crate) fn is_kept_by(&self, id: &ApplicationId) -> bool {
        match self.owner {
            // Declared by another one: that one's manifest counts.
            Some(owner) if owner != id => false,
            // Declared once, and made from now on. Argo CD's way leaves it as it is, as long as nothing is said of it.
            Some(_) => self.guards == Guards::Capstan || self.metadata.is_some() || self.was_kept,
            None if self.is_gone => true,
            // Nothing is to be on it: that is so where we have nothing on it.
            None if self.wanted().is_empty() => self.is_applied && (self.metadata.is_some() || self.was_kept),
            None => true,
        }
    }

    /// What the application says of it: nothing, where it says nothing any more.
    pub(crate) fn wanted(&self) -> &ManagedNamespaceMetadata {
        static NOTHING: LazyLock<ManagedNamespaceMetadata> = LazyLock::new(ManagedNamespaceMetadata::default);
        self.metadata.unwrap_or(&NOTHING)
    }
}
