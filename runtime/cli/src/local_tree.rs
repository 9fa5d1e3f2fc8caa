//! A folder of this machine as a tree: what offline commands render.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use capstan_model::Digest;
use capstan_render::{EntryKind, FileTree, RawEntry, ReadError, TreeEntry, resolve};

/// Most bytes of a file that is read. What a chart may hold is limited elsewhere, and a packed chart or a values file is named by hand.
const FILE_LIMIT: u64 = 256 * 1024 * 1024;

/// The tree below a folder. Files may change while they are read: offline commands are run once.
///
/// Links that lead out of the folder are followed, as Helm follows them, and remembered: in a repository they are refused.
#[derive(Debug)]
pub(crate) struct LocalTree {
    root: PathBuf,
    links_out: Mutex<BTreeSet<String>>,
}

impl LocalTree {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            links_out: Mutex::default(),
        }
    }

    /// Links that were followed out of the folder.
    pub(crate) fn links_out(&self) -> Vec<String> {
        let links = self.links_out.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().cloned().collect()
    }

    fn unavailable(path: &str, error: &std::io::Error) -> ReadError {
        ReadError::Unavailable {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    fn raw(&self, path: &str) -> Result<Option<RawEntry>, ReadError> {
        let full = self.root.join(path);
        let kind = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Self::unavailable(path, &error)),
        };
        if kind.is_symlink() {
            let target = fs::read_link(&full).map_err(|error| Self::unavailable(path, &error))?;
            let target = match full.canonicalize() {
                Ok(real) => match real.strip_prefix(&self.root) {
                    Ok(inside) => climb(path) + &inside.to_string_lossy(),
                    Err(_) => {
                        let mut links = self.links_out.lock().unwrap_or_else(PoisonError::into_inner);
                        links.insert(path.to_owned());
                        return Ok(Some(if real.is_dir() {
                            RawEntry::Directory
                        } else {
                            RawEntry::File
                        }));
                    }
                },
                // It leads nowhere: by name, to say so.
                Err(_) => target.to_string_lossy().into_owned(),
            };
            return Ok(Some(RawEntry::Symlink(target)));
        }
        Ok(Some(if kind.is_dir() {
            RawEntry::Directory
        } else {
            RawEntry::File
        }))
    }

    fn find(&self, path: &str) -> Result<Option<(String, RawEntry)>, ReadError> {
        resolve(path, |path| self.raw(path))
    }
}

/// The way from a link's folder to the root.
fn climb(path: &str) -> String {
    "../".repeat(path.matches('/').count()) + "./"
}

impl FileTree for LocalTree {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        let Some((real, entry)) = self.find(path)? else {
            return Ok(None);
        };
        if entry != RawEntry::File {
            return Err(ReadError::WrongKind {
                path: path.to_owned(),
                found: "a folder",
                wanted: "a file",
            });
        }
        let full = self.root.join(&real);
        let metadata = fs::metadata(&full).map_err(|error| Self::unavailable(path, &error))?;
        if !metadata.is_file() {
            return Err(ReadError::WrongKind {
                path: path.to_owned(),
                found: "a pipe, socket or device",
                wanted: "a file",
            });
        }
        let size = metadata.len();
        if size > FILE_LIMIT {
            return Err(ReadError::TooLarge {
                path: path.to_owned(),
                size,
                limit: FILE_LIMIT,
            });
        }
        fs::read(&full)
            .map(|bytes| Some(bytes.into()))
            .map_err(|error| Self::unavailable(path, &error))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        let Some((real, entry)) = self.find(dir)? else {
            return Ok(None);
        };
        if entry != RawEntry::Directory {
            return Err(ReadError::WrongKind {
                path: dir.to_owned(),
                found: "a file",
                wanted: "a folder",
            });
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.root.join(&real)).map_err(|error| Self::unavailable(dir, &error))? {
            let entry = entry.map_err(|error| Self::unavailable(dir, &error))?;
            let metadata = entry.metadata().map_err(|error| Self::unavailable(dir, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = match metadata.file_type() {
                kind if kind.is_symlink() => EntryKind::Symlink,
                kind if kind.is_dir() => EntryKind::Directory,
                _ => EntryKind::File,
            };
            let size = if kind == EntryKind::File { metadata.len() } else { 0 };
            if name != ".git" {
                entries.push(TreeEntry { name, kind, size });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(entries))
    }

    fn id(&self, path: &str) -> Result<Option<String>, ReadError> {
        let Some((real, entry)) = self.find(path)? else {
            return Ok(None);
        };
        if entry == RawEntry::File {
            return Ok(self.read(&real)?.map(|bytes| Digest::of_bytes(&bytes).to_string()));
        }
        let mut parts = Vec::new();
        for entry in self.list(&real)?.into_iter().flatten() {
            let child = if real.is_empty() {
                entry.name.clone()
            } else {
                format!("{real}/{}", entry.name)
            };
            parts.push(Digest::of_bytes(entry.name.as_bytes()));
            parts.push(Digest::of_bytes(self.id(&child)?.unwrap_or_default().as_bytes()));
        }
        Ok(Some(Digest::of_all(parts).to_string()))
    }

    /// `SOURCE_DATE_EPOCH`, as build tools have it: a folder has no time of its own.
    fn time(&self) -> Option<i64> {
        std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_and_failure_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b.yaml"), "x").unwrap();
        let tree = LocalTree::new(folder.path());
        assert_eq!(tree.read("a/c.yaml").unwrap(), None);
        assert_eq!(tree.read("a/b.yaml").unwrap().as_deref(), Some(&b"x"[..]));
        assert!(tree.links_out().is_empty());
        fs::write(folder.path().join("a/in"), "z").unwrap();
        let below = LocalTree::new(&folder.path().canonicalize().unwrap().join("a"));
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("a/host")).unwrap();
        assert!(below.read("host").unwrap().is_some());
        assert_eq!(below.links_out(), ["host"]);
        // Links within, however they are written.
        std::os::unix::fs::symlink(folder.path().join("a/in"), folder.path().join("absolute")).unwrap();
        let name = folder.path().canonicalize().unwrap();
        let name = name.file_name().unwrap().to_string_lossy().into_owned();
        std::os::unix::fs::symlink(format!("../../{name}/a/in"), folder.path().join("a/back")).unwrap();
        let whole = LocalTree::new(&folder.path().canonicalize().unwrap());
        for path in ["absolute", "a/back"] {
            assert_eq!(whole.read(path).unwrap().as_deref(), Some(&b"z"[..]), "{path}");
        }
        fs::remove_file(folder.path().join("a/back")).unwrap();
        // A pipe would never end.
        let made = std::process::Command::new("mkfifo")
            .arg(folder.path().join("pipe"))
            .status();
        assert!(made.unwrap().success());
        assert!(matches!(whole.read("pipe"), Err(ReadError::WrongKind { .. })));
        assert!(matches!(tree.read("a"), Err(ReadError::WrongKind { .. })));
        assert_eq!(tree.list("a").unwrap().unwrap().len(), 3);
        fs::write(folder.path().join("a/b.yaml"), "y").unwrap();
        assert_ne!(
            tree.id("a/b.yaml").unwrap(),
            LocalTree::new(Path::new("/")).id("a/b.yaml").unwrap()
        );
    }
}
