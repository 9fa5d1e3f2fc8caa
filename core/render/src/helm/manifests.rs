//! From rendered text to objects.

use capstan_model::SourceLocation;
use capstan_yaml::{Mode, parse_documents};

use super::HelmDocument;
use super::chart::Chart;
use crate::directory::add;
use crate::limits::LIST_DEPTH;
use crate::{RenderError, RenderOutput};

/// `crds/`, untemplated, subcharts' included: Helm's name of each file, its place in the repository, and its bytes.
fn definition_files<'a>(chart: &'a Chart, found: &mut Vec<(String, String, &'a [u8])>) {
    for path in &chart.definitions {
        if let Some(bytes) = chart.files.get(path) {
            found.push((format!("{}/{path}", chart.full_name), chart.file(path), bytes));
        }
    }
    for subchart in &chart.subcharts {
        definition_files(subchart, found);
    }
}

/// What is in `crds/`, by Helm's name of each file.
pub(super) fn definitions(chart: &Chart) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    definition_files(chart, &mut found);
    found
        .into_iter()
        .map(|(name, _, bytes)| (name, bytes.to_vec()))
        .collect()
}

/// The objects in `crds/`.
pub(super) fn add_definitions(chart: &Chart, output: &mut RenderOutput) -> Result<(), RenderError> {
    let mut found = Vec::new();
    definition_files(chart, &mut found);
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
    file_in(chart, name).unwrap_or_else(|| name.to_owned())
}

fn file_in(chart: &Chart, name: &str) -> Option<String> {
    // Below first: `top/charts/sub/templates/x.yaml` begins like a file of `top`.
    chart
        .subcharts
        .iter()
        .find_map(|subchart| file_in(subchart, name))
        .or_else(|| {
            let path = name.strip_prefix(&chart.full_name)?.strip_prefix('/')?;
            Some(chart.file(path))
        })
}

pub(super) fn location(file: &str, line: usize) -> SourceLocation {
    SourceLocation {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(0),
    }
}
