//! Which of the declared objects a written one is, by what it carries. A hook without a name is told by what its name begins with, and of several
//! whose names begin alike by what is in it: no two of a commit are declared alike.

use serde_json::{Value, json};

use crate::objects::{PREFIX, Phase, annotation, key_of, phase_of, text};

/// The phase that an object of ours was made in, by what it carries.
pub(crate) fn phase_written(object: &Value) -> Option<Phase> {
    phase_of(annotation(object, "capstan.dev/operation")?.rsplit(':').next()?)
}

/// Operation and attempt that made a hook, and its phase.
pub(crate) fn run_of(object: &Value) -> Option<((u64, u64), String)> {
    let mut parts = annotation(object, "capstan.dev/operation")?.split(':').skip(1);
    let of = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((of, parts.next()?.to_owned()))
}

/// Is this the object that was declared so?
pub(crate) fn is_written_as(declared: &Value, object: &Value) -> bool {
    let (wanted, found) = (key_of(declared), key_of(object));
    let is_named = match text(declared, "/metadata/generateName") {
        "" => wanted.name == found.name,
        prefix => found.name.starts_with(prefix) && content(declared) == content(object),
    };
    wanted.kind == found.kind && wanted.namespace == found.namespace && is_named
}

/// What a manifest says, but for its name and what the controller and the API add.
pub(crate) fn content(object: &Value) -> Value {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let is_said = |name: &str| name.starts_with(PREFIX) && !name.ends_with("/tracking-id");
    let said = annotations.into_iter().flatten().filter(|(name, _)| is_said(name));
    let said: Value = said.map(|(name, value)| (name.clone(), value.clone())).collect();
    json!([said, object["metadata"]["labels"], object["spec"], object["data"]])
}
