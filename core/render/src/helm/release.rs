//! From rendered files to the documents of a release: what `helm template` prints, in its order.
//!
//! Helm splits text, not YAML: a line that begins with `---` ends a document whatever follows on it, and each piece is read only as far
//! as its head goes. What fails here fails in Helm; what comes out is read as objects elsewhere.

use capstan_model::annotations::HELM_HOOK;
use capstan_yaml::{Document, Mode, YamlError, YamlErrorKind, parse_documents, parse_one};
use serde_json::{Map, Value};

use super::HelmDocument;

/// Kinds in the order in which Helm installs them; others follow by name.
const INSTALL_ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Events that Helm 4 knows. An object with a hook of another event is dropped by it.
const EVENTS: &[&str] = &[
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
];

/// Why a piece of a rendered file is no document.
#[derive(Debug)]
pub(super) enum HeadError {
    /// Neither UTF-8 nor UTF-16, or of characters that are not allowed.
    NotText(YamlError),
    Yaml(YamlError),
    /// A field, and what it is instead of what it has to be.
    Field(String),
}

impl HeadError {
    fn of(error: YamlError) -> Self {
        match error.kind {
            YamlErrorKind::Encoding { .. } => Self::NotText(error),
            _ => Self::Yaml(error),
        }
    }
}

/// What Helm reads of a document.
#[derive(Debug, Default)]
struct Head {
    kind: String,
    /// `helm.sh/hook`, where it is set.
    hook: Option<String>,
}

/// A piece of a rendered file and the line it begins at, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a [u8],
    pub(super) line: usize,
}

/// Adds the documents of one rendered file, in order; `Err` names the line at which the piece that cannot be read begins.
pub(super) fn add(
    template: &str,
    text: &[u8],
    manifests: &mut Vec<HelmDocument>,
    hooks: &mut Vec<HelmDocument>,
) -> Result<(), (usize, HeadError)> {
    for piece in split(text) {
        let (head, parsed) = read(piece.text).map_err(|error| (piece.line, error))?;
        let events: Option<Vec<String>> = head
            .hook
            .map(|hook| hook.split(',').map(|event| event.trim().to_lowercase()).collect());
        let document = HelmDocument {
            template: template.to_owned(),
            text: piece.text.to_vec(),
            line: piece.line,
            kind: head.kind,
            is_test: events.iter().flatten().any(|event| event.starts_with("test")),
            parsed,
        };
        match events {
            None => manifests.push(document),
            Some(events) if events.iter().all(|event| EVENTS.contains(&event.as_str())) => hooks.push(document),
            Some(_) => {}
        }
    }
    Ok(())
}

/// By kind, and else as they stand.
pub(super) fn sort(documents: &mut [HelmDocument]) {
    let place = |kind: &str| {
        INSTALL_ORDER
            .iter()
            .position(|known| *known == kind)
            .unwrap_or(INSTALL_ORDER.len())
    };
    documents.sort_by(|a, b| {
        let (first, second) = (place(&a.kind), place(&b.kind));
        let unknown = first == INSTALL_ORDER.len() && second == INSTALL_ORDER.len();
        first.cmp(&second).then_with(|| {
            if unknown {
                a.kind.cmp(&b.kind)
            } else {
                std::cmp::Ordering::Equal
            }
        })
    });
}

/// What Go's regular expressions call `\s`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

/// The text without the spaces at its beginning; a byte that is part of no character is no space.
fn trim_start(text: &[u8]) -> &[u8] {
    let valid = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    &text[valid.len() - valid.trim_start().len()..]
}

/// The text without the spaces at both ends.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    let valid = match text.utf8_chunks().last() {
        Some(chunk) if chunk.invalid().is_empty() => chunk.valid(),
        _ => "",
    };
    &text[..text.len() - (valid.len() - valid.trim_end().len())]
}

/// Splits at lines that begin with `---`; blank pieces are left out.
pub(super) fn split(text: &[u8]) -> Vec<Piece<'_>> {
    let start = text.len() - trim_start(text).len();
    let skip = |mut at: usize| {
        while at < text.len() && is_space(text[at]) {
            at += 1;
        }
        at
    };
    let (mut pieces, mut from) = (Vec::new(), start);
    if text[start..].starts_with(b"---") {
        from = skip(start + 3);
    }
    let mut search = from;
    let mut add = |from: usize, to: usize| {
        let piece = trim_start(&text[from..to]);
        if !piece.is_empty() {
            let before = &text[..to - piece.len()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            pieces.push(Piece { text: piece, line });
        }
    };
    while let Some(found) = memchr::memmem::find(&text[search..], b"\n---").map(|at| search + at) {
        let mut end = found;
        while end > from && is_space(text[end - 1]) {
            end -= 1;
        }
        add(from, end);
        from = skip(found + 4);
        search = from;
    }
    add(from, text.len());
    pieces
}

/// Reads a piece. Helm reads its first document only, so what may follow that cannot make it fail here.
fn read(bytes: &[u8]) -> Result<(Head, Result<Vec<Document>, YamlError>), HeadError> {
    let parsed = parse_documents(bytes, Mode::Kube11);
    let head = match &parsed {
        Ok(documents) => head(documents.first().map_or(&Value::Null, |document| &document.value))?,
        Err(_) => head(&parse_one(bytes, Mode::Kube11).map_err(HeadError::of)?)?,
    };
    Ok((head, parsed))
}

/// Reads the head as Go would decode it into a struct: scalars become strings, anything else in their place is an error.
fn head(document: &Value) -> Result<Head, HeadError> {
    let wrong = |what: String| HeadError::Field(what);
    let fields = match document {
        Value::Null => return Ok(Head::default()),
        Value::Object(fields) => fields,
        other => return Err(wrong(format!("a document must be a mapping, not {}", name_of(other)))),
    };
    text_of(fields, "apiVersion", "apiVersion").map_err(wrong)?;
    let kind = text_of(fields, "kind", "kind").map_err(wrong)?.unwrap_or_default();
    let metadata = match field(fields, "metadata") {
        None | Some(Value::Null) => return Ok(Head { kind, hook: None }),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return Err(wrong(format!("metadata must be a mapping, not {}", name_of(other)))),
    };
    text_of(metadata, "name", "metadata.name").map_err(wrong)?;
    let annotations = match field(metadata, "annotations") {
        None | Some(Value::Null) => return Ok(Head { kind, hook: None }),
        Some(Value::Object(annotations)) => annotations,
        Some(other) => {
            let found = name_of(other);
            return Err(wrong(format!("metadata.annotations must be a mapping, not {found}")));
        }
    };
    for (name, value) in annotations {
        if value.is_array() || value.is_object() {
            let found = name_of(value);
            return Err(wrong(format!(
                "metadata.annotations[{name}] must be a string, not {found}"
            )));
        }
    }
    let hook = annotations.get(HELM_HOOK).map(scalar);
    Ok(Head { kind, hook })
}

/// A field by its name, or by its name in other letters: Go's decoder does not mind.
fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other = || fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    fields.get(name).or_else(|| other().map(|(_, value)| value))
}

fn text_of(fields: &Map<String, Value>, name: &str, path: &str) -> Result<Option<String>, String> {
    match field(fields, name) {
        None | Some(Value::Null) => Ok(None),
        Some(value @ (Value::Array(_) | Value::Object(_))) => {
            Err(format!("{path} must be a string, not {}", name_of(value)))
        }
        Some(value) => Ok(Some(scalar(value))),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &'static str) -> Vec<(&'static str, usize)> {
        let pieces = split(text.as_bytes());
        let text = |piece: &Piece<'static>| (std::str::from_utf8(piece.text).unwrap(), piece.line);
        pieces.iter().map(text).collect()
    }

    #[test]
    fn splitting_is_by_text() {
        assert_eq!(texts("a: 1\n---\nb: 2\n"), [("a: 1", 1), ("b: 2\n", 3)]);
        assert_eq!(
            texts("---\n# x\n---apiVersion: v1\n"),
            [("# x", 2), ("apiVersion: v1\n", 3)]
        );
        assert_eq!(texts("\n\n--- \n\n  a: 1 \n \n---"), [("a: 1", 5)]);
        assert_eq!(texts("a: |\n  x\n  ---\n"), [("a: |\n  x\n  ---\n", 1)]);
    }

    #[test]
    fn heads_are_decoded_as_go_decodes_them() {
        let head = |text: &str| read(text.as_bytes()).map(|(head, _)| head);
        assert_eq!(head("kind: 3\n").unwrap().kind, "3");
        assert!(head("[1]").is_err());
        assert!(head("metadata: {annotations: {a: [1]}}").is_err());
        assert_eq!(head("# nothing").unwrap().kind, "");
        assert_eq!(head("kind: A\n...\n]").unwrap().kind, "A");
        let hook = head("Kind: Job\nmetadata: {annotations: {helm.sh/hook: pre-install}}").unwrap();
        assert_eq!((hook.kind.as_str(), hook.hook.as_deref()), ("Job", Some("pre-install")));
    }

    #[test]
    fn known_kinds_come_first_and_keep_their_order() {
        let document = |kind: &str| HelmDocument {
            template: String::new(),
            text: Vec::new(),
            line: 1,
            kind: kind.into(),
            is_test: false,
            parsed: Ok(Vec::new()),
        };
        let mut documents: Vec<_> = ["Zebra", "Deployment", "Alpha", "Service", "Namespace"]
            .map(document)
            .into();
        sort(&mut documents);
        let kinds: Vec<_> = documents.iter().map(|document| document.kind.as_str()).collect();
        assert_eq!(kinds, ["Namespace", "Service", "Deployment", "Alpha", "Zebra"]);
    }
}
