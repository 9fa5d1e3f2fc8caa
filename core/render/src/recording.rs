//! What a render touched: with the same inputs a later commit needs no new render.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::tree::{FileTree, ReadError, TreeEntry};

/// Each path a render looked at with the id of its content, `None` where the tree holds nothing.
///
/// Absences count: a values file that appears later changes the result as much as one that is edited. Paths of a referenced source stand
/// as `$name/path`.
pub type RenderInputs = BTreeMap<String, Option<String>>;

/// Whether a tree holds the same inputs: then the render of it would be the same too.
///
/// `references` are the trees of `$name/…` paths; an unknown name counts as a change.
///
/// # Errors
/// [`ReadError`] when the tree cannot be read: nothing is known then.
pub fn inputs_unchanged(
    inputs: &RenderInputs,
    tree: &dyn FileTree,
    references: &BTreeMap<String, Arc<dyn FileTree>>,
) -> Result<bool, ReadError> {
    for (path, id) in inputs {
        let current = match path
            .strip_prefix('$')
            .map(|path| path.split_once('/').unwrap_or((path, "")))
        {
            None => tree.id(path)?,
            Some((name, path)) => match references.get(name) {
                Some(tree) => tree.id(path)?,
                None => return Ok(false),
            },
        };
        if current != *id {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A tree that notes what is asked of it.
pub(crate) struct RecordingTree<'a> {
    inner: &'a dyn FileTree,
    /// Prefix of the noted paths (`$name/`), empty for the source itself.
    prefix: String,
    inputs: &'a Mutex<RenderInputs>,
}

impl<'a> RecordingTree<'a> {
    pub(crate) fn new(inner: &'a dyn FileTree, prefix: String, inputs: &'a Mutex<RenderInputs>) -> Self {
        Self { inner, prefix, inputs }
    }

    fn note(&self, path: &str) -> Result<(), ReadError> {
        let key = format!("{}{path}", self.prefix);
        let known = self
            .inputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&key);
        if !known {
            let id = self.inner.id(path)?;
            self.inputs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(key, id);
        }
        Ok(())
    }
}

impl FileTree for RecordingTree<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.note(path)?;
        self.inner.read(path)
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        self.note(dir)?;
        self.inner.list(dir)
    }

    fn id(&self, path: &str) -> Result<Option<String>, ReadError> {
        self.note(path)?;
        self.inner.id(path)
    }

    fn time(&self) -> Option<i64> {
        self.inner.time()
    }
}
