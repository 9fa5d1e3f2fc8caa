//! `create`.

use serde_json::{Value, json};

use crate::fields::{is_going, meta, metadata_mut, time};
use crate::request::Response;
use crate::status::{ApiError, Cause};
use crate::store::ObjectName;
use crate::world::{Call, World};

/// How often another suffix is drawn for a `generateName` whose name is taken.
const NAME_ATTEMPTS: usize = 8;

impl World {
    /// `create`.
    pub(crate) fn create(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        call.check_write_options("CreateOptions")?;
        let resource = call.resource.clone();
        if resource.namespaced && call.namespace.is_empty() {
            return Err(ApiError::bad_request(
                "an empty namespace may not be set during creation",
            ));
        }
        if let Some(response) = self.review(call)? {
            return Ok(response);
        }
        let mut object = call.object(&resource.group, &resource.version, &resource.kind)?;
        if !meta(&object, "resourceVersion").is_empty() {
            return Err(ApiError::plain(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        self.decode_typed(call, &mut object)?;
        self.place(call, &mut object)?;
        self.insert(call, object)
            .and_then(|object| self.respond(call, 201, object))
    }

    /// Checks and sets where the object lives.
    fn place(&self, call: &mut Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        let sent = meta(object, "namespace").to_owned();
        if !sent.is_empty() && sent != call.namespace {
            return Err(if call.resource.namespaced {
                ApiError::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                )
            } else {
                let cause = Cause::field(
                    "FieldValueForbidden",
                    "metadata.namespace",
                    "Forbidden: not allowed on this type",
                );
                ApiError::invalid(
                    &call.resource.group,
                    &call.resource.kind,
                    meta(object, "name"),
                    vec![cause],
                )
            });
        }
        let metadata = metadata_mut(object);
        if call.resource.namespaced {
            metadata.insert("namespace".into(), json!(call.namespace));
        } else {
            metadata.remove("namespace");
        }
        Ok(())
    }

    /// Puts a new object in: admission, server-side metadata, defaults, validation, ownership. Also the end of an apply that creates.
    pub(crate) fn insert(&mut self, call: &mut Call<'_>, mut object: Value) -> Result<Value, ApiError> {
        self.authorize_creation(call)?;
        self.admit_namespace(call, meta(&object, "name"))?;
        self.name(call, &mut object);
        call.name = meta(&object, "name").to_owned();
        match call.owned.take() {
            Some(owned) => {
                metadata_mut(&mut object).insert("managedFields".into(), owned);
            }
            None => self.own_new(call, &mut object),
        }
        self.prepare_new(call, &mut object)?;
        self.validate_new(call, &object)?;
        self.warn(call, None, &object);
        let name = call.object_name();
        if let Some(existing) = self.store.object(&call.resource.storage, &name) {
            let going = is_going(existing);
            return Err(ApiError::already_exists(
                &call.resource.group,
                &call.resource.plural,
                &name.name,
                going,
            ));
        }
        self.allocate(call, &mut object)?;
        if call.dry_run {
            return Ok(object);
        }
        let author = call.author();
        let storage = call.resource.storage.clone();
        Ok(Value::clone(&self.put(&author, &storage, name, object)))
    }

    fn name(&mut self, call: &Call<'_>, object: &mut Value) {
        let generate = meta(object, "generateName").to_owned();
        if !meta(object, "name").is_empty() || generate.is_empty() {
            return;
        }
        let base: String = generate.chars().take(58).collect();
        for _ in 0..NAME_ATTEMPTS {
            let name = format!("{base}{}", self.random.suffix());
            let taken = self
                .store
                .object(&call.resource.storage, &ObjectName::new(&call.namespace, &name))
                .is_some();
            metadata_mut(object).insert("name".into(), json!(name));
            if !taken {
                return;
            }
        }
    }

    /// Nothing is created in a namespace that is not there or is going.
    pub(crate) fn admit_namespace(&self, call: &Call<'_>, name: &str) -> Result<(), ApiError> {
        if !call.resource.namespaced {
            return Ok(());
        }
        let namespace = &call.namespace;
        let namespaces = crate::registry::GroupResource::new("", "namespaces");
        let Some(found) = self.store.object(&namespaces, &ObjectName::new("", namespace)) else {
            return Err(ApiError::not_found("", "namespaces", namespace));
        };
        if !is_going(found) && found["status"]["phase"] != "Terminating" {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut error = ApiError::forbidden(&call.resource.group, &call.resource.plural, name, &why);
        if let Some(details) = &mut error.details {
            let text = format!("namespace {namespace} is being terminated");
            details
                .causes
                .push(Cause::field("NamespaceTerminating", "metadata.namespace", text));
        }
        Err(error)
    }

    /// The metadata only the server sets.
    pub(crate) fn stamp_new(&mut self, call: &Call<'_>, object: &mut Value, generation: bool) {
        let uid = self.random.uid();
        let metadata = metadata_mut(object);
        for field in [
            "selfLink",
            "resourceVersion",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            metadata.remove(field);
        }
        metadata.insert("uid".into(), json!(uid));
        metadata.insert("creationTimestamp".into(), time(call.now));
        if generation {
            metadata.insert("generation".into(), json!(1));
        }
    }
}
