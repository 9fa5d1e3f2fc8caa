//! The file of a scenario, read strictly.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::Timestamp;
use capstan_yaml::{Mode, Step, YamlError, line_of, parse_one};
use serde::Deserialize;

use super::duration::Span;
use super::expect::Expectation;
use super::verbs::{Action, Crash, KubectlApply, KubectlDelete, KubectlScale, Push};
use crate::actors::Profile;

/// A scenario. Times in it count from the moment the controller starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Scenario {
    api_version: String,
    kind: String,
    metadata: Metadata,
    /// What there is at the beginning.
    pub world: WorldSettings,
    /// What happens, in order of time.
    #[serde(default)]
    pub timeline: Vec<Entry>,
    /// What must come of it.
    pub expect: Vec<Expectation>,
    /// When it is over.
    pub end: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    #[serde(default)]
    description: String,
}

/// What there is at the beginning.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WorldSettings {
    /// When the controller starts.
    pub epoch: Timestamp,
    /// Seed of names, uids and allocations.
    #[serde(default)]
    pub seed: u64,
    /// How long the cluster takes for things.
    #[serde(default)]
    profile: ProfileName,
    /// How long a request of the controller takes.
    #[serde(default)]
    pub latency: Span,
    /// How often repositories are asked for news.
    pub poll: Span,
    /// Git repositories, by name.
    #[serde(default)]
    pub repositories: BTreeMap<String, Repository>,
    /// Files of objects that exist before the controller starts.
    #[serde(default)]
    pub objects: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ProfileName {
    Instant,
    #[default]
    Realistic,
}

/// A repository with one branch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Repository {
    /// As Applications write it.
    pub url: String,
    /// The revision at the beginning.
    pub at: String,
    /// Its revisions, by the name the scenario calls them.
    pub revisions: BTreeMap<String, Revision>,
}

/// One commit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Folder of the scenario that holds its files.
    pub files: String,
    /// `Name <mail>`.
    pub author: String,
    /// First line of its message.
    pub subject: String,
    /// The revision that it follows, where that is not the one that was pushed before: a branch that is moved to it was rewritten.
    #[serde(default)]
    pub parent: Option<String>,
}

/// Something that happens: one verb, at a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What expectations and later entries call it.
    pub id: Option<String>,
    /// Time since the start.
    at: Option<Span>,
    /// Entry that it comes after.
    after: Option<String>,
    /// How long after it.
    plus: Option<Span>,
    /// How often it happens; then the id names the last time.
    times: Option<u32>,
    /// How long from one time to the next.
    every: Option<Span>,
    #[serde(rename = "git.push")]
    git_push: Option<Push>,
    #[serde(rename = "kubectl.apply")]
    kubectl_apply: Option<KubectlApply>,
    #[serde(rename = "kubectl.scale")]
    kubectl_scale: Option<KubectlScale>,
    #[serde(rename = "kubectl.delete")]
    kubectl_delete: Option<KubectlDelete>,
    #[serde(rename = "controller.crash")]
    controller_crash: Option<Crash>,
}

/// Why a scenario cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is no YAML.
    #[error("{file}: {error}")]
    Yaml {
        /// Its file.
        file: String,
        /// What the reader said.
        error: YamlError,
    },
    /// A field is not known, missing, or holds something else than it should.
    #[error("{file}:{line}: {path}: {reason}")]
    Field {
        /// Its file.
        file: String,
        /// Line of the field, from 1.
        line: usize,
        /// Which field, such as `timeline[2].at`.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl Scenario {
    /// Reads a scenario. `file` is its name in errors.
    ///
    /// # Errors
    /// [`ScenarioError`] for the first thing that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let value = parse_one(text, Mode::Kube11).map_err(|error| ScenarioError::Yaml {
            file: file.to_owned(),
            error,
        })?;
        let scenario: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let steps = steps(error.path());
            field_error(file, text, steps, error.inner().to_string())
        })?;
        scenario
            .check()
            .map_err(|(steps, reason)| field_error(file, text, steps, reason))?;
        Ok(scenario)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// What it is about.
    pub fn description(&self) -> &str {
        &self.metadata.description
    }

    /// How long the cluster takes for things.
    pub fn profile(&self) -> Profile {
        match self.world.profile {
            ProfileName::Instant => Profile::INSTANT,
            ProfileName::Realistic => Profile::REALISTIC,
        }
    }

    /// What happens and when since the start, in order.
    pub fn schedule(&self) -> Vec<(Span, Option<String>, Action)> {
        let mut known: BTreeMap<&str, Span> = BTreeMap::new();
        let mut all = Vec::new();
        for entry in &self.timeline {
            let from = entry.after.as_deref().and_then(|id| known.get(id).copied());
            let first = from.or(entry.at).unwrap_or_default().0 + entry.plus.unwrap_or_default().0;
            let last = entry.times.unwrap_or(1).saturating_sub(1);
            let time = |n: u32| Span(first + entry.every.unwrap_or_default().0 * n);
            if let Some(id) = &entry.id {
                known.insert(id, time(last));
            }
            for n in 0..=last {
                let id = entry.id.clone().filter(|_| n == last);
                all.extend(entry.actions().map(|action| (time(n), id.clone(), action)));
            }
        }
        all.sort_by_key(|(time, _, _)| *time);
        all
    }

    /// What serde cannot see.
    fn check(&self) -> Result<(), (Vec<Step>, String)> {
        let at = |name: &str| vec![Step::Key(name.to_owned())];
        if self.api_version != "sim/v1" {
            return Err((at("apiVersion"), format!("{:?} is not sim/v1", self.api_version)));
        }
        if self.kind != "Scenario" {
            return Err((at("kind"), format!("{:?} is not Scenario", self.kind)));
        }
        let mut ids = BTreeSet::from(["start"]);
        for (index, entry) in self.timeline.iter().enumerate() {
            let here = |reason: String| (vec![Step::Key("timeline".into()), Step::Index(index)], reason);
            entry.check(&ids).map_err(here)?;
            if let Some(id) = &entry.id
                && !ids.insert(id)
            {
                return Err(here(format!("there is another {id:?}")));
            }
        }
        for (index, expectation) in self.expect.iter().enumerate() {
            expectation
                .check(&ids)
                .map_err(|reason| (vec![Step::Key("expect".into()), Step::Index(index)], reason))?;
        }
        match self.expect.is_empty() {
            true => Err((at("expect"), "a scenario that expects nothing shows nothing".into())),
            false => Ok(()),
        }
    }
}

impl Entry {
    fn actions(&self) -> impl Iterator<Item = Action> {
        [
            self.git_push.clone().map(Action::Push),
            self.kubectl_apply.clone().map(Action::KubectlApply),
            self.kubectl_scale.clone().map(Action::KubectlScale),
            self.kubectl_delete.clone().map(Action::KubectlDelete),
            self.controller_crash.clone().map(Action::Crash),
        ]
        .into_iter()
        .flatten()
    }

    fn check(&self, earlier: &BTreeSet<&str>) -> Result<(), String> {
        match self.actions().count() {
            1 => {}
            0 => return Err("nothing happens: name a verb".into()),
            _ => return Err("one entry is one verb: split it".into()),
        }
        match (self.times, self.every) {
            (None, None) | (Some(2..), Some(_)) => {}
            _ => return Err("what happens again says how often (times, 2 or more) and how soon (every)".into()),
        }
        match (&self.at, &self.after) {
            (Some(_), None) => Ok(()),
            (None, Some(id)) if earlier.contains(id.as_str()) => Ok(()),
            (None, Some(id)) => Err(format!("no entry before this one has the id {id:?}")),
            _ => Err("say when: either at, or after (and plus)".into()),
        }
    }
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    let steps = path.iter().filter_map(|segment| match segment {
        serde_path_to_error::Segment::Seq { index } => Some(Step::Index(*index)),
        serde_path_to_error::Segment::Map { key } => Some(Step::Key(key.clone())),
        serde_path_to_error::Segment::Enum { variant } => Some(Step::Key(variant.clone())),
        serde_path_to_error::Segment::Unknown => None,
    });
    steps.collect()
}

fn field_error(file: &str, text: &str, mut steps: Vec<Step>, reason: String) -> ScenarioError {
    // A field that is not known is named by the message; the path may end at what holds it.
    let unknown = reason
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| Step::Key(name.to_owned()));
    if let Some(unknown) = unknown
        && steps.last() != Some(&unknown)
    {
        steps.push(unknown);
    }
    let mut path = String::new();
    for step in &steps {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => path.push_str(&format!(".{key}")),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    ScenarioError::Field {
        file: file.to_owned(),
        line: line_of(text, &steps).unwrap_or(1),
        path,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
apiVersion: sim/v1
kind: Scenario
metadata: {name: small}
world: {epoch: 2026-11-27T22:00:00Z, poll: 3s}
timeline:
- {id: first, at: 1m, kubectl.delete: {object: ConfigMap/a/b}}
- id: second
  after: first
  plus: 1500ms
  kubectl.scale: {object: Deployment/a/b, replicas: 0}
expect:
- {within: 1s, after: second, object: Deployment/a/b, field: /spec/replicas, equals: 2}
end: 2m
";

    #[test]
    fn times_are_worked_out() {
        let scenario = Scenario::parse("s.yaml", GOOD).unwrap();
        let times: Vec<String> = scenario
            .schedule()
            .iter()
            .map(|(time, _, _)| time.to_string())
            .collect();
        assert_eq!(times, ["60s", "61.500s"]);
    }

    #[test]
    fn what_happens_again_is_named_by_its_last_time() {
        let again = GOOD.replace("at: 1m,", "at: 1m, times: 3, every: 10s,");
        let scenario = Scenario::parse("s.yaml", &again).unwrap();
        let times: Vec<String> = scenario
            .schedule()
            .iter()
            .map(|(time, id, _)| format!("{time} {}", id.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(times, ["60s -", "70s -", "80s first", "81.500s second"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (from, to, expected) in [
            (
                "replicas: 0",
                "replica: 0",
                "s.yaml:10: timeline[1].kubectl.scale.replica: unknown field `replica`",
            ),
            (
                "poll: 3s",
                "poll: soon",
                "s.yaml:4: world.poll: \"soon\" is no length of time",
            ),
            (
                "after: first",
                "after: last",
                "s.yaml:7: timeline[1]: no entry before this one has the id \"last\"",
            ),
            (
                "after: second",
                "after: third",
                "s.yaml:12: expect[0]: no entry has the id \"third\"",
            ),
            ("  plus:", "  at: 1s\n  plus:", "s.yaml:7: timeline[1]: say when"),
            (
                "at: 1m,",
                "at: 1m, times: 3,",
                "s.yaml:6: timeline[0]: what happens again says",
            ),
            (
                "within: 1s",
                "for: 1s",
                "s.yaml:12: expect[0]: for is how long never and always last",
            ),
            (
                "equals: 2",
                "equals: 2, contains: a",
                "s.yaml:12: expect[0]: of an object, say one of",
            ),
            ("sim/v1", "sim/v2", "s.yaml:1: apiVersion: "),
        ] {
            let error = Scenario::parse("s.yaml", &GOOD.replace(from, to))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
