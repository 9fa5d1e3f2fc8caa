//! `kubectl.scale`: somebody changes a number of replicas through the scale subresource.

use serde::Deserialize;
use serde_json::json;

use super::{ActionError, Stage, path_of, send, somebody};
use crate::request::{Method, Request};
use crate::scenario::object::ObjectRef;

/// Somebody changes a number of replicas.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubectlScale {
    /// Of which object.
    pub object: ObjectRef,
    /// To which number.
    pub replicas: u32,
    /// Who.
    #[serde(default = "somebody")]
    pub by: String,
}

impl KubectlScale {
    pub(super) fn perform(&self, stage: &mut impl Stage) -> Result<(), ActionError> {
        let path = format!("{}/scale?fieldManager=kubectl", path_of(stage, &self.object)?);
        let patch = json!({"spec": {"replicas": self.replicas}});
        let request = Request::typed(Method::Patch, &path, "application/merge-patch+json", patch);
        send(stage, &self.by, &self.object, request).map(drop)
    }
}
