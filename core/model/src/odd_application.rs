//! What is odd about an Application: finalizers, annotations and fields that look as if they did something, and do not.
//!
//! Argo CD passes over them in silence. They are accepted here, too, and have no effect; but each of them is told, with what to write instead.
//! What makes a whole Application meaningless is refused where it is read, not here.

use crate::annotations::{SKIP_RECONCILE, SUPERSEDE, SYNC_TIMEOUT, WAVE_TIMEOUT};
use crate::{
    Application, RESOURCES_FINALIZER, ResourceIgnoreDifferences, RetryStrategy, is_resources_finalizer, parse_bool,
    parse_duration,
};

/// One sentence for each odd word of an Application, with the place where it stands.
pub fn odd_in_application(application: &Application) -> Vec<String> {
    let mut odd = odd_finalizers(application);
    odd.extend(odd_annotations(application));
    let rules = application.spec.ignore_differences.iter().enumerate();
    odd.extend(rules.flat_map(|(index, rule)| odd_ignored(index, rule)));
    odd
}

/// One sentence for each odd word of the retries that an operation asks for.
pub fn odd_retry(retry: &RetryStrategy) -> Vec<String> {
    let Some(backoff) = &retry.backoff else {
        return Vec::new();
    };
    let fields = [
        ("duration", &backoff.duration, "5s"),
        ("maxDuration", &backoff.max_duration, "3m"),
    ];
    let odd = fields
        .iter()
        .filter(|(_, text, _)| !text.is_empty() && parse_duration(text).is_none());
    odd.map(|(field, text, default)| {
        format!("backoff.{field}: {text:?} is not a duration such as 5s, 3m or 1h30m: it is {default}")
    })
    .collect()
}

fn odd_finalizers(application: &Application) -> Vec<String> {
    let finalizers = application.metadata.finalizers.iter();
    let odd = finalizers.filter(|name| name.starts_with(RESOURCES_FINALIZER) && !is_resources_finalizer(name));
    odd.map(|name| {
        format!(
            "metadata.finalizers: {name:?} is not known and deletes no objects: write {RESOURCES_FINALIZER}, or that with /foreground \
             or /background"
        )
    })
    .collect()
}

fn odd_annotations(application: &Application) -> Vec<String> {
    const NO_DURATION: &str = "not a duration such as 90s or 2h: the default counts";
    let annotations = application.metadata.annotations.iter();
    let odd = annotations.filter_map(|(name, text)| {
        let (is_known, why) = match name.as_str() {
            SKIP_RECONCILE => (parse_bool(text).is_some(), "neither true nor false: nothing is skipped"),
            SUPERSEDE => (
                matches!(text.as_str(), "true" | "false"),
                "neither true nor false: it counts as true",
            ),
            SYNC_TIMEOUT | WAVE_TIMEOUT => (parse_duration(text).is_some(), NO_DURATION),
            _ => return None,
        };
        (!is_known).then(|| format!("metadata.annotations: {name}: {text:?} is {why}"))
    });
    odd.collect()
}

/// Paths that take nothing out of the comparison.
fn odd_ignored(index: usize, rule: &ResourceIgnoreDifferences) -> Vec<String> {
    let place = format!("spec.ignoreDifferences[{index}]");
    let paths = rule.jq_path_expressions.iter().map(|path| {
        format!("{place}.jqPathExpressions: {path:?} is not ignored: jq paths are not understood, write the field to jsonPointers")
    });
    let pointers = rule.json_pointers.iter().filter(|pointer| !is_json_pointer(pointer));
    let pointers = pointers.map(|pointer| {
        format!("{place}.jsonPointers: {pointer:?} is not ignored: it is no JSON pointer such as /spec/replicas")
    });
    let patterns = [("group", &rule.group), ("kind", &rule.kind)].into_iter();
    let unreadable = patterns.filter_map(|(field, pattern)| {
        let why = crate::pattern::matches(pattern, "").err()?;
        Some(format!("{place}.{field}: {why}: nothing is ignored"))
    });
    paths.chain(pointers).chain(unreadable).collect()
}

/// Does it name a field as a JSON pointer does (RFC 6901)? The empty one, which names the whole object, does not.
pub fn is_json_pointer(text: &str) -> bool {
    let mut escapes = text.split('~').skip(1);
    text.starts_with('/') && escapes.all(|rest| rest.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_begin_with_a_slash_and_escape_two_characters() {
        for pointer in ["/", "/spec/replicas", "/metadata/annotations/a~1b", "/x~0~1", "/a b"] {
            assert!(is_json_pointer(pointer), "{pointer}");
        }
        for other in [
            "",
            "spec/replicas",
            ".spec.replicas",
            "spec.replicas",
            "/a~",
            "/a~2",
            "/a~~0",
        ] {
            assert!(!is_json_pointer(other), "{other}");
        }
    }
}
