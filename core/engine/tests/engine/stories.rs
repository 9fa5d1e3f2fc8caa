//! The interesting syncs, told by the journal: what is snapshotted here is what people read when something of the kind happened to them. Each
//! story asserts its end, too; a snapshot alone would be accepted with whatever it says.
//!
//! A line is an entry: seconds since the beginning, what changed, and why. `==` is what somebody did, `>>` what the application says of itself at
//! the end.

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::journal::JournalEntry;
use capstan_engine::policy::rollback;
use capstan_model::{Application, ResourceKey, Timestamp};
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, hook, id, workload};

const MINUTE: Duration = Duration::from_secs(60);

/// A run, and what was told of it.
struct Story {
    run: Run,
    lines: Vec<String>,
    told: u64,
    begun: Timestamp,
}

impl Story {
    fn of(rig: Rig) -> Self {
        let begun = rig.now;
        Self {
            run: rig.start(Vec::new()),
            lines: Vec::new(),
            told: 0,
            begun,
        }
    }

    /// It was synced before the story begins.
    fn after(objects: Vec<Value>) -> Self {
        Self::after_of(Rig::new(objects))
    }

    fn after_of(rig: Rig) -> Self {
        let mut story = Self::of(rig);
        story.run.settle(MINUTE);
        assert_eq!(story.run.rig.status("/operationState/phase"), "Succeeded");
        story.told = story.run.engine.journal().newest();
        story.run.rig.now = story.run.rig.now + MINUTE;
        story.begun = story.run.rig.now;
        story
    }

    fn tell(&mut self) {
        let begun = self.begun;
        let new = self.run.engine.journal().after(self.told);
        self.lines.extend(new.map(|entry| line(entry, begun)));
        self.told = self.run.engine.journal().newest();
    }

    fn deed(&mut self, what: &str) {
        self.tell();
        let at = seconds(self.run.rig.now, self.begun);
        self.lines.push(format!("{at} == {what}"));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.run.rig.now + time;
        self.run.settle(time);
        self.run.rig.now = until.max(self.run.rig.now);
        self.run.handle_timeout();
        self.run.settle(Duration::ZERO);
    }

    fn push(&mut self, what: &str, objects: Vec<Value>) {
        self.deed(&format!("Ada pushes a commit: {what}"));
        self.run.push(objects);
    }

    fn edit(&mut self, name: &str, value: &str) {
        self.run.edit(&map(name), &["data", "v"], json!(value), "operator");
    }

    fn operate(&mut self, what: &str, operation: &Value) {
        self.deed(what);
        self.run.rig.resource["operation"] = operation.clone();
        self.run.observe_application();
    }

    /// The controller dies, with everything that it had asked for.
    fn crash(&mut self) {
        self.deed("the controller dies, and another one starts");
        let rig = self.run.rig.clone();
        self.run = rig.start(Vec::new());
        self.told = 0;
    }

    fn status(&self, pointer: &str) -> &str {
        self.run.rig.status(pointer)
    }

    fn has(&self, key: &ResourceKey) -> bool {
        self.run.rig.cluster.objects.contains_key(key)
    }

    fn value(&self, name: &str) -> &Value {
        &self.run.rig.cluster.objects[&map(name)]["data"]["v"]
    }

    fn text(mut self) -> String {
        self.tell();
        let sentence = self.run.engine.view(&id()).unwrap().sentence;
        self.lines.push(format!("     >> {sentence}"));
        self.lines.join("\n")
    }
}

fn seconds(now: Timestamp, begun: Timestamp) -> String {
    format!("{:>4}", now.since(begun).as_secs())
}

fn line(entry: &JournalEntry, begun: Timestamp) -> String {
    let object = entry.object.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
    let change = match entry.from.as_str() {
        "" => entry.to.clone(),
        from => format!("{from} → {}", entry.to),
    };
    let why = match entry.message.as_str() {
        "" => String::new(),
        message => format!(" — {message}"),
    };
    let at = seconds(entry.time, begun);
    format!("{at} {}{object}: {change}{why}", entry.machine)
}

fn map(name: &str) -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", name)
}

fn job(name: &str) -> ResourceKey {
    ResourceKey::new("batch", "Job", "prod", name)
}

fn deployment(name: &str) -> ResourceKey {
    ResourceKey::new("apps", "Deployment", "prod", name)
}

fn stalled(image: &str, wave: i32) -> Value {
    let mut web = workload("Deployment", "web", wave, image);
    web["spec"]["broken"] = json!(true);
    web
}

fn creations(run: &Run, key: &ResourceKey) -> usize {
    let is_creation = |fact: &&Fact| matches!(fact, Fact::Written { key: other, create: true, .. } if other == key);
    run.rig.cluster.history.iter().filter(is_creation).count()
}

/// Nobody syncs it but by hand, and there is a history of two commits.
fn by_hand() -> Story {
    let mut rig = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]);
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}});
    Story::after_of(rig)
}

#[test]
fn a_hook_fails_and_the_sync_fail_hooks_run() {
    let mut story = Story::after(vec![config("settings", 0, "1")]);
    story.run.rig.cluster.broken.insert("migrate".into());
    story.run.rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    story.run.observe_application();
    story.push(
        "a migration before the settings, and an alarm if it fails",
        vec![
            hook("migrate", "PreSync"),
            hook("alarm", "SyncFail"),
            config("settings", 0, "2"),
        ],
    );
    story.pass(MINUTE);
    assert_eq!(story.status("/operationState/phase"), "Failed");
    assert!(story.status("/operationState/message").contains("Job/prod/migrate"));
    assert_eq!(story.value("settings"), "1", "nothing was written after the hook");
    assert_eq!(creations(&story.run, &job("alarm")), 1);
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_sync_is_stopped_in_the_middle_of_a_wave() {
    let mut story = Story::after(vec![config("first", 0, "1")]);
    let second = vec![
        config("first", 0, "2"),
        stalled("1", 1),
        config("beside", 1, "1"),
        config("last", 2, "1"),
    ];
    story.push(
        "three waves, and a Deployment in the second that does not start",
        second,
    );
    story.pass(MINUTE);
    story.deed("Ada stops the sync");
    let (id, by) = (id(), "ada".into());
    story.run.handle(Event::TerminateRequested { id, by });
    story.pass(600 * MINUTE);
    assert_eq!(story.status("/operationState/phase"), "Failed");
    assert_eq!(story.status("/operationState/message"), "operation terminated by ada");
    assert_eq!(story.value("first"), "2", "what was written stays");
    assert!(
        story.has(&map("beside")) && !story.has(&map("last")),
        "the next wave never began"
    );
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_sync_that_fails_is_tried_again_until_it_succeeds() {
    let mut story = Story::after(vec![config("settings", 0, "1")]);
    story.run.rig.cluster.refused.insert("settings".into());
    story.push(
        "other settings, which a webhook of the cluster refuses",
        vec![config("settings", 0, "2")],
    );
    story.pass(Duration::from_secs(12));
    story.deed("the webhook works again");
    story.run.rig.cluster.refused.clear();
    story.pass(MINUTE);
    assert_eq!(story.run.sync(), "Synced Healthy");
    assert_eq!(story.value("settings"), "2");
    let retries = story.run.rig.resource.pointer("/status/operationState/retryCount");
    assert_eq!(retries, Some(&json!(2)));
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_newer_commit_ends_a_sync_that_is_stuck() {
    let mut story = Story::after(vec![workload("Deployment", "web", 0, "1"), config("last", 1, "1")]);
    story.push(
        "an image that does not start",
        vec![stalled("2", 0), config("last", 1, "2")],
    );
    story.pass(10 * MINUTE);
    let mut good = workload("Deployment", "web", 0, "3");
    good["spec"]["broken"] = json!(false);
    story.push("one that does", vec![good, config("last", 1, "3")]);
    story.pass(MINUTE);
    assert_eq!(story.run.sync(), "Synced Healthy");
    let web = &story.run.rig.cluster.objects[&deployment("web")];
    assert_eq!((&web["spec"]["image"], story.value("last")), (&json!("3"), &json!("3")));
    let written = story.run.rig.cluster.history.iter();
    let of_last = written.filter(|fact| matches!(fact, Fact::Written { key, .. } if *key == map("last")));
    assert_eq!(
        of_last.count(),
        2,
        "what the second commit says of it was never written"
    );
    insta::assert_snapshot!(story.text());
}

#[test]
fn much_leaves_git_at_once_and_goes_when_it_is_approved() {
    let all = (0..12).map(|n| config(&format!("m{n:02}"), 0, "1"));
    let mut story = Story::after(all.collect());
    story.push("a folder less", vec![config("m00", 0, "2")]);
    story.pass(10 * MINUTE);
    assert_eq!(story.run.rig.cluster.objects.len(), 12, "nothing is deleted");
    assert_eq!(story.value("m00"), "2", "and the rest is written");
    story.deed("Ada approves");
    let now = story.run.rig.now.truncated().to_string();
    story.run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/deletion-approved": now});
    story.run.observe_application();
    story.pass(MINUTE);
    assert_eq!(story.run.sync(), "Synced Healthy");
    let left: Vec<&ResourceKey> = story.run.rig.cluster.objects.keys().collect();
    assert_eq!(left, [&map("m00")]);
    insta::assert_snapshot!(story.text());
}

#[test]
fn the_controller_dies_while_a_hook_runs() {
    let mut story = Story::after(vec![workload("Deployment", "web", 0, "1")]);
    let second = vec![hook("migrate", "PreSync"), workload("Deployment", "web", 0, "2")];
    story.push("a migration before the new image", second);
    // Everything but the Job's own work.
    while let Some(effect) = story.run.pending.pop_front() {
        story.run.perform(&effect);
    }
    assert!(story.has(&job("migrate")));
    story.crash();
    story.pass(MINUTE);
    assert_eq!(story.run.sync(), "Synced Healthy");
    assert_eq!(creations(&story.run, &job("migrate")), 1, "it ran once");
    assert_eq!(story.run.rig.cluster.objects[&deployment("web")]["spec"]["image"], "2");
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_rollback_to_a_row_of_the_history() {
    let mut story = by_hand();
    story.push("a second value, and no b", vec![config("a", 0, "2")]);
    story.pass(MINUTE);
    let sync = json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}});
    story.operate("Ada syncs", &sync);
    story.pass(MINUTE);
    assert_eq!((story.value("a"), story.has(&map("b"))), (&json!("2"), false));
    let application = Application::parse(&story.run.rig.resource).unwrap();
    let operation = rollback(&application, 0, "ada", true).unwrap();
    story.operate("Ada rolls back to row 0 of the history", &json!(operation));
    story.pass(MINUTE);
    assert_eq!((story.value("a"), story.value("b")), (&json!("1"), &json!("1")));
    assert_eq!(story.status("/operationState/phase"), "Succeeded");
    assert_eq!(story.run.sync(), "OutOfSync Healthy", "Git says something else");
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_sync_of_one_object() {
    let mut story = by_hand();
    story.push("second values of both", vec![config("a", 0, "2"), config("b", 0, "2")]);
    story.pass(MINUTE);
    let resources = json!([{"kind": "ConfigMap", "name": "a"}]);
    let sync = json!({"initiatedBy": {"username": "ada"}, "sync": {"resources": resources}});
    story.operate("Ada syncs a alone", &sync);
    story.pass(10 * MINUTE);
    assert_eq!((story.value("a"), story.value("b")), (&json!("2"), &json!("1")));
    assert_eq!(story.status("/operationState/phase"), "Succeeded");
    assert_eq!(story.run.sync(), "OutOfSync Healthy");
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_dry_run() {
    let mut story = by_hand();
    story.push("a second value, and no b", vec![config("a", 0, "2")]);
    story.pass(MINUTE);
    let before = story.run.rig.cluster.objects.clone();
    let sync = json!({"initiatedBy": {"username": "ada"}, "sync": {"dryRun": true, "prune": true}});
    story.operate("Ada tries what a sync would do", &sync);
    story.pass(10 * MINUTE);
    assert_eq!(story.run.rig.cluster.objects, before, "nothing is written");
    assert_eq!(story.status("/operationState/phase"), "Succeeded");
    assert_eq!(story.run.sync(), "OutOfSync Healthy");
    insta::assert_snapshot!(story.text());
}

#[test]
fn two_write_one_field_and_the_other_one_is_named() {
    let mut story = Story::after(vec![config("settings", 0, "ours")]);
    for n in 1..=4 {
        story.deed("the operator writes its own value");
        story.edit("settings", &format!("theirs {n}"));
        story.pass(Duration::from_secs(if n < 4 { 1 } else { 60 }));
    }
    story.deed("the operator writes its own value every five minutes");
    for n in 5..=12 {
        story.edit("settings", &format!("theirs {n}"));
        story.pass(5 * MINUTE);
    }
    assert_eq!(story.value("settings"), "theirs 12", "it is left to the operator");
    let repairs = story
        .run
        .journal()
        .matches("drift ConfigMap/prod/settings: OutOfSync → Applying")
        .count();
    assert_eq!(repairs, 10);
    let view = story.run.engine.view(&id()).unwrap();
    assert_eq!(
        view.resources[0].skipped.as_deref(),
        Some("data.v is left to operator, who keeps changing it back")
    );
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_sync_that_failed_is_begun_anew() {
    let mut rig = Rig::new(vec![config("settings", 0, "1")]);
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    let mut story = Story::after_of(rig);
    story.run.rig.cluster.refused.insert("settings".into());
    story.push(
        "other settings, which a webhook of the cluster refuses",
        vec![config("settings", 0, "2")],
    );
    story.pass(6 * MINUTE);
    story.deed("the webhook works again");
    story.run.rig.cluster.refused.clear();
    assert_eq!(story.value("settings"), "1");
    story.pass(11 * MINUTE);
    assert_eq!(story.run.sync(), "Synced Healthy");
    assert_eq!(story.value("settings"), "2");
    insta::assert_snapshot!(story.text());
}
