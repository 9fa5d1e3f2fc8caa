//! Of which applications a sync window speaks.
//!
//! By one of its lists of patterns, or with `andOperator` by each that it has. A pattern that cannot be read makes neither of it: the window may speak of the
//! application, and then it cannot be understood, unless another pattern or list decides.

use capstan_model::{Application, ClusterId, SyncWindow, pattern};

/// Does `window` speak of the application? By one of its lists; with `andOperator` by each that it has. One without lists speaks of none. An error: it
/// may, by a pattern that cannot be read.
pub(super) fn speaks_of(window: &SyncWindow, application: &Application) -> Result<bool, String> {
    let destination = &application.spec.destination;
    let cluster = destination.cluster();
    let mut clusters = vec![
        destination.server.as_str(),
        destination.name.as_str(),
        cluster.0.as_str(),
    ];
    if cluster == ClusterId::in_cluster() {
        clusters.push("in-cluster");
    }
    let lists = [
        (
            "applications",
            &window.applications,
            vec![application.metadata.name.as_str()],
        ),
        ("namespaces", &window.namespaces, vec![destination.namespace.as_str()]),
        ("clusters", &window.clusters, clusters),
    ];
    let mut unreadable = None;
    let mut fitting = Vec::new();
    for (field, patterns, texts) in lists.iter().filter(|(_, patterns, _)| !patterns.is_empty()) {
        let fit = fits(patterns, texts).unwrap_or_else(|why| {
            unreadable.get_or_insert(format!("{field}: {why}"));
            // It stands in nobody's way until the other lists are asked.
            window.and_operator
        });
        fitting.push(fit);
    }
    let speaks = match window.and_operator {
        true => !fitting.is_empty() && fitting.iter().all(|fit| *fit),
        false => fitting.contains(&true),
    };
    match unreadable {
        // What one list says for sure is not in doubt.
        Some(unreadable) if speaks == window.and_operator => Err(unreadable),
        _ => Ok(speaks),
    }
}

/// Does one of the patterns match one of the texts? An error where none does, as far as is known, and one of them cannot be read.
fn fits(patterns: &[String], texts: &[&str]) -> Result<bool, pattern::UnreadablePattern> {
    let mut unreadable = None;
    for pattern in patterns {
        for text in texts.iter().filter(|text| !text.is_empty()) {
            match pattern::matches(pattern, text) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(why) => drop(unreadable.get_or_insert(why)),
            }
        }
    }
    unreadable.map_or(Ok(false), Err)
}
