//! What is deleted is kept for a while, so that a person can have it back: `capstan undelete`.
//!
//! **Problem.** A prune that every rule let pass may still have been a mistake, and Git knows only what was declared: not what was there.
//!
//! **Where.** One Secret an object, of a type of its own, in the controller's namespace of the control cluster. A Secret, whatever the object
//! was: what it held is then behind the same rights and the same encryption at rest as before, or better ones. Its name follows from the
//! object's UID, so that keeping twice is keeping once. Beside the manifest it says whose the object was and why it went
//! ([`capstan_engine::guard::Grounds`]). The manifest is in no log, journal, event or error.
//!
//! **Invariants.**
//! - Nothing but hooks is deleted before it is kept ([`Keeper`]); what cannot be written is not deleted.
//! - One exception, that is told: a manifest that is too large for a Secret even when compressed is not kept, and its object is deleted all
//!   the same. Otherwise a large definition could never be pruned. A Secret without a manifest says so.
//! - What has expired goes ([`Keeper::expire`]), only Secrets of our label *and* type, each by the UID and version that were listed. No
//!   manifest is read for that.
//! - What is created again belongs to nobody ([`restorable`]): with its tracking id the next sync would prune it at once.
//! - Our own namespace and what keeps something are not in the way: the one is never deleted (by type, in the engine), and while somebody
//!   else deletes it no Secret can be made in it, and so nothing is deleted; the other is not kept once more.
//!
//! Deliberately absent: data. A volume, the objects of a definition, what was in a namespace: only manifests come back.

mod expire;
mod keep;
mod kept;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;

pub use keep::Keeper;
pub use kept::KeptObject;
pub use restore::{Restorable, restorable};

use capstan_engine::event::WriteError;
use capstan_model::{GroupKind, GroupVersionKind};

use crate::cluster::Cluster;
use crate::list::Form;
use crate::request::RequestError;
use crate::url;

/// `type` of the Secrets.
const TYPE: &str = "capstan.dev/deleted-object";
/// Label of all of them.
const LABEL: &str = "capstan.dev/undelete";
/// Label and annotation: whose the object was. The label holds its name, shortened where it is too long for one.
const APPLICATION: &str = "capstan.dev/application";
/// Annotation: the object, as messages name it.
const OBJECT: &str = "capstan.dev/object";
/// Annotation: `Prune`, `Cascade`, `Recreate`.
const REASON: &str = "capstan.dev/reason";
/// Annotation: the commits, or versions of charts, whole.
const COMMIT: &str = "capstan.dev/commit";
/// Annotation: the whole chain of causes.
const CAUSE: &str = "capstan.dev/cause";
/// Annotation: when it was deleted.
const DELETED_AT: &str = "capstan.dev/deleted-at";
/// Annotation: when the Secret goes. Somebody who writes a later time into it keeps it for longer.
const EXPIRES_AT: &str = "capstan.dev/expires-at";
/// Annotation: why there is no manifest.
const NOT_KEPT: &str = "capstan.dev/not-kept";

fn secret_kind() -> GroupVersionKind {
    GroupVersionKind::from_api_version("v1", "Secret")
}

impl Cluster {
    /// All that is kept in `namespace`, manifests included. What cannot be understood is named instead.
    ///
    /// # Errors
    /// When Secrets cannot be listed there.
    pub async fn kept(&self, namespace: &str) -> Result<Vec<Result<KeptObject, String>>, WriteError> {
        let listed = self.kept_secrets(namespace, Form::Whole).await;
        let secrets = listed.map_err(RequestError::into_read_error)?;
        Ok(secrets.iter().map(KeptObject::of).collect())
    }

    /// The Secrets of our label and type.
    async fn kept_secrets(&self, namespace: &str, form: Form) -> Result<Vec<serde_json::Value>, RequestError> {
        let mut path = secrets_path(namespace)?;
        url::push_query(&mut path, "labelSelector", &format!("{LABEL}=true"));
        url::push_query(&mut path, "fieldSelector", &format!("type={TYPE}"));
        Ok(self.list(&path, &secret_kind(), form).await?.objects)
    }
}

/// Path of the Secrets of a namespace.
fn secrets_path(namespace: &str) -> Result<String, RequestError> {
    let mut path = url::group_version("", "v1");
    path.push_str("/namespaces");
    url::push_segment(&mut path, namespace).map_err(|error| RequestError::Impossible {
        reason: error.to_string(),
    })?;
    path.push_str("/secrets");
    Ok(path)
}

fn secret_group_kind() -> GroupKind {
    GroupKind::new("", "Secret")
}
