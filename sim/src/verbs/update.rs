//! `update`, and the common end of every change to an existing object.
//!
//! A change is: compute the new object from the stored one, keep what only the server sets, let the kind's strategy decide which part
//! may change, validate, and commit unless nothing changed. Nothing changed means: equal but for the times in `managedFields`; then
//! the version stays and no event is seen.

use serde_json::{Value, json};

use crate::fields::{finalizers, is_going, meta, metadata_mut, revision};
use crate::request::Response;
use crate::status::{ApiError, Cause};
use crate::world::{Call, World};

/// How an object is being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// By `update` or a JSON, merge or strategic patch.
    Update,
    /// By server-side apply: its ownership is already in the object.
    Apply,
}

/// Server-set metadata that a change cannot change.
const KEPT: [&str; 4] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

impl World {
    /// `update`.
    pub(crate) fn update(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        call.check_write_options("UpdateOptions")?;
        let resource = call.resource.clone();
        let mut object = call.object(&resource.group, &resource.version, &resource.kind)?;
        self.decode_typed(call, &mut object)?;
        self.match_url(call, &mut object)?;
        if self.store.object(&resource.storage, &call.object_name()).is_none() {
            if !self.strategy(&resource).create_on_update {
                return Err(call.not_found());
            }
            metadata_mut(&mut object).remove("resourceVersion");
            let created = self.insert(call, object)?;
            return self.respond(call, 201, created);
        }
        let object = self.replace(call, object, Change::Update)?;
        self.respond(call, 200, object)
    }

    /// The body must speak of the object in the path.
    pub(crate) fn match_url(&self, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        let name = meta(object, "name");
        if name.is_empty() {
            return Err(ApiError::bad_request("name must be provided"));
        }
        if name != call.name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                call.name
            )));
        }
        let namespace = meta(object, "namespace");
        if !namespace.is_empty() && namespace != call.namespace {
            return Err(ApiError::bad_request(format!(
                "the namespace of the object ({namespace}) does not match the namespace on the URL ({})",
                call.namespace
            )));
        }
        if call.resource.namespaced {
            metadata_mut(object).insert("namespace".into(), json!(call.namespace));
        }
        Ok(())
    }

    /// Replaces the stored object by `object` as far as the rules allow, and returns what is stored then.
    pub(crate) fn replace(&mut self, call: &mut Call<'_>, mut object: Value, how: Change) -> Result<Value, ApiError> {
        let old = self.stored(call)?;
        self.check_preconditions(call, &old, &object)?;
        keep_server_fields(&old, &mut object);
        if how == Change::Update {
            self.own_change(call, &old, &mut object);
        }
        self.prepare_change(call, &old, &mut object)?;
        forbid_new_finalizers(call, &old, &object)?;
        self.validate_change(call, &old, &object)?;
        self.warn(call, Some(&old), &object);
        self.store_change(call, &old, object)
    }

    fn check_preconditions(&self, call: &Call<'_>, old: &Value, object: &Value) -> Result<(), ApiError> {
        let (group, plural) = (&call.resource.group, &call.resource.plural);
        let version = meta(object, "resourceVersion");
        if version.is_empty() || version == "0" {
            if !self.strategy(&call.resource).unconditional_update && call.verb == "update" {
                let text = "Invalid value: 0: must be specified for an update";
                let cause = Cause::field("FieldValueInvalid", "metadata.resourceVersion", text);
                return Err(ApiError::invalid(group, plural, &call.name, vec![cause]));
            }
        } else if version.parse::<u64>().is_err() {
            let text = format!("Invalid value: {version:?}: strconv.ParseUint: parsing {version:?}: invalid syntax");
            return Err(ApiError::plain(format!("resourceVersion: {text}")));
        } else if version.parse() != Ok(revision(old)) {
            return Err(ApiError::modified(group, plural, &call.name));
        }
        let (sent, stored) = (meta(object, "uid"), meta(old, "uid"));
        if !sent.is_empty() && sent != stored {
            let key = storage_key(call);
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID \
                 in precondition: {sent}, UID in object meta: {stored}"
            );
            return Err(ApiError::conflict(group, plural, &call.name, &why));
        }
        Ok(())
    }

    /// Commits a changed object, drops it when nothing holds it any more, or finds that nothing changed.
    pub(crate) fn store_change(&mut self, call: &Call<'_>, old: &Value, mut object: Value) -> Result<Value, ApiError> {
        let (storage, name) = (call.resource.storage.clone(), call.object_name());
        let released = is_going(&object) && finalizers(&object).is_empty() && self.may_go(&object);
        if released {
            metadata_mut(&mut object).insert("resourceVersion".into(), json!(meta(old, "resourceVersion")));
            if !call.dry_run {
                let author = call.author();
                self.remove(&author, &storage, &name);
            }
            return Ok(object);
        }
        metadata_mut(&mut object).insert("resourceVersion".into(), json!(meta(old, "resourceVersion")));
        if same(old, &object) {
            return Ok(old.clone());
        }
        if call.dry_run {
            return Ok(object);
        }
        let author = call.author();
        Ok(Value::clone(&self.put(&author, &storage, name, object)))
    }
}

/// Where the real server keeps an object, which some of its messages show.
fn storage_key(call: &Call<'_>) -> String {
    let place = match (call.resource.group.as_str(), call.resource.plural.as_str()) {
        ("", "services") => "services/specs".to_owned(),
        ("networking.k8s.io", "ingresses") => "ingress".to_owned(),
        (group, plural) if call.resource.custom => format!("{group}/{plural}"),
        (_, plural) => plural.to_owned(),
    };
    let namespace = if call.namespace.is_empty() {
        String::new()
    } else {
        format!("{}/", call.namespace)
    };
    format!("/registry/{place}/{namespace}{}", call.name)
}

/// An object that is going takes no new finalizers.
fn forbid_new_finalizers(call: &Call<'_>, old: &Value, object: &Value) -> Result<(), ApiError> {
    let had = finalizers(old);
    let new: Vec<String> = finalizers(object).into_iter().filter(|f| !had.contains(f)).collect();
    if !is_going(old) || new.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = new.iter().map(|f| format!("{f:?}")).collect();
    let message = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        shown.join(", ")
    );
    // The real server looks at metadata twice on an update, and says so twice.
    let cause = Cause::field("FieldValueForbidden", "metadata.finalizers", message);
    let causes = vec![cause.clone(), cause];
    Err(ApiError::invalid(
        &call.resource.group,
        &call.resource.kind,
        &call.name,
        causes,
    ))
}

fn keep_server_fields(old: &Value, object: &mut Value) {
    let metadata = metadata_mut(object);
    for field in KEPT {
        match &old["metadata"][field] {
            Value::Null => metadata.remove(field),
            value => metadata.insert(field.into(), value.clone()),
        };
    }
    metadata.remove("selfLink");
    match &old["metadata"]["generation"] {
        Value::Null => metadata.remove("generation"),
        value => metadata.insert("generation".into(), value.clone()),
    };
}

/// Whether two objects are equal but for the times in their `managedFields`.
fn same(a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    let bare = |object: &Value| {
        let mut object = object.clone();
        if let Some(entries) = object
            .pointer_mut("/metadata/managedFields")
            .and_then(Value::as_array_mut)
        {
            entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| {
                entry.remove("time");
            });
        }
        object
    };
    bare(a) == bare(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_times_of_managers_do_not_count() {
        let object = |time: &str, data: &str| json!({"metadata": {"name": "a", "managedFields": [{"manager": "m", "time": time}]}, "data": {"k": data}});
        assert!(same(&object("1", "x"), &object("2", "x")));
        assert!(!same(&object("1", "x"), &object("1", "y")));
    }
}
