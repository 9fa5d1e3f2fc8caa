//! Patches: of an Application, of its status, and of a finalizer.

use capstan_engine::event::WriteError;
use capstan_model::{ApplicationId, GroupVersionKind, ResourceKey};
use http::Method;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::request::{Ask, RequestError};
use crate::url;

const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

pub(crate) fn application_kind() -> GroupVersionKind {
    GroupVersionKind {
        group: "argoproj.io".into(),
        version: "v1alpha1".into(),
        kind: "Application".into(),
    }
}

fn application_key(id: &ApplicationId) -> ResourceKey {
    ResourceKey::new("argoproj.io", "Application", &id.namespace, &id.name)
}

impl Cluster {
    /// Merges `patch` into the Application whose UID is `uid`; another one of its name is a `Conflict`. Gives its new version.
    pub async fn patch_application(&self, id: &ApplicationId, uid: &str, patch: Value) -> Result<String, WriteError> {
        let key = application_key(id);
        let url = self.object_url(&key, &application_kind()).await?;
        self.merge(&key, url, with_uid(patch, uid)?, uid).await
    }

    /// Merges `patch` into the `status` of the Application whose UID is `uid`. Gives its new version.
    ///
    /// One request where Applications have no status subresource, as Argo CD and `crds` define them. Where they have one, the API
    /// server takes `metadata` of the stored object before it looks at the patch's, and a UID in it guards nothing: so the object is
    /// read first, and the version that was read is the guard.
    ///
    /// With `version`, an Application of another version is a `Conflict`, too.
    pub async fn patch_status(
        &self,
        id: &ApplicationId,
        uid: &str,
        patch: Value,
        version: Option<&str>,
    ) -> Result<String, WriteError> {
        let (key, gvk) = (application_key(id), application_kind());
        let mut url = self.object_url(&key, &gvk).await?;
        let patch = json!({ "status": patch });
        if !self.table().status_subresources.contains(&key.group_kind()) {
            let mut patch = with_uid(patch, uid)?;
            if let Some(version) = version {
                patch["metadata"]["resourceVersion"] = json!(version);
            }
            return self.merge(&key, url, patch, uid).await;
        }
        let Some(live) = self.observe(&key, &gvk).await? else {
            return Err(WriteError::NotFound(format!("{key} does not exist")));
        };
        check_uid(
            &key,
            live.pointer("/metadata/uid")
                .and_then(Value::as_str)
                .unwrap_or_default(),
            uid,
        )?;
        let mut patch = patch;
        let read = version_of(&live);
        patch["metadata"] = json!({"resourceVersion": version.unwrap_or(&read)});
        url.push_str("/status");
        self.merge(&key, url, patch, uid).await
    }

    /// Takes one finalizer off an object, if its UID is `uid` and nobody writes in between. An object that has it not (any more) is
    /// left as it is.
    pub async fn remove_finalizer(
        &self,
        key: &ResourceKey,
        gvk: &GroupVersionKind,
        uid: &str,
        finalizer: &str,
    ) -> Result<String, WriteError> {
        let Some(live) = self.observe(key, gvk).await? else {
            return Err(WriteError::NotFound(format!("{key} does not exist")));
        };
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        check_uid(key, text("/metadata/uid"), uid)?;
        let version = text("/metadata/resourceVersion");
        let finalizers = live.pointer("/metadata/finalizers").and_then(Value::as_array);
        let position = finalizers.and_then(|all| all.iter().position(|one| one == finalizer));
        let Some(position) = position else {
            return Ok(version.to_owned());
        };
        let path = format!("/metadata/finalizers/{position}");
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "test", "path": path, "value": finalizer},
            {"op": "remove", "path": path},
        ]);
        let url = self.object_url(key, gvk).await?;
        self.send_patch(key, url, JSON_PATCH, &patch)
            .await
            .map(|object| version_of(&object))
    }

    /// A JSON patch of any object. Gives its new version.
    pub(crate) async fn json_patch(
        &self,
        key: &ResourceKey,
        gvk: &GroupVersionKind,
        patch: &Value,
    ) -> Result<String, WriteError> {
        let url = self.object_url(key, gvk).await?;
        self.send_patch(key, url, JSON_PATCH, patch)
            .await
            .map(|object| version_of(&object))
    }

    async fn merge(&self, key: &ResourceKey, url: String, patch: Value, uid: &str) -> Result<String, WriteError> {
        let object = self.send_patch(key, url, MERGE, &patch).await?;
        let live = object
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default();
        check_uid(key, live, uid)?;
        Ok(version_of(&object))
    }

    async fn send_patch(
        &self,
        key: &ResourceKey,
        mut url: String,
        media_type: &'static str,
        patch: &Value,
    ) -> Result<Value, WriteError> {
        url::push_query(&mut url, "fieldManager", &self.settings().field_manager);
        let ask = Ask::write(Method::PATCH, url.clone(), media_type, patch);
        let sent = self.fetch("patch", &key.group_kind(), ask).await;
        sent.and_then(|answer| answer.json(&url)).map_err(|error| match &error {
            // How the API says that the object is another one: its UID is not that of the patch.
            RequestError::Status(status) if status.fields.iter().any(|field| field == "metadata.uid") => {
                WriteError::Conflict(format!("{key} was replaced: {error}"))
            }
            _ => error.about(&key.name),
        })
    }
}

/// The patch, guarded: the API refuses a patch that changes an object's UID.
fn with_uid(mut patch: Value, uid: &str) -> Result<Value, WriteError> {
    let refused = || WriteError::Invalid("a patch of an Application must be a mapping".into());
    let fields = patch.as_object_mut().ok_or_else(refused)?;
    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
    metadata
        .as_object_mut()
        .ok_or_else(refused)?
        .insert("uid".into(), uid.into());
    Ok(patch)
}

fn check_uid(key: &ResourceKey, live: &str, expected: &str) -> Result<(), WriteError> {
    if live == expected {
        return Ok(());
    }
    Err(WriteError::Conflict(format!(
        "{key} was replaced: its UID is {live}, not {expected}"
    )))
}

fn version_of(object: &Value) -> String {
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    version.unwrap_or_default().to_owned()
}
