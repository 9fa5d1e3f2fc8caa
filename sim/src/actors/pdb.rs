//! Disruption budgets count the Pods they select.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{BUDGETS, PODS, conditions, is_active, is_ready, number, selects, set_condition, share};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{GroupResource, at, is_going};

pub(crate) struct DisruptionBudgets;

impl Controller for DisruptionBudgets {
    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn primary(&self) -> GroupResource {
        BUDGETS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![PODS.stored()]
    }

    fn concerned(&self, _: &GroupResource, name: &ObjectName, pod: &Value, view: &View<'_>) -> Vec<ObjectName> {
        let budgets = view
            .cluster
            .objects(&BUDGETS.stored(), None)
            .filter(|(budget, _)| budget.namespace == name.namespace);
        let labels = at(pod, &["metadata", "labels"]);
        budgets
            .filter(|(_, budget)| selects(at(budget, &["spec", "selector"]), labels))
            .map(|(budget, _)| budget.clone())
            .collect()
    }

    fn reconcile(&mut self, now: Timestamp, name: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(budget) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let selector = at(budget, &["spec", "selector"]);
        let all = view
            .cluster
            .objects(&PODS.stored(), None)
            .filter(|(pod, _)| pod.namespace == name.namespace);
        let pods = all
            .map(|(_, pod)| pod)
            .filter(|pod| is_active(pod) && selects(selector, at(pod, &["metadata", "labels"])));
        let (mut expected, mut healthy) = (0_i64, 0_i64);
        for pod in pods {
            expected += 1;
            healthy += i64::from(is_ready(pod));
        }
        let desired = match (
            at(budget, &["spec", "maxUnavailable"]),
            at(budget, &["spec", "minAvailable"]),
        ) {
            (Some(most), _) => (expected - share(Some(most), expected, "0", true)).max(0),
            (_, least) => share(least, expected, "1", true),
        };
        let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
        let mut list = conditions(budget);
        let (status, reason) = if allowed > 0 {
            ("True", "SufficientPods")
        } else {
            ("False", "InsufficientPods")
        };
        set_condition(&mut list, now, "DisruptionAllowed", status, reason, "");
        let generation = number(budget, &["metadata", "generation"], 0);
        for condition in &mut list {
            condition["observedGeneration"] = json!(generation);
            condition["message"] = json!("");
        }
        let status = json!({
            "observedGeneration": generation, "expectedPods": expected, "currentHealthy": healthy, "desiredHealthy": desired,
            "disruptionsAllowed": allowed, "conditions": list,
        });
        BUDGETS.status(budget, status).into()
    }
}
