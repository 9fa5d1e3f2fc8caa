//! Where the verbs meet the meaning of objects: typed decoding, defaults, validation, ownership, and the two typed patches.

use serde_json::Value;

use crate::request::Response;
use crate::status::ApiError;
use crate::world::{Call, World};

impl World {
    /// Reads an object as its type does: unknown fields are dropped (and reported), values of the wrong type refused.
    pub(crate) fn decode_typed(&self, call: &mut Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        if call.resource.custom {
            self.decode_custom(call, object)?;
        }
        tidy_metadata(object);
        Ok(())
    }

    /// Defaults of a new object.
    pub(crate) fn default_new(&self, _call: &Call<'_>, _object: &mut Value) {}

    /// Defaults of a changed object.
    pub(crate) fn default_change(&self, _call: &Call<'_>, _old: &Value, _object: &mut Value) {}

    /// Refuses an object that may not be created.
    pub(crate) fn validate_new(&self, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
        if call.resource.custom {
            return self.validate_custom(call, None, object);
        }
        self.validate_definition(call, object)
    }

    /// Refuses a change that may not be made.
    pub(crate) fn validate_change(&self, call: &Call<'_>, old: &Value, object: &Value) -> Result<(), ApiError> {
        if call.resource.custom {
            return self.validate_custom(call, Some(old), object);
        }
        self.validate_definition(call, object)
    }

    /// Records who set the fields of a new object.
    pub(crate) fn own_new(&self, _call: &Call<'_>, _object: &mut Value) -> Result<(), ApiError> {
        Ok(())
    }

    /// Records who set the fields that a change touched.
    pub(crate) fn own_change(&self, _call: &Call<'_>, _old: &Value, _object: &mut Value) -> Result<(), ApiError> {
        Ok(())
    }

    /// The object after a strategic merge patch.
    pub(crate) fn strategic(&self, _call: &Call<'_>, _patch: &Value, _object: &Value) -> Result<Value, ApiError> {
        Err(ApiError::model_gap("strategic merge patches"))
    }

    /// Server-side apply.
    pub(crate) fn apply(&mut self, _call: &mut Call<'_>) -> Result<Response, ApiError> {
        Err(ApiError::model_gap("server-side apply"))
    }
}

/// Empty metadata is absent metadata.
fn tidy_metadata(object: &mut Value) {
    crate::fields::metadata_mut(object).retain(|_, value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    });
}
