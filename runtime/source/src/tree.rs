//! One commit's files, straight from the object database: no work tree, nothing to clean, nothing to lock.
//!
//! Absence is what the verified tree says. Links are resolved within the tree only; a link out of it, a submodule, a missing or corrupt
//! object and an over-long file are errors.

use std::sync::Arc;

use capstan_render::{EntryKind, FileTree, RawEntry, ReadError, TreeEntry, resolve};
use gix::ObjectId;
use gix::objs::tree::EntryKind as GitKind;

use crate::SourceError;
use crate::objects::{CommitInfo, Entry, Objects};

/// The longest target of a link that is followed, in bytes.
const MAX_LINK_BYTES: u64 = 4096;

/// The files of one commit. Cheap to clone; may be used from many threads at once.
#[derive(Clone, Debug)]
pub struct GitTree {
    objects: Arc<Objects>,
    commit: ObjectId,
    info: Arc<CommitInfo>,
}

impl GitTree {
    pub(crate) fn open(objects: Arc<Objects>, commit: ObjectId) -> Result<Self, SourceError> {
        let info = Arc::new(objects.commit(commit)?);
        // A root that cannot be had is told now, not at the first file.
        objects.folder(info.tree)?;
        Ok(Self { objects, commit, info })
    }

    /// The commit, 40 hex digits.
    pub fn commit(&self) -> String {
        self.commit.to_string()
    }

    /// The id of the root folder, 40 hex digits: equal ids mean equal content, whatever the commit.
    pub fn root(&self) -> String {
        self.info.tree.to_string()
    }

    /// The entry at a path whose parents are folders; links are not followed.
    fn entry(&self, path: &str) -> Result<Option<Entry>, SourceError> {
        let mut id = self.info.tree;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let folder = self.objects.folder(id)?;
            let Some(entry) = folder.find(part) else {
                return Ok(None);
            };
            if parts.peek().is_none() {
                return Ok(Some(entry.clone()));
            }
            if entry.kind != GitKind::Tree {
                return Ok(None);
            }
            id = entry.id;
        }
        Ok(None)
    }

    /// The entry that a path leads to, links followed.
    fn find(&self, path: &str) -> Result<Option<(String, GitKind, ObjectId)>, ReadError> {
        let mut last = None;
        let found = resolve(path, |here| {
            let Some(entry) = self.entry(here).map_err(|error| unavailable(here, &error))? else {
                return Ok(None);
            };
            let raw = match entry.kind {
                GitKind::Tree => RawEntry::Directory,
                GitKind::Blob | GitKind::BlobExecutable => RawEntry::File,
                GitKind::Commit => RawEntry::Submodule,
                GitKind::Link => RawEntry::Symlink(self.target(here, entry.id)?),
            };
            last = Some((entry.kind, entry.id));
            Ok(Some(raw))
        })?;
        Ok(match (found, last) {
            (None, _) => None,
            (Some((real, _)), _) if real.is_empty() => Some((real, GitKind::Tree, self.info.tree)),
            (Some((real, _)), Some((kind, id))) => Some((real, kind, id)),
            (Some(_), None) => None,
        })
    }

    /// What a link holds.
    fn target(&self, path: &str, id: ObjectId) -> Result<String, ReadError> {
        let size = self.objects.file_size(id).map_err(|error| unavailable(path, &error))?;
        if size > MAX_LINK_BYTES {
            return Err(ReadError::TooLarge {
                path: path.to_owned(),
                size,
                limit: MAX_LINK_BYTES,
            });
        }
        let data = self.objects.file(id).map_err(|error| unavailable(path, &error))?;
        String::from_utf8(data).map_err(|_| ReadError::Unavailable {
            path: path.to_owned(),
            reason: "it is a symbolic link whose target is not UTF-8".to_owned(),
        })
    }
}

impl FileTree for GitTree {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        let Some((real, kind, id)) = self.find(path)? else {
            return Ok(None);
        };
        let wrong = |found| ReadError::WrongKind {
            path: path.to_owned(),
            found,
            wanted: "a file",
        };
        match kind {
            GitKind::Tree => return Err(wrong("a folder")),
            GitKind::Commit => {
                return Err(ReadError::Submodule {
                    path: path.to_owned(),
                    submodule: real,
                });
            }
            // `resolve` never ends at a link.
            GitKind::Link => return Err(wrong("a symbolic link")),
            GitKind::Blob | GitKind::BlobExecutable => {}
        }
        let size = self.objects.file_size(id).map_err(|error| unavailable(path, &error))?;
        let limit = self.objects.limits().file_bytes;
        if size > limit {
            return Err(ReadError::TooLarge {
                path: path.to_owned(),
                size,
                limit,
            });
        }
        let data = self.objects.file(id).map_err(|error| unavailable(path, &error))?;
        Ok(Some(data.into()))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        let Some((real, kind, id)) = self.find(dir)? else {
            return Ok(None);
        };
        match kind {
            GitKind::Tree => {}
            GitKind::Commit => {
                return Err(ReadError::Submodule {
                    path: dir.to_owned(),
                    submodule: real,
                });
            }
            GitKind::Blob | GitKind::BlobExecutable | GitKind::Link => {
                return Err(ReadError::WrongKind {
                    path: dir.to_owned(),
                    found: "a file",
                    wanted: "a folder",
                });
            }
        }
        let folder = self.objects.folder(id).map_err(|error| unavailable(dir, &error))?;
        let entries = folder.entries().iter().map(|entry| {
            let (kind, size) = match entry.kind {
                GitKind::Tree => (EntryKind::Directory, 0),
                GitKind::Link => (EntryKind::Symlink, 0),
                GitKind::Commit => (EntryKind::Submodule, 0),
                GitKind::Blob | GitKind::BlobExecutable => {
                    let size = self.objects.file_size(entry.id);
                    (
                        EntryKind::File,
                        size.map_err(|error| unavailable(&format!("{real}/{}", entry.name), &error))?,
                    )
                }
            };
            Ok(TreeEntry {
                name: entry.name.to_string(),
                kind,
                size,
            })
        });
        entries.collect::<Result<Vec<_>, ReadError>>().map(Some)
    }

    fn id(&self, path: &str) -> Result<Option<String>, ReadError> {
        Ok(self.find(path)?.map(|(_, _, id)| id.to_string()))
    }

    fn time(&self) -> Option<i64> {
        Some(self.info.seconds)
    }
}

fn unavailable(path: &str, error: &SourceError) -> ReadError {
    let path = if path.is_empty() {
        "the root of the repository"
    } else {
        path
    };
    ReadError::Unavailable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
