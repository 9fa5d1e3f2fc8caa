//! One application: the state in a sentence, the waves of its operation, its objects, what happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_engine::compare::FieldDifference;
use capstan_engine::journal::{Cause, JournalEntry};
use capstan_engine::view::{ApplicationView, OperationView, ResourceView, TaskView};
use capstan_model::{ApplicationId, ResourceKey, SyncPhase};
use maud::{Markup, html};
use serde_json::Value;

use super::parts::{element_id, foreign_link, health, phase, short, sync};
use super::{container, query_escape};
use crate::live::{Page, Piece};

/// Rows of the journal that are shown.
const JOURNAL_ROWS: usize = 50;

pub(super) fn pieces(view: &ApplicationView, journal: &[Arc<JournalEntry>]) -> Page {
    let piece = |id: &str, html: Markup| Piece {
        id: id.to_owned(),
        html: html.into_string(),
    };
    let mut page = Page::new();
    page.insert("head".into(), vec![piece("head-state", head(view))]);
    let conditions = view.conditions.iter().enumerate().map(|(number, condition)| {
        let id = element_id("condition", &[&condition.kind.to_string(), &number.to_string()]);
        piece(
            &id,
            html! { li id=(id) { strong { (condition.kind.to_string()) } " " (condition.message) } },
        )
    });
    page.insert("conditions".into(), conditions.collect());
    page.insert(
        "operation".into(),
        vec![piece("operation-state", operation(view.operation.as_ref()))],
    );
    page.insert("waves".into(), view.operation.as_ref().map(waves).unwrap_or_default());
    let depths = depths(&view.resources);
    let resources = view.resources.iter().map(|resource| {
        let ResourceKey {
            group,
            kind,
            namespace,
            name,
        } = &resource.key;
        let id = element_id("resource", &[group, kind, namespace, name]);
        piece(
            &id,
            resource_row(&id, resource, depths.get(&resource.key).copied().unwrap_or(0)),
        )
    });
    page.insert("resources".into(), resources.collect());
    let entries = journal
        .iter()
        .rev()
        .filter(|entry| entry.application == view.id)
        .take(JOURNAL_ROWS);
    page.insert("journal".into(), entries.map(|entry| journal_row(entry)).collect());
    page.insert("history".into(), history(view));
    page
}

pub(super) fn gone(id: &ApplicationId) -> Page {
    let html = html! { p #head-state.sentence { "Application " (id.to_string()) " does not exist, or has not been read yet." } };
    let names = ["conditions", "operation", "waves", "resources", "journal", "history"];
    let mut page: Page = names.into_iter().map(|name| (name.to_owned(), Vec::new())).collect();
    page.insert(
        "head".into(),
        vec![Piece {
            id: "head-state".into(),
            html: html.into_string(),
        }],
    );
    page
}

fn head(view: &ApplicationView) -> Markup {
    html! {
        div #head-state.head {
            p.states { (health(view.health.status)) " " (sync(view.sync)) }
            p.sentence { (view.sentence) }
            @if !view.health.message.is_empty() { p.reason { (view.health.message) } }
            dl {
                dt { "Revision" }
                dd { code { (short(&view.revision)) } " " (view.subject) @if !view.author.is_empty() { " — " (view.author) } }
                dt { "Source" }
                dd { @for source in &view.sources { div {
                    (foreign_link(&source.repo_url)) " " code { (source.path) (source.chart) } " at " code { (source.target_revision) }
                } } }
                dt { "Destination" }
                dd { (view.destination.server) (view.destination.name) ", namespace " code { (view.destination.namespace) } }
                dt { "Automation" }
                dd { (automation(view)) }
            }
        }
    }
}

fn automation(view: &ApplicationView) -> String {
    let Some(policy) = view.automated else {
        return "off: syncs only when asked".into();
    };
    let words = [(policy.prune, "prunes"), (policy.self_heal, "reverts drift")];
    let words: Vec<&str> = words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
    if words.is_empty() {
        "on".into()
    } else {
        format!("on: {}", words.join(", "))
    }
}

fn operation(operation: Option<&OperationView>) -> Markup {
    html! {
        div #operation-state {
            @match operation {
                None => { p { "Never synced." } }
                Some(operation) => {
                    p { (phase(operation.phase)) " " (operation.message) }
                    p { small {
                        "to " code { (short(&operation.revision)) } ", asked by " (operation.initiated_by)
                        ", began " time { (operation.started_at.to_string()) }
                        @if let Some(end) = operation.finished_at { ", ended " time { (end.to_string()) } }
                        @if operation.retry_count > 0 { ", retried " (operation.retry_count) " times" }
                    } }
                }
            }
        }
    }
}

/// A lane a phase and wave, in the order in which they run: applies upwards, then prunes downwards.
fn waves(operation: &OperationView) -> Vec<Piece> {
    let mut lanes: BTreeMap<(SyncPhase, bool, i64), Vec<&TaskView>> = BTreeMap::new();
    for task in &operation.tasks {
        let wave = task.wave;
        let order = if task.prune { wave.saturating_neg() } else { wave };
        lanes.entry((task.phase, task.prune, order)).or_default().push(task);
    }
    let lanes = lanes.iter().map(|((phase, prune, order), tasks)| {
        let wave = if *prune { order.saturating_neg() } else { *order };
        let id = element_id(
            "lane",
            &[
                &phase.to_string(),
                if *prune { "prune" } else { "apply" },
                &wave.to_string(),
            ],
        );
        Piece {
            html: lane(&id, *phase, *prune, wave, tasks).into_string(),
            id,
        }
    });
    lanes.collect()
}

fn lane(id: &str, phase: SyncPhase, prune: bool, wave: i64, tasks: &[&TaskView]) -> Markup {
    html! {
        section.lane id=(id) {
            h3 { (phase.to_string()) @if prune { " · prune" } " · wave " (wave) }
            ul { @for task in tasks {
                li data-task=(task.state) {
                    span.task-state { (task.state) } " " span.key { (task.key.to_string()) }
                    @if !task.message.is_empty() {
                        br; small { (task.message) " (since " time { (task.since.to_string()) } ")" }
                    }
                }
            } }
        }
    }
}

fn depths(resources: &[ResourceView]) -> BTreeMap<ResourceKey, usize> {
    let mut depths: BTreeMap<ResourceKey, usize> = BTreeMap::new();
    for resource in resources {
        let depth = resource
            .parent
            .as_ref()
            .and_then(|parent| depths.get(parent))
            .map_or(0, |depth| depth + 1);
        depths.insert(resource.key.clone(), depth.min(8));
    }
    depths
}

fn resource_row(id: &str, resource: &ResourceView, depth: usize) -> Markup {
    html! {
        tr id=(id) data-depth=(depth) {
            td.key {
                span.kind { (resource.key.kind) } " " (resource.key.name)
                @if resource.hook { " " span.tag { "hook" } }
            }
            td {
                @if let Some(status) = &resource.health {
                    (health(status.status))
                    @if !status.message.is_empty() { br; small { (status.message) } }
                }
            }
            td {
                @if let Some(status) = resource.sync { (sync(status)) }
                @if resource.requires_pruning { " " span.tag { "not in Git" } }
                @if resource.live == Some(false) { " " span.tag { "absent" } }
                @for difference in &resource.differences { (difference_line(difference)) }
                @if let Some(why) = &resource.skipped { div.difference { "not put right: " (why) } }
            }
            td { @if resource.parent.is_none() { "wave " (resource.wave) } }
            td { @for line in &resource.info { div { (line) } } }
            td { @if let Some(time) = resource.created_at { time { (time.to_string()) } } }
        }
    }
}

fn difference_line(difference: &FieldDifference) -> Markup {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), short_value);
    html! {
        div.difference {
            code { (difference.path) } ": Git says " code { (value(&difference.desired)) }
            ", live is " code { (value(&difference.live)) }
            @if let Some(writer) = &difference.writer {
                ", written by " strong { (writer.manager) }
                @if let Some(time) = writer.time { " at " time { (time.to_string()) } }
            }
        }
    }
}

fn short_value(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn journal_row(entry: &JournalEntry) -> Piece {
    let id = format!("journal-{}", entry.sequence);
    let html = html! {
        tr id=(id) {
            td { time { (entry.time.to_string()) } }
            td { (entry.machine) }
            td { @if let Some(object) = &entry.object { (object.to_string()) } }
            td { @if !entry.from.is_empty() { (entry.from) " → " } (entry.to) }
            td { (entry.message) }
            td { (cause(&entry.cause)) }
        }
    };
    Piece {
        id,
        html: html.into_string(),
    }
}

fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Commit {
            revision,
            author,
            subject,
        } => format!("commit {} by {author}: {subject}", short(revision)),
        Cause::User { name, action } => format!("{name}: {action}"),
        Cause::Drift { manager, operation } if manager.is_empty() => format!("drift ({operation})"),
        Cause::Drift { manager, operation } => format!("drift by {manager} ({operation})"),
        Cause::Cluster => "the cluster".into(),
        Cause::Timer => "a deadline".into(),
        Cause::Start => "the controller started".into(),
    }
}

fn history(view: &ApplicationView) -> Vec<Piece> {
    let pieces = view.history.iter().rev().map(|row| {
        let id = format!("history-{}", row.id);
        let html = html! {
            tr id=(id) {
                td { (row.id) }
                td { code { (short(&row.revision)) } }
                td { @if let Some(time) = row.deployed_at { time { (time.to_string()) } } }
                td { @if row.initiated_by.automated { "automated" } @else { (row.initiated_by.username) } }
            }
        };
        Piece {
            html: html.into_string(),
            id,
        }
    });
    pieces.collect()
}

pub(super) fn body(id: &ApplicationId, live: &Page, actions: bool) -> Markup {
    let action = |name: &str| {
        format!(
            "/api/v1/applications/{}/{}/{name}",
            query_escape(&id.namespace),
            query_escape(&id.name)
        )
    };
    html! {
        h1 { (id.name) " " small { (id.namespace) } }
        @if actions {
            p.actions {
                button data-action=(action("refresh")) { "Refresh" } " "
                button data-action=(action("sync")) { "Sync" } " "
                button data-action=(action("terminate")) { "Stop the operation" }
                " " span #action-result role="status" aria-live="polite" {}
            }
        }
        div #head { (container(live, "head")) }
        ul #conditions.conditions { (container(live, "conditions")) }
        h2 { "Operation" }
        div #operation { (container(live, "operation")) }
        div #waves.waves { (container(live, "waves")) }
        (table("Objects", &["Object", "Health", "Sync", "Wave", "Facts", "Created"], "resources", live))
        (table("What happened", &["When", "What", "Object", "Change", "Why", "Cause"], "journal", live))
        (table("History", &["Id", "Revision", "Deployed", "By"], "history", live))
    }
}

fn table(title: &str, columns: &[&str], id: &str, live: &Page) -> Markup {
    html! {
        h2 { (title) }
        table.list {
            thead { tr { @for column in columns { th scope="col" { (column) } } } }
            tbody id=(id) { (container(live, id)) }
        }
    }
}
