//! A recorded case: what is desired, what is live, how the cluster behaves, and every request that was made.

use std::collections::BTreeMap;

use capstan_model::Timestamp;
use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) app: App,
    pub(crate) op: Op,
    pub(crate) desired: Vec<Value>,
    pub(crate) live: Vec<LiveObject>,
    pub(crate) script: Script,
    pub(crate) expect: Expect,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct App {
    pub(crate) namespace: String,
    pub(crate) revision: String,
    pub(crate) started_at: String,
    pub(crate) managed_namespace_labels: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Op {
    pub(crate) prune: bool,
    pub(crate) dry_run: bool,
    pub(crate) apply_strategy: bool,
    pub(crate) force: bool,
    pub(crate) resources: Vec<Value>,
    pub(crate) sync_options: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LiveObject {
    pub(crate) obj: Value,
    #[serde(default)]
    pub(crate) unmanaged: bool,
    #[serde(default)]
    pub(crate) deleting: bool,
    #[serde(default)]
    pub(crate) csa: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Script {
    pub(crate) health: BTreeMap<String, Vec<String>>,
    pub(crate) live_health: BTreeMap<String, String>,
    pub(crate) linger: BTreeMap<String, u32>,
    pub(crate) vanish: Vec<Vanish>,
    pub(crate) fail: Vec<Fail>,
    pub(crate) terminate_at: Option<u32>,
    pub(crate) prune_confirmed_at: Option<u32>,
    pub(crate) wave_hook_fails: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vanish {
    pub(crate) before_round: u32,
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) force: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fail {
    pub(crate) op: String,
    pub(crate) key: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Expect {
    pub(crate) rounds: Vec<Round>,
    pub(crate) end: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Round {
    pub(crate) ops: Vec<Vec<Row>>,
    pub(crate) waves: Vec<(String, i64, bool)>,
    pub(crate) phase: String,
    pub(crate) message: String,
    pub(crate) repeat: u32,
}

/// One request: what, in which phase and wave, of which object, how.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(from = "Vec<Value>")]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) phase: String,
    pub(crate) wave: i64,
    pub(crate) op: String,
    pub(crate) flags: String,
}

impl From<Vec<Value>> for Row {
    fn from(row: Vec<Value>) -> Self {
        let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            op: text(0),
            phase: text(1),
            wave: row.get(2).and_then(Value::as_i64).unwrap_or_default(),
            key: text(3),
            flags: text(4),
        }
    }
}

impl Row {
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.split(',').any(|other| other == flag)
    }

    /// It changes something that a user sees: no dry run, no finalizer of Argo CD's own.
    pub(crate) fn is_real(&self) -> bool {
        let is_finalizer = self.op == "update" && self.has("finalizer");
        !is_finalizer && !self.op.starts_with("dry-run-")
    }
}

impl Expect {
    /// The rounds, repeated ones written out.
    pub(crate) fn all_rounds(&self) -> Vec<Round> {
        let mut rounds = Vec::new();
        for round in &self.rounds {
            let still = Round {
                ops: Vec::new(),
                repeat: 0,
                ..round.clone()
            };
            rounds.push(Round {
                repeat: 0,
                ..round.clone()
            });
            rounds.extend(std::iter::repeat_n(still, round.repeat as usize));
        }
        rounds
    }
}

impl Case {
    /// What a hook without a name is called: how that begins in ours, and all of it in the recordings, in which the script speaks of it.
    pub(crate) fn generated_names(&self) -> Vec<(String, String)> {
        let started: Timestamp = self.app.started_at.parse().expect("startedAt is a time");
        let (seconds, revision) = (started.as_seconds(), &self.app.revision);
        let revision = revision.get(..7).unwrap_or(revision);
        let prefix = |object: &Value| {
            Some(format!(
                "{}{}",
                key_of(object),
                object["metadata"]["generateName"].as_str()?
            ))
        };
        let prefixes = self.desired.iter().filter_map(prefix);
        let in_phases = prefixes.flat_map(|prefix| {
            let phases = ["presync", "sync", "postsync", "syncfail"];
            phases.map(|phase| {
                (
                    format!("{prefix}{phase}-"),
                    format!("{prefix}{revision}-{phase}-{seconds}"),
                )
            })
        });
        in_phases.collect()
    }
}

/// As the script names an object.
pub(crate) fn name_in_script<'a>(generated: &'a [(String, String)], key: &'a str) -> &'a str {
    let found = generated.iter().find(|(ours, _)| key.starts_with(ours.as_str()));
    found.map_or(key, |(_, theirs)| theirs)
}

/// `group/Kind/namespace/name` of an object.
pub(crate) fn key_of(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let name = text("/metadata/name");
    format!("{group}/{}/{}/{name}", text("/kind"), text("/metadata/namespace"))
}
