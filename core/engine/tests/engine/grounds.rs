//! Every delete says why: by which operation, which commits, of which objects, and which rules looked at it or by whose word it goes. That
//! no delete is without such an entry is held after every effect of every test (`rig::grounds_are_told`); here is what they say.

use std::time::Duration;

use capstan_engine::event::Keeping;
use capstan_engine::settings::Guards;
use capstan_engine::{Event, Settings};
use capstan_model::{ResourceKey, Timestamp};
use serde_json::{Value, json};

use crate::rig::{Rig, Run, config, hook, id};

const MINUTE: Duration = Duration::from_secs(60);

fn maps(names: std::ops::Range<usize>) -> Vec<Value> {
    names.map(|n| config(&format!("m{n}"), 0, "1")).collect()
}

fn settled(objects: Vec<Value>, settings: Settings) -> Run {
    let mut run = Rig::new(objects).start_with(settings, Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    run
}

/// What the journal says of deleting the object of this name: machine, and grounds without the digest and the operation's number.
fn said(run: &Run, name: &str) -> Vec<String> {
    let entries = run.engine.journal().after(0);
    let deletes = entries.filter(|entry| {
        let is_it = entry.object.as_ref().is_some_and(|key| key.name == name);
        is_it && matches!(entry.to.as_str(), "Deleting" | "DeletingPrevious" | "Recreating")
    });
    deletes
        .map(|entry| {
            let mut parts: Vec<String> = entry.message.split(" → ").map(str::to_owned).collect();
            if !parts[0].starts_with("deletion") {
                assert!(parts[0].contains(|c: char| c.is_ascii_digit()), "{}", parts[0]);
                parts[0] = parts[0].replace(|c: char| c.is_ascii_digit(), "#");
            }
            for part in &mut parts {
                if let Some(rest) = part.strip_prefix("objects ") {
                    let (digest, rest) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                    assert!(
                        digest.len() == 12 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
                        "{digest}"
                    );
                    *part = format!("objects{rest}");
                }
            }
            format!("{}: {}", entry.machine, parts.join(" → "))
        })
        .collect()
}

const RULES: &str = "DeletesPaused, DestinationReplaced, MassPrune (over 50 %, 10 or more), RewrittenHistory, \
                     NonDeterministicRender, ProtectedKind";

#[test]
pub(crate) fn a_prune_names_operation_commit_objects_and_rules() {
    let mut run = settled(maps(0..3), Settings::default());
    run.push(maps(0..2));
    run.settle(MINUTE);
    let expected = format!(
        "prune: automated sync # → 00002cc → objects, which do not declare it → no rule holds it (looked at by {RULES})"
    );
    assert_eq!(said(&run, "m2"), [expected]);
}

#[test]
fn a_prune_that_somebody_asked_for_says_who() {
    let mut run = settled(maps(0..3), Settings::default());
    run.rig.resource["spec"]["syncPolicy"] = json!({});
    run.observe_application();
    run.push(maps(0..2));
    run.settle(MINUTE);
    assert!(said(&run, "m2").is_empty());
    run.rig.resource["operation"] = json!({"sync": {"prune": true}, "initiatedBy": {"username": "ana"}});
    run.observe_application();
    run.settle(MINUTE);
    let said = said(&run, "m2");
    assert_eq!(
        said,
        [
            "prune: sync #, asked for by ana → 00002cc → objects, which do not declare it → asked for by a person (looked at by DestinationReplaced)"
        ]
    );
}

#[test]
fn an_approved_prune_names_the_approval_and_what_had_held_it() {
    let mut run = settled(maps(0..20), Settings::default());
    run.push(maps(0..2));
    run.settle(MINUTE);
    assert!(said(&run, "m7").is_empty(), "{}", run.journal());
    let at = (run.rig.now + MINUTE).to_string();
    run.rig.now = run.rig.now + 2 * MINUTE;
    run.rig.resource["metadata"]["annotations"]["argocd.argoproj.io/deletion-approved"] = json!(at);
    run.observe_application();
    run.settle(MINUTE);
    let said = said(&run, "m7");
    let [said] = said.as_slice() else {
        panic!("{}", run.journal())
    };
    let approved = format!("→ approved by argocd.argoproj.io/deletion-approved: {at}, of MassPrune (");
    assert!(said.contains(&approved) && said.contains("[plan "), "{said}");
}

#[test]
fn what_goes_with_its_application_names_what_was_synced_last() {
    let mut run = settled(maps(0..1), Settings::default());
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T10:00:00Z");
    run.observe_application();
    run.settle(MINUTE);
    let said = said(&run, "m0");
    assert_eq!(
        said,
        [
            "deletion: deletion of the Application, asked for at 2026-03-14T10:00:00Z → 00001cc → objects → \
          asked for by finalizer resources-finalizer.argocd.argoproj.io"
        ]
    );
}

#[test]
fn what_is_made_anew_and_what_is_in_the_way_of_a_hook_say_so() {
    let forced = |data: &str| {
        let mut object = config("a", 0, data);
        object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Force=true");
        object
    };
    let mut run = settled(vec![forced("1"), hook("job", "PreSync")], Settings::default());
    run.rig.cluster.immutable.insert("a".into());
    run.push(vec![forced("2"), hook("job", "PreSync")]);
    run.settle(MINUTE);
    assert_eq!(
        said(&run, "a"),
        [
            "task: automated sync # → 00002cc → objects, which declare it otherwise → it cannot be changed in place and is made anew \
          (Force=true): ConfigMap/prod/a is invalid: spec: field is immutable"
        ]
    );
    assert_eq!(
        said(&run, "job"),
        ["hook: automated sync # → 00002cc → objects → an earlier run of the hook is in its way"]
    );
}

#[test]
fn a_hook_that_has_done_its_work_names_its_policy() {
    let mut done = hook("job", "PostSync");
    done["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] = json!("HookSucceeded");
    let run = settled(vec![config("a", 0, "1"), done], Settings::default());
    let said = said(&run, "job");
    assert_eq!(
        said,
        ["hook: automated sync # → 00001cc → objects → hook-delete-policy HookSucceeded"]
    );
}

#[test]
fn deletes_as_argo_does_them_are_told_too() {
    let settings = Settings {
        guards: Guards::Argo,
        ..Settings::default()
    };
    let with_hook = |mut objects: Vec<Value>| {
        objects.push(hook("job", "PreSync"));
        objects
    };
    let mut run = settled(with_hook(maps(0..3)), settings);
    run.push(with_hook(maps(0..2)));
    run.settle(MINUTE);
    assert_eq!(
        said(&run, "job"),
        ["hook: automated sync # → 00002cc → objects → in the way of its next run, or by its hook-delete-policy"]
    );
    assert_eq!(
        said(&run, "m2"),
        [
            "prune: automated sync # → 00002cc → objects, which do not declare it → no rule holds it \
          (looked at by DeletesPaused, DestinationReplaced, NonDeterministicRender)"
        ]
    );
}

#[test]
fn what_was_kept_is_in_the_journal_and_of_an_application_that_is_gone_nothing_is() {
    let mut run = settled(maps(0..1), Settings::default());
    let key = ResourceKey::new("", "ConfigMap", "prod", "m0");
    let until = Timestamp::from_seconds(1_773_565_200);
    let kept = Keeping::Kept {
        secret: "argocd/undelete-1".into(),
        until,
    };
    let not_kept = Keeping::NotKept {
        why: "it is too large".into(),
    };
    for keeping in [kept, not_kept] {
        let key = key.clone();
        run.handle(Event::Kept { id: id(), key, keeping });
    }
    let journal = run.journal();
    let last: Vec<&str> = journal.lines().rev().take(2).collect();
    assert_eq!(
        last,
        [
            "undelete ConfigMap/prod/m0:  → NotKept — not kept for `capstan undelete`, and deleted all the same: it is too large",
            "undelete ConfigMap/prod/m0:  → Kept — kept as Secret argocd/undelete-1 until 2026-03-15T09:00:00Z: `capstan undelete` creates it again",
        ]
    );
    let stranger = capstan_model::ApplicationId::new("argocd", "stranger");
    let keeping = Keeping::NotKept { why: "x".into() };
    run.handle(Event::Kept {
        id: stranger,
        key,
        keeping,
    });
    assert_eq!(run.journal(), journal);
}
