//! Autoscalers see their target and keep it between their bounds; there are no metrics, so nothing else moves them.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{AUTOSCALERS, DEPLOYMENTS, STATEFUL_SETS, conditions, number, set_condition};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, is_going, meta, text};

pub(crate) struct Autoscalers;

impl Controller for Autoscalers {
    fn name(&self) -> &'static str {
        "horizontal-pod-autoscaler"
    }

    fn primary(&self) -> GroupResource {
        AUTOSCALERS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![DEPLOYMENTS.stored(), STATEFUL_SETS.stored()]
    }

    fn concerned(&self, _: &GroupResource, name: &ObjectName, _: &Value, view: &View<'_>) -> Vec<ObjectName> {
        let all = view.cluster.objects(&AUTOSCALERS.stored(), None);
        let of_it = all.filter(|(other, object)| {
            other.namespace == name.namespace && text(object, &["spec", "scaleTargetRef", "name"]) == name.name
        });
        of_it.map(|(other, _)| other.clone()).collect()
    }

    fn reconcile(&mut self, now: Timestamp, name: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(scaler) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let target_name = ObjectName::new(&name.namespace, text(scaler, &["spec", "scaleTargetRef", "name"]));
        let api = match text(scaler, &["spec", "scaleTargetRef", "kind"]) {
            "Deployment" => DEPLOYMENTS,
            "StatefulSet" => STATEFUL_SETS,
            _ => return Todo::nothing(),
        };
        let mut list = conditions(scaler);
        let Some(target) = view.object(&api.stored(), &target_name) else {
            set_condition(
                &mut list,
                now,
                "AbleToScale",
                "False",
                "FailedGetScale",
                "the HPA controller was unable to get the target's current scale",
            );
            return AUTOSCALERS
                .status(
                    scaler,
                    json!({"currentReplicas": 0, "desiredReplicas": 0, "conditions": list}),
                )
                .into();
        };
        let now_has = number(target, &["spec", "replicas"], 1);
        let (least, most) = (
            number(scaler, &["spec", "minReplicas"], 1),
            number(scaler, &["spec", "maxReplicas"], now_has),
        );
        let wanted = now_has.clamp(least.min(most), most);
        set_condition(
            &mut list,
            now,
            "AbleToScale",
            "True",
            "ReadyForNewScale",
            "recommended size matches current size",
        );
        set_condition(
            &mut list,
            now,
            "ScalingActive",
            "True",
            "ValidMetricFound",
            "the HPA was able to compute a replica count",
        );
        let generation = number(scaler, &["metadata", "generation"], 0);
        let mut status = json!({
            "currentReplicas": number(target, &["status", "replicas"], 0), "desiredReplicas": wanted, "conditions": list,
        });
        if generation > 0 {
            status["observedGeneration"] = json!(generation);
        }
        let mut requests: Vec<ActorRequest> = AUTOSCALERS.status(scaler, status).into_iter().collect();
        if wanted != now_has && now_has > 0 && !meta(target, "uid").is_empty() {
            requests.push(api.patch(&target_name, json!({"spec": {"replicas": wanted}})));
        }
        requests.into()
    }
}
