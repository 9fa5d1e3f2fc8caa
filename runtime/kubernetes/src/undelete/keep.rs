//! Keeping what is about to be deleted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
use capstan_engine::event::{Keeping, WriteError};
use capstan_engine::guard::{DeletePermit, Grounds};
use capstan_model::{Blob, Digest, ResourceKey, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::expire::Expiry;
use super::manifest::{LIMIT, pack, stripped};
use super::{APPLICATION, CAUSE, COMMIT, DELETED_AT, EXPIRES_AT, LABEL, NOT_KEPT, OBJECT, REASON, TYPE, secret_kind};
use crate::cluster::Cluster;

/// Longest value of a label.
const LONGEST_LABEL: usize = 63;
/// A cause that is longer than this is cut: annotations of an object share 256 KiB.
const LONGEST_CAUSE: usize = 16 * 1024;

/// Keeps what is deleted, and lets it go when its time has come. Cloning shares it.
#[derive(Clone)]
pub struct Keeper {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) control: Cluster,
    pub(super) namespace: String,
    keep_for: Duration,
    pub(super) now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    events: mpsc::Sender<Event>,
    pub(super) expiry: watch::Sender<Expiry>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("namespace", &self.inner.namespace)
            .field("keep_for", &self.inner.keep_for)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// Keeps in `namespace` of the cluster `control`, for so long; zero keeps nothing. What became of each object goes to `events`.
    pub fn new(
        control: Cluster,
        namespace: &str,
        keep_for: Duration,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                control,
                namespace: namespace.to_owned(),
                keep_for,
                now: Box::new(now),
                events,
                expiry: watch::Sender::new(Expiry::default()),
            }),
        }
    }

    /// Keeps `live`, as it was just read and held against its permit. What cannot be kept must not be deleted: an error says what to do.
    pub(crate) async fn keep(&self, permit: &DeletePermit, live: &Value) -> Result<(), WriteError> {
        if !permit.keeps() || self.inner.keep_for.is_zero() {
            return Ok(());
        }
        let (key, grounds) = (permit.key(), permit.grounds());
        let keeping = match is_ours(live) {
            true => Keeping::NotKept {
                why: "it is itself what is left of a deleted object".into(),
            },
            false => self.write(key, permit.uid(), grounds, live).await?,
        };
        tracing::info!(application = %grounds.application, object = %key, uid = permit.uid(), "{keeping}");
        let event = Event::Kept {
            id: grounds.application.clone(),
            key: key.clone(),
            keeping,
        };
        // Nobody hears it any more when the controller is about to end.
        let _ = self.inner.events.send(event).await;
        Ok(())
    }

    /// Writes the Secret of one object.
    pub(super) async fn write(
        &self,
        key: &ResourceKey,
        uid: &str,
        grounds: &Grounds,
        live: &Value,
    ) -> Result<Keeping, WriteError> {
        let now = (self.inner.now)();
        let until = now + self.inner.keep_for;
        let (namespace, name) = (&self.inner.namespace, secret_name(uid));
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": TYPE,
            "metadata": {
                "name": name, "namespace": namespace,
                "labels": {LABEL: "true", APPLICATION: label(&grounds.application.name)},
                "annotations": annotations(key, grounds, now, until),
            },
        });
        let mut keeping = Keeping::Kept {
            secret: format!("{namespace}/{name}"),
            until: until.truncated(),
        };
        match pack(&stripped(live)) {
            Ok(data) => secret["data"] = data.into(),
            Err(size) => {
                let why = format!("it has {size} bytes when compressed, and a Secret holds {LIMIT}");
                secret["metadata"]["annotations"][NOT_KEPT] = json!(why);
                keeping = Keeping::NotKept { why };
            }
        }
        let task = ApplyTask {
            cluster: self.inner.control.id().clone(),
            key: ResourceKey::new("", "Secret", namespace, name),
            gvk: secret_kind(),
            object: Blob::new(&secret),
            mode: ApplyMode::ServerSide { force: true },
            dry_run: DryRun::No,
            validate: true,
            recreate: false,
        };
        let written = self.inner.control.apply(&task).await;
        written.map_err(|error| self.explain(key, &error))?;
        self.expires(until);
        Ok(keeping)
    }

    /// Of a failed write: that the object was not deleted for it, and what to do. Where the write may have been carried out, or the place
    /// for it is missing, nothing is unknown or absent about the object itself.
    pub(super) fn explain(&self, key: &ResourceKey, error: &WriteError) -> WriteError {
        let text = format!(
            "{} was not deleted, since it could not be kept for `capstan undelete` before: {error}. The controller needs the rights to create, \
             patch, list and delete Secrets in namespace {}, or --undelete-keep 0 to keep nothing",
            key, self.inner.namespace
        );
        match error {
            WriteError::Forbidden(_) => WriteError::Forbidden(text),
            WriteError::Invalid(_) => WriteError::Invalid(text),
            WriteError::RateLimited { retry_after, .. } => WriteError::RateLimited {
                message: text,
                retry_after: *retry_after,
            },
            WriteError::Transient(_)
            | WriteError::Conflict(_)
            | WriteError::NotFound(_)
            | WriteError::PathNotFound(_)
            | WriteError::OutcomeUnknown(_) => WriteError::Transient(text),
        }
    }
}

/// Is it one of the Secrets that keep something?
fn is_ours(live: &Value) -> bool {
    let text = |field: &str| live.get(field).and_then(Value::as_str).unwrap_or_default();
    text("apiVersion") == "v1" && text("kind") == "Secret" && text("type") == TYPE
}

/// From the UID of the object, so that there is one for each. A UID is a name already; one that is none is named by its digest.
fn secret_name(uid: &str) -> String {
    let is_name = !uid.is_empty()
        && uid.len() <= 64
        && uid
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'-')
        && !uid.ends_with('-');
    match is_name {
        true => format!("undelete-{uid}"),
        false => format!("undelete-{}", Digest::of_bytes(uid.as_bytes())),
    }
}

/// The name of an application as the value of a label.
fn label(name: &str) -> String {
    if name.len() <= LONGEST_LABEL {
        return name.to_owned();
    }
    let digest = Digest::of_bytes(name.as_bytes()).to_string();
    let kept: String = name.chars().take(LONGEST_LABEL - 9).collect();
    format!(
        "{}-{}",
        kept.trim_end_matches(['-', '.']),
        digest.get(..8).unwrap_or_default()
    )
}

fn annotations(key: &ResourceKey, grounds: &Grounds, now: Timestamp, until: Timestamp) -> Value {
    let cause: String = grounds.to_string().chars().take(LONGEST_CAUSE).collect();
    json!({
        OBJECT: key.to_string(),
        APPLICATION: grounds.application.to_string(),
        REASON: grounds.reason.name(),
        COMMIT: grounds.revisions.join(" "),
        CAUSE: cause,
        DELETED_AT: now.truncated().to_string(),
        EXPIRES_AT: until.truncated().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_possible_ones() {
        let uid = "6f1c2a3e-0001-4000-8000-000000000001";
        assert_eq!(secret_name(uid), format!("undelete-{uid}"));
        for odd in ["", "A", "a/b", "a-", &"a".repeat(65)] {
            let name = secret_name(odd);
            let is_possible = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(
                name.len() == "undelete-".len() + 32 && name.chars().all(is_possible),
                "{name}"
            );
        }
        assert_ne!(secret_name("A"), secret_name("B"));
        assert_eq!(label("shop"), "shop");
        let long = |end: &str| label(&format!("{}{end}", "x".repeat(80)));
        assert!(long("a").len() <= LONGEST_LABEL && long("a") != long("b"));
        assert!(!label(&format!("{}.{}", "x".repeat(53), "y".repeat(20))).contains(".-"));
    }
}
