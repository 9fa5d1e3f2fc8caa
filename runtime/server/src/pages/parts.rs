//! Small pieces that several pages show. State is told by shape and word as well as by colour.

use capstan_model::{ApplicationId, HealthStatusCode, OperationPhase, SyncStatusCode};
use maud::{Markup, html};

use crate::safe_url::SafeUrl;

/// An element id made of any text.
pub(crate) fn element_id(prefix: &str, parts: &[&str]) -> String {
    parts.iter().fold(prefix.to_owned(), |mut id, part| {
        id.push('-');
        for c in part.chars() {
            match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' => id.push(c),
                other => id.push_str(&format!("_{:x}", u32::from(other))),
            }
        }
        id
    })
}

pub(crate) fn application_path(id: &ApplicationId) -> String {
    format!(
        "/applications/{}/{}",
        super::query_escape(&id.namespace),
        super::query_escape(&id.name)
    )
}

/// An address that somebody else wrote: a link where it may be one, else what it says.
pub(crate) fn foreign_link(address: &str) -> Markup {
    match SafeUrl::parse(address) {
        Some(url) => html! { a href=(url.as_str()) rel="external noopener noreferrer nofollow" { (address) } },
        None => html! { (address) },
    }
}

fn state(name: &str, shape: &str, word: &str) -> Markup {
    html! { span.state data-state=(name) { span.shape aria-hidden="true" { (shape) } " " (word) } }
}

pub(crate) fn health(status: HealthStatusCode) -> Markup {
    let (shape, name) = match status {
        HealthStatusCode::Healthy => ("●", "healthy"),
        HealthStatusCode::Progressing => ("◔", "progressing"),
        HealthStatusCode::Degraded => ("▲", "degraded"),
        HealthStatusCode::Suspended => ("‖", "suspended"),
        HealthStatusCode::Missing => ("○", "missing"),
        HealthStatusCode::Unknown => ("?", "unknown"),
    };
    state(name, shape, &status.to_string())
}

pub(crate) fn sync(status: SyncStatusCode) -> Markup {
    let (shape, name) = match status {
        SyncStatusCode::Synced => ("✓", "synced"),
        SyncStatusCode::OutOfSync => ("≠", "outofsync"),
        SyncStatusCode::Unknown => ("?", "unknown"),
    };
    state(name, shape, &status.to_string())
}

pub(crate) fn phase(phase: OperationPhase) -> Markup {
    let (shape, name) = match phase {
        OperationPhase::Succeeded => ("✓", "healthy"),
        OperationPhase::Running => ("◔", "progressing"),
        OperationPhase::Terminating => ("◔", "suspended"),
        OperationPhase::Failed | OperationPhase::Error => ("▲", "degraded"),
    };
    state(name, shape, &phase.to_string())
}

/// The first eight characters of a commit id; the whole version of a chart.
pub(crate) fn short(revision: &str) -> &str {
    capstan_model::short_revision(revision, 8)
}
