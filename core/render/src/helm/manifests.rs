//! From rendered text to objects.

use capstan_model::SourceLocation;
use capstan_yaml::{Mode, parse_documents};

use super::HelmDocument;
use super::chart::Chart;
use crate::directory::add;
use crate::{RenderError, RenderOutput};

/// Lists in lists are flattened so deep.
const LIST_DEPTH: u8 = 8;

/// `crds/`, untemplated, subcharts' included: Helm's name of each file, its place in the repository, and its bytes.
fn definition_files<'a>(chart: &'a Chart, name: &str, found: &mut Vec<(String, String, &'a [u8])>) {
    for path in &chart.definitions {
        if let Some(bytes) = chart.files.get(path) {
            found.push((format!("{name}/{path}"), chart.file(path), bytes));
        }
    }
    for subchart in &chart.subcharts {
        definition_files(subchart, &format!("{name}/charts/{}", subchart.metadata.name), found);
    }
}

/// The text of `crds/`, by Helm's name of each file.
pub(super) fn definitions(chart: &Chart) -> Vec<(String, String)> {
    let mut found = Vec::new();
    definition_files(chart, &chart.metadata.name, &mut found);
    found
        .into_iter()
        .map(|(name, _, bytes)| (name, String::from_utf8_lossy(bytes).into_owned()))
        .collect()
}

/// The objects in `crds/`.
pub(super) fn add_definitions(chart: &Chart, output: &mut RenderOutput) -> Result<(), RenderError> {
    let mut found = Vec::new();
    definition_files(chart, &chart.metadata.name, &mut found);
    for (_, file, bytes) in found {
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
    Ok(())
}

/// The objects of a release's documents.
pub(super) fn add_documents(
    chart: &Chart,
    documents: impl Iterator<Item = HelmDocument>,
    output: &mut RenderOutput,
) -> Result<(), RenderError> {
    for document in documents {
        let file = file_of(chart, &document.template);
        let parsed = document.parsed.map_err(|error| RenderError::RenderedYaml {
            location: location(&file, document.line + error.line.saturating_sub(1)),
            error,
        })?;
        for part in parsed {
            let location = location(&file, document.line + part.line.saturating_sub(1));
            add(part.value, &location, LIST_DEPTH, &mut output.manifests)?;
        }
    }
    Ok(())
}

/// The template's path in the repository, of Helm's name for it.
pub(super) fn file_of(chart: &Chart, name: &str) -> String {
    let below = name.split_once('/').map_or(name, |(_, below)| below);
    if let Some(rest) = below.strip_prefix("charts/")
        && let Some((subchart, _)) = rest.split_once('/')
        && let Some(subchart) = chart.subcharts.iter().find(|chart| chart.metadata.name == subchart)
    {
        return file_of(subchart, rest);
    }
    chart.file(below)
}

pub(super) fn location(file: &str, line: usize) -> SourceLocation {
    SourceLocation {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(0),
    }
}
