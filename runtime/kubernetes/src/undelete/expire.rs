//! Letting go of what was kept for long enough.
//!
//! Nothing ticks: who takes the lead looks once, and from then on at the time when the next one expires.

use std::time::Duration;

use capstan_engine::event::WriteError;
use capstan_model::Timestamp;
use http::Method;
use serde_json::{Value, json};

use super::kept::annotation;
use super::{EXPIRES_AT, Keeper, secret_group_kind, secrets_path};
use crate::list::Form;
use crate::request::{Ask, JSON, RequestError};
use crate::url;

/// First wait after a look that failed.
const BACKOFF: Duration = Duration::from_secs(1);
/// Longest such wait.
const BACKOFF_CAP: Duration = Duration::from_secs(3600);

/// What is known of the next expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expiry {
    leads: bool,
    next: Option<Timestamp>,
}

impl Keeper {
    /// This process leads, or no longer does. While it does not, it deletes nothing; what an earlier leader kept it looks for when it does.
    pub fn lead(&self, leads: bool) {
        let now = (self.inner.now)();
        self.inner.expiry.send_modify(|expiry| {
            *expiry = Expiry {
                leads,
                next: leads.then_some(now),
            };
        });
    }

    /// Something expires then.
    pub(super) fn expires(&self, at: Timestamp) {
        self.inner.expiry.send_if_modified(|expiry| {
            let is_sooner = expiry.next.is_none_or(|next| at < next);
            if is_sooner {
                expiry.next = Some(at);
            }
            is_sooner
        });
    }

    /// Deletes what has expired, whenever something has. Never ends.
    pub async fn expire(&self) {
        let mut changes = self.inner.expiry.subscribe();
        let mut failures = 0u32;
        loop {
            let known = *changes.borrow_and_update();
            let due = known.next.filter(|_| known.leads);
            let wait = due.map(|at| at.since((self.inner.now)()));
            tokio::select! {
                // We hold the sender: it is never closed.
                _ = changes.changed() => continue,
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
            // What is kept from here on sets it again.
            self.inner.expiry.send_if_modified(|expiry| {
                expiry.next = None;
                false
            });
            match self.expire_due().await {
                Ok(next) => {
                    failures = 0;
                    next.into_iter().for_each(|at| self.expires(at));
                }
                Err(error) => {
                    let wait = BACKOFF.saturating_mul(2u32.saturating_pow(failures)).min(BACKOFF_CAP);
                    failures = failures.saturating_add(1);
                    let namespace = &self.inner.namespace;
                    tracing::warn!(%error, namespace, ?wait, "what was kept for undelete cannot be let go of; again after the wait");
                    self.expires((self.inner.now)() + wait);
                }
            }
        }
    }

    /// Deletes what has expired, and says when the next one does.
    async fn expire_due(&self) -> Result<Option<Timestamp>, WriteError> {
        let (control, namespace) = (&self.inner.control, &self.inner.namespace);
        let listed = control.kept_secrets(namespace, Form::Metadata).await;
        let now = (self.inner.now)();
        let mut next: Option<Timestamp> = None;
        for secret in listed.map_err(RequestError::into_read_error)? {
            let name = secret
                .pointer("/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let expires = annotation(&secret, EXPIRES_AT).unwrap_or_default();
            match expires.parse::<Timestamp>() {
                Ok(at) if at <= now => self.let_go(name, &secret).await?,
                Ok(at) => next = Some(next.map_or(at, |next| next.min(at))),
                Err(_) => tracing::warn!(
                    secret = name,
                    namespace,
                    expires,
                    "its annotation {EXPIRES_AT} is no time: it is left, delete it by hand"
                ),
            }
        }
        Ok(next)
    }

    /// Deletes one Secret, exactly as it was listed.
    async fn let_go(&self, name: &str, secret: &Value) -> Result<(), WriteError> {
        let mut path = secrets_path(&self.inner.namespace).map_err(RequestError::into_read_error)?;
        url::push_segment(&mut path, name).map_err(|error| WriteError::Invalid(error.to_string()))?;
        let text = |pointer: &str| secret.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": {"uid": text("/metadata/uid"), "resourceVersion": text("/metadata/resourceVersion")},
        });
        let ask = Ask::write(Method::DELETE, path, JSON, &options);
        match self.inner.control.fetch("delete", &secret_group_kind(), ask).await {
            Ok(_) => Ok(()),
            Err(error) => match error.about(name) {
                // Gone already, by another hand.
                WriteError::NotFound(_) => Ok(()),
                error => Err(error),
            },
        }
    }
}
