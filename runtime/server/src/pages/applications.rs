//! The list of applications: what is wrong first, then by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_engine::view::ApplicationView;
use capstan_model::{HealthStatusCode, SyncStatusCode};
use maud::{Markup, html};

use super::parts::{application_path, element_id, health, short, sync};
use super::{container, query_escape};
use crate::backend::Snapshot;
use crate::live::{Page, Piece};

/// Which applications the list shows. Kept in the URL, so that a view can be shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of the name, project, namespace, author or commit subject.
    pub text: String,
    /// Health, in lower case.
    pub health: String,
    /// Sync status, in lower case.
    pub sync: String,
    /// Project.
    pub project: String,
}

impl Filter {
    /// From a query string's parameters.
    pub fn from_query(query: &BTreeMap<String, String>) -> Self {
        let field = |name: &str| query.get(name).cloned().unwrap_or_default();
        let (health, sync) = (field("health").to_lowercase(), field("sync").to_lowercase());
        Self {
            text: field("q"),
            health,
            sync,
            project: field("project"),
        }
    }

    /// As a query string.
    pub fn to_query(&self) -> String {
        let fields = [
            ("q", &self.text),
            ("health", &self.health),
            ("sync", &self.sync),
            ("project", &self.project),
        ];
        let set = fields.into_iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| format!("{name}={}", query_escape(value)))
            .collect::<Vec<_>>()
            .join("&")
    }

    fn shows(&self, view: &ApplicationView) -> bool {
        let text = self.text.to_lowercase();
        let fields = [
            &view.id.name,
            &view.project,
            &view.destination.namespace,
            &view.subject,
            &view.author,
        ];
        fields.iter().any(|field| field.to_lowercase().contains(&text))
            && (self.health.is_empty() || view.health.status.to_string().to_lowercase() == self.health)
            && (self.sync.is_empty() || view.sync.to_string().to_lowercase() == self.sync)
            && (self.project.is_empty() || view.project == self.project)
    }
}

/// Worse states come first.
fn rank(view: &ApplicationView) -> u8 {
    match (view.health.status, view.sync) {
        (HealthStatusCode::Degraded, _) => 0,
        (_, SyncStatusCode::Unknown) => 1,
        (HealthStatusCode::Missing, _) => 2,
        (_, SyncStatusCode::OutOfSync) => 3,
        (HealthStatusCode::Progressing, _) => 4,
        (HealthStatusCode::Unknown, _) => 5,
        (HealthStatusCode::Suspended, _) => 6,
        (HealthStatusCode::Healthy, _) => 7,
    }
}

pub(super) fn pieces(filter: &Filter, snapshot: &Snapshot) -> Page {
    let mut shown: Vec<&Arc<ApplicationView>> = snapshot
        .applications
        .values()
        .filter(|view| filter.shows(view))
        .collect();
    shown.sort_by(|a, b| (rank(a), &a.id).cmp(&(rank(b), &b.id)));
    let rows = shown.iter().map(|view| {
        let id = element_id("app", &[&view.id.namespace, &view.id.name]);
        let html = row(&id, view).into_string();
        Piece { id, html }
    });
    let counts = counts(snapshot, shown.len());
    Page::from([
        ("applications".to_owned(), rows.collect()),
        (
            "summary".to_owned(),
            vec![Piece {
                id: "counts".into(),
                html: counts.into_string(),
            }],
        ),
    ])
}

fn counts(snapshot: &Snapshot, shown: usize) -> Markup {
    let all = snapshot.applications.values();
    let count = |test: &dyn Fn(&ApplicationView) -> bool| all.clone().filter(|view| test(view)).count();
    let healthy = count(&|view| view.health.status == HealthStatusCode::Healthy);
    let degraded = count(&|view| view.health.status == HealthStatusCode::Degraded);
    let out = count(&|view| view.sync == SyncStatusCode::OutOfSync);
    let total = snapshot.applications.len();
    html! {
        p #counts.counts {
            a href="/" { strong { (total) } " applications" }
            @if shown != total { ", " strong { (shown) } " shown" }
            " · " a href="/?health=healthy" { strong { (healthy) } " healthy" }
            " · " a href="/?health=degraded" { strong { (degraded) } " degraded" }
            " · " a href="/?sync=outofsync" { strong { (out) } " out of sync" }
        }
    }
}

fn row(id: &str, view: &ApplicationView) -> Markup {
    html! {
        tr id=(id) {
            td { a.name href=(application_path(&view.id)) { (view.id.name) } }
            td { (health(view.health.status)) }
            td { (sync(view.sync)) }
            td.sentence { (view.sentence) }
            td.revision title=(view.revision) { (short(&view.revision)) }
            td.author { (view.subject) @if !view.author.is_empty() { br; small { (view.author) } } }
            td { (view.project) br; small { (view.destination.namespace) } }
        }
    }
}

pub(super) fn body(filter: &Filter, live: &Page) -> Markup {
    html! {
        h1 { "Applications" }
        form.filter method="get" action="/" role="search" {
            label { "Search " input type="search" name="q" value=(filter.text) autocomplete="off"; }
            @for (name, value) in [("health", &filter.health), ("sync", &filter.sync), ("project", &filter.project)] {
                @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
            }
            button { "Show" }
        }
        div #summary { (container(live, "summary")) }
        table.list {
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "Health" } th scope="col" { "Sync" } th scope="col" { "State" }
                th scope="col" { "Revision" } th scope="col" { "Commit" } th scope="col" { "Project" }
            } }
            tbody #applications { (container(live, "applications")) }
        }
    }
}
