//! Failures as the API server answers them: a `Status` object with code, reason, message, details and causes.
//!
//! Clients branch on `reason` and on the causes, people read `message`; both follow what kube-apiserver 1.36 answers.

use serde_json::{Map, Value, json};

use crate::registry::ResourceType;

/// One cause of a failure: which field, why, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable, e.g. `FieldValueRequired`.
    pub reason: String,
    /// Human-readable.
    pub message: String,
    /// Path of the field, e.g. `spec.replicas`; empty when the cause is not about a field.
    pub field: String,
}

/// What the failure is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Object name, empty when unknown.
    pub name: String,
    /// API group, empty for the core group.
    pub group: String,
    /// Resource (plural) or, for validation errors, the kind.
    pub kind: String,
    /// Object uid, empty when not told.
    pub uid: String,
    /// Several causes of one failure.
    pub causes: Vec<Cause>,
    /// When to try again, 0 when not told.
    pub retry_after_seconds: u32,
}

/// A request that failed, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {reason}: {message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Kubernetes' reason; empty when the server gives none.
    pub reason: String,
    /// Human-readable.
    pub message: String,
    /// What it is about; `None` leaves the field out.
    pub details: Option<Box<Details>>,
}

impl ApiError {
    /// A failure without details.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            details: None,
        }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 500 without a reason, as the server wraps plain errors.
    pub fn plain(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 500 around a plain error.
    pub fn internal(message: &str) -> Self {
        let mut error = Self::new(500, "InternalError", format!("Internal error occurred: {message}"));
        error.details = Some(Box::new(Details {
            causes: vec![Cause::field("", "", message)],
            ..Details::default()
        }));
        error
    }

    /// 501: the real server would do something the world does not model. Counted by the world, never answered with success.
    pub fn model_gap(what: impl Into<String>) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!("the simulated API server does not model {}", what.into()),
        )
    }

    /// 404 of an object.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        Self::about(404, "NotFound", group, resource, name, "not found")
    }

    /// 404 of a path the server does not serve.
    pub fn unknown_path() -> Self {
        let mut error = Self::new(404, "NotFound", "the server could not find the requested resource");
        error.details = Some(Box::default());
        error
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        let mut error = Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
        error.details = Some(Box::default());
        error
    }

    /// 409 of a create; an object that is going says so.
    pub fn already_exists(group: &str, resource: &str, name: &str, going: bool) -> Self {
        let mut error = Self::about(409, "AlreadyExists", group, resource, name, "already exists");
        if going {
            error.message = format!("object is being deleted: {}", error.message);
        }
        error
    }

    /// 409 with the server's phrase around `why`.
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let mut error = Self::about(409, "Conflict", group, resource, name, "");
        error.message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            qualified(group, resource)
        );
        error
    }

    /// 409 of a write from an older version.
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        Self::conflict(
            group,
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 403 with the server's phrase around `why`.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let mut error = Self::about(403, "Forbidden", group, resource, name, "");
        let object = qualified(group, resource);
        error.message = match (resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{object} is forbidden: {why}"),
            (false, false) => format!("{object} {name:?} is forbidden: {why}"),
        };
        error
    }

    /// 422 with every cause. `causes` is not empty.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let mut lines: Vec<String> = Vec::new();
        let texts = causes.iter().map(|c| {
            if c.field.is_empty() {
                c.message.clone()
            } else {
                format!("{}: {}", c.field, c.message)
            }
        });
        for text in texts {
            if !lines.contains(&text) {
                lines.push(text);
            }
        }
        let text = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut error = Self::about(422, "Invalid", group, kind, name, "");
        error.message = format!("{} {name:?} is invalid: {text}", qualified(group, kind));
        if let Some(details) = &mut error.details {
            details.causes = causes;
        }
        error
    }

    /// 410: the asked version is no longer kept.
    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    fn about(code: u16, reason: &str, group: &str, resource: &str, name: &str, what: &str) -> Self {
        let details = Details {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: resource.to_owned(),
            ..Details::default()
        };
        Self {
            code,
            reason: reason.to_owned(),
            message: format!("{} {name:?} {what}", qualified(group, resource)),
            details: Some(Box::new(details)),
        }
    }

    /// The `Status` object.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if let Some(map) = status.as_object_mut() {
            if !self.reason.is_empty() {
                map.insert("reason".into(), json!(self.reason));
            }
            if let Some(details) = &self.details {
                map.insert("details".into(), details.to_value());
            }
        }
        status
    }
}

impl Details {
    /// The JSON object, without what is empty.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [
            ("name", &self.name),
            ("group", &self.group),
            ("kind", &self.kind),
            ("uid", &self.uid),
        ] {
            if !text.is_empty() {
                map.insert(key.into(), json!(text));
            }
        }
        if !self.causes.is_empty() {
            map.insert(
                "causes".into(),
                Value::Array(self.causes.iter().map(Cause::to_value).collect()),
            );
        }
        if self.retry_after_seconds > 0 {
            map.insert("retryAfterSeconds".into(), json!(self.retry_after_seconds));
        }
        Value::Object(map)
    }
}

impl Cause {
    /// A cause about a field.
    pub fn field(reason: &str, field: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            field: field.to_owned(),
        }
    }

    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [
            ("reason", &self.reason),
            ("message", &self.message),
            ("field", &self.field),
        ] {
            if !text.is_empty() {
                map.insert(key.into(), json!(text));
            }
        }
        Value::Object(map)
    }
}

/// The `Status` of a success, e.g. of a delete.
pub(crate) fn success(details: Option<&Details>, code: Option<u16>) -> Value {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if let Some(map) = status.as_object_mut() {
        if let Some(details) = details {
            map.insert("details".into(), details.to_value());
        }
        if let Some(code) = code {
            map.insert("code".into(), json!(code));
        }
    }
    status
}

/// `plural.group`, or only the plural in the core group.
pub(crate) fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}

impl ResourceType {
    /// 404 of an object of this type.
    pub fn not_found(&self, name: &str) -> ApiError {
        ApiError::not_found(&self.group, &self.plural, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_object() {
        let error = ApiError::not_found("apps", "deployments", "web");
        assert_eq!(error.message, "deployments.apps \"web\" not found");
        let error = ApiError::forbidden("", "configmaps", "a", "no");
        assert_eq!(error.message, "configmaps \"a\" is forbidden: no");
        let causes = vec![
            Cause::field("FieldValueRequired", "spec.a", "Required value"),
            Cause::field("FieldValueRequired", "spec.b", "Required value"),
        ];
        let error = ApiError::invalid("apps", "Deployment", "web", causes);
        assert_eq!(
            error.message,
            "Deployment.apps \"web\" is invalid: [spec.a: Required value, spec.b: Required value]"
        );
    }
}
