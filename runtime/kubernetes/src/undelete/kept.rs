//! One object that is kept, as its Secret says.

use std::fmt;

use capstan_model::{ApplicationId, GroupVersionKind, ResourceKey, Timestamp};
use serde_json::Value;

use super::manifest::unpack;
use super::{APPLICATION, CAUSE, COMMIT, DELETED_AT, EXPIRES_AT, NOT_KEPT, OBJECT, REASON};

/// An object that was deleted and is kept.
#[derive(Clone, PartialEq)]
pub struct KeptObject {
    /// Name of the Secret.
    pub secret: String,
    /// Which object, as messages name it.
    pub object: String,
    /// Whose it was.
    pub application: ApplicationId,
    /// `Prune`, `Cascade`, `Recreate`.
    pub reason: String,
    /// The commits it was deleted by; empty when there were none.
    pub commit: String,
    /// The whole chain of causes.
    pub cause: String,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// When the Secret goes.
    pub expires_at: Timestamp,
    /// What there was; why there is nothing of it.
    manifest: Result<Value, String>,
}

/// Everything but the manifest.
impl fmt::Debug for KeptObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptObject")
            .field("secret", &self.secret)
            .field("object", &self.object)
            .finish_non_exhaustive()
    }
}

impl KeptObject {
    /// Of a Secret; what of it cannot be understood.
    pub fn of(secret: &Value) -> Result<Self, String> {
        let name = secret.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.unwrap_or_default().to_owned();
        let annotation = |key: &str| annotation(secret, key).unwrap_or_default().to_owned();
        let time = |key: &str| -> Result<Timestamp, String> {
            let text = annotation(key);
            let parsed = text.parse();
            parsed.map_err(|_| format!("Secret {name}: its annotation {key} is {text:?}, which is no time"))
        };
        let application = annotation(APPLICATION);
        let (deleted_at, expires_at) = (time(DELETED_AT)?, time(EXPIRES_AT)?);
        Ok(Self {
            object: annotation(OBJECT),
            application: application
                .parse()
                .map_err(|error| format!("Secret {name}: its annotation {APPLICATION}: {error}"))?,
            reason: annotation(REASON),
            commit: annotation(COMMIT),
            cause: annotation(CAUSE),
            deleted_at,
            expires_at,
            manifest: match annotation(NOT_KEPT) {
                why if why.is_empty() => unpack(secret),
                why => Err(why),
            },
            secret: name,
        })
    }

    /// The manifest; why there is none.
    pub fn manifest(&self) -> Result<&Value, &str> {
        self.manifest.as_ref().map_err(String::as_str)
    }

    /// Key and kind, as the manifest says.
    pub fn identity(&self) -> Result<(ResourceKey, GroupVersionKind), &str> {
        let manifest = self.manifest()?;
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let gvk = GroupVersionKind::from_api_version(text("/apiVersion"), text("/kind"));
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        Ok((ResourceKey::new(&gvk.group, &gvk.kind, namespace, name), gvk))
    }

    /// Does `text` name it: by its Secret, or as `Kind/namespace/name`, `Kind.group/namespace/name` or `group/Kind/namespace/name`?
    pub fn is_named(&self, text: &str) -> bool {
        if text == self.secret || text == self.object {
            return true;
        }
        let Ok((key, _)) = self.identity() else { return false };
        let place = match key.namespace.as_str() {
            "" => key.name.clone(),
            namespace => format!("{namespace}/{}", key.name),
        };
        let (kind, group) = (&key.kind, &key.group);
        text == format!("{kind}/{place}")
            || !group.is_empty()
                && (text == format!("{kind}.{group}/{place}") || text == format!("{group}/{kind}/{place}"))
    }
}

/// An annotation of an object.
pub(super) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}
