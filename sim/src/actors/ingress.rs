//! Ingresses get an address, as an ingress controller gives it.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::Profile;
use super::build::INGRESSES;
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{GroupResource, at, is_going, meta};

pub(crate) struct Ingresses {
    profile: Profile,
}

impl Ingresses {
    pub(crate) fn new(profile: Profile) -> Self {
        Self { profile }
    }
}

impl Controller for Ingresses {
    fn name(&self) -> &'static str {
        "ingress-controller"
    }

    fn field_manager(&self) -> &'static str {
        "ingress-controller"
    }

    fn primary(&self) -> GroupResource {
        INGRESSES.stored()
    }

    fn reconcile(&mut self, now: Timestamp, _: &ObjectName, object: Option<&Value>, _: &View<'_>) -> Todo {
        let Some(ingress) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let addressed = at(ingress, &["status", "loadBalancer", "ingress"])
            .and_then(Value::as_array)
            .is_some_and(|l| !l.is_empty());
        let created: Timestamp = meta(ingress, "creationTimestamp").parse().unwrap_or(now);
        let due = created + self.profile.address;
        if addressed {
            return Todo::nothing();
        }
        if now < due {
            return Todo::nothing().at(due);
        }
        INGRESSES
            .status(ingress, json!({"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}))
            .into()
    }
}
