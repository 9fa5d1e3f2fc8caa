//! What names, labels and keys may look like.

use serde_json::{Value, json};

use super::report::{Report, items, word};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

fn edges(text: &str, inside: impl Fn(u8) -> bool, edge: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => edge(*first) && edge(*last) && bytes.iter().all(|b| inside(*b)),
        _ => false,
    }
}

fn lower(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    edges(text, |b| lower(b) || b == b'-', lower)
}

fn is_word(text: &str) -> bool {
    edges(
        text,
        |b| b.is_ascii_alphanumeric() || b"-_.".contains(&b),
        |b| b.is_ascii_alphanumeric(),
    )
}

/// What is wrong with a DNS subdomain.
pub(super) fn subdomain(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > 253 {
        out.push("must be no more than 253 characters".into());
    }
    if !text.split('.').all(is_label) {
        out.push(SUBDOMAIN.into());
    }
    out
}

/// What is wrong with a DNS label.
pub(super) fn label(text: &str) -> Vec<String> {
    of_63(text, is_label(text), LABEL)
}

fn of_63(text: &str, fits: bool, why: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > 63 {
        out.push("must be no more than 63 characters".into());
    }
    if !fits {
        out.push(why.to_owned());
    }
    out
}

fn path_segment(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text == "." || text == ".." {
        out.push(format!("may not be '{text}'"));
    }
    for c in ['/', '%'] {
        if text.contains(c) {
            out.push(format!("may not contain '{c}'"));
        }
    }
    out
}

/// What is wrong with the key of a label or annotation.
pub(super) fn qualified(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((prefix, name)) => {
            if prefix.is_empty() {
                out.push("prefix part must be non-empty".into());
            } else {
                out.extend(subdomain(prefix).into_iter().map(|why| format!("prefix part {why}")));
            }
            name
        }
    };
    if name.is_empty() {
        out.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        out.push("name part must be no more than 63 characters".into());
    }
    if !is_word(name) {
        out.push(format!("name part {QUALIFIED}"));
    }
    out
}

/// What is wrong with the key of a ConfigMap or Secret.
pub(super) fn config_key(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > 253 {
        out.push("must be no more than 253 characters".into());
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        out.push(CONFIG_KEY.into());
    }
    out
}

/// Checks an object's metadata.
pub(super) fn metadata(report: &mut Report, kind: &str, object: &Value) {
    let metadata = &object["metadata"];
    let name = word(metadata, "name");
    let problems = match kind {
        "Service" | "Namespace" => label,
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => path_segment,
        _ => subdomain,
    };
    if name.is_empty() {
        report.required("metadata.name", "name or generateName is required");
    } else {
        for why in problems(name) {
            report.invalid("metadata.name", &json!(name), &why);
        }
    }
    labels(report, "metadata.labels", &metadata["labels"]);
    annotations(report, "metadata.annotations", &metadata["annotations"]);
    owners(report, metadata);
}

/// Checks labels.
pub(super) fn labels(report: &mut Report, path: &str, labels: &Value) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        for why in qualified(key) {
            report.invalid(path, &json!(key), &why);
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            report.invalid(path, value, "must be no more than 63 characters");
        }
        if !text.is_empty() && !is_word(text) {
            report.invalid(path, value, LABEL_VALUE);
        }
    }
}

/// Checks annotations.
pub(super) fn annotations(report: &mut Report, path: &str, annotations: &Value) {
    for key in annotations.as_object().into_iter().flat_map(serde_json::Map::keys) {
        for why in qualified(&key.to_lowercase()) {
            report.invalid(path, &json!(key), &why);
        }
    }
}

fn owners(report: &mut Report, metadata: &Value) {
    let mut controllers = Vec::new();
    for (_, owner) in items(metadata, "ownerReferences") {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if word(owner, field).is_empty() {
                report.invalid(
                    &format!("metadata.ownerReferences.{field}"),
                    &json!(""),
                    "must not be empty",
                );
            }
        }
        if owner["controller"] == true {
            controllers.push(format!("{}/{}", word(owner, "kind"), word(owner, "name")));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        report.invalid("metadata.ownerReferences", &metadata["ownerReferences"], &why);
        if let Some(cause) = report.causes.last_mut() {
            cause.message = format!("Invalid value: {}: {why}", in_order(&metadata["ownerReferences"]));
        }
    }
}

/// Owner references with their fields in the order of the type.
fn in_order(list: &Value) -> String {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let entries = list.as_array().into_iter().flatten().map(|owner| {
        let parts = fields
            .iter()
            .filter_map(|f| owner.get(*f).map(|v| format!("{f:?}:{v}")));
        format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
    });
    format!("[{}]", entries.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_dns() {
        assert!(subdomain("a.b-c.d").is_empty() && !subdomain("A").is_empty() && !subdomain("a..b").is_empty());
        assert!(label("a-1").is_empty() && !label("-a").is_empty() && !label("").is_empty());
        assert!(qualified("example.org/a_b").is_empty() && !qualified("a b").is_empty() && !qualified("/a").is_empty());
        assert!(config_key("a.B_c").is_empty() && !config_key("a b").is_empty());
    }
}
