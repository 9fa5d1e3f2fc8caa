//! Where we differ from Argo CD's sync engine on purpose: a name, when it may show, and why. `docs/argo-differences.md` tells the same to
//! users; a test holds the two together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sync_order::case::{Case, key_of};
use super::sync_order::end::{End, Way};

/// One difference.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// May it show in this case?
    pub(crate) holds: fn(&Case) -> bool,
    pub(crate) reason: &'static str,
}

/// Differences that remain with `guards: argo`.
pub(crate) const ARGO: &[Rule] = &[
    Rule {
        name: "untracked-is-out-of-sync",
        holds: |case| {
            has_option(case, "ApplyOutOfSyncOnly=true")
                && case.desired.iter().any(|object| is_untracked(case, &key_of(object)))
        },
        reason: "an object that equals its manifest but does not carry this application's tracking id differs by that, so that \
                 ApplyOutOfSyncOnly does not pass over it; the recordings were made without tracking ids",
    },
    Rule {
        name: "misspelt-prune-protects-nothing-away",
        holds: |case| {
            let of_app = case.op.sync_options.iter().any(|option| option.starts_with("Prune="));
            of_app
                && case
                    .live
                    .iter()
                    .any(|live| options(&live.obj).iter().any(|word| is_misspelt_prune(word)))
        },
        reason: "an object's `Prune=` with a value that nobody knows counts as not written; Argo CD lets it switch off the application's \
                 `Prune=false` and `Prune=confirm`",
    },
    Rule {
        name: "a-stopped-hook-of-two-phases",
        holds: |case| case.script.terminate_at.is_some() && case.desired.iter().any(|object| phases(object) > 1),
        reason: "one hook in two phases is one object with two tasks; after the first task deleted it the recording's cluster knows no \
                 health of it any more, ours still has what was last seen",
    },
    Rule {
        name: "the-project-is-asked-about-every-write",
        holds: |case| {
            let denied = case.script.fail.iter().filter(|fail| fail.op == "deny");
            denied.into_iter().any(|fail| is_brought(case, &fail.key))
        },
        reason: "an object whose kind this very sync brings is held against the project when it is written; Argo CD asks its project only about \
                 kinds that are served when a pass begins",
    },
];

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
    /// May it show in this case?
    pub(crate) holds: fn(&Case) -> bool,
    /// Is this how it shows: in this object, at these ends?
    pub(crate) shows: fn(&Case, &End, &str, Way) -> bool,
    pub(crate) reason: &'static str,
}

impl PartialEq for EndRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// For each object that ends otherwise the rule that explains it.
pub(crate) fn of_end(case: &Case, end: &End) -> Vec<Option<&'static EndRule>> {
    let mut rules: Vec<Option<&EndRule>> = Vec::new();
    for (key, way) in &end.ways {
        let rule = DEFAULT
            .iter()
            .find(|rule| (rule.holds)(case) && (rule.shows)(case, end, key, *way));
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// Ours is not at its end, and what it has not come to is as it was; or Argo CD is not, and what ours has come to is as it is declared. What
/// runs when a sync fails runs with the one that failed.
fn is_further(case: &Case, end: &End, key: &str, way: Way) -> bool {
    let of_failure = is_of_failure(case, key) && (end.is_short() || end.argo_is_short());
    way.is_held() && end.is_short() || way.is_done() && end.argo_is_short() || of_failure
}

/// Differences of the safe defaults, as they show in how a sync ends.
pub(crate) const DEFAULT: &[EndRule] = &[
    EndRule {
        name: "what-is-not-valid-is-not-begun",
        holds: |_| true,
        shows: |_, end, _, way| end.says("are not valid, and nothing was written") && way.is_held(),
        reason: "a sync of which an object is of no known kind is refused as a whole before anything is written; Argo CD makes the \
                 application's Namespace, and goes on where a dry run was skipped",
    },
    EndRule {
        name: "stopped-at-another-point",
        holds: |case| case.script.terminate_at.is_some(),
        shows: |case, end, key, way| {
            let is_stopped = end.says("terminat") || end.argo_says("terminat");
            is_stopped && (is_further(case, end, key, way) || way == Way::Deleted && end.argo_is_short())
        },
        reason: "what does not depend on each other runs at once and waves follow without a pause, so that a sync is further, or waits for \
                 something else, when somebody stops it",
    },
    EndRule {
        name: "no-wave-hook",
        holds: |case| case.script.wave_hook_fails.is_some(),
        shows: |case, end, key, way| {
            end.argo_is_short() && (way.is_done() || way == Way::Deleted) || is_further(case, end, key, way)
        },
        reason: "there is no pause between waves that could fail",
    },
    EndRule {
        name: "the-server-has-the-word",
        holds: |case| fails(case, "dry-run"),
        shows: |case, end, key, way| match way.is_done() {
            true => end.argo_says("failed to apply (dry run)") && is_further(case, end, key, way),
            false => says_why(case, end, key, &["fail"]) && is_further(case, end, key, way),
        },
        reason: "no client-side dry run of everything before everything: the server is asked before a sync that deletes, and otherwise \
                 its answer to the write itself counts",
    },
    EndRule {
        name: "a-failure-stops-what-has-not-begun",
        holds: |case| {
            ["apply", "delete", "finalizer", "deny"]
                .iter()
                .any(|op| fails(case, op))
        },
        shows: |case, end, key, way| match way.is_held() {
            true => says_why(case, end, key, &["fail"]) && is_further(case, end, key, way),
            false => is_further(case, end, key, way),
        },
        reason: "after a failure nothing new begins; Argo CD writes the rest of the wave, kind by kind, and prunes before it writes. Kinds \
                 that do not depend on each other are written at once, so that something may have been written that Argo CD had not reached",
    },
    EndRule {
        name: "only-a-known-outcome-counts",
        holds: |case| {
            let all = case
                .script
                .health
                .values()
                .flatten()
                .chain(case.script.live_health.values());
            all.into_iter().any(|status| status != "Healthy")
        },
        shows: |case, end, key, way| match way.is_done() {
            true => is_further(case, end, key, way),
            false => says_why(case, end, key, &["waiting for", "fail"]) && is_further(case, end, key, way),
        },
        reason: "Degraded may pass and is waited for until a deadline; a hook of unknown health, or whose check broke, neither succeeded nor \
                 failed; the last wave has to be healthy where there are several",
    },
    EndRule {
        name: "what-somebody-deletes-is-written-again",
        holds: |case| !case.script.vanish.is_empty() || case.live.iter().any(|live| live.deleting),
        shows: |case, end, key, way| is_taken(case, key) || is_further(case, end, key, way),
        reason: "an object that disappears during a sync is written again; Argo CD fails, or waits for it",
    },
    EndRule {
        name: "an-earlier-run-of-a-hook-goes-first",
        holds: |case| {
            case.desired
                .iter()
                .any(|object| phases(object) > 0 && case.live.iter().any(|live| key_of(&live.obj) == key_of(object)))
        },
        shows: |case, end, key, way| is_further(case, end, key, way),
        reason: "a hook is created, never applied over an earlier run, and only what this application tracks is deleted for it",
    },
    EndRule {
        name: "prunes-come-after-applies",
        holds: |case| case.op.prune && is_pruned(case),
        shows: |case, end, key, way| match way {
            Way::Deleted => end.argo_is_short(),
            way => is_further(case, end, key, way),
        },
        reason: "prunes come after every apply, in reverse waves, each wave once the one before is gone",
    },
    EndRule {
        name: "a-definition-may-come-from-elsewhere",
        holds: |case| mentions(case, "SkipDryRunOnMissingResource=true"),
        shows: |case, end, key, way| is_further(case, end, key, way),
        reason: "with SkipDryRunOnMissingResource an object waits until its kind is served; Argo CD tries to write it, and fails",
    },
    EndRule {
        name: "a-hook-is-declared",
        holds: |case| {
            let hooks = case.desired.iter().filter(|object| is_hook(object));
            hooks.into_iter().any(|object| {
                case.live
                    .iter()
                    .any(|live| key_of(&live.obj) == key_of(object) && !is_hook(&live.obj))
            })
        },
        shows: |case, _, key, way| {
            way == Way::Kept
                && case
                    .desired
                    .iter()
                    .any(|object| key_of(object) == key && is_hook(object))
        },
        reason: "an object that has become a hook, even one that never runs, is declared: it is not pruned",
    },
    EndRule {
        name: "untracked-is-out-of-sync",
        holds: |case| has_option(case, "ApplyOutOfSyncOnly=true"),
        shows: |_, _, _, way| way == Way::Changed,
        reason: "a person's sync writes everything; what is as desired costs a request and changes nothing",
    },
    EndRule {
        name: "confirmation-holds-back-its-own-prune",
        holds: |case| mentions(case, "Prune=confirm"),
        shows: |case, end, key, way| {
            way == Way::Kept && says(case, key, "Prune=confirm") || is_further(case, end, key, way)
        },
        reason: "a prune that waits for its confirmation keeps nothing else from being done; without `prune` nothing is confirmed",
    },
    EndRule {
        name: "misspelt-prune-protects-nothing-away",
        holds: |case| {
            case.live
                .iter()
                .any(|live| options(&live.obj).iter().any(|word| is_misspelt_prune(word)))
        },
        shows: |case, _, key, way| way == Way::Kept && case.live.iter().any(|live| key_of(&live.obj) == key),
        reason: "as with `guards: argo`",
    },
];

/// Names and reasons.
fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    let argo = ARGO.iter().map(|rule| (rule.name, rule.reason));
    argo.chain(DEFAULT.iter().map(|rule| (rule.name, rule.reason)))
}

/// Does ours say one of these words? What runs when a sync fails needs none: ours did not fail.
fn says_why(case: &Case, end: &End, key: &str, words: &[&str]) -> bool {
    words.iter().any(|words| end.says(words)) || is_of_failure(case, key)
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

/// Is it a hook that runs when a sync fails?
fn is_of_failure(case: &Case, key: &str) -> bool {
    let is_it = |object: &&Value| {
        let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default();
        format!("{}{prefix}", key_of(object)) == key
    };
    let mut declared = case.desired.iter().filter(is_it);
    declared.any(|object| {
        let words = annotation(object, "argocd.argoproj.io/hook").unwrap_or_default();
        words.split(',').any(|word| word.trim() == "SyncFail")
    })
}

/// Does somebody else delete it, or what it lives in, or what defines it?
fn is_taken(case: &Case, key: &str) -> bool {
    let going = case
        .live
        .iter()
        .filter(|live| live.deleting)
        .map(|live| key_of(&live.obj));
    let taken: Vec<String> = case
        .script
        .vanish
        .iter()
        .map(|vanish| vanish.key.clone())
        .chain(going)
        .collect();
    let mut parts = key.split('/');
    let (group, _, namespace) = (
        parts.next().unwrap_or_default(),
        parts.next(),
        parts.next().unwrap_or_default(),
    );
    let holds = |other: &String| {
        let is_definition = other.starts_with("apiextensions.k8s.io/CustomResourceDefinition//");
        let defines = is_definition && !group.is_empty() && other.ends_with(&format!(".{group}"));
        other == key || *other == format!("/Namespace//{namespace}") || defines
    };
    taken.iter().any(holds)
}

/// Does an object, as it is declared or live, or the application say this option?
fn says(case: &Case, key: &str, option: &str) -> bool {
    let objects = case.desired.iter().chain(case.live.iter().map(|live| &live.obj));
    let mut of_key = objects.filter(|object| key_of(object) == key);
    has_option(case, option) || of_key.any(|object| options(object).contains(&option))
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

fn options(object: &Value) -> Vec<&str> {
    let text = annotation(object, "argocd.argoproj.io/sync-options").unwrap_or_default();
    text.split(',').map(str::trim).collect()
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

fn fails(case: &Case, op: &str) -> bool {
    case.script.fail.iter().any(|fail| fail.op == op)
}

fn is_untracked(case: &Case, key: &str) -> bool {
    case.live.iter().any(|live| live.unmanaged && key_of(&live.obj) == key)
}

fn is_hook(object: &Value) -> bool {
    annotation(object, "argocd.argoproj.io/hook").is_some() || annotation(object, "helm.sh/hook").is_some()
}

/// Is something live that nothing declares?
fn is_pruned(case: &Case) -> bool {
    let declared = |key: &String| case.desired.iter().any(|object| key_of(object) == *key);
    let live = case
        .live
        .iter()
        .filter(|live| !live.unmanaged)
        .map(|live| key_of(&live.obj));
    live.into_iter().any(|key| !declared(&key))
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
