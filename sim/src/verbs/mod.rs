//! The verbs: what each request does to the store, and what it answers.

mod create;
mod delete;
mod list;
mod patch;
mod update;

pub(crate) use delete::eviction_options;
pub(crate) use list::{Selection, name_of};
pub(crate) use patch::PatchType;
pub(crate) use update::Change;

use serde_json::Value;

use crate::request::Response;
use crate::status::ApiError;
use crate::world::{Call, World};

impl World {
    /// `get`: one object.
    pub(crate) fn get(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let object = self.stored(call)?;
        self.respond(call, 200, object)
    }

    /// The object called, in the version it is called in, or 404.
    pub(crate) fn stored(&self, call: &Call<'_>) -> Result<Value, ApiError> {
        let object = self.store.object(&call.resource.storage, &call.object_name());
        let object = object.map(|o| Value::clone(o)).ok_or_else(|| call.not_found())?;
        Ok(self.served(&call.resource, object))
    }
}
