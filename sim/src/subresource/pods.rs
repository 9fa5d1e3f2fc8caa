//! What is asked of a pod besides itself: to be evicted, to be bound to a node.

use serde_json::{Value, json};

use crate::fields::{child_mut, meta, text, time};
use crate::registry::GroupResource;
use crate::request::Response;
use crate::selector::LabelSelector;
use crate::status::{ApiError, Cause, Details, success};
use crate::world::{Call, World};

impl World {
    /// `eviction`: a deletion that asks the disruption budgets first.
    pub(super) fn evict(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let eviction = call.object("policy", "v1", "Eviction")?;
        let sent = meta(&eviction, "name");
        if !sent.is_empty() && sent != call.name {
            return Err(ApiError::bad_request(
                "name in URL does not match name in Eviction object",
            ));
        }
        let pod = self.stored(call)?;
        self.spend_disruption(call, &pod)?;
        let options = crate::verbs::eviction_options(&eviction["deleteOptions"]);
        call.dry_run |= options.dry_run;
        self.delete_object(call, &pod, &options)?;
        Ok(Response::json(201, success(None, Some(201))))
    }

    /// Takes one disruption from the budget that covers the pod, or refuses.
    fn spend_disruption(&mut self, call: &Call<'_>, pod: &Value) -> Result<(), ApiError> {
        if matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed" | "Pending") {
            return Ok(());
        }
        let budgets = GroupResource::new("policy", "poddisruptionbudgets");
        let covering: Vec<Value> = self
            .store
            .objects(&budgets, Some(&call.namespace))
            .filter(|(_, budget)| {
                LabelSelector::from_value(&budget["spec"]["selector"]).is_some_and(|s| s.matches(pod))
            })
            .map(|(_, budget)| Value::clone(budget))
            .collect();
        let budget = match covering.as_slice() {
            [] => return Ok(()),
            [budget] => budget,
            _ => {
                let message =
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(ApiError::new(500, "InternalError", message));
            }
        };
        let status = &budget["status"];
        let observed = status["observedGeneration"].as_i64().unwrap_or(0);
        if observed < budget["metadata"]["generation"].as_i64().unwrap_or(0) {
            let message = format!(
                "The disruption budget {} is still being processed by the server.",
                meta(budget, "name")
            );
            return Err(too_many(&message, 10));
        }
        let allowed = status["disruptionsAllowed"].as_i64().unwrap_or(0);
        if allowed <= 0 {
            let message = format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                meta(budget, "name"),
                status["desiredHealthy"].as_i64().unwrap_or(0),
                status["currentHealthy"].as_i64().unwrap_or(0)
            );
            return Err(too_many(&message, 0));
        }
        if call.dry_run {
            return Ok(());
        }
        let mut budget = budget.clone();
        let status = child_mut(&mut budget, "status");
        status.insert("disruptionsAllowed".into(), json!(allowed - 1));
        let disrupted = status.entry("disruptedPods").or_insert_with(|| json!({}));
        disrupted[call.name.as_str()] = time(call.now);
        let author = call.author();
        let name = crate::verbs::name_of(&budget);
        self.put(&author, &budgets, name, budget);
        Ok(())
    }

    /// `binding`: what the scheduler does.
    pub(super) fn bind(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let binding = call.object("", "v1", "Binding")?;
        let node = text(&binding, &["target", "name"]).to_owned();
        if node.is_empty() {
            let cause = Cause::field("FieldValueRequired", "target.name", "Required value");
            return Err(ApiError::invalid("", "Binding", &call.name, vec![cause]));
        }
        let old = self.stored(call)?;
        let bound = text(&old, &["spec", "nodeName"]);
        if !bound.is_empty() {
            let why = format!("pod {} is already assigned to node {bound:?}", call.name);
            return Err(ApiError::conflict("", "pods/binding", &call.name, &why));
        }
        let mut object = old.clone();
        child_mut(&mut object, "spec").insert("nodeName".into(), json!(node));
        let conditions = child_mut(&mut object, "status")
            .entry("conditions")
            .or_insert_with(|| json!([]));
        if let Some(list) = conditions.as_array_mut() {
            list.retain(|c| c["type"] != "PodScheduled");
            list.push(json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": time(call.now),
            }));
        }
        self.store_change(call, &old, object)?;
        Ok(Response::json(201, success(None, Some(201))))
    }
}

fn too_many(message: &str, retry_after_seconds: u32) -> ApiError {
    let mut error = ApiError::new(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
    );
    error.details = Some(Box::new(Details {
        causes: vec![Cause::field("DisruptionBudget", "", message)],
        retry_after_seconds,
        ..Details::default()
    }));
    error
}
