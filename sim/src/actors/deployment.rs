//! Deployments: a ReplicaSet per template, rolled over within `maxSurge` and `maxUnavailable`; a rollout that does not get on for
//! `progressDeadlineSeconds` says so and goes on trying, while the old ReplicaSet keeps serving.

use std::time::Duration;

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{
    DEPLOYMENTS, REPLICA_SETS, conditions, name_hash, name_of, number, owner_reference, set_condition, share,
};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, at, is_going, meta, text, time};

const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

pub(crate) struct Deployments;

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn primary(&self) -> GroupResource {
        DEPLOYMENTS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![REPLICA_SETS.stored()]
    }

    fn reconcile(&mut self, now: Timestamp, _: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(deployment) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let sets = view.owned(meta(deployment, "uid"), &REPLICA_SETS.stored());
        let rollout = Rollout::of(deployment, sets);
        if !at(deployment, &["spec", "paused"])
            .and_then(Value::as_bool)
            .unwrap_or(false)
        {
            let requests = rollout.advance();
            if !requests.is_empty() {
                return requests.into();
            }
        }
        rollout.report(now)
    }
}

/// A Deployment and its ReplicaSets.
struct Rollout<'a> {
    deployment: &'a Value,
    current: Option<&'a Value>,
    old: Vec<&'a Value>,
    wanted: i64,
}

fn replicas(set: &Value) -> i64 {
    number(set, &["spec", "replicas"], 1)
}

fn available(set: &Value) -> i64 {
    number(set, &["status", "availableReplicas"], 0)
}

fn revision(object: &Value) -> i64 {
    at(object, &["metadata", "annotations", REVISION])
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// A Pod template without the hash label that the controller adds.
fn plain_template(set: &Value) -> Value {
    let mut template = at(set, &["spec", "template"]).cloned().unwrap_or_default();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    template
}

impl<'a> Rollout<'a> {
    fn of(deployment: &'a Value, sets: Vec<&'a Value>) -> Self {
        let template = at(deployment, &["spec", "template"]).cloned().unwrap_or_default();
        let (mut current, mut old) = (None, Vec::new());
        for set in sets {
            match current {
                None if plain_template(set) == template => current = Some(set),
                _ => old.push(set),
            }
        }
        old.sort_by_key(|set| revision(set));
        Self {
            deployment,
            current,
            old,
            wanted: replicas(deployment),
        }
    }

    fn all(&self) -> impl Iterator<Item = &'a Value> + '_ {
        self.old.iter().copied().chain(self.current)
    }

    /// The next requests of the rollout; none when it has nothing to do but wait.
    fn advance(&self) -> Vec<ActorRequest> {
        let newest = self.old.iter().map(|set| revision(set)).max().unwrap_or(0);
        let Some(current) = self.current else {
            return self.begin(newest + 1);
        };
        let mut requests = Vec::new();
        let number = if revision(current) <= newest {
            newest + 1
        } else {
            revision(current)
        };
        let annotation = json!({"metadata": {"annotations": {REVISION: number.to_string()}}});
        if revision(current) != number {
            requests.push(REPLICA_SETS.patch(&name_of(current), annotation.clone()));
        }
        if revision(self.deployment) != number {
            requests.push(DEPLOYMENTS.patch(&name_of(self.deployment), annotation));
        }
        if text(self.deployment, &["spec", "strategy", "type"]) == "Recreate" {
            requests.extend(self.recreate(current));
        } else {
            requests.extend(self.scale_up(current));
            requests.extend(self.scale_down(current));
        }
        requests.extend(self.clean_up(current));
        requests
    }

    fn begin(&self, number: i64) -> Vec<ActorRequest> {
        let deployment = self.deployment;
        let mut template = at(deployment, &["spec", "template"]).cloned().unwrap_or_default();
        let hash = name_hash(&template);
        let mut selector = at(deployment, &["spec", "selector"]).cloned().unwrap_or_default();
        template["metadata"]["labels"][HASH] = json!(hash);
        selector["matchLabels"][HASH] = json!(hash);
        let recreate = text(deployment, &["spec", "strategy", "type"]) == "Recreate";
        let busy = self.old.iter().any(|set| replicas(set) > 0 || number_of(set) > 0);
        let first = if recreate && busy { 0 } else { self.room(0) };
        let mut annotations = at(deployment, &["metadata", "annotations"])
            .cloned()
            .unwrap_or_else(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.retain(|name, _| {
                !name.starts_with("kubectl.kubernetes.io/") && !name.starts_with("argocd.argoproj.io/")
            });
            annotations.insert(REVISION.into(), json!(number.to_string()));
            annotations.insert(
                "deployment.kubernetes.io/desired-replicas".into(),
                json!(self.wanted.to_string()),
            );
            let surge = self.wanted + self.surge();
            annotations.insert("deployment.kubernetes.io/max-replicas".into(), json!(surge.to_string()));
        }
        let set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": format!("{}-{hash}", meta(deployment, "name")),
                "labels": template["metadata"]["labels"],
                "annotations": annotations,
                "ownerReferences": owner_reference(deployment, "apps/v1", "Deployment"),
            },
            "spec": {
                "replicas": first,
                "selector": selector,
                "minReadySeconds": number_at(deployment, "minReadySeconds"),
                "template": template,
            },
        });
        vec![REPLICA_SETS.create(meta(deployment, "namespace"), set)]
    }

    fn surge(&self) -> i64 {
        let (surge, unavailable) = self.limits();
        if surge == 0 && unavailable == 0 { 0 } else { surge }
    }

    /// `maxSurge` and `maxUnavailable` in Pods.
    fn limits(&self) -> (i64, i64) {
        let rolling = at(self.deployment, &["spec", "strategy", "rollingUpdate"]);
        let field = |name| rolling.and_then(|rolling| rolling.get(name));
        let surge = share(field("maxSurge"), self.wanted, "25%", true);
        let unavailable = share(field("maxUnavailable"), self.wanted, "25%", false);
        (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable })
    }

    /// How many replicas the current set, which has `now`, may have.
    fn room(&self, now: i64) -> i64 {
        if text(self.deployment, &["spec", "strategy", "type"]) == "Recreate" {
            return self.wanted;
        }
        let total: i64 = self.old.iter().map(|set| replicas(set)).sum::<i64>() + now;
        let free = self.wanted + self.surge() - total;
        now + free.max(0).min(self.wanted - now)
    }

    fn scale(set: &Value, replicas: i64) -> ActorRequest {
        REPLICA_SETS.patch(&name_of(set), json!({"spec": {"replicas": replicas}}))
    }

    fn scale_up(&self, current: &Value) -> Option<ActorRequest> {
        let now = replicas(current);
        let target = if now > self.wanted { self.wanted } else { self.room(now) };
        (target != now).then(|| Self::scale(current, target))
    }

    /// Old sets give way: first what does not work anyway, then as far as availability permits.
    fn scale_down(&self, current: &Value) -> Vec<ActorRequest> {
        let total: i64 = self.all().map(replicas).sum();
        let least = self.wanted - self.limits().1;
        let unavailable = (replicas(current) - available(current)).max(0);
        let mut budget = (total - least - unavailable).max(0);
        let mut left: Vec<(&Value, i64)> = self.old.iter().map(|set| (*set, replicas(set))).collect();
        for (set, now) in &mut left {
            let broken = (*now - available(set)).clamp(0, budget);
            *now -= broken;
            budget -= broken;
        }
        let total_available: i64 = self.all().map(available).sum();
        let mut spare = (total_available - least).max(0);
        for (_, now) in &mut left {
            let step = (*now).min(spare);
            *now -= step;
            spare -= step;
        }
        left.into_iter()
            .filter(|(set, now)| *now != replicas(set))
            .map(|(set, now)| Self::scale(set, now))
            .collect()
    }

    fn recreate(&self, current: &Value) -> Vec<ActorRequest> {
        let busy: Vec<&Value> = self.old.iter().copied().filter(|set| replicas(set) > 0).collect();
        if !busy.is_empty() {
            return busy.into_iter().map(|set| Self::scale(set, 0)).collect();
        }
        let gone = self.old.iter().all(|set| number_of(set) == 0);
        if gone && replicas(current) != self.wanted {
            vec![Self::scale(current, self.wanted)]
        } else {
            Vec::new()
        }
    }

    /// Empty old sets beyond the history's limit go, once the rollout is complete.
    fn clean_up(&self, current: &Value) -> Vec<ActorRequest> {
        if available(current) < self.wanted || self.old.iter().any(|set| number_of(set) > 0 || replicas(set) > 0) {
            return Vec::new();
        }
        let limit = usize::try_from(number(self.deployment, &["spec", "revisionHistoryLimit"], 10)).unwrap_or(0);
        let excess = self.old.len().saturating_sub(limit);
        self.old
            .iter()
            .take(excess)
            .filter(|set| !is_going(set))
            .map(|set| REPLICA_SETS.delete(set))
            .collect()
    }

    fn report(&self, now: Timestamp) -> Todo {
        let sum = |field: &str| self.all().map(|set| number(set, &["status", field], 0)).sum::<i64>();
        let updated = self.current.map_or(0, number_of);
        let (total, ready, up) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
        let deployment = self.deployment;
        let mut list = conditions(deployment);
        let enough = up >= self.wanted - self.limits().1;
        let (status, reason, message) = match enough {
            true => (
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            ),
            false => (
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            ),
        };
        set_with_update_time(&mut list, now, "Available", status, reason, message, false);
        let complete = updated == self.wanted && total == self.wanted && up == self.wanted;
        let counts = [updated, ready, up, total];
        let again = self.report_progress(&mut list, now, complete, counts);
        let mut fields =
            json!({"observedGeneration": number(deployment, &["metadata", "generation"], 0), "conditions": list});
        let unavailable = (self.wanted.max(total) - up).max(0);
        for (name, value) in [
            ("replicas", total),
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", up),
            (
                "unavailableReplicas",
                if total == 0 && self.wanted == 0 { 0 } else { unavailable },
            ),
        ] {
            if value > 0 {
                fields[name] = json!(value);
            }
        }
        let todo = Todo::from(DEPLOYMENTS.status(deployment, fields));
        match again {
            Some(time) => todo.at(time),
            None => todo,
        }
    }

    /// The condition `Progressing`, and when to look at it again.
    fn report_progress(
        &self,
        list: &mut Vec<Value>,
        now: Timestamp,
        complete: bool,
        counts: [i64; 4],
    ) -> Option<Timestamp> {
        let deployment = self.deployment;
        let set = self.current.map_or("", |set| meta(set, "name"));
        if complete {
            let message = format!("ReplicaSet \"{set}\" has successfully progressed.");
            set_with_update_time(
                list,
                now,
                "Progressing",
                "True",
                "NewReplicaSetAvailable",
                &message,
                false,
            );
            return None;
        }
        let before = ["updatedReplicas", "readyReplicas", "availableReplicas", "replicas"]
            .map(|f| number(deployment, &["status", f], 0));
        let old = list
            .iter()
            .find(|condition| text(condition, &["type"]) == "Progressing")
            .cloned();
        let observed = number(deployment, &["status", "observedGeneration"], 0)
            == number(deployment, &["metadata", "generation"], 0);
        let was_complete = old
            .as_ref()
            .is_some_and(|condition| text(condition, &["reason"]) == "NewReplicaSetAvailable");
        let moved = counts[0] > before[0] || counts[1] > before[1] || counts[2] > before[2] || counts[3] < before[3];
        let message = format!("ReplicaSet \"{set}\" is progressing.");
        let deadline = Duration::from_secs(
            u64::try_from(number(deployment, &["spec", "progressDeadlineSeconds"], 600)).unwrap_or(600),
        );
        if old.is_none() || moved || !observed || was_complete {
            set_with_update_time(list, now, "Progressing", "True", "ReplicaSetUpdated", &message, true);
            return Some(now.truncated() + deadline + Duration::from_secs(1));
        }
        let since = old
            .as_ref()
            .and_then(|condition| text(condition, &["lastUpdateTime"]).parse::<Timestamp>().ok())
            .unwrap_or(now);
        if now.since(since) <= deadline {
            return Some(since + deadline + Duration::from_secs(1));
        }
        let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
        set_with_update_time(
            list,
            now,
            "Progressing",
            "False",
            "ProgressDeadlineExceeded",
            &message,
            false,
        );
        None
    }
}

fn number_of(set: &Value) -> i64 {
    number(set, &["status", "replicas"], 0)
}

fn number_at(deployment: &Value, field: &str) -> i64 {
    number(deployment, &["spec", field], 0)
}

/// As [`set_condition`], with `lastUpdateTime`, which also moves when the reason does or `touched` says so.
fn set_with_update_time(
    list: &mut Vec<Value>,
    now: Timestamp,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    touched: bool,
) {
    let old = list
        .iter()
        .find(|condition| text(condition, &["type"]) == kind)
        .cloned();
    set_condition(list, now, kind, status, reason, message);
    let same = |old: &Value| {
        text(old, &["status"]) == status && text(old, &["reason"]) == reason && text(old, &["message"]) == message
    };
    let update = old
        .filter(|old| !touched && same(old))
        .and_then(|old| old.get("lastUpdateTime").cloned());
    if let Some(condition) = list.iter_mut().find(|condition| text(condition, &["type"]) == kind) {
        condition["lastUpdateTime"] = update.unwrap_or_else(|| time(now));
    }
}
