//! A plain directory: every `.yaml`, `.yml` and `.json` file in it.

use capstan_model::{Manifest, SourceLocation};
use capstan_yaml::{Mode, parse_documents};
use serde_json::Value;

use crate::gobwas::Gobwas;
use crate::request::in_folder;
use crate::{EntryKind, FileTree, RenderError, RenderOutput, RenderRequest, limits};

pub(crate) fn render(
    request: &RenderRequest<'_>,
    path: &str,
    tree: &dyn FileTree,
) -> Result<RenderOutput, RenderError> {
    let settings = request.source.directory.clone().unwrap_or_default();
    if settings
        .jsonnet
        .as_ref()
        .is_some_and(|jsonnet| jsonnet.as_object().is_none_or(|fields| !fields.is_empty()))
    {
        return Err(RenderError::Unsupported {
            file: path.into(),
            what: "Jsonnet".into(),
            instead: "",
        });
    }
    let (include, exclude) = (Pattern::new(&settings.include)?, Pattern::new(&settings.exclude)?);
    let mut output = RenderOutput {
        source_type: "Directory",
        ..RenderOutput::default()
    };
    let mut files = Vec::new();
    collect(tree, path, "", settings.recurse, &mut files)?;
    let mut bytes = 0;
    for name in files {
        if include.matches(&name)?.unwrap_or(true) && !exclude.matches(&name)?.unwrap_or(false) {
            read_file(tree, &in_folder(path, &name), &mut bytes, &mut output)?;
        }
    }
    Ok(output)
}

/// A pattern of `directory.include` or `directory.exclude`, which may be absent.
struct Pattern<'p> {
    text: &'p str,
    glob: Option<Gobwas>,
}

impl<'p> Pattern<'p> {
    fn new(text: &'p str) -> Result<Self, RenderError> {
        let glob = (!text.is_empty()).then(|| Gobwas::new(text, None)).transpose();
        match glob {
            Ok(glob) => Ok(Self { text, glob }),
            Err(error) => Err(unusable(text, &error)),
        }
    }

    fn matches(&self, name: &str) -> Result<Option<bool>, RenderError> {
        let matched = self.glob.as_ref().map(|glob| glob.matches(name)).transpose();
        matched.map_err(|error| unusable(self.text, &error))
    }
}

fn unusable(pattern: &str, error: &dyn std::error::Error) -> RenderError {
    RenderError::Parameter {
        name: pattern.to_owned(),
        reason: error.to_string(),
    }
}

/// Names of the files, from the source's folder, sorted.
fn collect(
    tree: &dyn FileTree,
    root: &str,
    below: &str,
    recurse: bool,
    files: &mut Vec<String>,
) -> Result<(), RenderError> {
    let folder = if below.is_empty() {
        root.to_owned()
    } else {
        in_folder(root, below)
    };
    for entry in tree.list(&folder)?.into_iter().flatten() {
        let name = in_folder(below, &entry.name);
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|end| entry.name.ends_with(end));
        match entry.kind {
            EntryKind::Directory if recurse => collect(tree, root, &name, recurse, files)?,
            EntryKind::File | EntryKind::Symlink if is_manifest => files.push(name),
            _ => {}
        }
    }
    Ok(())
}

fn read_file(tree: &dyn FileTree, file: &str, total: &mut usize, output: &mut RenderOutput) -> Result<(), RenderError> {
    let Some(bytes) = tree.read(file)? else { return Ok(()) };
    *total += bytes.len();
    let place = SourceLocation {
        file: file.to_owned(),
        line: 0,
    };
    if bytes.len() > limits::FILE_BYTES {
        return Err(limits::limit(
            &place,
            "bytes of one file",
            limits::FILE_BYTES,
            bytes.len(),
        ));
    }
    if *total > limits::DIRECTORY_BYTES {
        return Err(limits::limit(
            &place,
            "bytes of all files",
            limits::DIRECTORY_BYTES,
            *total,
        ));
    }
    let text = capstan_yaml::text_from_bytes(&bytes).map_err(|error| RenderError::Yaml {
        file: file.into(),
        error,
    })?;
    let documents = parse_documents(text, Mode::Kube11).map_err(|error| RenderError::Yaml {
        file: file.into(),
        error,
    })?;
    for document in documents {
        output
            .warnings
            .extend(document.warnings.iter().map(|warning| format!("{file}: {warning}")));
        let line = u32::try_from(document.line).unwrap_or(0);
        let location = SourceLocation {
            file: file.to_owned(),
            line,
        };
        add(document.value, &location, limits::LIST_DEPTH, &mut output.manifests)?;
    }
    Ok(())
}

/// Adds the objects of a document: none for an empty one, several for a `List`.
pub(crate) fn add(
    value: Value,
    location: &SourceLocation,
    depth: u8,
    manifests: &mut Vec<Manifest>,
) -> Result<(), RenderError> {
    if value.is_null() {
        return Ok(());
    }
    let is_list = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    if is_list && let Some(items) = value.get("items").and_then(Value::as_array) {
        let depth = depth.checked_sub(1).ok_or_else(|| RenderError::Chart {
            file: location.to_string(),
            reason: format!("lists are nested more than {} deep", limits::LIST_DEPTH),
        })?;
        return items
            .iter()
            .try_for_each(|item| add(item.clone(), location, depth, manifests));
    }
    manifests.push(Manifest::parse(value, location.clone())?);
    Ok(())
}
