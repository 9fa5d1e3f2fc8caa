//! Charts and manifests on disk, by the digest of their bytes; shared by all applications, kept over restarts.
//!
//! A file is whole or absent: it is written under another name and renamed. It is believed only after its digest was computed anew: what
//! is corrupt is removed and fetched again. When there is too much, what was not used for longest goes. Nothing here is needed: it is a
//! cache, and a folder that cannot be written to only costs speed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::digest::Digest;

#[derive(Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
    /// Bytes of all files, at most.
    budget: u64,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Size and last use.
    files: BTreeMap<String, (u64, u64)>,
    bytes: u64,
    clock: u64,
    /// Makes the names of files that are being written differ.
    written: u64,
}

impl Blobs {
    pub(crate) fn new(dir: PathBuf, budget: u64) -> Self {
        Self {
            dir,
            budget,
            known: Mutex::default(),
        }
    }

    /// The bytes of that digest, if they are here and are they.
    pub(crate) fn find(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.path(digest.hex());
        let bytes = fs::read(&path).ok()?;
        if Digest::of(&bytes) != *digest {
            tracing::warn!(%digest, path = %path.display(), "a cached chart is corrupt and fetched again");
            self.forget(digest.hex());
            return None;
        }
        // For the order in which files go after a restart.
        if let Ok(file) = fs::File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        self.with_known(|known| known.touch(digest.hex()));
        Some(bytes)
    }

    /// Keeps bytes whose digest was verified. A failure is logged and costs nothing but the next fetch.
    pub(crate) fn keep(&self, digest: &Digest, bytes: &[u8]) {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.budget {
            return;
        }
        if let Err(error) = self.write(digest.hex(), bytes) {
            tracing::warn!(%digest, folder = %self.dir.display(), %error, "a chart cannot be cached");
            return;
        }
        let old = self.with_known(|known| {
            known.insert(digest.hex(), size);
            known.shrink(self.budget)
        });
        for name in old {
            let _ = fs::remove_file(self.path(&name));
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent)?;
        let number = self.with_known(|known| {
            known.written += 1;
            known.written
        });
        let temporary = parent.join(format!(".{name}.{}.{number}", std::process::id()));
        let written = fs::File::create(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_data()
        });
        let renamed = written.and_then(|()| fs::rename(&temporary, &path));
        if renamed.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        renamed
    }

    fn forget(&self, name: &str) {
        let _ = fs::remove_file(self.path(name));
        self.with_known(|known| known.remove(name));
    }

    /// `ab/abcd…`: no folder gets too large.
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(&name[..2]).join(name)
    }

    fn with_known<T>(&self, action: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        action(known.get_or_insert_with(|| Known::scan(&self.dir)))
    }
}

impl Known {
    /// What an earlier process left, oldest first. What it was writing when it ended is removed.
    fn scan(dir: &Path) -> Self {
        let mut found = Vec::new();
        for folder in fs::read_dir(dir).into_iter().flatten().flatten() {
            for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                let Ok(metadata) = file.metadata() else { continue };
                if name.starts_with('.') {
                    let _ = fs::remove_file(file.path());
                } else if Digest::parse(&name).is_ok() {
                    let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    found.push((used, name, metadata.len()));
                }
            }
        }
        found.sort();
        let mut known = Self::default();
        for (_, name, size) in found {
            known.insert(&name, size);
        }
        known
    }

    fn insert(&mut self, name: &str, size: u64) {
        self.clock += 1;
        let before = self.files.insert(name.to_owned(), (size, self.clock));
        self.bytes = self
            .bytes
            .saturating_add(size)
            .saturating_sub(before.map_or(0, |(size, _)| size));
    }

    fn touch(&mut self, name: &str) {
        self.clock += 1;
        if let Some(file) = self.files.get_mut(name) {
            file.1 = self.clock;
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some((size, _)) = self.files.remove(name) {
            self.bytes = self.bytes.saturating_sub(size);
        }
    }

    /// Forgets what was not used for longest, until the rest fits; their names.
    fn shrink(&mut self, budget: u64) -> Vec<String> {
        let mut gone = Vec::new();
        while self.bytes > budget {
            let oldest = self.files.iter().min_by_key(|(_, (_, used))| *used);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else {
                break;
            };
            self.remove(&name);
            gone.push(name);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: u8) -> (Digest, Vec<u8>) {
        let bytes = vec![seed; 100];
        (Digest::of(&bytes), bytes)
    }

    #[test]
    fn what_is_corrupt_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(dir.path().join("blobs"), 1000);
        let (digest, content) = bytes(1);
        assert_eq!(blobs.find(&digest), None);
        blobs.keep(&digest, &content);
        assert_eq!(blobs.find(&digest), Some(content.clone()));
        fs::write(blobs.path(digest.hex()), b"something else").unwrap();
        assert_eq!(blobs.find(&digest), None);
        assert!(!blobs.path(digest.hex()).exists());
        blobs.keep(&digest, &content);
        fs::write(blobs.path(digest.hex()), &content[..50]).unwrap();
        assert_eq!(blobs.find(&digest), None, "a file that was cut off");
    }

    #[test]
    fn what_was_not_used_for_longest_goes_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(dir.path().to_owned(), 350);
        let all: Vec<_> = (0..4).map(bytes).collect();
        for (digest, content) in &all[..3] {
            blobs.keep(digest, content);
        }
        assert!(blobs.find(&all[0].0).is_some());
        blobs.keep(&all[3].0, &all[3].1);
        let here = |blobs: &Blobs| {
            all.iter()
                .map(|(digest, _)| blobs.find(digest).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(here(&blobs), [true, false, true, true]);
        let half_written = dir.path().join("00").join(".half");
        fs::create_dir_all(half_written.parent().unwrap()).unwrap();
        fs::write(&half_written, b"x").unwrap();
        let again = Blobs::new(dir.path().to_owned(), 250);
        let (digest, content) = bytes(9);
        again.keep(&digest, &content);
        assert_eq!(again.find(&digest), Some(content));
        let left = again.known.lock().unwrap().as_ref().unwrap().bytes;
        assert_eq!((left, half_written.exists()), (200, false));
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_only_speed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        let blobs = Blobs::new(file.join("below"), 1000);
        let (digest, content) = bytes(1);
        blobs.keep(&digest, &content);
        assert_eq!(blobs.find(&digest), None);
        let (large, content) = (Digest::of(&[0; 2000]), vec![0; 2000]);
        let blobs = Blobs::new(dir.path().to_owned(), 1000);
        blobs.keep(&large, &content);
        assert_eq!(blobs.find(&large), None, "larger than the whole cache");
    }
}
