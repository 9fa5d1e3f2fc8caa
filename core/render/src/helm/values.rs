//! Values: files, the Application's own, parameters; then what the charts say, and globals.
//!
//! Numbers of YAML are float64, as Helm's are; integers of `--set` stay integers. Both are `serde_json` numbers, told apart by
//! whether they are floats.

use capstan_model::HelmSource;
use capstan_yaml::{Mode, YamlError, YamlErrorKind, parse_one_with_floats};
use serde_json::{Map, Number, Value};

use super::set::{self, SetArgument, SetKind};
use super::{Sources, environment};
use crate::request::in_folder;
use crate::{EntryKind, FileTree, Glob, RenderError, RenderRequest, join, normalize};

/// Folders in folders that a pattern of `valueFiles` is looked for in.
const GLOB_DEPTH: u8 = 16;

/// Reads a values file: several documents are merged in order.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Map<String, Value>, RenderError> {
    let yaml = |error| RenderError::Yaml {
        file: file.to_owned(),
        error,
    };
    let mut merged = Map::new();
    for (above, piece) in documents(bytes).map_err(yaml)? {
        let value = parse_one_with_floats(&piece, Mode::Kube11).map_err(|error| {
            yaml(YamlError {
                line: error.line + above,
                ..error
            })
        })?;
        merge(&mut merged, mapping(file, value)?);
    }
    Ok(merged)
}

/// Splits at the lines that begin with `---`, whatever they are part of, as Helm does before it parses. Only a comment may follow on
/// such a line. With each piece goes the number of the lines above it.
///
/// Helm looks for lines in bytes, whatever their encoding, and ends each with a line break: that of the last one is half a character in
/// UTF-16 with the lower byte first, which is no matter where a document ends before it.
fn documents(bytes: &[u8]) -> Result<Vec<(usize, Vec<u8>)>, YamlError> {
    let mut pieces = Vec::new();
    let (mut above, mut piece) = (0, Vec::new());
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = match line.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = String::from_utf8_lossy(rest);
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(YamlError {
                    line: index + 1,
                    column: 4,
                    message: format!("invalid Yaml document separator: {rest}"),
                    go_message: format!("invalid Yaml document separator: {rest}"),
                    kind: YamlErrorKind::Syntax,
                });
            }
            if !piece.is_empty() {
                pieces.push((std::mem::replace(&mut above, index + 1), std::mem::take(&mut piece)));
                continue;
            }
        }
        piece.extend_from_slice(line);
        piece.push(b'\n');
    }
    if !piece.is_empty() {
        pieces.push((above, piece));
    }
    Ok(pieces)
}

fn mapping(place: &str, value: Value) -> Result<Map<String, Value>, RenderError> {
    let found = match value {
        Value::Object(fields) => {
            return Ok(fields
                .into_iter()
                .map(|(name, value)| (name, as_floats(value)))
                .collect());
        }
        Value::Null => return Ok(Map::new()),
        Value::Array(_) => "a list",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
    };
    Err(RenderError::ValuesNotAMapping {
        place: place.to_owned(),
        found,
    })
}

pub(super) fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(Number::from_f64)
            .map_or(Value::Null, Value::Number),
        Value::Array(items) => Value::Array(items.into_iter().map(as_floats).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, as_floats(value)))
                .collect(),
        ),
        other => other,
    }
}

/// `-f`: maps merge, everything else replaces, null stays as null.
pub(super) fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

/// What the user supplies: files in order, then `values`, then `valuesObject`, then parameters.
pub(super) fn supplied(
    request: &RenderRequest<'_>,
    helm: &HelmSource,
    path: &str,
    sources: &Sources<'_>,
) -> Result<Map<String, Value>, RenderError> {
    let mut values = Map::new();
    for named in &helm.value_files {
        let named = environment::substitute(named, request.environment);
        for file in files(&named, path, sources, request.command_line)? {
            if let Some(more) = read_file(helm, &named, file)? {
                merge(&mut values, more);
            }
        }
    }
    match &helm.values_object {
        Some(object) => merge(&mut values, mapping("spec.source.helm.valuesObject", object.clone())?),
        None if !helm.values.trim().is_empty() => {
            merge(&mut values, parse("spec.source.helm.values", helm.values.as_bytes())?);
        }
        None => {}
    }
    for argument in arguments(request, helm) {
        set::apply(&mut values, argument.kind, &argument.text).map_err(|reason| RenderError::Parameter {
            name: argument.text.clone(),
            reason,
        })?;
    }
    for parameter in &helm.file_parameters {
        let (tree, file) = locate(
            path,
            &environment::substitute(&parameter.path, request.environment),
            sources,
        )?;
        let missing = || RenderError::MissingValuesFile {
            file: file.clone(),
            named: "helm.fileParameters".into(),
        };
        let bytes = tree.read(&file)?.ok_or_else(missing)?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| RenderError::NotText { file: file.clone() })?;
        set::apply_text(&mut values, &parameter.name, &text).map_err(|reason| RenderError::Parameter {
            name: parameter.name.clone(),
            reason,
        })?;
    }
    Ok(values)
}

/// The request's own `--set` arguments, then the parameters: those that are strings last, as Helm takes them.
fn arguments(request: &RenderRequest<'_>, helm: &HelmSource) -> Vec<SetArgument> {
    let mut arguments = request.set.to_vec();
    for forced in [false, true] {
        let parameters = helm
            .parameters
            .iter()
            .filter(|parameter| parameter.force_string == forced);
        arguments.extend(parameters.map(|parameter| {
            let value = escape_commas(&environment::substitute(&parameter.value, request.environment));
            SetArgument {
                kind: if forced { SetKind::String } else { SetKind::Typed },
                text: format!("{}={value}", parameter.name),
            }
        }));
    }
    arguments
}

/// A comma in a parameter's value is meant literally, but in `{a,b}`, as in Argo CD.
fn escape_commas(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let (mut escaped, mut after_backslash) = (String::with_capacity(value.len()), false);
    for c in value.chars() {
        if c == ',' && !after_backslash {
            escaped.push('\\');
        }
        after_backslash = c == '\\';
        escaped.push(c);
    }
    escaped
}

/// A tree and a path in it.
type Place<'s> = (&'s dyn FileTree, String);

/// The files that an entry of `valueFiles` names: one, or all that a pattern (`*`, `**`, `?`, `[…]`) matches, in the order of their paths.
/// A pattern that matches nothing names itself, which is missing then.
fn files<'s>(
    named: &str,
    path: &str,
    sources: &'s Sources<'_>,
    is_literal: bool,
) -> Result<Vec<Place<'s>>, RenderError> {
    let (tree, file) = locate(path, named, sources)?;
    let is_pattern = |part: &str| !is_literal && part.contains(['*', '?', '[']);
    if !is_pattern(&file) {
        return Ok(vec![(tree, file)]);
    }
    let glob = Glob::doublestar(&file).map_err(|error| RenderError::Parameter {
        name: format!("valueFiles: {named}"),
        reason: error.to_string(),
    })?;
    let fixed: Vec<&str> = file.split('/').take_while(|part| !is_pattern(part)).collect();
    let mut found = Vec::new();
    search(tree, &fixed.join("/"), &glob, GLOB_DEPTH, &mut found)?;
    if found.is_empty() {
        found.push(file);
    }
    Ok(found.into_iter().map(|file| (tree, file)).collect())
}

fn search(
    tree: &dyn FileTree,
    folder: &str,
    glob: &Glob,
    depth: u8,
    found: &mut Vec<String>,
) -> Result<(), RenderError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(());
    };
    for entry in tree.list(folder)?.into_iter().flatten() {
        let file = in_folder(folder, &entry.name);
        match entry.kind {
            EntryKind::Directory => search(tree, &file, glob, depth, found)?,
            EntryKind::File | EntryKind::Symlink if glob.matches(&file) => found.push(file),
            _ => {}
        }
    }
    Ok(())
}

/// `None` only for a file that is proven absent and may be.
fn read_file(
    helm: &HelmSource,
    named: &str,
    (tree, file): Place<'_>,
) -> Result<Option<Map<String, Value>>, RenderError> {
    match tree.read(&file)? {
        Some(bytes) => parse(&file, &bytes).map(Some),
        None if helm.ignore_missing_value_files => Ok(None),
        None => Err(RenderError::MissingValuesFile {
            file,
            named: format!("helm.valueFiles: {named}"),
        }),
    }
}

/// The tree and the path in it that a values file names: relative to the chart, from the root (`/x`), or of another source (`$name/x`).
fn locate<'s>(path: &str, named: &str, sources: &'s Sources<'_>) -> Result<(&'s dyn FileTree, String), RenderError> {
    if named.contains("://") {
        let instead = ": commit the file";
        return Err(RenderError::Unsupported {
            file: named.to_owned(),
            what: "a values file by URL".into(),
            instead,
        });
    }
    if let Some((name, rest)) = named.strip_prefix('$').and_then(|named| named.split_once('/')) {
        let tree = sources
            .references
            .get(name)
            .ok_or_else(|| RenderError::MissingValuesFile {
                file: named.to_owned(),
                named: format!("helm.valueFiles, but no source of the application has ref: {name}"),
            })?;
        return Ok((tree, normalize(rest)?));
    }
    if let Some(rest) = named.strip_prefix('/') {
        return Ok((sources.tree, normalize(rest)?));
    }
    let file = join(path, named).ok_or_else(|| RenderError::Chart {
        file: in_folder(path, named),
        reason: "the values file is outside of the repository".into(),
    })?;
    Ok((sources.tree, file))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        mapping("test", value).unwrap()
    }

    #[test]
    fn numbers_of_yaml_are_floats() {
        assert_eq!(map(json!({"a": 1}))["a"], json!(1.0));
    }

    #[test]
    fn later_files_win_and_maps_merge() {
        let mut values = map(json!({"a": {"b": 1, "c": [1]}, "d": 1}));
        merge(&mut values, map(json!({"a": {"b": null, "c": [2]}, "d": {"e": 1}})));
        assert_eq!(
            Value::Object(values),
            json!({"a": {"b": null, "c": [2.0]}, "d": {"e": 1.0}})
        );
    }

    #[test]
    fn patterns_name_files_in_order() {
        let files = [
            ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            ("c/templates/a.yaml", "v: {{ toJson .Values }}\n"),
            ("env/20-b.yaml", "x: b\n"),
            ("env/10-a.yaml", "x: a\nz: a\n"),
            ("env/deep/30.yaml", "x: deep\n"),
            ("env/notes.txt", "- no values\n"),
        ];
        let tree = crate::MemoryTree::from_files(files);
        let render = |file: &str, ignore: bool| {
            let source = capstan_model::ApplicationSource {
                path: "c".into(),
                helm: Some(HelmSource {
                    value_files: vec![file.into()],
                    ignore_missing_value_files: ignore,
                    ..HelmSource::default()
                }),
                ..capstan_model::ApplicationSource::default()
            };
            crate::helm_template(&RenderRequest::new("r", &source), &tree)
                .map(|output| output.files["c/templates/a.yaml"].clone())
        };
        assert_eq!(
            render("../env/*.yaml", false).unwrap(),
            "v: {\"x\":\"b\",\"z\":\"a\"}\n"
        );
        assert_eq!(
            render("/env/**/*.yaml", false).unwrap(),
            "v: {\"x\":\"deep\",\"z\":\"a\"}\n"
        );
        assert_eq!(render("/none/*.yaml", true).unwrap(), "v: {}\n");
        assert!(
            render("/none/*.yaml", false)
                .unwrap_err()
                .to_string()
                .contains("none/*.yaml does not exist")
        );
    }

    #[test]
    fn what_is_no_mapping_is_refused_by_place() {
        let error = parse("services/a/values-prod.yaml", b"- a\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "services/a/values-prod.yaml: values must be a mapping, not a list"
        );
    }
}
