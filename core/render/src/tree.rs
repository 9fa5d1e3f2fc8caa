//! The files a render reads: one immutable tree of one commit.
//!
//! **Invariants.** `Ok(None)` is a proof: the verified tree does not hold the entry. Whatever could not be read is a [`ReadError`], so
//! that a lost object or a broken pack never looks like a deleted file. Symbolic links are resolved by the tree and never leave it.
//!
//! Paths are relative to the root of the tree, with `/`, without `.` and `..`; the root is the empty path ([`normalize`]).

use std::sync::Arc;

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file, executable or not.
    File,
    /// A folder.
    Directory,
    /// A symbolic link; [`FileTree::read`], [`FileTree::list`] and [`FileTree::id`] follow it.
    Symlink,
    /// A commit of another repository: its files are not here.
    Submodule,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Name within the folder.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of a file; 0 for everything else.
    pub size: u64,
}

/// Why something could not be read. It is never a statement about absence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A link points out of the tree (or to an absolute path).
    #[error("out-of-bounds symlink {path} → {target}: links may only point to files of the same repository")]
    OutOfBounds {
        /// The link.
        path: String,
        /// What it holds.
        target: String,
    },
    /// Links point at each other, or there are more than [`MAX_LINKS`] on the way.
    #[error("symlink loop at {path} → {target}")]
    Loop {
        /// The link at which it was noticed.
        path: String,
        /// What it holds.
        target: String,
    },
    /// The path leads into a submodule, whose files are not part of this repository.
    #[error(
        "{path} is in the submodule {submodule}, whose files are not part of this repository: vendor what is needed"
    )]
    Submodule {
        /// What was asked for.
        path: String,
        /// The submodule.
        submodule: String,
    },
    /// A folder was read, or a file listed.
    #[error("{path} is {found}, not {wanted}")]
    WrongKind {
        /// What was asked for.
        path: String,
        /// What it is.
        found: &'static str,
        /// What was wanted.
        wanted: &'static str,
    },
    /// The file is larger than the tree allows.
    #[error("{path} has {size} bytes; the limit is {limit}")]
    TooLarge {
        /// The file.
        path: String,
        /// Its bytes.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The path is not one of a tree.
    #[error("invalid path {path:?}: {reason}")]
    InvalidPath {
        /// The path as given.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// The store behind the tree failed: missing or corrupt object, I/O.
    #[error("cannot read {path}: {reason}")]
    Unavailable {
        /// The entry.
        path: String,
        /// What the store says.
        reason: String,
    },
}

/// An immutable tree of files.
pub trait FileTree: Send + Sync {
    /// The content of a file; `None` only when the verified tree lacks it.
    ///
    /// # Errors
    /// [`ReadError`] when it is a folder, when a link leads out, or when the store fails.
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError>;

    /// The entries of a folder, sorted by name; `None` only when the verified tree lacks it.
    ///
    /// # Errors
    /// [`ReadError`] when it is a file, when a link leads out, or when the store fails.
    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError>;

    /// The id of the content of a file or folder (for Git the object id, in hex): equal ids mean equal content.
    ///
    /// # Errors
    /// [`ReadError`] when a link leads out or when the store fails.
    fn id(&self, path: &str) -> Result<Option<String>, ReadError>;

    /// When this content was made, in seconds since 1970-01-01T00:00:00Z: the time of its commit. `None` where there is none.
    fn time(&self) -> Option<i64> {
        None
    }
}

/// How many symbolic links may stand on the way to one entry.
pub const MAX_LINKS: usize = 40;

/// The longest path that is looked at, in bytes.
pub const MAX_PATH: usize = 4096;

/// Brings a path into the form of a tree: no leading `./`, no empty parts, no `.`.
///
/// # Errors
/// [`ReadError::InvalidPath`] for absolute paths, `..`, `.git`, NUL and more than [`MAX_PATH`] bytes.
pub fn normalize(path: &str) -> Result<String, ReadError> {
    let invalid = |reason| {
        let mut shown: String = path.chars().take(200).collect();
        if shown.len() < path.len() {
            shown.push('…');
        }
        ReadError::InvalidPath { path: shown, reason }
    };
    if path.len() > MAX_PATH {
        return Err(invalid("longer than 4096 bytes"));
    }
    if path.starts_with('/') {
        return Err(invalid("it must be relative to the root of the repository"));
    }
    if path.contains('\0') {
        return Err(invalid("NUL is not allowed"));
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(invalid("it leads out of the repository (`..`)"));
    }
    if parts.first().is_some_and(|first| first.eq_ignore_ascii_case(".git")) {
        return Err(invalid("`.git` is not part of the tree"));
    }
    Ok(parts.join("/"))
}

/// Joins a folder and a relative path that may climb with `..`, as long as it stays inside the tree.
pub fn join(dir: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// What a store says about one path, links not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawEntry {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// A link, with the path it holds.
    Symlink(String),
    /// A submodule.
    Submodule,
}

/// Follows symbolic links, for implementations of [`FileTree`]: the real path of an entry, or `None` when the tree lacks it.
///
/// `lookup` answers for one path whose parents are folders.
///
/// # Errors
/// [`ReadError`] for links that lead out or in circles, for paths into submodules, and what `lookup` returns.
pub fn resolve(
    path: &str,
    mut lookup: impl FnMut(&str) -> Result<Option<RawEntry>, ReadError>,
) -> Result<Option<(String, RawEntry)>, ReadError> {
    let wanted = normalize(path)?;
    let mut pending: Vec<String> = wanted
        .split('/')
        .filter(|part| !part.is_empty())
        .rev()
        .map(str::to_owned)
        .collect();
    let mut real = String::new();
    let mut entry = RawEntry::Directory;
    let mut links = 0;
    while let Some(part) = pending.pop() {
        match &entry {
            RawEntry::Directory => {}
            RawEntry::Submodule => {
                return Err(ReadError::Submodule {
                    path: wanted,
                    submodule: real,
                });
            }
            RawEntry::File | RawEntry::Symlink(_) => return Ok(None),
        }
        let here = if real.is_empty() {
            part
        } else {
            format!("{real}/{part}")
        };
        let Some(found) = lookup(&here)? else { return Ok(None) };
        let RawEntry::Symlink(target) = found else {
            real = here;
            entry = found;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(ReadError::Loop { path: here, target });
        }
        let inside = (!target.starts_with('/')).then(|| join(&real, &target)).flatten();
        let Some(inside) = inside else {
            return Err(ReadError::OutOfBounds { path: here, target });
        };
        pending.extend(
            inside
                .split('/')
                .filter(|part| !part.is_empty())
                .rev()
                .map(str::to_owned),
        );
        real.clear();
        entry = RawEntry::Directory;
    }
    Ok(Some((real, entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_confined() {
        assert_eq!(normalize("./a//b/.").unwrap(), "a/b");
        assert_eq!(normalize(".").unwrap(), "");
        assert_eq!(normalize("a\\..\\b").unwrap(), "a\\..\\b");
        for bad in ["../x", "a/../b", "/etc", "a\0b", ".git/config", &"x/".repeat(3000)] {
            assert!(matches!(normalize(bad), Err(ReadError::InvalidPath { .. })), "{bad}");
        }
        assert_eq!(join("a/b", "../c"), Some("a/c".to_owned()));
        assert_eq!(join("a", "../../c"), None);
    }
}
