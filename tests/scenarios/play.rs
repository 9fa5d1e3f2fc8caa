//! What both layers share: the folder of a scenario, its beginning, and what is read off at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use capstan_engine::journal::{Cause, JournalEntry};
use capstan_kubernetes::crds;
use capstan_sim::scenario::{
    Action, Files, KubectlApply, Mark, Note, ObjectRef, Record, Scenario, Stage, Verdict, judge,
};
use capstan_sim::{Method, Options, Request, World, actors};
use serde_json::json;

/// The cluster is this old when the controller starts: definitions are served, namespaces are there.
pub(crate) const BEFORE: Duration = Duration::from_secs(60);

/// A scenario and the files beside it.
pub(crate) struct Story {
    pub(crate) folder: PathBuf,
    pub(crate) scenario: Scenario,
    pub(crate) files: Files,
}

impl Story {
    /// Reads `scenarios/<name>`, and the folder `common` beside it, whose files are named `../common/…`.
    pub(crate) fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(name);
        let mut files = Files::new();
        collect(&folder, "", &mut files);
        let common = folder.with_file_name("common");
        if common.is_dir() {
            collect(&common, "../common/", &mut files);
        }
        let scenario =
            Scenario::parse("scenario.yaml", &files["scenario.yaml"]).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self {
            folder,
            scenario,
            files,
        }
    }

    /// A world with its actors, [`BEFORE`] the controller starts.
    pub(crate) fn world(&self) -> World {
        let options = Options {
            seed: self.scenario.world.seed,
            ..Options::default()
        };
        let mut world = World::new(self.scenario.world.epoch - BEFORE, options);
        for actor in actors::all(self.scenario.profile()) {
            world.add_actor(actor);
        }
        world
    }

    /// Creates the definitions of Argo CD's resources and the namespace of the controller.
    pub(crate) fn install(&self, stage: &mut impl Stage) {
        let create = |stage: &mut _, path: &str, object| {
            let answer = Stage::request(stage, Request::json(Method::Post, path, object));
            assert!(answer.is_success(), "{path}: {}", answer.value());
        };
        for definition in crds::definitions() {
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            create(stage, path, definition.value);
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}});
        create(stage, "/api/v1/namespaces", namespace);
    }

    /// Applies the objects that are there before the controller starts.
    pub(crate) fn furnish(&self, stage: &mut impl Stage) {
        for file in &self.scenario.world.objects {
            let apply = Action::KubectlApply(KubectlApply::new(file, "platform-team"));
            apply
                .perform(stage, &self.files)
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Every verdict, or a panic that shows what went wrong and when.
    pub(crate) fn assert(&self, record: &Record) {
        let failed: Vec<String> = judge(&self.scenario, record)
            .iter()
            .filter_map(|Verdict { expectation, result }| {
                let why = result.as_ref().err()?;
                Some(format!("expect[{expectation}]: {why}"))
            })
            .collect();
        let timeline = capstan_sim::scenario::transcript(record);
        assert!(
            failed.is_empty(),
            "{}:\n{}\n\n{timeline}",
            self.scenario.name(),
            failed.join("\n")
        );
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Files) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a folder can be listed");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => collect(&entry.path(), &format!("{name}/"), files),
            false => {
                let text = std::fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
                files.insert(name, text);
            }
        }
    }
}

/// Notes what a controller wrote into its journal.
pub(crate) fn note(entry: &JournalEntry) -> Note {
    let manager = match &entry.cause {
        Cause::Drift { manager, .. } => manager.clone(),
        _ => String::new(),
    };
    Note {
        time: entry.time,
        machine: entry.machine.to_owned(),
        object: entry.object.as_ref().map(|key| ObjectRef {
            kind: key.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }),
        from: entry.from.clone(),
        to: entry.to.clone(),
        manager,
        message: entry.message.clone(),
    }
}

/// The record of a run.
pub(crate) fn record(
    world: &World,
    journal: Vec<Note>,
    marks: BTreeMap<String, Mark>,
    commits: BTreeMap<String, String>,
) -> Record {
    assert!(
        world.model_gaps().is_empty(),
        "the world was asked what it does not model: {:?}",
        world.model_gaps()
    );
    Record {
        history: world.history().to_vec(),
        journal,
        marks,
        commits,
    }
}
