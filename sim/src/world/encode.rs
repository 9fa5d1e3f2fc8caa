//! The forms an object leaves in: whole, only its metadata, or as rows of a table.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::call::Call;
use crate::convert::convert;
use crate::registry::ResourceType;
use crate::request::{Request, Response};
use crate::status::ApiError;

/// What the client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The object.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `Table`, whose rows carry this much of their objects.
    Table(Include),
}

/// How much of its object a row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
    /// Nothing.
    None,
}

impl Include {
    fn of(request: &Request) -> Self {
        match request.parameter("includeObject") {
            Some("Object") => Self::Object,
            Some("None") => Self::None,
            _ => Self::Metadata,
        }
    }

    /// What a row carries of an object.
    pub(crate) fn take(self, object: &Value) -> Value {
        match self {
            Self::Metadata => partial(object),
            Self::Object => object.clone(),
            Self::None => Value::Null,
        }
    }
}

/// The form asked for by `Accept`, the first that can be had.
///
/// # Errors
/// 406 when nothing that is accepted can be had.
pub(crate) fn accepted(request: &Request) -> Result<Form, ApiError> {
    let accept = request.accept.as_deref();
    let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else {
        return Ok(Form::Whole);
    };
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let parameters: Vec<&str> = parts.collect();
        let named = |key: &str| parameters.iter().find_map(|p| p.strip_prefix(key)?.strip_prefix('='));
        if !matches!(kind, "application/json" | "*/*" | "application/*" | "application/yaml") {
            continue;
        }
        match (named("as"), named("g"), named("v")) {
            (None, _, _) => return Ok(Form::Whole),
            (Some("Table"), Some("meta.k8s.io"), Some("v1")) => return Ok(Form::Table(Include::of(request))),
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => {
                return Ok(Form::Metadata);
            }
            _ => {}
        }
    }
    let mut error = ApiError::new(
        406,
        "NotAcceptable",
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    );
    error.details = Some(Box::default());
    Err(error)
}

impl World {
    /// A stored object in the version it is asked in.
    pub(crate) fn served(&self, resource: &ResourceType, mut object: Value) -> Value {
        if object["kind"] == resource.kind.as_str() {
            convert(&mut object, &resource.api_version());
        }
        object
    }

    /// An answer with one object, in the accepted form.
    pub(crate) fn respond(&self, call: &Call<'_>, code: u16, object: Value) -> Result<Response, ApiError> {
        let form = accepted(call.request)?;
        let object = self.served(&call.resource, object);
        let object = self.formed(call.now, &call.resource, form, object, true);
        Ok(Response::json(code, object))
    }

    /// An object in a form. `headed` asks a table for its column definitions.
    pub(crate) fn formed(
        &self,
        now: Timestamp,
        resource: &ResourceType,
        form: Form,
        object: Value,
        headed: bool,
    ) -> Value {
        if object["kind"] == "Status" {
            return object;
        }
        match form {
            Form::Whole => object,
            Form::Metadata => partial(&object),
            Form::Table(include) => self.table(now, resource, &[object], (None, include), headed),
        }
    }
}

/// `PartialObjectMetadata` of an object.
pub(crate) fn partial(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    // An annotation that only the whole form of a DaemonSet shows.
    if object["kind"] == "DaemonSet"
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.remove("deprecated.daemonset.template.generation");
        if annotations.is_empty() {
            crate::fields::as_map(&mut metadata).remove("annotations");
        }
    }
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}
