//! The deletion of the Application: it is asked for, and the resource goes when its last finalizer is taken off.

use capstan_engine::Event;
use capstan_engine::event::WriteError;
use serde_json::{Value, json};

use super::World;
use super::script::shop;
use super::serve::merge_patch;
use crate::history::Fact;
use crate::objects::{is_going, text};

impl World {
    /// Somebody deletes the Application.
    pub(super) fn remove_application(&mut self) {
        if self.resource.is_null() || is_going(&self.resource) {
            return;
        }
        self.store.note(Fact::DeletionAsked {
            application: self.resource.clone(),
        });
        let now = self.store.now.to_string();
        self.patch(|resource| resource["metadata"]["deletionTimestamp"] = json!(now));
    }

    /// It was written: what is on its way out and held by nobody is gone.
    pub(super) fn vanish_if_free(&mut self) {
        let finalizers = self.resource.pointer("/metadata/finalizers").and_then(Value::as_array);
        if is_going(&self.resource) && finalizers.is_none_or(Vec::is_empty) {
            self.store.note(Fact::ApplicationGone);
            self.resource = Value::Null;
        }
    }

    /// The controller is told of the Application as it is here; `null` is gone.
    pub(super) fn tell_of_deletion(&mut self, resource: &Value) -> bool {
        if resource.is_null() {
            self.handle(Event::ApplicationGone(shop()));
            return true;
        }
        if is_going(resource) && !self.knows_of_deletion {
            self.knows_of_deletion = true;
            self.store.note(Fact::DeletionTold);
        }
        false
    }

    /// A merge patch of the Application, which may insist on a version.
    pub(super) fn patch_application(&mut self, patch: &Value) -> Result<String, WriteError> {
        let wanted = text(patch, "/metadata/resourceVersion");
        if self.resource.is_null() {
            return Err(WriteError::NotFound("applications \"shop\" not found".into()));
        }
        if !wanted.is_empty() && wanted != text(&self.resource, "/metadata/resourceVersion") {
            return Err(WriteError::Conflict("the object has been modified".into()));
        }
        let version = self.patch(|resource| merge_patch(resource, patch));
        if is_going(&self.resource) {
            let finalizers = serde_json::from_value(self.resource["metadata"]["finalizers"].clone());
            self.store.note(Fact::HeldBy(finalizers.unwrap_or_default()));
        }
        Ok(version)
    }
}
