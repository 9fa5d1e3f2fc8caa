//! Where we differ from Argo CD's sync engine on purpose: a name, when it may show, and why. `docs/argo-differences.md` tells the same to
//! users; a test holds the two together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sync_order::case::{Case, key_of};

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
];

/// Differences of the safe defaults, as they show in how a sync ends.
pub(crate) const DEFAULT: &[Rule] = &[
    Rule {
        name: "stopped-at-another-point",
        holds: |case| case.script.terminate_at.is_some(),
        reason: "what does not depend on each other runs at once and waves follow without a pause, so that a sync is further, or waits for \
                 something else, when somebody stops it",
    },
    Rule {
        name: "no-wave-hook",
        holds: |case| case.script.wave_hook_fails.is_some(),
        reason: "there is no pause between waves that could fail",
    },
    Rule {
        name: "the-server-has-the-word",
        holds: |case| fails(case, "dry-run"),
        reason: "no client-side dry run of everything before everything: the server is asked before a sync that deletes, and otherwise \
                 its answer to the write itself counts",
    },
    Rule {
        name: "a-failure-stops-what-has-not-begun",
        holds: |case| fails(case, "apply") || fails(case, "delete") || fails(case, "finalizer"),
        reason: "after a failure nothing new begins; Argo CD writes the rest of the wave, kind by kind, and prunes before it writes. Kinds \
                 that do not depend on each other are written at once, so that something may have been written that Argo CD had not reached",
    },
    Rule {
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
        reason: "Degraded may pass and is waited for until a deadline; a hook of unknown health, or whose check broke, neither succeeded nor \
                 failed; the last wave has to be healthy where there are several",
    },
    Rule {
        name: "what-somebody-deletes-is-written-again",
        holds: |case| !case.script.vanish.is_empty() || case.live.iter().any(|live| live.deleting),
        reason: "an object that disappears during a sync is written again; Argo CD fails, or waits for it",
    },
    Rule {
        name: "an-earlier-run-of-a-hook-goes-first",
        holds: |case| {
            case.desired
                .iter()
                .any(|object| phases(object) > 0 && case.live.iter().any(|live| key_of(&live.obj) == key_of(object)))
        },
        reason: "a hook is created, never applied over an earlier run, and only what this application tracks is deleted for it",
    },
    Rule {
        name: "prunes-come-after-applies",
        holds: |case| case.op.prune && is_pruned(case),
        reason: "prunes come after every apply, in reverse waves, each wave once the one before is gone",
    },
    Rule {
        name: "a-definition-may-come-from-elsewhere",
        holds: |case| mentions(case, "SkipDryRunOnMissingResource=true"),
        reason: "with SkipDryRunOnMissingResource an object waits until its kind is served; Argo CD tries to write it, and fails",
    },
    Rule {
        name: "a-hook-is-declared",
        holds: |case| {
            let hooks = case.desired.iter().filter(|object| is_hook(object));
            hooks.into_iter().any(|object| {
                case.live
                    .iter()
                    .any(|live| key_of(&live.obj) == key_of(object) && !is_hook(&live.obj))
            })
        },
        reason: "an object that has become a hook, even one that never runs, is declared: it is not pruned",
    },
    Rule {
        name: "untracked-is-out-of-sync",
        holds: |case| has_option(case, "ApplyOutOfSyncOnly=true"),
        reason: "a person's sync writes everything; what is as desired costs a request and changes nothing",
    },
    Rule {
        name: "confirmation-holds-back-its-own-prune",
        holds: |case| mentions(case, "Prune=confirm"),
        reason: "a prune that waits for its confirmation keeps nothing else from being done; without `prune` nothing is confirmed",
    },
    Rule {
        name: "misspelt-prune-protects-nothing-away",
        holds: |case| {
            case.live
                .iter()
                .any(|live| options(&live.obj).iter().any(|word| is_misspelt_prune(word)))
        },
        reason: "as with `guards: argo`",
    },
];

/// Prints how often which rule was needed.
pub(crate) fn tell(test: &str, by_rule: &BTreeMap<&str, usize>, total: usize) {
    for (rule, count) in by_rule {
        let known = ARGO.iter().chain(DEFAULT).find(|other| other.name == *rule);
        let reason = known.map_or("nobody knows why", |known| known.reason);
        println!("{test}: {count} of {total} differ by {rule}: {reason}");
    }
}

/// What is a rule here is told to users, too, under its name.
#[test]
fn users_are_told_every_difference() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/argo-differences.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for rule in ARGO.iter().chain(DEFAULT) {
        assert!(
            text.contains(&format!("| `{}` |", rule.name)),
            "{} is not told",
            rule.name
        );
    }
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
fn phases(object: &Value) -> usize {
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
