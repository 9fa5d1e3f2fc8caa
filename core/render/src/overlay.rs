//! A tree with files added: the chart archives that were fetched, shown where a chart looks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::tree::{EntryKind, FileTree, ReadError, TreeEntry, normalize};

/// Another tree, with files added and files hidden.
///
/// Ids of added files are the SHA-256 of their content, and a folder's id changes with what is added below it: what a render of this tree
/// notes as its inputs is only equal for equal additions.
pub struct OverlayTree {
    inner: Arc<dyn FileTree>,
    /// By path; the paths are in the form of a tree.
    added: BTreeMap<String, (Arc<[u8]>, String)>,
    hidden: BTreeSet<String>,
}

impl OverlayTree {
    /// Shows the files of `added` in `inner`, in place of what is there.
    ///
    /// # Errors
    /// [`ReadError::InvalidPath`] for a path that leaves the tree.
    pub fn new(inner: Arc<dyn FileTree>, added: BTreeMap<String, Arc<[u8]>>) -> Result<Self, ReadError> {
        let with_id = |(path, content): (String, Arc<[u8]>)| {
            let id = hex(&content);
            Ok((normalize(&path)?, (content, id)))
        };
        Ok(Self {
            inner,
            added: added.into_iter().map(with_id).collect::<Result<_, ReadError>>()?,
            hidden: BTreeSet::new(),
        })
    }

    /// Hides files of the tree below: the archives that newer ones were fetched for.
    ///
    /// # Errors
    /// [`ReadError::InvalidPath`] for a path that leaves the tree.
    pub fn hiding<P: AsRef<str>>(mut self, paths: impl IntoIterator<Item = P>) -> Result<Self, ReadError> {
        for path in paths {
            self.hidden.insert(normalize(path.as_ref())?);
        }
        Ok(self)
    }

    fn is_hidden(&self, path: &str) -> bool {
        self.hidden.contains(path)
    }

    /// Added paths below a folder, from it.
    fn added_below<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a str, &'a (Arc<[u8]>, String))> {
        self.added
            .iter()
            .filter_map(move |(path, file)| Some((below(path, dir)?, file)))
    }
}

/// The rest of a path below a folder.
fn below<'a>(path: &'a str, dir: &str) -> Option<&'a str> {
    if dir.is_empty() {
        return Some(path);
    }
    path.strip_prefix(dir)?.strip_prefix('/')
}

/// SHA-256, in hex.
fn hex(content: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl FileTree for OverlayTree {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        let path = normalize(path)?;
        match self.added.get(&path) {
            Some((content, _)) => Ok(Some(content.clone())),
            None if self.is_hidden(&path) => Ok(None),
            None => self.inner.read(&path),
        }
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        let dir = normalize(dir)?;
        if self.added.contains_key(&dir) {
            return Err(ReadError::WrongKind {
                path: dir,
                found: "a file",
                wanted: "a folder",
            });
        }
        let listed = self.inner.list(&dir)?;
        let is_there = listed.is_some() || self.added_below(&dir).next().is_some();
        let mut entries: BTreeMap<String, TreeEntry> = listed
            .into_iter()
            .flatten()
            .filter(|entry| !self.is_hidden(&crate::request::in_folder(&dir, &entry.name)))
            .map(|entry| (entry.name.clone(), entry))
            .collect();
        for (rest, (content, _)) in self.added_below(&dir) {
            let (name, kind, size) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Directory, 0),
                None => (rest, EntryKind::File, content.len() as u64),
            };
            let entry = TreeEntry {
                name: name.to_owned(),
                kind,
                size,
            };
            match kind {
                EntryKind::File => drop(entries.insert(name.to_owned(), entry)),
                _ => drop(entries.entry(name.to_owned()).or_insert(entry)),
            }
        }
        Ok(is_there.then(|| entries.into_values().collect()))
    }

    fn id(&self, path: &str) -> Result<Option<String>, ReadError> {
        let path = normalize(path)?;
        if let Some((_, id)) = self.added.get(&path) {
            return Ok(Some(id.clone()));
        }
        if self.is_hidden(&path) {
            return Ok(None);
        }
        let inner = self.inner.id(&path)?;
        let mut changes: Vec<String> = self
            .added_below(&path)
            .map(|(rest, (_, id))| format!("+{rest} {id}\n"))
            .collect();
        changes.extend(
            self.hidden
                .iter()
                .filter_map(|hidden| Some(format!("-{}\n", below(hidden, &path)?))),
        );
        if changes.is_empty() {
            return Ok(inner);
        }
        Ok(Some(hex(format!("{inner:?}\n{}", changes.concat()).as_bytes())))
    }

    fn time(&self) -> Option<i64> {
        self.inner.time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn overlay(files: &[(&str, &str)]) -> OverlayTree {
        let mut inner =
            MemoryTree::from_files([("app/Chart.yaml", "1"), ("app/charts/old-1.tgz", "2"), ("other/x", "3")]);
        inner.link("app/link", "../other");
        let added = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Arc::from(text.as_bytes())));
        OverlayTree::new(Arc::new(inner), added.collect()).unwrap()
    }

    #[test]
    fn added_files_are_read_and_listed() {
        let tree = overlay(&[("app/charts/new-2.tgz", "22"), ("fresh/deep/file", "4")]);
        assert_eq!(tree.read("app/charts/new-2.tgz").unwrap().unwrap().as_ref(), b"22");
        assert_eq!(tree.read("app/link/x").unwrap().unwrap().as_ref(), b"3");
        let names = |dir: &str| -> Vec<String> {
            let entries = tree.list(dir).unwrap().unwrap();
            entries.into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names("app/charts"), ["new-2.tgz", "old-1.tgz"]);
        assert_eq!(names(""), ["app", "fresh", "other"]);
        assert_eq!(names("fresh"), ["deep"]);
        assert_eq!(tree.list("nowhere").unwrap(), None);
        assert!(overlay(&[]).list("../x").is_err());
    }

    #[test]
    fn hidden_files_are_not_there() {
        let tree = overlay(&[]).hiding(["app/charts/old-1.tgz"]).unwrap();
        assert_eq!(tree.read("app/charts/old-1.tgz").unwrap(), None);
        assert_eq!(tree.id("app/charts/old-1.tgz").unwrap(), None);
        assert_eq!(tree.list("app/charts").unwrap(), Some(Vec::new()));
        assert_ne!(tree.id("app").unwrap(), overlay(&[]).id("app").unwrap());
    }

    #[test]
    fn ids_follow_what_is_added_below() {
        let (one, two, none) = (
            overlay(&[("app/charts/a.tgz", "1")]),
            overlay(&[("app/charts/a.tgz", "2")]),
            overlay(&[]),
        );
        for path in ["", "app", "app/charts", "app/charts/a.tgz"] {
            assert_ne!(one.id(path).unwrap(), two.id(path).unwrap(), "{path}");
            assert_ne!(one.id(path).unwrap(), none.id(path).unwrap(), "{path}");
        }
        assert_eq!(one.id("other").unwrap(), none.id("other").unwrap());
        assert_eq!(
            one.id("app").unwrap(),
            overlay(&[("app/charts/a.tgz", "1")]).id("app").unwrap()
        );
    }
}
