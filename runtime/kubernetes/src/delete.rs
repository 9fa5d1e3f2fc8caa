//! `Delete`: one object, under a permit, and not before it is kept for `undelete`.

use capstan_engine::effect::Propagation;
use capstan_engine::event::{Deletion, WriteError};
use capstan_engine::guard::{DeletePermit, DeletePreconditions};
use http::Method;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::contents::NotListed;
use crate::request::{Ask, JSON};
use crate::undelete::Keeper;

impl Cluster {
    /// Reads the object, holds the permit against it, keeps it, and deletes exactly the version that was read.
    /// Last of all `control`, which has the Lease, is asked whether this replica leads.
    pub async fn delete(
        &self,
        permit: &DeletePermit,
        propagation: Propagation,
        keeper: &Keeper,
        control: &Self,
    ) -> Result<Deletion, WriteError> {
        let (key, gvk) = (permit.key(), permit.gvk());
        let Some(live) = self.observe(key, gvk).await? else {
            return Ok(Deletion::Gone);
        };
        let preconditions = match permit.check(&live) {
            Ok(preconditions) => preconditions,
            Err(refusal) => return Ok(Deletion::Refused(refusal)),
        };
        if is_terminating(&live) {
            return Ok(Deletion::Accepted);
        }
        if let Some(survey) = permit.survey(&live) {
            let refusal = match self.contents(&survey).await {
                Ok(found) => permit.check_contents(&found).err(),
                // Who asks again later will know; who may not ask never will.
                Err(NotListed::Later(error)) => return Err(error),
                Err(NotListed::Never(reason)) => Some(permit.not_surveyed(reason)),
            };
            if let Some(refusal) = refusal {
                return Ok(Deletion::Refused(refusal));
            }
        }
        keeper.keep(permit, &live).await?;
        let options = options(&preconditions, propagation);
        let url = self.object_url(key, gvk).await?;
        control.holds_fence(permit).await?;
        log(permit, &preconditions);
        let ask = Ask::write(Method::DELETE, url.clone(), JSON, &options);
        let sent = self.fetch("delete", &key.group_kind(), ask).await;
        match sent.and_then(|answer| answer.json(&url)) {
            // The object comes back when it still exists; a Status, or the object as it last was, when it does not.
            Ok(answer) if is_terminating(&answer) => Ok(Deletion::Accepted),
            Ok(_) => Ok(Deletion::Gone),
            Err(error) => match error.about(&key.name) {
                WriteError::NotFound(_) => Ok(Deletion::Gone),
                error => Err(error),
            },
        }
    }
}

fn options(preconditions: &DeletePreconditions, propagation: Propagation) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": preconditions.uid, "resourceVersion": preconditions.resource_version},
        "propagationPolicy": match propagation {
            Propagation::Foreground => "Foreground",
            Propagation::Background => "Background",
            Propagation::Orphan => "Orphan",
        },
    })
}

/// Every delete is in the log with its chain of causes, whole, before it is sent.
fn log(permit: &DeletePermit, version: &DeletePreconditions) {
    let grounds = permit.grounds();
    tracing::info!(
        application = %grounds.application, object = %permit.key(), uid = version.uid, version = version.resource_version,
        reason = grounds.reason.name(), operation = grounds.operation, commits = grounds.revisions.join(" "),
        digest = grounds.digest, decision = grounds.decision, "deleting"
    );
}

fn is_terminating(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null())
}
