//! What people do to the Application itself, and what others do to what lives: its spec is edited, it is rolled back, others adopt an object
//! or fight about it, a quota is full, a namespace ends.

use std::time::Duration;

use capstan_engine::policy::{RollbackRefusal, rollback};
use capstan_model::{Application, ResourceKey};
use serde_json::{Value, json};

use super::World;
use super::actors::Timer;
use crate::generate::{Change, Follow, Rollback, Spec};
use crate::history::{Actor, Fact};
use crate::objects::{PREFIX, text};

/// By which the world knows which of the specs an Application carries.
const EDIT: &str = "example.com/edit";

/// What somebody who fights waits between two looks.
const LOOK: Duration = Duration::from_secs(7);

impl World {
    /// The spec that is in force.
    pub(super) fn spec(&self) -> Spec {
        self.specs.last().copied().unwrap_or_else(|| Spec::of(&self.case))
    }

    pub(super) fn change(&mut self, change: Change) {
        let spec = self.spec().changed(change);
        self.specs.push(spec);
        let number = (self.specs.len() - 1).to_string();
        let revision = self.revision_of(spec.follows);
        self.patch(|resource| {
            super::resource::write_spec(resource, &spec.policy, &revision);
            resource["metadata"]["annotations"][EDIT] = json!(number);
        });
    }

    /// The controller is about to be told of this Application: what of it the laws go by.
    pub(super) fn note_told(&mut self, resource: &Value) {
        let number = resource["metadata"]["annotations"][EDIT].as_str();
        let number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        let spec = self.specs.get(number).copied().unwrap_or_else(|| Spec::of(&self.case));
        let approved = resource["metadata"]["annotations"][format!("{PREFIX}deletion-approved")]
            .as_str()
            .and_then(|at| at.parse().ok());
        let told = (spec, approved);
        if self.told_last != Some(told) {
            self.told_last = Some(told);
            self.store.note(Fact::Spec { spec, approved });
        }
    }

    /// As `capstan app rollback` and Argo CD's API do it: whoever asks is refused while the application is synced automatically.
    pub(super) fn roll_back(&mut self, wish: Rollback) {
        if self.resource.is_null() {
            return;
        }
        let Ok(application) = Application::parse(&self.resource) else {
            panic!("the world wrote an Application that cannot be read");
        };
        let rows = self.resource["status"]["history"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let Some(row) = rows.iter().rev().nth(usize::from(wish.ago)) else {
            return;
        };
        let id = row["id"].as_u64().unwrap_or(0);
        let is_automated = self.spec().policy.automated;
        let operation = match rollback(&application, id, "ada", wish.prune) {
            Ok(operation) => {
                assert!(!is_automated, "an automated application may be rolled back");
                json!(operation)
            }
            Err(RollbackRefusal::Automated { .. }) if is_automated => {
                self.store.note(Fact::RollbackRefused);
                if !wish.dares {
                    return;
                }
                json!({"initiatedBy": {"username": "ada"}, "sync": {"revision": row["revision"], "source": row["source"],
                    "prune": wish.prune, "syncStrategy": {"apply": {}}}})
            }
            Err(why) => panic!("row {id} cannot be gone back to: {why}"),
        };
        self.store.note(Fact::RolledBack {
            revision: text(row, "/revision").to_owned(),
        });
        self.patch(|resource| resource["operation"] = operation);
    }

    /// Another application takes an object for its own.
    pub(super) fn adopt(&mut self, key: &ResourceKey) {
        let id = format!("other:{}/{}:{}/{}", key.group, key.kind, key.namespace, key.name);
        self.annotate(key, "tracking-id", Some(&id));
    }

    /// Somebody changes an object whenever it is not as they want it.
    pub(super) fn fight(&mut self, key: &ResourceKey) {
        if self.is_quiet {
            return;
        }
        let object = self.store.objects.get(key);
        let is_theirs = |object: &Value| {
            ["/spec/image", "/data/v", "/spec/size"]
                .iter()
                .any(|at| text(object, at) == "theirs")
        };
        if object.is_some_and(|object| !is_theirs(object)) {
            self.meddle(key);
        }
        self.after(LOOK, Timer::Fight { key: key.clone() });
    }

    /// Somebody deletes the namespace that the application brings.
    pub(super) fn end_namespace(&mut self) {
        let key = ResourceKey::new("", "Namespace", "", "team");
        self.store.delete_by(&key, Actor::Somebody);
        self.follow_deletion(&key, Actor::Somebody);
    }

    /// A quota is used up, or raised.
    pub(super) fn fill(&mut self, is_full: bool) {
        if self.store.is_full != is_full {
            self.store.is_full = is_full;
            self.store.note(Fact::Full(is_full));
        }
    }

    /// How the spec names what it follows.
    fn revision_of(&self, follows: Follow) -> String {
        let nth = |n: u8| usize::from(n) % self.case.revisions.len();
        match follows {
            Follow::Branch => "main".to_owned(),
            Follow::Commit(n) => self.commits[nth(n)].0.clone(),
            Follow::Tag(n) => format!("v{}", nth(n)),
        }
    }
}
