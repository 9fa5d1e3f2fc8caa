//! History H: every committed write in order, with who asked for it. Checkers read this, never the controller's own log.

use std::sync::Arc;

use capstan_model::Timestamp;
use serde_json::Value;

use crate::registry::GroupResource;
use crate::store::{Change, ObjectName};

/// One committed write.
#[derive(Clone, Debug)]
pub struct Write {
    /// Position in the history, from 0.
    pub sequence: u64,
    /// When.
    pub time: Timestamp,
    /// The revision it took.
    pub revision: u64,
    /// User name of the request.
    pub user: String,
    /// Field manager of the request; empty where the verb has none.
    pub manager: String,
    /// Id of the request: as its caller gave it, else a running number.
    pub request: String,
    /// Verb of the request: `create`, `update`, `patch`, `apply`, `delete`, `deletecollection`.
    pub verb: String,
    /// Subresource of the request, empty for the object itself.
    pub subresource: String,
    /// What was changed.
    pub resource: GroupResource,
    /// Which object.
    pub name: ObjectName,
    /// How the object changed.
    pub change: Change,
    /// The object after the write, or its last state.
    pub object: Arc<Value>,
    /// The object before the write.
    pub previous: Option<Arc<Value>>,
}
