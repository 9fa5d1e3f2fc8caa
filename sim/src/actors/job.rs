//! Jobs: Pods that run to their end, `backoffLimit` and `activeDeadlineSeconds`, and going away after `ttlSecondsAfterFinished`.

use std::time::Duration;

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{JOBS, PODS, conditions, is_active, is_ready, is_true, number, owner_reference, set_condition};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, at, is_going, meta, text, time};

pub(crate) struct Jobs;

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn primary(&self) -> GroupResource {
        JOBS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![PODS.stored()]
    }

    fn reconcile(&mut self, now: Timestamp, _: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(job) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        if let Some(finished) = finished_at(job) {
            return after_the_end(job, finished, now);
        }
        let pods = view.owned(meta(job, "uid"), &PODS.stored());
        Run { job, pods, now }.step()
    }
}

fn finished_at(job: &Value) -> Option<Timestamp> {
    let list = at(job, &["status", "conditions"])?.as_array()?;
    let ended = list.iter().find(|condition| {
        matches!(text(condition, &["type"]), "Complete" | "Failed") && text(condition, &["status"]) == "True"
    })?;
    text(ended, &["lastTransitionTime"]).parse().ok()
}

fn after_the_end(job: &Value, finished: Timestamp, now: Timestamp) -> Todo {
    let Some(ttl) = at(job, &["spec", "ttlSecondsAfterFinished"]).and_then(Value::as_u64) else {
        return Todo::nothing();
    };
    let end = finished + Duration::from_secs(ttl);
    if now < end {
        Todo::nothing().at(end)
    } else {
        Todo::one(JOBS.delete(job))
    }
}

struct Run<'a> {
    job: &'a Value,
    pods: Vec<&'a Value>,
    now: Timestamp,
}

impl Run<'_> {
    fn count(&self, phase: &str) -> i64 {
        self.pods
            .iter()
            .filter(|pod| text(pod, &["status", "phase"]) == phase)
            .count()
            .try_into()
            .unwrap_or(i64::MAX)
    }

    fn step(&self) -> Todo {
        let job = self.job;
        let (succeeded, failed) = (self.count("Succeeded"), self.count("Failed"));
        let completions = number(job, &["spec", "completions"], 1);
        let active: Vec<&&Value> = self.pods.iter().filter(|pod| is_active(pod)).collect();
        if at(job, &["spec", "suspend"]).and_then(Value::as_bool) == Some(true) {
            return self.suspend(&active);
        }
        let started: Option<Timestamp> = text(job, &["status", "startTime"]).parse().ok();
        let deadline = at(job, &["spec", "activeDeadlineSeconds"]).and_then(Value::as_u64);
        let end = started
            .zip(deadline)
            .map(|(started, seconds)| started + Duration::from_secs(seconds));
        if succeeded >= completions {
            return self.end(
                "Complete",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
                &active,
            );
        }
        if failed > number(job, &["spec", "backoffLimit"], 6) {
            return self.end(
                "Failed",
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
                &active,
            );
        }
        if end.is_some_and(|end| end <= self.now) {
            return self.end(
                "Failed",
                "DeadlineExceeded",
                "Job was active longer than specified deadline",
                &active,
            );
        }
        let parallelism = number(job, &["spec", "parallelism"], 1).min(completions - succeeded);
        let missing = parallelism - i64::try_from(active.len()).unwrap_or(i64::MAX);
        let mut requests: Vec<ActorRequest> = (0..missing).map(|_| self.create()).collect();
        requests.extend(JOBS.status(job, self.status(active.len(), self.resumed())));
        let todo = Todo::from(requests);
        match end {
            Some(end) => todo.at(end),
            None => todo,
        }
    }

    fn suspend(&self, active: &[&&Value]) -> Todo {
        let mut requests: Vec<ActorRequest> = active.iter().map(|pod| PODS.delete(pod)).collect();
        let mut list = conditions(self.job);
        set_condition(
            &mut list,
            self.now,
            "Suspended",
            "True",
            "JobSuspended",
            "Job suspended",
        );
        let mut status = self.status(0, list);
        if let Some(status) = status.as_object_mut() {
            status.remove("startTime");
        }
        requests.extend(JOBS.status(self.job, status));
        requests.into()
    }

    fn resumed(&self) -> Vec<Value> {
        let mut list = conditions(self.job);
        if is_true(self.job, "Suspended") {
            set_condition(&mut list, self.now, "Suspended", "False", "JobResumed", "Job resumed");
        }
        list
    }

    fn end(&self, kind: &str, reason: &str, message: &str, active: &[&&Value]) -> Todo {
        let mut requests: Vec<ActorRequest> = active.iter().map(|pod| PODS.delete(pod)).collect();
        let mut list = conditions(self.job);
        let before = if kind == "Complete" {
            "SuccessCriteriaMet"
        } else {
            "FailureTarget"
        };
        for name in [before, kind] {
            set_condition(&mut list, self.now, name, "True", reason, message);
            if let Some(condition) = list.last_mut() {
                condition["lastProbeTime"] = time(self.now);
            }
        }
        let mut status = self.status(0, list);
        if kind == "Complete" {
            status["completionTime"] = time(self.now);
        }
        requests.extend(JOBS.status(self.job, status));
        requests.into()
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
    fn status(&self, active: usize, conditions: Vec<Value>) -> Value {
        let start = at(self.job, &["status", "startTime"])
            .cloned()
            .unwrap_or_else(|| time(self.now));
        let ready = self.pods.iter().filter(|pod| is_active(pod) && is_ready(pod)).count();
        let mut status = json!({
            "startTime": start, "ready": ready, "terminating": self.pods.iter().filter(|pod| is_going(pod)).count(),
            "uncountedTerminatedPods": {},
        });
        if !conditions.is_empty() {
            status["conditions"] = json!(conditions);
        }
        for (field, value) in [
            ("active", i64::try_from(active).unwrap_or(0)),
            ("succeeded", self.count("Succeeded")),
            ("failed", self.count("Failed")),
        ] {
            if value > 0 {
                status[field] = json!(value);
            }
        }
        status
    }

    fn create(&self) -> ActorRequest {
        let job = self.job;
        let template = at(job, &["spec", "template"]).cloned().unwrap_or_default();
        let mut labels = at(&template, &["metadata", "labels"])
            .cloned()
            .unwrap_or_else(|| json!({}));
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", meta(job, "uid")),
            ("batch.kubernetes.io/job-name", meta(job, "name")),
            ("controller-uid", meta(job, "uid")),
            ("job-name", meta(job, "name")),
        ] {
            labels[label] = json!(value);
        }
        let mut metadata = json!({
            "generateName": format!("{}-", meta(job, "name")),
            "labels": labels,
            "ownerReferences": owner_reference(job, "batch/v1", "Job"),
        });
        if let Some(annotations) = at(&template, &["metadata", "annotations"]) {
            metadata["annotations"] = annotations.clone();
        }
        PODS.create(
            meta(job, "namespace"),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}),
        )
    }
}
