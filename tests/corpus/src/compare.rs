//! Where two renders of a case differ.

use std::collections::BTreeSet;

use capstan_render::HelmOutput;
use capstan_yaml::{Mode, parse_documents};
use similar::TextDiff;

use crate::Answer;

/// What is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Helm's name of the file.
    pub file: String,
    /// Whether both parse to the same documents.
    pub parses_equal: bool,
    /// The lines that differ.
    pub diff: String,
}

/// What comparing a case came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Both fail.
    BothFail {
        /// Helm's message.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// Helm fails, we do not.
    OnlyHelmFails(String),
    /// We fail, Helm does not.
    OnlyWeFail(String),
    /// Both render.
    Rendered {
        /// Files that Helm renders the same twice.
        stable: usize,
        /// Files that it does not.
        varying: usize,
        /// Those of the stable ones that differ.
        differences: Vec<Difference>,
        /// Whether the stream of manifests differs though no file does.
        order: Option<String>,
    },
}

/// Compares what Helm and we made of a case.
#[must_use]
pub fn compare(theirs: &Answer, ours: Result<HelmOutput, String>) -> Outcome {
    let ours = match (theirs.error.is_empty(), ours) {
        (false, Err(ours)) => {
            let theirs = theirs.error.clone();
            return Outcome::BothFail { theirs, ours };
        }
        (false, Ok(_)) => return Outcome::OnlyHelmFails(theirs.error.clone()),
        (true, Err(ours)) => return Outcome::OnlyWeFail(ours),
        (true, Ok(ours)) => ours,
    };
    let files = theirs.files.clone().unwrap_or_default();
    let varying = theirs.varying.clone().unwrap_or_default();
    let names: BTreeSet<&String> = files.keys().chain(ours.files.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        let (wanted, found) = (files.get(name), ours.files.get(name));
        if varying.contains(name) && found.is_some() || wanted == found {
            continue;
        }
        let (wanted, found) = (
            wanted.map_or("(no such file)\n", |text| text),
            found.map_or("(no such file)\n", |text| text),
        );
        differences.push(Difference {
            file: name.clone(),
            parses_equal: documents(wanted).is_some_and(|wanted| documents(found) == Some(wanted)),
            diff: diff(wanted, found),
        });
    }
    let order = (differences.is_empty() && varying.is_empty())
        .then(|| stream_difference(&theirs.manifest, &ours))
        .flatten();
    Outcome::Rendered {
        stable: files.len() - varying.len(),
        varying: varying.len(),
        differences,
        order,
    }
}

fn stream_difference(wanted: &str, ours: &HelmOutput) -> Option<String> {
    let without_hooks = HelmOutput {
        hooks: Vec::new(),
        ..ours.clone()
    };
    // The oracle's answers are JSON, where Go writes what is not UTF-8 as U+FFFD.
    let printed = without_hooks.to_yaml(false);
    let found = capstan_template::text(&printed);
    (wanted.trim() != found.trim()).then(|| diff(wanted, &found))
}

/// The documents of a text; the text itself where it is not YAML, such as NOTES.txt.
fn documents(text: &str) -> Option<Vec<serde_json::Value>> {
    let parsed = parse_documents(text, Mode::Kube11).ok()?;
    Some(
        parsed
            .into_iter()
            .map(|document| document.value)
            .filter(|value| !value.is_null())
            .collect(),
    )
}

/// Lines that differ, at most some.
fn diff(wanted: &str, found: &str) -> String {
    let diff = TextDiff::from_lines(wanted, found);
    let mut text = diff
        .unified_diff()
        .context_radius(1)
        .header("helm", "capstan")
        .to_string();
    if let Some((at, _)) = text.char_indices().nth(2500) {
        text.truncate(at);
        text.push('…');
    }
    text
}
