//! Where the verbs meet the meaning of objects: typed decoding, defaults, validation, ownership, and the two typed patches.

use capstan_model::schema::{self, Node, Type};
use serde_json::{Value, json};

use crate::fields::{meta, metadata_mut};
use crate::request::Response;
use crate::ssa::{self, ApplyError, Managers, Scope, Set, Write};
use crate::status::{ApiError, Cause, Details};
use crate::verbs::{Change, PatchType};
use crate::world::{Call, FieldValidation, World};

/// The built-in type of the resource called.
fn type_of(call: &Call<'_>) -> Option<&'static Type> {
    schema::kind(&call.resource.api_version(), &call.resource.kind)
}

impl World {
    /// Reads an object as its type does: unknown fields are dropped (and reported), values of the wrong type refused.
    pub(crate) fn decode_typed(&self, call: &mut Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        if call.resource.custom {
            return self.decode_custom(call, object);
        }
        let Some(of) = type_of(call) else {
            return Ok(());
        };
        let (kind, version) = (call.resource.kind.clone(), call.resource.version.clone());
        let unknown = crate::schema::decode(of, object).map_err(|why| {
            ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: {why}"
            ))
        })?;
        let problems: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        call.strict_problems(&problems, &version, &kind)?;
        self.complete(call, object);
        Ok(())
    }

    /// As [`World::decode_typed`], of what a patch made of the stored object; what is wrong is wrong with the patch.
    pub(crate) fn decode_patched(
        &self,
        call: &mut Call<'_>,
        kind: PatchType,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        let shown = || match kind {
            PatchType::Strategic => {
                let patch: Value = serde_json::from_slice(&call.raw_body()).unwrap_or_default();
                ssa::go_print(&patch)
            }
            _ => object.to_string(),
        };
        if call.resource.custom {
            return self.decode_typed(call, object);
        }
        let Some(of) = type_of(call) else {
            return Ok(());
        };
        let dumped = shown();
        let refuse = |why: &str| {
            let cause = Cause::field(
                "FieldValueInvalid",
                "patch",
                format!("Invalid value: {dumped:?}: {why}"),
            );
            ApiError::invalid("", "", "", vec![cause])
        };
        let unknown = crate::schema::decode(of, object).map_err(|why| {
            refuse(if kind == PatchType::Strategic {
                &why.map
            } else {
                &why.json
            })
        })?;
        let problems: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        if call.validation == FieldValidation::Strict && !problems.is_empty() {
            return Err(refuse(&format!("strict decoding error: {}", problems.join(", "))));
        }
        let (kind, version) = (call.resource.kind.clone(), call.resource.version.clone());
        call.strict_problems(&problems, &version, &kind)?;
        self.complete(call, object);
        Ok(())
    }

    /// The object after a strategic merge patch.
    pub(crate) fn strategic(&self, call: &Call<'_>, patch: &Value, object: &Value) -> Result<Value, ApiError> {
        let Some(of) = type_of(call) else {
            return Err(ApiError::model_gap(format!(
                "strategic merge patches of {}",
                call.resource.kind
            )));
        };
        ssa::strategic(of, object, patch).map_err(|why| ApiError::plain(why.to_string()))
    }

    /// Defaults of an object as the decoder fills them in.
    fn complete(&self, call: &Call<'_>, object: &mut Value) {
        if let Some(of) = type_of(call).filter(|_| !call.resource.custom) {
            if (of.name, call.resource.group.as_str()) == ("core.v1.Secret", "") {
                crate::strategy::encode_string_data(object);
            }
            crate::validation::complete(of, object);
            crate::strategy::complete(&call.resource, object);
        }
    }

    /// Refuses an object that may not be created.
    pub(crate) fn validate_new(&self, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
        if call.resource.custom {
            return self.validate_custom(call, None, object);
        }
        self.validate_definition(call, object)?;
        refuse(call, object, crate::validation::refuse_new(&call.resource.kind, object))
    }

    /// Refuses a change that may not be made.
    pub(crate) fn validate_change(&self, call: &Call<'_>, old: &Value, object: &Value) -> Result<(), ApiError> {
        if call.resource.custom {
            return self.validate_custom(call, Some(old), object);
        }
        self.validate_definition(call, object)?;
        if !call.subresource.is_empty() {
            return Ok(());
        }
        refuse(
            call,
            object,
            crate::validation::refuse_change(&call.resource.kind, old, object),
        )
    }

    /// Records who set the fields of a new object.
    pub(crate) fn own_new(&self, call: &Call<'_>, object: &mut Value) {
        let empty = match type_of(call).filter(|_| !call.resource.custom) {
            Some(of) => crate::schema::empty(of),
            None => json!({}),
        };
        self.own(call, &empty, object, true);
    }

    /// Records who set the fields that a change touched.
    pub(crate) fn own_change(&self, call: &Call<'_>, old: &Value, object: &mut Value) {
        self.own(call, old, object, false);
    }

    fn own(&self, call: &Call<'_>, old: &Value, object: &mut Value, new: bool) {
        let Some((write_scope, root)) = self.scope(call) else {
            return;
        };
        let sent = &object["metadata"]["managedFields"];
        let kept = &old["metadata"]["managedFields"];
        let reset = Managers::is_reset(sent) && call.subresource.is_empty();
        let managers = if reset {
            Managers::default()
        } else {
            let sent = if call.subresource.is_empty() {
                Managers::decode(sent)
            } else {
                None
            };
            let sent = sent.filter(|m| !m.owned.is_empty());
            sent.or_else(|| Managers::decode(kept)).unwrap_or_default()
        };
        let untracked = managers.owned.is_empty() && !new;
        let managers = if untracked {
            managers
        } else {
            let now = crate::fields::time(call.now);
            let write = write(
                call,
                node(root.as_ref(), call),
                &write_scope,
                now.as_str().unwrap_or_default(),
            );
            ssa::update(&write, &bare(old), &bare(object), &managers)
        };
        managers.write(object);
    }

    /// What a write through this path may own, and the schema of a custom kind.
    fn scope(&self, call: &Call<'_>) -> Option<(Scope, Option<Value>)> {
        let schema = if call.resource.custom {
            let version = self.definition_version(&call.resource)?;
            Some(version["schema"]["openAPIV3Schema"].clone())
        } else {
            type_of(call)?;
            None
        };
        Some((scope(call), schema))
    }

    /// Server-side apply.
    pub(crate) fn apply(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let config = apply_body(call)?;
        let stored = self.store.object(&call.resource.storage, &call.object_name()).cloned();
        if stored.is_none() && !call.subresource.is_empty() {
            return Err(call.not_found());
        }
        let live = stored.as_ref().map(|s| self.served(&call.resource, Value::clone(s)));
        let (object, managers) = self.applied(call, live.as_ref(), &config)?;
        match live {
            None => {
                let mut object = object;
                metadata_mut(&mut object).insert("name".into(), json!(call.name));
                if call.resource.namespaced {
                    metadata_mut(&mut object).insert("namespace".into(), json!(call.namespace));
                }
                if !meta(&object, "uid").is_empty() {
                    let why = "Precondition failed: UID in precondition: ";
                    let why = format!(
                        "uid mismatch: the provided object specified uid {}, and no existing object was found ({why})",
                        meta(&object, "uid")
                    );
                    return Err(ApiError::conflict(
                        &call.resource.group,
                        &call.resource.plural,
                        &call.name,
                        why.split(" (").next().unwrap_or(&why),
                    ));
                }
                call.owned = Some(managers.encode());
                let created = self.insert(call, object)?;
                self.respond(call, 201, created)
            }
            Some(_) => {
                let mut object = object;
                managers.write(&mut object);
                let object = self.replace(call, object, Change::Apply)?;
                self.respond(call, 200, object)
            }
        }
    }

    /// The object an apply comes to, decoded and completed, and who owns it then.
    fn applied(
        &self,
        call: &mut Call<'_>,
        live: Option<&Value>,
        config: &Value,
    ) -> Result<(Value, Managers), ApiError> {
        let Some((write_scope, root)) = self.scope(call) else {
            return Err(ApiError::model_gap(format!(
                "server-side apply of {}",
                call.resource.kind
            )));
        };
        let base = match live {
            Some(live) => bare(live),
            None => match type_of(call).filter(|_| root.is_none()) {
                Some(of) => crate::schema::empty(of),
                None => json!({}),
            },
        };
        let mut managers = live
            .and_then(|l| Managers::decode(&l["metadata"]["managedFields"]))
            .unwrap_or_default();
        let now = crate::fields::time(call.now);
        let mut write = write(
            call,
            node(root.as_ref(), call),
            &write_scope,
            now.as_str().unwrap_or_default(),
        );
        let name = call.manager.clone();
        if live.is_some() && managers.owned.is_empty() {
            let empty = type_of(call)
                .filter(|_| root.is_none())
                .map_or_else(|| json!({}), crate::schema::empty);
            write.manager = "before-first-apply";
            managers = ssa::update(&write, &empty, &base, &managers);
        }
        write.manager = &name;
        let force = call.request.parameter("force").is_some_and(|f| f == "true" || f == "1");
        let applied = ssa::apply(&write, &base, config, &managers, force).map_err(|e| refused(call, config, e))?;
        let Some(mut object) = applied.object else {
            return Ok((base, applied.managers));
        };
        if let Some(map) = object.as_object_mut() {
            map.insert("apiVersion".into(), json!(call.resource.api_version()));
            map.insert("kind".into(), json!(call.resource.kind));
        }
        self.decode_typed(call, &mut object)?;
        Ok((object, applied.managers))
    }
}

/// 422 when there are causes.
fn refuse(call: &Call<'_>, object: &Value, causes: Vec<Cause>) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(
        &call.resource.group,
        &call.resource.kind,
        meta(object, "name"),
        causes,
    ))
}

fn node<'s>(root: Option<&'s Value>, call: &Call<'_>) -> Node<'s> {
    match root {
        Some(schema) => Node::custom(schema),
        None => type_of(call).map_or(Node::Deduced, Node::Struct),
    }
}

fn write<'w>(call: &'w Call<'_>, node: Node<'w>, scope: &'w Scope, now: &'w str) -> Write<'w> {
    Write {
        node,
        api_version: call.resource.api_version(),
        manager: &call.manager,
        subresource: &call.subresource,
        scope,
        now,
    }
}

/// The object without its ownership.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// Fields a write through this path leaves alone, so that nobody comes to own them by it.
fn scope(call: &Call<'_>) -> Scope {
    let has_status = call.resource.subresource("status").is_some();
    let group = (call.resource.group.as_str(), call.resource.plural.as_str());
    match call.subresource.as_str() {
        "status" if call.resource.custom => Scope::Only("status"),
        "status" => Scope::AllBut(match group {
            ("apps", "deployments") | ("autoscaling", _) => Set::of_fields(&[&["spec"], &["metadata", "labels"]]),
            ("", "pods") => Set::of_fields(&[
                &["spec"],
                &["metadata", "deletionTimestamp"],
                &["metadata", "ownerReferences"],
            ]),
            ("apiextensions.k8s.io", _) => Set::of_fields(&[&["metadata"], &["spec"]]),
            _ => Set::of_fields(&[&["spec"]]),
        }),
        _ if has_status => Scope::AllBut(Set::of_fields(&[&["status"]])),
        _ => Scope::AllBut(Set::default()),
    }
}

/// The configuration in an apply's body, checked as far as needs no schema.
fn apply_body(call: &Call<'_>) -> Result<Value, ApiError> {
    let config = crate::world::yaml(&call.raw_body())
        .map_err(|why| ApiError::bad_request(format!("error decoding YAML: {why}")))?;
    let (version, kind) = (
        config["apiVersion"].as_str().unwrap_or(""),
        config["kind"].as_str().unwrap_or(""),
    );
    let expected = call.resource.api_version();
    if version.is_empty() || kind.is_empty() {
        let (group, name) = crate::registry::split_api_version(version);
        return Err(ApiError::bad_request(format!(
            "invalid object type: {group}/{name}, Kind={kind}"
        )));
    }
    if version != expected && (call.resource.custom || schema::kind(version, kind).is_none()) {
        return Err(ApiError::bad_request(format!(
            "invalid object type: {version}, Kind={kind}"
        )));
    }
    if version != expected {
        return Err(ApiError::bad_request(format!(
            "incorrect version specified in apply patch. Specified patch version: {version}, expected: {expected}"
        )));
    }
    if !config["metadata"]["managedFields"].is_null() {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let name = meta(&config, "name");
    if name != call.name && !name.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name
        )));
    }
    Ok(config)
}

fn refused(call: &Call<'_>, config: &Value, error: ApplyError) -> ApiError {
    match error {
        ApplyError::NotTyped(why) => {
            let (group, version) = (call.resource.group.as_str(), call.resource.version.as_str());
            ApiError::plain(format!(
                "failed to create typed patch object ({}/{}; {group}/{version}, Kind={}): {why}",
                meta(config, "namespace"),
                meta(config, "name"),
                call.resource.kind
            ))
        }
        ApplyError::Conflicts(conflicts) => conflict_error(&conflicts),
    }
}

/// 409 with every field somebody else owns.
fn conflict_error(conflicts: &[ssa::Conflict]) -> ApiError {
    let causes = conflicts
        .iter()
        .map(|c| {
            Cause::field(
                "FieldManagerConflict",
                &c.path,
                format!("conflict with {}", c.manager.shown()),
            )
        })
        .collect();
    let text = match conflicts {
        [one] => format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            one.manager.shown(),
            one.path
        ),
        many => {
            let mut managers: Vec<String> = many.iter().map(|c| c.manager.shown()).collect();
            managers.sort();
            managers.dedup();
            let mut lines = Vec::new();
            for manager in managers {
                lines.push(format!("conflicts with {manager}:"));
                lines.extend(
                    many.iter()
                        .filter(|c| c.manager.shown() == manager)
                        .map(|c| format!("- {}", c.path)),
                );
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let mut error = ApiError::new(409, "Conflict", text);
    error.details = Some(Box::new(Details {
        causes,
        ..Details::default()
    }));
    error
}
