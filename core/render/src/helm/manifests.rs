//! From rendered text to objects.

use std::collections::BTreeMap;

use capstan_model::SourceLocation;
use capstan_model::annotations::HELM_HOOK;
use capstan_yaml::{Mode, parse_documents};
use serde_json::Value;

use super::chart::Chart;
use crate::directory::add;
use crate::{RenderError, RenderOutput};

/// Events that Helm 4 knows. An object with a hook of another event is dropped by it.
const EVENTS: &[&str] = &[
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
];
/// Lists in lists are flattened so deep.
const LIST_DEPTH: u8 = 8;

/// `crds/`, untemplated, subcharts' included.
pub(super) fn add_definitions(chart: &Chart, output: &mut RenderOutput) -> Result<(), RenderError> {
    for (name, bytes) in chart.files.iter().filter(|(name, _)| name.starts_with("crds/")) {
        if ![".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let file = chart.file(name);
        let yaml = |error| RenderError::Yaml {
            file: file.clone(),
            error,
        };
        let text = capstan_yaml::text_from_bytes(bytes).map_err(yaml)?;
        for document in parse_documents(text, Mode::Kube11).map_err(yaml)? {
            let location = location(&file, document.line);
            add(document.value, &location, LIST_DEPTH, &mut output.manifests)?;
        }
    }
    chart
        .subcharts
        .iter()
        .try_for_each(|subchart| add_definitions(subchart, output))
}

/// What the templates rendered to, in the order of their names.
pub(super) fn add_rendered(
    chart: &Chart,
    files: &BTreeMap<String, String>,
    skip_tests: bool,
    output: &mut RenderOutput,
) -> Result<(), RenderError> {
    for (name, text) in files {
        if name.ends_with("/NOTES.txt") || text.trim().is_empty() {
            continue;
        }
        let file = file_of(chart, name);
        let documents = parse_documents(text, Mode::Kube11).map_err(|error| {
            let line = u32::try_from(error.line).unwrap_or(0);
            RenderError::RenderedYaml {
                location: SourceLocation {
                    file: file.clone(),
                    line,
                },
                error,
            }
        })?;
        for document in documents {
            if !is_dropped(&document.value, skip_tests) {
                add(
                    document.value,
                    &location(&file, document.line),
                    LIST_DEPTH,
                    &mut output.manifests,
                )?;
            }
        }
    }
    Ok(())
}

/// The template's path in the repository, of Helm's name for it.
fn file_of(chart: &Chart, name: &str) -> String {
    let below = name.split_once('/').map_or(name, |(_, below)| below);
    if let Some(rest) = below.strip_prefix("charts/")
        && let Some((subchart, _)) = rest.split_once('/')
        && let Some(subchart) = chart.subcharts.iter().find(|chart| chart.metadata.name == subchart)
    {
        return file_of(subchart, rest);
    }
    chart.file(below)
}

fn location(file: &str, line: usize) -> SourceLocation {
    SourceLocation {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(0),
    }
}

fn is_dropped(value: &Value, skip_tests: bool) -> bool {
    let hook = value
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(HELM_HOOK))
        .and_then(Value::as_str);
    let Some(hook) = hook else { return false };
    let events = || hook.split(',').map(|event| event.trim().to_ascii_lowercase());
    events().any(|event| !EVENTS.contains(&event.as_str()))
        || skip_tests && events().any(|event| event.starts_with("test"))
}
