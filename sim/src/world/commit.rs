//! The one way a change gets into the store: with its revision, its line in the history, and what the API server itself does next.

use capstan_model::Timestamp;
use serde_json::Value;
use std::sync::Arc;

use super::World;
use super::call::Call;
use crate::convert::convert;
use crate::history::Write;
use crate::registry::GroupResource;
use crate::store::{Change, ObjectName};

/// Who changes something, for the history.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    pub(crate) now: Timestamp,
    pub(crate) user: String,
    pub(crate) manager: String,
    pub(crate) request: String,
    pub(crate) verb: String,
    pub(crate) subresource: String,
}

impl Author {
    /// The API server's own doing.
    pub(crate) fn server(now: Timestamp, verb: &str) -> Self {
        Self {
            now,
            user: "system:apiserver".into(),
            manager: "kube-apiserver".into(),
            request: String::new(),
            verb: verb.to_owned(),
            subresource: String::new(),
        }
    }
}

impl Call<'_> {
    /// As the author of a write.
    pub(crate) fn author(&self) -> Author {
        Author {
            now: self.now,
            user: self.user.name.clone(),
            manager: self.manager.clone(),
            request: self.id.clone(),
            verb: self.verb.to_owned(),
            subresource: self.subresource.clone(),
        }
    }
}

impl World {
    /// Writes an object and its line in the history.
    pub(crate) fn put(
        &mut self,
        author: &Author,
        resource: &GroupResource,
        name: ObjectName,
        mut object: Value,
    ) -> Arc<Value> {
        let previous = self.store.object(resource, &name).cloned();
        if let Some(stored) = self.registry.type_of(&object).map(|t| t.storage_version.clone()) {
            convert(&mut object, &stored);
        }
        let change = if previous.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        let object = self.store.put(resource, name.clone(), object);
        self.record(author, resource, name, change, object.clone(), previous);
        object
    }

    /// Removes an object, with its line in the history. `None` when it was not there.
    pub(crate) fn remove(
        &mut self,
        author: &Author,
        resource: &GroupResource,
        name: &ObjectName,
    ) -> Option<Arc<Value>> {
        let previous = self.store.object(resource, name).cloned();
        let object = self.store.remove(resource, name)?;
        self.record(
            author,
            resource,
            name.clone(),
            Change::Deleted,
            object.clone(),
            previous,
        );
        Some(object)
    }

    fn record(
        &mut self,
        author: &Author,
        resource: &GroupResource,
        name: ObjectName,
        change: Change,
        object: Arc<Value>,
        previous: Option<Arc<Value>>,
    ) {
        self.history.push(Write {
            sequence: self.history.last().map_or(0, |w| w.sequence + 1),
            time: author.now,
            revision: self.store.revision(),
            user: author.user.clone(),
            manager: author.manager.clone(),
            request: author.request.clone(),
            verb: author.verb.clone(),
            subresource: author.subresource.clone(),
            resource: resource.clone(),
            name,
            change,
            object,
            previous,
        });
        // Dropping half at a time keeps the cost of forgetting constant per write.
        if let Some(kept) = self.options.history
            && self.history.len() > kept.saturating_mul(2).max(2)
        {
            self.history.drain(..self.history.len() - kept);
        }
    }
}
