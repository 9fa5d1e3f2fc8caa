//! `patch`: JSON patch, merge patch, strategic merge patch and server-side apply.

use serde_json::Value;

use super::update::Change;
use crate::decode;
use crate::fields::{meta, metadata_mut};
use crate::request::Response;
use crate::status::{ApiError, Cause};
use crate::world::{Call, World};

/// How many operations a JSON patch may have.
const MAX_OPERATIONS: usize = 10_000;

/// The kinds of patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchType {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchType {
    /// From the content type.
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        match call.content_type() {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if !call.resource.custom => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            other => {
                let text = if other == "application/strategic-merge-patch+json" {
                    "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
                } else {
                    "415: Unsupported Media Type"
                };
                let mut error = ApiError::new(415, "UnsupportedMediaType", text);
                if other != "application/strategic-merge-patch+json" {
                    error.details = Some(Box::default());
                }
                Err(error)
            }
        }
    }
}

impl World {
    /// `patch`.
    pub(crate) fn patch(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let kind = PatchType::of(call)?;
        call.check_write_options("PatchOptions")?;
        check_patch_options(call, kind)?;
        if kind == PatchType::Apply {
            call.verb = "apply";
            return self.apply(call);
        }
        let old = self.stored(call)?;
        let shown = self.served(&call.resource, old.clone());
        let patched = self.patched(call, kind, &shown)?;
        let object = self.change_by_patch(call, kind, &shown, patched)?;
        self.respond(call, 200, object)
    }

    /// Puts a patched object in the place of the stored one.
    fn change_by_patch(
        &mut self,
        call: &mut Call<'_>,
        how: PatchType,
        shown: &Value,
        mut object: Value,
    ) -> Result<Value, ApiError> {
        self.check_patched_kind(call, &object)?;
        self.decode_patched(call, how, &mut object)?;
        check_identity(call, shown, &object)?;
        if meta(&object, "resourceVersion") == meta(shown, "resourceVersion") {
            metadata_mut(&mut object).remove("resourceVersion");
        }
        if meta(&object, "uid").is_empty() {
            metadata_mut(&mut object).insert("uid".into(), shown["metadata"]["uid"].clone());
        }
        self.replace(call, object, Change::Update)
    }

    fn check_patched_kind(&self, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
        let (kind, version) = (
            object["kind"].as_str().unwrap_or(""),
            object["apiVersion"].as_str().unwrap_or(""),
        );
        let expected = call.resource.api_version();
        if kind == call.resource.kind && version == expected {
            return Ok(());
        }
        let why = format!(
            "Invalid value: {:?}: no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\"",
            object.to_string()
        );
        let cause = Cause::field("FieldValueInvalid", "patch", why);
        Err(ApiError::invalid("", "", "", vec![cause]))
    }

    /// The object after a patch that is no apply.
    pub(crate) fn patched(&self, call: &Call<'_>, kind: PatchType, object: &Value) -> Result<Value, ApiError> {
        let bytes = call.raw_body();
        match kind {
            PatchType::Json => json_patch(&bytes, object),
            PatchType::Merge => {
                let patch = patch_value(&bytes)?;
                let mut object = object.clone();
                json_patch::merge(&mut object, &patch);
                Ok(object)
            }
            PatchType::Strategic => self.strategic(call, &patch_value(&bytes)?, object),
            PatchType::Apply => Err(ApiError::bad_request("an apply is not a patch of the stored object")),
        }
    }
}

fn patch_value(bytes: &[u8]) -> Result<Value, ApiError> {
    let decoded = decode::json(bytes).map_err(|e| ApiError::bad_request(format!("error decoding patch: {e}")))?;
    Ok(decoded.value)
}

fn json_patch(bytes: &[u8], object: &Value) -> Result<Value, ApiError> {
    let value = patch_value(bytes)?;
    if !value.is_array() {
        let what = if value.is_object() { "object" } else { "value" };
        return Err(ApiError::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {what} into Go value of type []handlers.jsonPatchOp"
        )));
    }
    let operations: json_patch::Patch = serde_json::from_value(value).map_err(|_| rejected())?;
    if operations.0.len() > MAX_OPERATIONS {
        let text = format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            operations.0.len()
        );
        return Err(ApiError::new(413, "RequestEntityTooLarge", text));
    }
    let mut object = object.clone();
    json_patch::patch(&mut object, &operations).map_err(|_| rejected())?;
    Ok(object)
}

/// 422 of a JSON patch that does not fit the object.
fn rejected() -> ApiError {
    let mut refused = ApiError::new(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
    );
    refused.details = Some(Box::default());
    refused
}

/// What a patch may not change: the object's name, namespace and uid.
fn check_identity(call: &Call<'_>, shown: &Value, object: &Value) -> Result<(), ApiError> {
    for (field, expected) in [("name", &call.name), ("namespace", &call.namespace)] {
        let sent = meta(object, field);
        if sent != expected {
            return Err(ApiError::bad_request(format!(
                "the {field} of the object ({sent}) does not match the {field} on the URL ({expected})"
            )));
        }
    }
    let uid = meta(object, "uid");
    if uid.is_empty() || uid == meta(shown, "uid") {
        return Ok(());
    }
    let text = format!("Invalid value: {uid:?}: field is immutable");
    let cause = Cause::field("FieldValueInvalid", "metadata.uid", text);
    let (group, kind) = (&call.resource.group, &call.resource.kind);
    // The generic checks and the kind's own both see it.
    Err(ApiError::invalid(group, kind, &call.name, vec![cause.clone(), cause]))
}

fn check_patch_options(call: &Call<'_>, kind: PatchType) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    let manager = call.request.parameter("fieldManager").unwrap_or_default();
    if kind == PatchType::Apply {
        if manager.is_empty() {
            causes.push(Cause::field(
                "FieldValueRequired",
                "fieldManager",
                "Required value: is required for apply patch",
            ));
        }
    } else if call.request.parameter("force").is_some() {
        causes.push(Cause::field(
            "FieldValueForbidden",
            "force",
            "Forbidden: may not be specified for non-apply patch",
        ));
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", causes))
    }
}
