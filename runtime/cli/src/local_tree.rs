//! A folder of this machine as a tree: what offline commands render.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
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
/// Links that lead out of the folder are followed, as Helm follows them, and remembered: in a repository they are refused. A name that is
/// not UTF-8 is shown with U+FFFD for each byte that is not, as Helm's JSON shows it.
#[derive(Debug)]
pub(crate) struct LocalTree {
    root: PathBuf,
    /// By the path that is shown: the real names of entries that are not UTF-8, known once their folder is listed.
    named: Mutex<BTreeMap<String, PathBuf>>,
    links_out: Mutex<BTreeSet<String>>,
}

impl LocalTree {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            named: Mutex::default(),
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

    /// Where a path of the tree is on this machine.
    fn full(&self, path: &str) -> PathBuf {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let mut full = self.root.clone();
        let mut shown = String::new();
        for part in path.split('/').filter(|_| !path.is_empty()) {
            if !shown.is_empty() {
                shown.push('/');
            }
            shown.push_str(part);
            match named.get(&shown) {
                Some(name) => full.push(name),
                None => full.push(part),
            }
        }
        full
    }

    /// The name that is shown of an entry.
    fn show(&self, folder: &str, name: &OsStr) -> Result<String, ReadError> {
        if let Some(name) = name.to_str() {
            return Ok(name.to_owned());
        }
        let shown = text(name.as_encoded_bytes());
        let path = if folder.is_empty() {
            shown.clone()
        } else {
            format!("{folder}/{shown}")
        };
        let is_taken = self.full(folder).join(&shown).exists();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let known = named.entry(path.clone()).or_insert_with(|| name.into());
        match known.as_os_str() == name && !is_taken {
            true => Ok(shown),
            false => Err(ReadError::Unavailable {
                path,
                reason:
                    "two files would have this name, since bytes that are not UTF-8 are all shown as U+FFFD: rename one"
                        .into(),
            }),
        }
    }

    fn raw(&self, path: &str) -> Result<Option<RawEntry>, ReadError> {
        let full = self.full(path);
        let kind = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Self::unavailable(path, &error)),
        };
        if kind.is_symlink() {
            let target = fs::read_link(&full).map_err(|error| Self::unavailable(path, &error))?;
            let real = match full.canonicalize() {
                Ok(real) => real,
                Err(error) if is_loop(&error) => return Err(Self::looping(path, &target)),
                // It leads nowhere: by name, to say so.
                Err(_) => return Ok(Some(RawEntry::Symlink(target.to_string_lossy().into_owned()))),
            };
            let inside = real.strip_prefix(&self.root);
            if inside.is_err() {
                let mut links = self.links_out.lock().unwrap_or_else(PoisonError::into_inner);
                links.insert(path.to_owned());
            }
            // What has no place in the tree, or none that can be written, is taken for what the link leads to.
            let Some(inside) = inside.ok().and_then(Path::to_str) else {
                return Ok(Some(if real.is_dir() {
                    RawEntry::Directory
                } else {
                    RawEntry::File
                }));
            };
            return Ok(Some(RawEntry::Symlink(climb(path) + inside)));
        }
        Ok(Some(if kind.is_dir() {
            RawEntry::Directory
        } else {
            RawEntry::File
        }))
    }

    fn looping(path: &str, target: &Path) -> ReadError {
        ReadError::Loop {
            path: path.to_owned(),
            target: target.to_string_lossy().into_owned(),
        }
    }

    fn find(&self, path: &str) -> Result<Option<(String, RawEntry)>, ReadError> {
        // The system counts the links on the whole way, those of the folders included.
        let full = self.full(path);
        if fs::metadata(&full).is_err_and(|error| is_loop(&error)) {
            return Err(Self::looping(path, &fs::read_link(&full).unwrap_or_default()));
        }
        resolve(path, |path| self.raw(path))
    }
}

/// More symbolic links than the system follows, perhaps because they lead to each other.
fn is_loop(error: &std::io::Error) -> bool {
    /// `ELOOP` of Linux.
    const TOO_MANY_LINKS: i32 = 40;
    error.raw_os_error() == Some(TOO_MANY_LINKS)
}

/// Bytes as text, with U+FFFD for each byte that is not UTF-8.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
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
        let full = self.full(&real);
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
        for entry in fs::read_dir(self.full(&real)).map_err(|error| Self::unavailable(dir, &error))? {
            let entry = entry.map_err(|error| Self::unavailable(dir, &error))?;
            let metadata = entry.metadata().map_err(|error| Self::unavailable(dir, &error))?;
            let name = self.show(&real, &entry.file_name())?;
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
            if entry.kind == EntryKind::Symlink {
                // By where it leads, since that may be here.
                let target = fs::read_link(self.full(&child)).map_err(|error| Self::unavailable(&child, &error))?;
                parts.push(Digest::of_bytes(target.as_os_str().as_encoded_bytes()));
                continue;
            }
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

    /// As far as the system follows them: 40 links on the whole way.
    #[test]
    fn chains_of_links_end_where_the_system_ends_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::write(root.join("l0"), "x").unwrap();
        fs::create_dir_all(root.join("d0")).unwrap();
        for i in 1..=41 {
            std::os::unix::fs::symlink(format!("l{}", i - 1), root.join(format!("l{i}"))).unwrap();
            std::os::unix::fs::symlink(format!("d{}", i - 1), root.join(format!("d{i}"))).unwrap();
        }
        std::os::unix::fs::symlink("../l20", root.join("d0/in")).unwrap();
        let tree = LocalTree::new(&root);
        assert!(tree.read("l40").unwrap().is_some() && tree.list("d40").unwrap().is_some());
        for result in [
            tree.read("l41").map(drop),
            tree.list("d41").map(drop),
            tree.read("d20/in").map(drop),
        ] {
            assert!(matches!(result, Err(ReadError::Loop { .. })), "{result:?}");
        }
        assert!(tree.read("d19/in").unwrap().is_some());
    }

    #[test]
    fn names_that_are_not_text_are_read_and_kept_apart() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let odd = |name: &'static [u8]| Path::new(OsStr::from_bytes(name)).to_owned();
        fs::create_dir(root.join(odd(b"d\xff"))).unwrap();
        fs::write(root.join(odd(b"d\xff")).join(odd(b"caf\xc3\xe9\\x")), "x").unwrap();
        std::os::unix::fs::symlink(odd(b"d\xff"), root.join("link")).unwrap();
        let tree = LocalTree::new(&root);
        let names = |dir: &str| -> Vec<String> {
            let entries = tree.list(dir).unwrap().unwrap();
            entries.into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(""), ["d\u{fffd}", "link"]);
        for dir in ["d\u{fffd}", "link"] {
            assert_eq!(names(dir), ["caf\u{fffd}\u{fffd}\\x"]);
            let read = tree.read(&format!("{dir}/caf\u{fffd}\u{fffd}\\x")).unwrap();
            assert_eq!(read.as_deref(), Some(&b"x"[..]), "{dir}");
        }
        let is_refused = || {
            let error = LocalTree::new(&root).list("").unwrap_err();
            assert!(error.to_string().contains("two files"), "{error}");
        };
        fs::write(root.join(odd(b"d\xfe")), "y").unwrap();
        is_refused();
        fs::remove_file(root.join(odd(b"d\xfe"))).unwrap();
        fs::write(root.join("d\u{fffd}"), "y").unwrap();
        is_refused();
    }

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
        // A folder that leads to itself.
        std::os::unix::fs::symlink(".", folder.path().join("a/loop")).unwrap();
        assert!(whole.id("a").unwrap().is_some() && whole.id("a/loop").unwrap().is_some());
        fs::remove_file(folder.path().join("a/loop")).unwrap();
        // A pipe or a socket would never end.
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(matches!(whole.read("socket"), Err(ReadError::WrongKind { .. })));
        assert!(matches!(tree.read("a"), Err(ReadError::WrongKind { .. })));
        assert_eq!(tree.list("a").unwrap().unwrap().len(), 3);
        fs::write(folder.path().join("a/b.yaml"), "y").unwrap();
        assert_ne!(
            tree.id("a/b.yaml").unwrap(),
            LocalTree::new(Path::new("/")).id("a/b.yaml").unwrap()
        );
    }
}
