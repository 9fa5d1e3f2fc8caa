//! CronJobs: a Job at every time of the schedule, `concurrencyPolicy`, and the history limits. Times are UTC unless `timeZone` says
//! otherwise, which is not modelled: a CronJob with a time zone runs by UTC.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{CRON_JOBS, JOBS, is_true, number, owner_reference};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, at, is_going, meta, text, time};

pub(crate) struct CronJobs;

impl Controller for CronJobs {
    fn name(&self) -> &'static str {
        "cronjob-controller"
    }

    fn primary(&self) -> GroupResource {
        CRON_JOBS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![JOBS.stored()]
    }

    fn reconcile(&mut self, now: Timestamp, _: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(cron) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let jobs = view.owned(meta(cron, "uid"), &JOBS.stored());
        let ended = |job: &&&Value| is_true(job, "Complete") || is_true(job, "Failed");
        let active: Vec<&Value> = jobs.iter().filter(|job| !ended(job)).copied().collect();
        let mut requests = clean_up(cron, &jobs);
        let scheduled = text(cron, &["status", "lastScheduleTime"]).parse().ok();
        let since: Timestamp = scheduled
            .or_else(|| meta(cron, "creationTimestamp").parse().ok())
            .unwrap_or(now);
        let suspended = at(cron, &["spec", "suspend"]).and_then(Value::as_bool) == Some(true);
        let next = next_time(text(cron, &["spec", "schedule"]), since);
        let mut last = scheduled;
        if let Some(due) = next.filter(|due| *due <= now && !suspended) {
            let policy = text(cron, &["spec", "concurrencyPolicy"]);
            if policy == "Replace" {
                requests.extend(active.iter().map(|job| JOBS.delete(job)));
            }
            if policy != "Forbid" || active.is_empty() {
                requests.push(JOBS.create(meta(cron, "namespace"), job_of(cron, due)));
                last = Some(due);
            }
        }
        requests.extend(CRON_JOBS.status(cron, status(&active, &jobs, last)));
        let todo = Todo::from(requests);
        let after = last.filter(|last| *last > since).unwrap_or(since).max(now.truncated());
        match next_time(text(cron, &["spec", "schedule"]), after) {
            Some(time) if !suspended => todo.at(time),
            _ => todo,
        }
    }
}

fn next_time(schedule: &str, after: Timestamp) -> Option<Timestamp> {
    let cron: croner::Cron = schedule.parse().ok()?;
    let start = jiff::Timestamp::from_second(after.as_seconds())
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC);
    let next = cron.find_next_occurrence(&start, false).ok()?;
    Some(Timestamp::from_seconds(next.timestamp().as_second()))
}

fn job_of(cron: &Value, due: Timestamp) -> Value {
    let template = at(cron, &["spec", "jobTemplate"]).cloned().unwrap_or_default();
    let mut metadata = json!({
        "name": format!("{}-{}", meta(cron, "name"), due.as_seconds() / 60),
        "ownerReferences": owner_reference(cron, "batch/v1", "CronJob"),
        "annotations": at(&template, &["metadata", "annotations"]).cloned().unwrap_or_else(|| json!({})),
    });
    metadata["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] = time(due);
    if let Some(labels) = at(&template, &["metadata", "labels"]) {
        metadata["labels"] = labels.clone();
    }
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]})
}

fn status(active: &[&Value], jobs: &[&Value], last: Option<Timestamp>) -> Value {
    let mut status = json!({});
    if !active.is_empty() {
        let references = active.iter().map(|job| {
            json!({
                "apiVersion": "batch/v1", "kind": "Job", "name": meta(job, "name"), "namespace": meta(job, "namespace"),
                "uid": meta(job, "uid"), "resourceVersion": meta(job, "resourceVersion"),
            })
        });
        status["active"] = references.collect();
    }
    if let Some(last) = last {
        status["lastScheduleTime"] = time(last);
    }
    let succeeded = jobs
        .iter()
        .filter_map(|job| at(job, &["status", "completionTime"])?.as_str())
        .max();
    if let Some(succeeded) = succeeded {
        status["lastSuccessfulTime"] = json!(succeeded);
    }
    status
}

fn clean_up(cron: &Value, jobs: &[&Value]) -> Vec<ActorRequest> {
    let mut requests = Vec::new();
    for (condition, field, limit) in [
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ] {
        let keep = usize::try_from(number(cron, &["spec", field], limit)).unwrap_or(0);
        let mut ended: Vec<&&Value> = jobs
            .iter()
            .filter(|job| is_true(job, condition) && !is_going(job))
            .collect();
        ended.sort_by_key(|job| text(job, &["status", "startTime"]));
        requests.extend(
            ended
                .iter()
                .take(ended.len().saturating_sub(keep))
                .map(|job| JOBS.delete(job)),
        );
    }
    requests
}
