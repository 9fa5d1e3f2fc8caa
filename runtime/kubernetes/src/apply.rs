//! `Apply`: write one object.

use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
use capstan_engine::event::WriteError;
use capstan_engine::writing::{FormerFields, client_side, take_over_fields};
use capstan_model::{GroupVersionKind, ResourceKey};
use http::Method;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::mask::masked;
use crate::request::{Ask, JSON};
use crate::url;

impl Cluster {
    /// Hands the fields `from` over to us; an object that has none such is left as it is. Gives the object's version.
    pub async fn migrate_fields(
        &self,
        key: &ResourceKey,
        gvk: &GroupVersionKind,
        from: &FormerFields,
    ) -> Result<String, WriteError> {
        let Some(live) = self.observe(key, gvk).await? else {
            return Err(WriteError::NotFound(format!("{key} does not exist")));
        };
        let Some(patch) = take_over_fields(&live, from) else {
            let version = live.pointer("/metadata/resourceVersion").and_then(Value::as_str);
            return Ok(version.unwrap_or_default().to_owned());
        };
        self.json_patch(key, gvk, &patch).await
    }

    /// Client-side apply: what is to be sent, and how.
    async fn merged(&self, task: &ApplyTask, desired: &Value) -> Result<(Value, ApplyMode), WriteError> {
        let live = self.observe(&task.key, &task.gvk).await?;
        let object = client_side(desired, live.as_deref());
        let mode = match object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            Some(version) => ApplyMode::Replace {
                resource_version: version.to_owned(),
            },
            None => ApplyMode::Create,
        };
        Ok((object, mode))
    }

    /// Writes the object as the task says and gives it back as the server now has it.
    pub async fn apply(&self, task: &ApplyTask) -> Result<Box<Value>, WriteError> {
        let mut object = task
            .object
            .value()
            .map_err(|error| WriteError::Invalid(error.to_string()))?;
        let mut url = self.object_url(&task.key, &task.gvk).await?;
        let mut mode = task.mode.clone();
        if mode == ApplyMode::ClientSide {
            (object, mode) = self.merged(task, &object).await?;
        }
        if task.dry_run == DryRun::Client {
            return Ok(Box::new(object));
        }
        let (verb, method, media_type) = match &mode {
            ApplyMode::ServerSide { force } => {
                let force = if *force { "true" } else { "false" };
                url::push_query(&mut url, "force", force);
                ("apply", Method::PATCH, "application/apply-patch+yaml")
            }
            // Was made one of the others.
            ApplyMode::ClientSide | ApplyMode::Create => {
                // An object is created in its collection, one segment up.
                url.truncate(url.rfind('/').unwrap_or(url.len()));
                ("create", Method::POST, JSON)
            }
            ApplyMode::Replace { resource_version } => {
                if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("resourceVersion".into(), resource_version.as_str().into());
                }
                ("replace", Method::PUT, JSON)
            }
        };
        url::push_query(&mut url, "fieldManager", &self.settings().field_manager);
        let validation = if task.validate { "Strict" } else { "Ignore" };
        url::push_query(&mut url, "fieldValidation", validation);
        if task.dry_run == DryRun::Server {
            url::push_query(&mut url, "dryRun", "All");
        }
        let ask = Ask::write(method, url.clone(), media_type, &object);
        let done = self.fetch(verb, &task.key.group_kind(), ask).await;
        let answered = done.and_then(|answer| answer.json(&url));
        let answered = answered.map_err(|error| masked(error, &task.key, &object));
        match answered {
            Ok(object) => Ok(Box::new(object)),
            Err(error) if task.dry_run == DryRun::Server => Err(error.into_read_error()),
            Err(error) => Err(error.into_write_error()),
        }
    }
}
