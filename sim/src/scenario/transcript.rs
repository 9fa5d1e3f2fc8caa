//! A run as text, and the state it ends in.

use std::collections::BTreeMap;

use capstan_model::Timestamp;
use serde_json::{Map, Value};

use super::judge::Record;
use super::object::ObjectRef;
use crate::history::Write;
use crate::store::Change;

/// The run from the controller's start on, one line an event, in order of time: what the scenario did (`==`), what was written to the
/// cluster by whom, and what the controller noted (`--`). Controllers of the cluster are shown where objects come and go.
pub fn transcript(record: &Record) -> String {
    let start = record.start();
    let mut lines: Vec<(Timestamp, u8, String)> = Vec::new();
    for mark in record.marks.values() {
        lines.push((mark.time, 0, format!("== {}", mark.what)));
    }
    for write in &record.history[start.position.min(record.history.len())..] {
        if let Some(line) = written(write) {
            lines.push((write.time, 1, line));
        }
    }
    for note in record.journal.iter().filter(|note| note.time >= start.time) {
        let object = note.object.as_ref().map(ObjectRef::to_string).unwrap_or_default();
        let line = format!(
            "-- {} {object} {} → {}: {}",
            note.machine, note.from, note.to, note.message
        );
        lines.push((note.time, 2, line.replace("  ", " ")));
    }
    lines.sort_by_key(|(time, rank, _)| (*time, *rank));
    let mut text = String::new();
    for (time, _, line) in lines {
        let millis = time.since(start.time).as_millis();
        text.push_str(&format!("{:>5}.{:03} {line}\n", millis / 1000, millis % 1000));
    }
    text
}

fn written(write: &Write) -> Option<String> {
    let object = ObjectRef::of(&write.object);
    let is_actor = write.user.starts_with("system:serviceaccount:kube-system:");
    let what = match write.change {
        Change::Added => "creates",
        Change::Deleted => "is rid of",
        Change::Modified if is_actor => return None,
        Change::Modified => "changes",
    };
    if is_actor && object.kind == "Event" {
        return None;
    }
    let who = match write.manager.as_str() {
        "" => &write.user,
        manager => manager,
    };
    let mut line = format!("{who} {what} {object}");
    if let (Change::Modified, Some(previous)) = (write.change, &write.previous) {
        let mut changes = Vec::new();
        let hide = object.kind == "Secret";
        changed("", previous, &write.object, hide, &mut changes);
        line.push_str(&format!(": {}", changes.join(", ")));
    }
    Some(line)
}

/// Fields that say nothing of what was meant.
const BOOKKEEPING: &[&str] = &[
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    "/status",
];

fn changed(path: &str, old: &Value, new: &Value, hide: bool, out: &mut Vec<String>) {
    if old == new {
        return;
    }
    if BOOKKEEPING.contains(&path) {
        if path == "/status" {
            out.push(status(new));
        }
        return;
    }
    match (old, new) {
        (Value::Object(from), Value::Object(to)) => {
            let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
            for name in names {
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                let value = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                changed(&path, &value(from), &value(to), hide, out);
            }
        }
        (Value::Array(from), Value::Array(to)) if from.len() == to.len() => {
            for (index, (from, to)) in from.iter().zip(to).enumerate() {
                changed(&format!("{path}/{index}"), from, to, hide, out);
            }
        }
        _ if hide => out.push(path.to_owned()),
        _ => out.push(format!("{path} {} → {}", brief(old), brief(new))),
    }
}

/// A status in a word: an Application's verdicts, where it is one.
fn status(value: &Value) -> String {
    let of = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    match (of("/sync/status"), of("/health/status")) {
        (Some(sync), Some(health)) => format!("status {sync} {health}"),
        (Some(sync), None) => format!("status {sync}"),
        _ => "status".into(),
    }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// What the cluster holds at the end, without what differs from run to run: identities, versions, times, names that were made up.
/// Objects that others made by themselves count by what owns them.
pub fn end_state(record: &Record) -> BTreeMap<String, Value> {
    let mut live: BTreeMap<ObjectRef, &Value> = BTreeMap::new();
    for write in &record.history {
        let named = ObjectRef::of(&write.object);
        match write.change {
            Change::Deleted => drop(live.remove(&named)),
            Change::Added | Change::Modified => drop(live.insert(named, &write.object)),
        }
    }
    let mut state: BTreeMap<String, Value> = BTreeMap::new();
    for (named, object) in live {
        if object.pointer("/metadata/ownerReferences/0").is_some() || matches!(named.kind.as_str(), "Event" | "Lease") {
            continue;
        }
        let mut object = object.clone();
        strip(&mut object);
        // What the controller notes there for its next life tells how many it had.
        if let Some(Value::Object(operation)) = object.pointer_mut("/status/operationState/operation") {
            operation.remove("info");
        }
        state.insert(named.to_string(), object);
    }
    state
}

/// Names of fields whose values differ from run to run.
fn is_passing(name: &str) -> bool {
    matches!(
        name,
        "uid"
            | "generation"
            | "observedGeneration"
            | "resourceVersion"
            | "managedFields"
            | "time"
            | "id"
            | "clusterIP"
            | "clusterIPs"
            | "history"
            | "nodeName"
    ) || name.ends_with("Timestamp")
        || name.ends_with("Time")
        || name.ends_with("At")
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !is_passing(name));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
