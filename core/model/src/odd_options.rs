//! What is odd about options that somebody wrote: words that nobody knows, and words that have no effect where they stand.
//!
//! Argo CD passes over them in silence, so that a misspelt `Prune=false` protects nothing. They are accepted here, too, since manifests must be
//! accepted unchanged; but each of them is told.

use crate::SyncOptions;

/// Where options stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionPlace {
    /// `spec.syncPolicy.syncOptions`, or those of an operation.
    Application,
    /// The annotation of an object.
    Object,
}

/// Options that only an Application has.
const OF_APPLICATIONS: [&str; 8] = [
    "ApplyOutOfSyncOnly",
    "ClientSideApplyMigration",
    "CreateNamespace",
    "FailOnSharedResource",
    "MaxPruneCount",
    "MaxPrunePercentage",
    "PrunePropagationPolicy",
    "RespectIgnoreDifferences",
];

/// Options of both, and of objects only.
const OTHERS: [&str; 8] = [
    "Delete",
    "Force",
    "Prune",
    "PruneLast",
    "Replace",
    "ServerSideApply",
    "SkipDryRunOnMissingResource",
    "Validate",
];

/// Hooks of Helm's that are known and not run: as Argo CD has it there are no rollbacks and no tests, and `crd-install` is of Helm 2.
pub(crate) const IDLE_HELM_HOOKS: [&str; 6] = [
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
    "test-failure",
    "crd-install",
];

/// One sentence for each odd word of sync options.
pub fn odd_sync_options<'a>(words: impl IntoIterator<Item = &'a str>, place: OptionPlace) -> Vec<String> {
    let words = words.into_iter().map(str::trim).filter(|word| !word.is_empty());
    words.filter_map(|word| oddity(word, place)).collect()
}

fn oddity(word: &str, place: OptionPlace) -> Option<String> {
    if !is_known(word) {
        let meant = meant(word).map(|meant| format!(": write {meant}")).unwrap_or_default();
        return Some(format!("unknown option {word:?}{meant}"));
    }
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    let instead = match place {
        OptionPlace::Application if name == "Force" => "write it on the object, or force a sync by its strategy",
        OptionPlace::Object if OF_APPLICATIONS.contains(&name) => "it is an option of the Application",
        _ => return None,
    };
    Some(format!("{word} has no effect here: {instead}"))
}

fn is_known(word: &str) -> bool {
    SyncOptions::parse([word]).unknown.is_empty()
}

/// The option that a word would be without spaces and in the right case.
fn meant(word: &str) -> Option<String> {
    let (name, value) = word.split_once('=')?;
    let mut names = OF_APPLICATIONS.into_iter().chain(OTHERS);
    let name = names.find(|known| known.eq_ignore_ascii_case(name.trim()))?;
    let meant = format!("{name}={}", value.trim().to_ascii_lowercase());
    is_known(&meant).then_some(meant)
}

/// One sentence for each odd word of compare options. That of Argo CD's server-side comparison has no effect, and is known.
pub fn odd_compare_options<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let is_known = |word: &str| {
        let switches = ["ServerSideDiff", "IncludeMutationWebhook"];
        let is_switch = |(name, value): (&str, &str)| switches.contains(&name) && matches!(value, "true" | "false");
        word == "IgnoreExtraneous" || word.split_once('=').is_some_and(is_switch)
    };
    let words = words.into_iter().map(str::trim).filter(|word| !word.is_empty());
    let unknown = words.filter(|word| !is_known(word));
    unknown.map(|word| format!("unknown option {word:?}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_known_by_its_name() {
        for name in OF_APPLICATIONS.into_iter().chain(OTHERS) {
            let value = match name {
                "MaxPruneCount" | "MaxPrunePercentage" => "7",
                "PrunePropagationPolicy" => "orphan",
                _ => "true",
            };
            let word = format!("{name}={value}");
            assert!(is_known(&word), "{word}");
            assert_eq!(meant(&format!(" {} = {value} ", name.to_uppercase())), Some(word));
        }
    }

    #[test]
    fn what_nothing_is_meant_by_is_only_unknown() {
        let odd = odd_sync_options(["Prune=flase", "Purne=false", "=", "Prune", ""], OptionPlace::Object);
        let expected = ["Prune=flase", "Purne=false", "=", "Prune"].map(|word| format!("unknown option {word:?}"));
        assert_eq!(odd, expected);
    }
}
