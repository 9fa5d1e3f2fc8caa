//! A tree of files in memory, for tests and for the simulator's repositories.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_model::Digest;

use crate::tree::{EntryKind, FileTree, RawEntry, ReadError, TreeEntry, resolve};

/// A tree in memory. Folders exist as long as they hold something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryTree {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    File(Arc<[u8]>),
    Symlink(String),
    Submodule(String),
}

impl MemoryTree {
    /// A tree of the given files: path and content.
    pub fn from_files<P: Into<String>, C: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        let mut tree = Self::default();
        for (path, content) in files {
            tree.write(path, content);
        }
        tree
    }

    /// Adds or replaces a file.
    pub fn write(&mut self, path: impl Into<String>, content: impl AsRef<[u8]>) -> &mut Self {
        self.entries.insert(path.into(), Entry::File(content.as_ref().into()));
        self
    }

    /// Adds or replaces a symbolic link.
    pub fn link(&mut self, path: impl Into<String>, target: impl Into<String>) -> &mut Self {
        self.entries.insert(path.into(), Entry::Symlink(target.into()));
        self
    }

    /// Adds or replaces a submodule pinned to a commit.
    pub fn submodule(&mut self, path: impl Into<String>, commit: impl Into<String>) -> &mut Self {
        self.entries.insert(path.into(), Entry::Submodule(commit.into()));
        self
    }

    /// Removes a file or a folder with all it holds.
    pub fn remove(&mut self, path: &str) -> &mut Self {
        self.entries.retain(|entry, _| entry != path && !is_below(entry, path));
        self
    }

    fn raw(&self, path: &str) -> Option<RawEntry> {
        match self.entries.get(path) {
            Some(Entry::File(_)) => Some(RawEntry::File),
            Some(Entry::Symlink(target)) => Some(RawEntry::Symlink(target.clone())),
            Some(Entry::Submodule(_)) => Some(RawEntry::Submodule),
            None => self.below(path).next().map(|_| RawEntry::Directory),
        }
    }

    fn below<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a String, &'a Entry)> {
        let prefix = if dir.is_empty() {
            String::new()
        } else {
            format!("{dir}/")
        };
        self.entries
            .range(prefix..)
            .take_while(move |(path, _)| dir.is_empty() || is_below(path, dir))
    }

    fn real(&self, path: &str) -> Result<Option<(String, RawEntry)>, ReadError> {
        resolve(path, |path| Ok(self.raw(path)))
    }
}

/// Whether a path lies in a folder, at any depth.
fn is_below(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

impl FileTree for MemoryTree {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        let Some((real, _)) = self.real(path)? else {
            return Ok(None);
        };
        match self.entries.get(&real) {
            Some(Entry::File(content)) => Ok(Some(content.clone())),
            Some(_) => Err(ReadError::Submodule {
                path: path.to_owned(),
                submodule: real,
            }),
            None => Err(ReadError::WrongKind {
                path: path.to_owned(),
                found: "a folder",
                wanted: "a file",
            }),
        }
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        let Some((real, kind)) = self.real(dir)? else {
            return Ok(None);
        };
        match kind {
            RawEntry::Directory => {}
            RawEntry::Submodule => {
                return Err(ReadError::Submodule {
                    path: dir.to_owned(),
                    submodule: real,
                });
            }
            _ => {
                return Err(ReadError::WrongKind {
                    path: dir.to_owned(),
                    found: "a file",
                    wanted: "a folder",
                });
            }
        }
        let skip = if real.is_empty() { 0 } else { real.len() + 1 };
        let mut entries: BTreeMap<&str, TreeEntry> = BTreeMap::new();
        for (path, entry) in self.below(&real) {
            let (name, kind, size) = match (path[skip..].split_once('/'), entry) {
                (Some((name, _)), _) => (name, EntryKind::Directory, 0),
                (None, Entry::File(content)) => (&path[skip..], EntryKind::File, content.len() as u64),
                (None, Entry::Symlink(_)) => (&path[skip..], EntryKind::Symlink, 0),
                (None, Entry::Submodule(_)) => (&path[skip..], EntryKind::Submodule, 0),
            };
            entries.entry(name).or_insert_with(|| TreeEntry {
                name: name.to_owned(),
                kind,
                size,
            });
        }
        Ok(Some(entries.into_values().collect()))
    }

    fn id(&self, path: &str) -> Result<Option<String>, ReadError> {
        let Some((real, _)) = self.real(path)? else {
            return Ok(None);
        };
        if let Some(Entry::File(content)) = self.entries.get(&real) {
            return Ok(Some(Digest::of_bytes(content).to_string()));
        }
        let mut listing = Vec::new();
        let skip = real.len();
        let own = self.entries.get(&real).map(|entry| (&real, entry));
        for (path, entry) in own.into_iter().chain(self.below(&real)) {
            let (kind, content) = match entry {
                Entry::File(content) => ("file", content.as_ref()),
                Entry::Symlink(target) => ("link", target.as_bytes()),
                Entry::Submodule(commit) => ("commit", commit.as_bytes()),
            };
            listing.extend(format!("{kind} {} {}\n", &path[skip..], Digest::of_bytes(content)).into_bytes());
        }
        Ok(Some(Digest::of_bytes(&listing).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> MemoryTree {
        let mut tree = MemoryTree::from_files([
            ("a/x.yaml", "1"),
            ("a/b/y.yaml", "22"),
            ("ab", "3"),
            ("shared/v.yaml", "4"),
        ]);
        tree.link("a/link.yaml", "../shared/v.yaml")
            .link("a/dir", "../shared")
            .link("a/out", "../../etc/passwd");
        tree.link("a/abs", "/etc/passwd")
            .link("l1", "l2")
            .link("l2", "l1")
            .submodule("a/sub", "abc");
        tree
    }

    #[test]
    fn reads_lists_and_follows_links_inside_the_tree() {
        let tree = tree();
        assert_eq!(tree.read("a/link.yaml").unwrap().unwrap().as_ref(), b"4");
        assert_eq!(tree.read("a/dir/v.yaml").unwrap().unwrap().as_ref(), b"4");
        assert_eq!(tree.read("a/nope").unwrap(), None);
        assert_eq!(tree.read("a/x.yaml/below").unwrap(), None);
        let names: Vec<String> = tree
            .list("a")
            .unwrap()
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["abs", "b", "dir", "link.yaml", "out", "sub", "x.yaml"]);
        assert_eq!(tree.list("").unwrap().unwrap().len(), 5);
        assert_eq!(tree.list("missing").unwrap(), None);
    }

    #[test]
    fn what_leaves_the_tree_is_an_error_and_not_an_absence() {
        let tree = tree();
        for (path, message) in [
            ("a/out", "out-of-bounds symlink a/out → ../../etc/passwd"),
            ("a/abs", "out-of-bounds symlink a/abs → /etc/passwd"),
            ("l1", "symlink loop"),
            ("a/sub/x", "a/sub/x is in the submodule a/sub"),
            ("a", "a is a folder, not a file"),
        ] {
            let error = tree.read(path).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn ids_follow_the_content() {
        let (first, mut second) = (tree(), tree());
        assert_eq!(first.id("a").unwrap(), second.id("a").unwrap());
        second.write("a/b/y.yaml", "changed");
        assert_ne!(first.id("a").unwrap(), second.id("a").unwrap());
        assert_eq!(first.id("shared").unwrap(), second.id("shared").unwrap());
        assert_eq!(first.id("nope").unwrap(), None);
        assert_eq!(first.id("a/link.yaml").unwrap(), first.id("shared/v.yaml").unwrap());
    }
}
