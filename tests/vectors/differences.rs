//! Where we differ from Argo CD's sync engine on purpose: a name, when it may show, and why. `docs/argo-differences.md` tells the same to
//! users; a test holds the two together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sync_order::case::{Case, Round, Row, key_of};
use super::sync_order::course::{Difference, Step, phase_of};
use super::sync_order::end::Way;
use super::sync_order::trouble::{Trouble, has, homes};
use super::sync_order::undone::{Kept, is_kept};
use super::sync_order::{Played, is_as_recorded, is_as_recorded_but_for};

const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";

/// One difference with `guards: argo`.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// Is it the reason? It is, where the case goes as it was recorded once what the rule speaks of is taken out of it.
    pub(crate) explains: fn(&Case, &Played) -> bool,
    pub(crate) reason: &'static str,
}

/// Differences that remain with `guards: argo`.
pub(crate) const ARGO: &[Rule] = &[
    Rule {
        name: "untracked-is-out-of-sync",
        explains: |case, _| {
            let mut tracked = case.clone();
            let is_as_declared = |live: &Value| case.desired.iter().any(|object| is_alike(object, live));
            let alike = tracked
                .live
                .iter_mut()
                .filter(|live| live.unmanaged && is_as_declared(&live.obj));
            let count = alike.map(|live| live.unmanaged = false).count();
            has_option(case, "ApplyOutOfSyncOnly=true") && count > 0 && is_as_recorded(&tracked)
        },
        reason: "an object that equals its manifest but does not carry this application's tracking id differs by that, so that \
                 ApplyOutOfSyncOnly does not pass over it; the recordings were made without tracking ids",
    },
    Rule {
        name: "misspelt-prune-protects-nothing-away",
        explains: |case, _| {
            let mut unprotected = case.clone();
            let live = unprotected.live.iter_mut().filter(|live| is_misspelt(&live.obj));
            let count = live
                .map(|live| annotate(&mut live.obj, SYNC_OPTIONS, "Prune=true"))
                .count();
            is_protected_by_application(case) && count > 0 && is_as_recorded(&unprotected)
        },
        reason: "an object's `Prune=` with a value that nobody knows counts as not written; Argo CD lets it switch off the application's \
                 `Prune=false` and `Prune=confirm`",
    },
    Rule {
        name: "a-stopped-hook-of-two-phases",
        explains: |case, played| {
            let twice = |row: &Row| {
                let mut hooks = case.desired.iter().filter(|object| phases(object) > 1);
                hooks.any(|hook| key_of(hook) == row.key)
            };
            case.script.terminate_at.is_some() && is_as_recorded_but_for(case, played, &twice)
        },
        reason: "one hook in two phases is one object with two tasks; after the first task deleted it the recording's cluster knows no \
                 health of it any more, ours still has what was last seen",
    },
    Rule {
        name: "the-project-is-asked-about-every-write",
        // Not by taking it out: the recording asked its project, too, in its later passes.
        explains: |case, played| {
            let denied = case.script.fail.iter().filter(|fail| fail.op == "deny");
            let mut asked = denied.filter(|fail| is_brought(case, &fail.key));
            asked.any(|fail| names(played, &fail.key) || is_left_out(case, played, &fail.key))
        },
        reason: "an object whose kind this very sync brings is held against the project when it is written; Argo CD asks its project only about \
                 kinds that are served when a pass begins",
    },
    Rule {
        name: "what-is-not-tracked-is-left",
        explains: |case, played| {
            let mut tracked = case.clone();
            let is_of_hook = |key: &str| {
                case.desired
                    .iter()
                    .any(|object| key_of(object) == key && is_hook(object))
            };
            let theirs = tracked
                .live
                .iter_mut()
                .filter(|live| live.unmanaged && is_of_hook(&key_of(&live.obj)));
            let count = theirs.map(|live| live.unmanaged = false).count();
            count > 0 && (is_as_recorded(&tracked) || is_kept(case, played, Kept::NotTracked))
        },
        reason: "what the application does not track is never deleted: neither for a hook of its name, nor by a hook's delete policy, nor \
                 since it is declared as a hook",
    },
    Rule {
        name: "a-hook-replaces-its-own-runs",
        explains: |case, played| is_kept(case, played, Kept::Ordinary),
        reason: "an ordinary object is no earlier run of the hook that bears its name: a sync that may not prune it does not delete it for \
                 the hook",
    },
    Rule {
        name: "what-was-just-made-stays",
        explains: |case, played| is_kept(case, played, Kept::JustMade),
        reason: "a hook of two phases whose earlier run was on its way out is deleted for its second phase by the identity of that run, which \
                 is gone; Argo CD deletes by name what its first phase made in the same pass",
    },
    Rule {
        name: "what-is-needed-stays",
        explains: |case, played| is_kept(case, played, Kept::Needed),
        reason: "a Namespace or a definition stays while something that is declared, or that may not be pruned, lives in it or is of its kind",
    },
];

/// Does what ours says at its end name this object?
fn names(played: &Played, key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or_default();
    let said = played.rounds.iter().map(|round| round.message.as_str());
    said.into_iter().any(|message| message.contains(name))
}

/// Was it written in the recording, and not by ours?
fn is_left_out(case: &Case, played: &Played, key: &str) -> bool {
    let is_written = |rounds: &[Round]| {
        let mut rows = rounds.iter().flat_map(|round| round.ops.iter().flatten());
        rows.any(|row| row.is_real() && row.op != "delete" && row.key == key)
    };
    is_written(&case.expect.all_rounds()) && !is_written(&played.rounds)
}

/// Does the sync itself bring the kind of this key?
fn is_brought(case: &Case, key: &str) -> bool {
    let mut parts = key.split('/');
    let (group, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let definitions = case.desired.iter();
    let mut definitions = definitions.filter(|object| object["kind"] == "CustomResourceDefinition");
    definitions.any(|object| object["spec"]["group"] == group && object["spec"]["names"]["kind"] == kind)
}

/// One difference of the safe defaults, as it shows in one object.
pub(crate) struct EndRule {
    pub(crate) name: &'static str,
    /// Is this how it shows? It is, where an object that the case gives this trouble stands before what differs, or is it.
    pub(crate) explains: fn(&Difference<'_>) -> bool,
    pub(crate) reason: &'static str,
}

impl PartialEq for EndRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The rule that explains why an object ends otherwise.
pub(crate) fn of_end(difference: &Difference<'_>) -> Option<&'static EndRule> {
    DEFAULT.iter().find(|rule| (rule.explains)(difference))
}

/// What stands before it has one of these troubles: in ours where it is held, in Argo CD's way where ours is further.
fn follows(it: &Difference<'_>, troubles: &[Trouble]) -> bool {
    it.is_held_by(troubles) || it.is_beyond_argo(troubles) || it.is_of_a_failure(troubles)
}

/// Differences of the safe defaults, as they show in how a sync ends.
pub(crate) const DEFAULT: &[EndRule] = &[
    EndRule {
        name: "what-is-not-valid-is-not-begun",
        explains: |it| {
            let is_invalid = |object: &Value| has(it.case, &key_of(object), &[Trouble::Denied, Trouble::Homeless]);
            let namespace = format!("/Namespace//{}", it.case.app.namespace);
            let is_asked = has_option(it.case, "CreateNamespace=true") && has(it.case, &namespace, &[Trouble::Denied]);
            it.is_of_a_sync_not_begun() && (is_asked || it.case.desired.iter().any(is_invalid))
        },
        reason: "a sync of which an object is of no known kind, or not permitted, is refused as a whole before anything is written, and the \
                 namespace of CreateNamespace is asked about although it is there; Argo CD makes the application's Namespace, and goes on \
                 where a dry run was skipped",
    },
    EndRule {
        name: "what-waits-for-each-other-is-not-begun",
        explains: |it| {
            let is_definition = |object: &&Value| is_hook(object) && object["kind"] == "CustomResourceDefinition";
            let is_needed = |object: &Value| {
                let mut declared = it.case.desired.iter().map(key_of);
                declared.any(|key| homes(&key).contains(&key_of(object)))
            };
            it.is_of_a_sync_not_begun() && it.case.desired.iter().filter(is_definition).any(is_needed)
        },
        reason: "a definition that is a hook of a later phase than the first object of its kind is refused as a circle; Argo CD goes by \
                 whether the kind is served before the sync",
    },
    EndRule {
        name: "the-namespace-that-is-made-is-kept",
        explains: |it| {
            let namespace = format!("/Namespace//{}", it.case.app.namespace);
            let is_declared = it.case.desired.iter().any(|object| key_of(object) == namespace);
            let mut deleted = it
                .argo
                .real()
                .filter(|(_, row)| row.op == "delete" && row.key == namespace);
            let is_deleted = deleted.next().is_some();
            let is_lost = homes(it.key).contains(&namespace) && is_deleted && it.way != Way::Deleted;
            let is_there = matches!(it.way, Way::Kept | Way::Changed | Way::Made);
            let mut tracked = it.case.live.iter().filter(|live| !live.unmanaged);
            // Nothing but a prune of it is planned there, which may well be left undone.
            let is_left = it.way == Way::Changed && tracked.any(|live| key_of(&live.obj) == namespace);
            let is_itself = it.key == namespace && is_there && (is_deleted || it.argo.is_short() || is_left);
            has_option(it.case, "CreateNamespace=true") && !is_declared && (is_itself || is_lost)
        },
        reason: "the namespace that CreateNamespace makes is made again or kept, with what is in it; Argo CD prunes it when its manifest \
                 leaves Git, and leaves its labels",
    },
    EndRule {
        name: "what-is-needed-stays",
        explains: |it| {
            let mut needed = it.case.desired.iter().flat_map(|object| homes(&key_of(object)));
            let is_deleted = |home: &str| {
                let mut deleted = it.argo.real().filter(|(_, row)| row.op == "delete");
                deleted.any(|(_, row)| row.key == home)
            };
            let is_in = |home: &str| homes(it.key).iter().any(|own| own == home) && is_deleted(home);
            it.way == Way::Kept && needed.any(|home| home == it.key || is_in(&home))
        },
        reason: "a Namespace or a definition stays, with what is in it, as long as something declared needs it: whether no manifest declares \
                 it any more, or it is an earlier run of a hook",
    },
    EndRule {
        name: "what-is-not-pruned-needs-no-permission",
        explains: |it| {
            let declares = |key: &str, is: fn(&Value) -> bool| {
                let mut of_key = it.case.desired.iter().filter(|object| key_of(object) == key);
                of_key.any(is)
            };
            let is_written = |key: &str| declares(key, |object| !is_hook(object) || phases(object) > 0);
            let is_pruned = |key: &str| it.case.op.prune && !declares(key, |_| true);
            let is_left = |key: &str| has(it.case, key, &[Trouble::Denied]) && !is_written(key) && !is_pruned(key);
            let mut live = it.case.live.iter().map(|live| key_of(&live.obj));
            it.is_unreached_by_argo() && it.argo.real().next().is_none() && live.any(|key| is_left(&key))
        },
        reason: "an object that the project does not permit and that a sync leaves alone does not keep the others from being synced; Argo CD \
                 refuses a sync without `prune` for what it would not delete",
    },
    EndRule {
        name: "no-wave-hook",
        explains: |it| it.is_unreached_by_argo() && is_after_the_wave_hook(it),
        reason: "there is no pause between waves that could fail",
    },
    EndRule {
        name: "the-server-has-the-word",
        explains: |it| {
            let is_refused = |(_, row): &(usize, Row)| row.op.starts_with("dry-run-") && row.has("fail");
            let is_tried = |step: &Step| step.is_failed() && has(it.case, &step.key, &[Trouble::DryRunFails]);
            it.is_unreached_by_argo() && it.argo.requests.iter().any(is_refused)
                || it.is_of_a_sync_not_begun() && it.ours.steps.iter().any(is_tried)
                || follows(it, &[Trouble::DryRunFails])
        },
        reason: "no client-side dry run of everything before everything: the server is asked before a sync that deletes, and otherwise \
                 its answer to the write itself counts",
    },
    EndRule {
        name: "a-failure-stops-what-has-not-begun",
        explains: |it| {
            follows(
                it,
                &[
                    Trouble::WriteFails,
                    Trouble::DeleteFails,
                    Trouble::ReleaseFails,
                    Trouble::Denied,
                    Trouble::Homeless,
                ],
            )
        },
        reason: "after a failure nothing new begins; Argo CD writes the rest of the wave, kind by kind, and prunes before it writes. Kinds \
                 that do not depend on each other are written at once, so that something may have been written that Argo CD had not reached",
    },
    EndRule {
        name: "only-a-known-outcome-counts",
        explains: |it| follows(it, &[Trouble::Unhealthy]),
        reason: "Degraded may pass and is waited for until a deadline; a hook of unknown health, or whose check broke, neither succeeded nor \
                 failed; the last wave has to be healthy where there are several",
    },
    EndRule {
        name: "what-somebody-deletes-is-written-again",
        explains: |it| {
            let namespace = format!("/Namespace//{}", it.case.app.namespace);
            let is_made_again =
                it.key == namespace && it.way == Way::Changed && has(it.case, it.key, &[Trouble::Taken]);
            let is_taken = |object: &Value| has(it.case, &key_of(object), &[Trouble::Taken]);
            let is_awaited =
                it.is_unreached_by_argo() && it.argo.is_not_valid() && it.case.desired.iter().any(is_taken);
            it.is_lost_by_one() || is_made_again || is_awaited || follows(it, &[Trouble::Taken])
        },
        reason: "an object that disappears during a sync before it is settled is written again; Argo CD fails, or waits for it. Neither \
                 brings back what disappears later, and the two do not end in the same round",
    },
    EndRule {
        name: "an-earlier-run-of-a-hook-goes-first",
        explains: |it| follows(it, &[Trouble::Earlier]),
        reason: "a hook is created, never applied over an earlier run, and only what this application tracks is deleted for it",
    },
    EndRule {
        name: "prunes-come-after-applies",
        explains: |it| it.case.op.prune && follows(it, &[Trouble::Lingers]),
        reason: "prunes come after every apply, in reverse waves, each wave once the one before is gone",
    },
    EndRule {
        name: "a-definition-may-come-from-elsewhere",
        explains: |it| mentions(it.case, "SkipDryRunOnMissingResource=true") && follows(it, &[Trouble::Homeless]),
        reason: "with SkipDryRunOnMissingResource an object waits until its kind is served; Argo CD tries to write it, and fails",
    },
    EndRule {
        name: "a-hook-is-declared",
        explains: |it| {
            let mut declared = it.case.desired.iter();
            let mut live = it.case.live.iter().filter(|live| !is_hook(&live.obj));
            let is_pruned = |(_, row): &(usize, Row)| row.key == it.key && row.has("prune");
            // To Argo CD a hook whose object was pruned in the hook's own phase has been done.
            let is_done = it.way == Way::Made && it.argo.real().any(is_pruned);
            (it.way == Way::Kept || is_done)
                && declared.any(|object| key_of(object) == it.key && is_hook(object))
                && live.any(|live| key_of(&live.obj) == it.key)
        },
        reason: "an object that has become a hook, even one that never runs, is declared: it is not pruned, and the hook runs in its place; \
                 Argo CD prunes it, and counts the hook as done",
    },
    EndRule {
        name: "confirmation-holds-back-its-own-prune",
        explains: |it| {
            let is_own = it.way == Way::Kept && has(it.case, it.key, &[Trouble::Confirmed]);
            is_own || follows(it, &[Trouble::Confirmed])
        },
        reason: "a prune that waits for its confirmation keeps nothing else from being done; without `prune` nothing is confirmed",
    },
    EndRule {
        name: "misspelt-prune-protects-nothing-away",
        explains: |it| {
            let mut live = it.case.live.iter().filter(|live| key_of(&live.obj) == it.key);
            it.way == Way::Kept && is_protected_by_application(it.case) && live.any(|live| is_misspelt(&live.obj))
        },
        reason: "as with `guards: argo`",
    },
    EndRule {
        name: "a-wave-follows-at-once",
        explains: |it| {
            let mut last = it.argo.real().filter(|(round, _)| *round == it.argo.rounds);
            it.argo.is_running()
                && last.next().is_some()
                && it.is_unreached_by_argo()
                && it.argo.at < Some(it.argo_place())
        },
        reason: "a wave follows as soon as the one before is settled; Argo CD does one in each of its rounds, and the recordings end after \
                 twelve, in which it was still writing",
    },
    EndRule {
        name: "stopped-at-another-point",
        explains: |it| match it.case.script.terminate_at {
            Some(round) => is_stopped_before(it, round as usize),
            None => false,
        },
        reason: "what does not depend on each other runs at once and waves follow without a pause, so that a sync is further, or waits for \
                 something else, when somebody stops it",
    },
];

/// It comes after the wave whose end Argo CD does not outlive.
fn is_after_the_wave_hook(it: &Difference<'_>) -> bool {
    let Some(script) = &it.case.script.wave_hook_fails else {
        return false;
    };
    let phase = phase_of(script["phase"].as_str().unwrap_or_default());
    let wave = (phase, script["wave"].as_i64().unwrap_or_default());
    it.argo.at == Some(wave) && it.argo_place() > wave
}

/// Somebody stopped a sync before it came to this: ours, which still had something to wait for; or Argo CD's, which does a wave a round, and
/// which ours was ahead of.
fn is_stopped_before(it: &Difference<'_>, round: usize) -> bool {
    let before = |(at, _): &&(usize, Row)| *at < round;
    if it.way.is_held() {
        return it.ours.is_short() && it.ours.rounds == round && (round == 1 || it.is_behind(Step::is_obstacle));
    }
    let mut done = it.argo.real().filter(before);
    it.argo.rounds >= round
        && it.is_unreached_by_argo()
        && done.all(|(_, row)| (phase_of(&row.phase), row.wave) <= it.argo_place())
}

/// The application's own options keep everything from being pruned, now or unconfirmed.
fn is_protected_by_application(case: &Case) -> bool {
    ["Prune=false", "Prune=confirm"]
        .iter()
        .any(|option| has_option(case, option))
}

/// Names and reasons.
fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    let argo = ARGO.iter().map(|rule| (rule.name, rule.reason));
    argo.chain(DEFAULT.iter().map(|rule| (rule.name, rule.reason)))
}

/// Prints how often which rule was needed.
pub(crate) fn tell(test: &str, by_rule: &BTreeMap<&str, usize>, total: usize) {
    for (rule, count) in by_rule {
        let known = rules().find(|(name, _)| name == rule);
        let reason = known.map_or("nobody knows why", |(_, reason)| reason);
        println!("{test}: {count} of {total} differ by {rule}: {reason}");
    }
}

/// What is a rule here is told to users, too, under its name.
#[test]
fn users_are_told_every_difference() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/argo-differences.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (name, _) in rules() {
        assert!(text.contains(&format!("| `{name}` |")), "{name} is not told");
    }
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

pub(crate) fn options(object: &Value) -> Vec<&str> {
    let text = annotation(object, SYNC_OPTIONS).unwrap_or_default();
    text.split(',').map(str::trim).collect()
}

/// Does an object say `Prune=` with a value that nobody knows?
fn is_misspelt(object: &Value) -> bool {
    options(object).into_iter().any(is_misspelt_prune)
}

fn annotate(object: &mut Value, name: &str, text: &str) {
    object["metadata"]["annotations"][name] = Value::String(text.to_owned());
}

/// Is what is live as it is declared, in everything that the recordings compare?
fn is_alike(declared: &Value, live: &Value) -> bool {
    let compared = ["/metadata/labels", "/metadata/annotations", "/data", "/spec"];
    // Empty says nothing.
    let is_empty = |part: &&Value| part.as_object().is_some_and(serde_json::Map::is_empty);
    let at = |object: &Value, at: &str| object.pointer(at).filter(|part| !is_empty(part)).cloned();
    key_of(declared) == key_of(live) && compared.iter().all(|place| at(declared, place) == at(live, place))
}

fn is_misspelt_prune(word: &str) -> bool {
    word.starts_with("Prune=") && !matches!(word, "Prune=true" | "Prune=false" | "Prune=confirm")
}

fn has_option(case: &Case, option: &str) -> bool {
    case.op.sync_options.iter().any(|other| other == option)
}

fn mentions(case: &Case, option: &str) -> bool {
    let objects = case.desired.iter().chain(case.live.iter().map(|live| &live.obj));
    has_option(case, option) || objects.into_iter().any(|object| options(object).contains(&option))
}

fn is_hook(object: &Value) -> bool {
    annotation(object, "argocd.argoproj.io/hook").is_some() || annotation(object, "helm.sh/hook").is_some()
}

/// In how many phases of a sync a hook runs.
pub(crate) fn phases(object: &Value) -> usize {
    let known = [
        "PreSync",
        "Sync",
        "PostSync",
        "SyncFail",
        "pre-install",
        "pre-upgrade",
        "post-install",
        "post-upgrade",
    ];
    let words = |name| {
        annotation(object, name)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let all = words("argocd.argoproj.io/hook")
        .into_iter()
        .chain(words("helm.sh/hook"));
    all.filter(|word| known.contains(word)).count()
}
