//! `Apply`: write one object.

use capstan_engine::effect::{ApplyMode, ApplyTask};
use capstan_engine::event::WriteError;
use http::Method;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::request::{Ask, JSON};
use crate::url;

impl Cluster {
    /// Writes the object as the task says and gives it back as the server now has it.
    pub async fn apply(&self, task: &ApplyTask) -> Result<Box<Value>, WriteError> {
        let mut object = task
            .object
            .value()
            .map_err(|error| WriteError::Invalid(error.to_string()))?;
        let mut url = self.object_url(&task.key, &task.gvk).await?;
        let (verb, method, media_type) = match &task.mode {
            ApplyMode::ServerSide { force } => {
                let force = if *force { "true" } else { "false" };
                url::push_query(&mut url, "force", force);
                ("apply", Method::PATCH, "application/apply-patch+yaml")
            }
            ApplyMode::Create => {
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
        if task.dry_run {
            url::push_query(&mut url, "dryRun", "All");
        }
        let ask = Ask::write(method, url.clone(), media_type, &object);
        let done = self.fetch(verb, &task.key.group_kind(), ask).await;
        let answered = done.and_then(|answer| answer.json(&url));
        match answered {
            Ok(object) => Ok(Box::new(object)),
            Err(error) if task.dry_run => Err(error.into_read_error()),
            Err(error) => Err(error.into_write_error()),
        }
    }
}
