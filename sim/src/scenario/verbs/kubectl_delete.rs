//! `kubectl.delete`: somebody deletes an object, in the background as kubectl does.

use serde::Deserialize;
use serde_json::json;

use super::{ActionError, Stage, path_of, send, somebody};
use crate::request::{Method, Request};
use crate::scenario::object::ObjectRef;

/// Somebody deletes an object.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubectlDelete {
    /// Which.
    pub object: ObjectRef,
    /// Who.
    #[serde(default = "somebody")]
    pub by: String,
}

impl KubectlDelete {
    pub(super) fn perform(&self, stage: &mut impl Stage) -> Result<(), ActionError> {
        let path = path_of(stage, &self.object)?;
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        let request = Request::json(Method::Delete, &path, options);
        send(stage, &self.by, &self.object, request).map(drop)
    }
}
