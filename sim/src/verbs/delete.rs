//! `delete` and `deletecollection`: preconditions, propagation, grace, finalizers.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::list::name_of;
use crate::decode;
use crate::fields::{finalizers, is_going, meta, metadata_mut, set_finalizers, text, time};
use crate::protobuf;
use crate::request::Response;
use crate::status::{ApiError, Cause, Details, success};
use crate::world::{Call, World};

/// What a deletion asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) grace: Option<i64>,
    pub(crate) uid: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) propagation: Option<String>,
    pub(crate) orphan: Option<bool>,
    pub(crate) dry_run: bool,
}

/// What became of an object that was to be deleted.
pub(crate) enum Deleted {
    /// It is gone; this was its last state.
    Gone(Value),
    /// It is still there, marked; something has to let it go.
    Held(Value),
}

impl World {
    /// `delete` of one object.
    pub(crate) fn delete(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let options = delete_options(call)?;
        call.dry_run = options.dry_run;
        self.warn_of_orphans(call, &options);
        let old = self.stored(call)?;
        let kept = self.strategy(&call.resource).returns_deleted;
        match self.delete_object(call, &old, &options)? {
            Deleted::Held(object) => self.respond(call, 200, object),
            Deleted::Gone(object) if kept => self.respond(call, 200, object),
            Deleted::Gone(object) => {
                let details = Details {
                    name: call.name.clone(),
                    group: call.resource.group.clone(),
                    kind: call.resource.plural.clone(),
                    uid: meta(&object, "uid").to_owned(),
                    ..Details::default()
                };
                Ok(Response::json(200, success(Some(&details), None)))
            }
        }
    }

    /// `deletecollection`: every selected object, one after the other.
    pub(crate) fn delete_collection(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let options = delete_options(call)?;
        call.dry_run = options.dry_run;
        self.warn_of_orphans(call, &options);
        let form = crate::world::accepted(call.request)?;
        let selection = self.selection(call)?;
        let revision = self.store.revision();
        let objects = self
            .store
            .objects(&call.resource.storage, selection.namespace.as_deref());
        let selected = objects.filter(|(name, object)| selection.matches(name, object));
        let selected: Vec<Value> = selected.map(|(_, object)| Value::clone(object)).collect();
        for object in &selected {
            let name = name_of(object);
            (call.namespace, call.name) = (name.namespace, name.name);
            self.delete_object(call, object, &options)?;
        }
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), json!(revision.to_string()));
        Ok(Response::json(200, self.list_of(call, form, selected, metadata)))
    }

    /// Deletes or marks one object.
    pub(crate) fn delete_object(
        &mut self,
        call: &Call<'_>,
        old: &Value,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        check_preconditions(call, old, options)?;
        self.admit_delete(call, old)?;
        let mut object = old.clone();
        let before = finalizers(old);
        let mut held = finalizers_after(&before, options, self.strategy(&call.resource).orphans_by_default);
        self.hold(call, &mut object, &mut held);
        set_finalizers(&mut object, &held);
        let strategy = self.strategy(&call.resource);
        let author = call.author();
        let (storage, name) = (call.resource.storage.clone(), call.object_name());
        if !strategy.grace && held.is_empty() && self.may_go(&object) {
            if !call.dry_run
                && let Some(last) = self.remove(&author, &storage, &name)
            {
                object = Value::clone(&last);
            }
            return Ok(Deleted::Gone(object));
        }
        let grace = self.grace(call, old, options);
        mark(call, &mut object, grace, strategy.graceless_mark);
        self.marked(call, &mut object);
        if object != *old && !call.dry_run {
            object = Value::clone(&self.put(&author, &storage, name.clone(), object));
        }
        if grace > 0 || !held.is_empty() || !self.may_go(&object) {
            return Ok(Deleted::Held(object));
        }
        // Time was given and is over: the mark was seen by everybody, now the object goes.
        if !call.dry_run {
            self.remove(&author, &storage, &name);
        }
        Ok(Deleted::Gone(object))
    }

    /// A Job deleted without a word about its pods leaves them behind, which surprises.
    fn warn_of_orphans(&self, call: &mut Call<'_>, options: &DeleteOptions) {
        let is_job = call.resource.group == "batch" && call.resource.plural == "jobs";
        if is_job && options.propagation.is_none() && options.orphan.is_none() {
            call.warn(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set \
                 propagationPolicy=Orphan to suppress this warning",
            );
        }
    }

    /// Seconds an object is given before it goes.
    fn grace(&self, call: &Call<'_>, object: &Value, options: &DeleteOptions) -> i64 {
        if !self.strategy(&call.resource).grace {
            return 0;
        }
        let asked = options.grace.filter(|g| *g >= 0);
        let own = object["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
        let finished = matches!(text(object, &["status", "phase"]), "Succeeded" | "Failed");
        let unassigned = text(object, &["spec", "nodeName"]).is_empty();
        let grace = if unassigned || finished {
            0
        } else {
            asked.unwrap_or(own)
        };
        match object["metadata"]["deletionGracePeriodSeconds"].as_i64() {
            // A deletion that is under way is only ever shortened.
            Some(running) if is_going(object) => grace.min(running),
            _ => grace,
        }
    }
}

/// Marks an object as going, or shortens the grace of one that is.
fn mark(call: &Call<'_>, object: &mut Value, grace: i64, graceless: bool) {
    let going = is_going(object);
    let running = object["metadata"]["deletionGracePeriodSeconds"].as_i64();
    if going && running.is_none_or(|r| r <= grace) {
        return;
    }
    let at = call.now + Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let generation = object["metadata"]["generation"].as_i64();
    let metadata = metadata_mut(object);
    metadata.insert("deletionTimestamp".into(), time(at));
    if !graceless {
        metadata.insert("deletionGracePeriodSeconds".into(), json!(grace));
    }
    let counts = call.resource.group != "apiextensions.k8s.io";
    if let Some(generation) = generation.filter(|g| *g > 0 && !going && counts) {
        metadata.insert("generation".into(), json!(generation + 1));
    }
}

fn check_preconditions(call: &Call<'_>, old: &Value, options: &DeleteOptions) -> Result<(), ApiError> {
    // The real server names the kind here, not the resource.
    let conflict = |why: String| {
        Err(ApiError::conflict(
            &call.resource.group,
            &call.resource.kind,
            &call.name,
            &why,
        ))
    };
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != meta(old, "uid")) {
        return conflict(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then \
             recreated",
            meta(old, "uid")
        ));
    }
    if let Some(version) = options
        .version
        .as_deref()
        .filter(|v| *v != meta(old, "resourceVersion"))
    {
        return conflict(format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might \
             have been modified",
            meta(old, "resourceVersion")
        ));
    }
    Ok(())
}

/// The finalizers that the propagation policy leaves.
fn finalizers_after(before: &[String], options: &DeleteOptions, orphans_by_default: bool) -> Vec<String> {
    let had = |name: &str| before.iter().any(|f| f == name);
    let (orphan, foreground) = match (options.orphan, options.propagation.as_deref()) {
        (Some(orphan), _) => (orphan, false),
        (None, Some("Orphan")) => (true, false),
        (None, Some("Foreground")) => (false, true),
        (None, Some(_)) => (false, false),
        (None, None) => (
            had("orphan") || (orphans_by_default && !had("foregroundDeletion")),
            had("foregroundDeletion"),
        ),
    };
    let mut after: Vec<String> = before
        .iter()
        .filter(|f| !matches!(f.as_str(), "orphan" | "foregroundDeletion"))
        .cloned()
        .collect();
    if orphan {
        after.push("orphan".into());
    }
    if foreground {
        after.push("foregroundDeletion".into());
    }
    after
}

/// The options of a deletion: from the body where there is one, else from the query.
pub(crate) fn delete_options(call: &Call<'_>) -> Result<DeleteOptions, ApiError> {
    call.check_write_options("DeleteOptions")?;
    let mut options = DeleteOptions::default();
    if call.has_body() {
        read_body(call, &mut options)?;
    } else {
        let parameter = |name: &str| call.request.parameter(name).filter(|v| !v.is_empty());
        options.grace = parameter("gracePeriodSeconds").and_then(|g| g.parse().ok());
        options.orphan = parameter("orphanDependents").map(|v| v == "true");
        options.propagation = parameter("propagationPolicy").map(str::to_owned);
        options.dry_run = call.dry_run;
    }
    check_options(&options)?;
    Ok(options)
}

/// The options of an eviction.
pub(crate) fn eviction_options(body: &Value) -> DeleteOptions {
    let mut options = DeleteOptions::default();
    options.read(body);
    options
}

impl DeleteOptions {
    fn read(&mut self, body: &Value) {
        self.grace = body["gracePeriodSeconds"].as_i64();
        self.orphan = body["orphanDependents"].as_bool();
        self.propagation = body["propagationPolicy"].as_str().map(str::to_owned);
        self.uid = body["preconditions"]["uid"].as_str().map(str::to_owned);
        self.version = body["preconditions"]["resourceVersion"].as_str().map(str::to_owned);
        self.dry_run = body["dryRun"]
            .as_array()
            .is_some_and(|list| list.iter().any(|v| v == "All"));
    }
}

fn read_body(call: &Call<'_>, options: &mut DeleteOptions) -> Result<(), ApiError> {
    let bytes = call.raw_body();
    let body = if call.content_type() == protobuf::MEDIA_TYPE {
        protobuf::decode(&bytes, "v1", "DeleteOptions").map_err(|e| ApiError::bad_request(e.to_string()))?
    } else {
        let decoded = decode::json(&bytes)
            .map_err(|e| ApiError::bad_request(format!("couldn't get version/kind; json parse error: {e}")))?;
        decoded.value
    };
    let (kind, version) = (text(&body, &["kind"]), text(&body, &["apiVersion"]));
    if !matches!(kind, "" | "DeleteOptions") {
        return Err(ApiError::bad_request(format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
        )));
    }
    options.read(&body);
    Ok(())
}

fn check_options(options: &DeleteOptions) -> Result<(), ApiError> {
    let invalid = |reason: &str, text: String| {
        let cause = Cause::field(reason, "propagationPolicy", text);
        Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", vec![cause]))
    };
    match (&options.propagation, options.orphan) {
        (Some(policy), Some(_)) => invalid(
            "FieldValueInvalid",
            format!("Invalid value: {policy:?}: orphanDependents and deletionPropagation cannot be both set"),
        ),
        (Some(policy), None) if !matches!(policy.as_str(), "Foreground" | "Background" | "Orphan") => invalid(
            "FieldValueNotSupported",
            format!(
                "Unsupported value: {policy:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            ),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propagation_decides_the_finalizers() {
        let before = vec!["example.org/a".to_owned(), "orphan".to_owned()];
        let after = |propagation: Option<&str>| {
            let options = DeleteOptions {
                propagation: propagation.map(str::to_owned),
                ..DeleteOptions::default()
            };
            finalizers_after(&before, &options, false)
        };
        assert_eq!(after(Some("Foreground")), ["example.org/a", "foregroundDeletion"]);
        assert_eq!(after(Some("Background")), ["example.org/a"]);
        assert_eq!(after(None), ["example.org/a", "orphan"]);
    }
}
