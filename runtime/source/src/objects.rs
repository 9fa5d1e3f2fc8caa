//! One repository's objects, read straight from its database and verified.
//!
//! **Invariants.** Whatever is returned hashes to the id it was asked for (with SHA-1 collision detection). A missing object and a corrupt
//! one are errors that name the object, never an absence. Nothing is written. Replacement refs and grafts are ignored.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;
use gix::objs::Kind;
use gix::objs::tree::EntryKind as GitKind;

use crate::classify::causes;
use crate::error::ObjectProblem;
use crate::tree_cache::TreeCache;
use crate::{Limits, RepoUrl, SourceError};

/// How many tags may stand between a ref and its commit.
const MAX_TAG_DEPTH: usize = 8;
/// The largest commit or tag that is read, in bytes.
const MAX_COMMIT_BYTES: u64 = 4 << 20;
/// How many idle handles are kept.
const MAX_HANDLES: usize = 8;
/// How many commits an ambiguous id names in its error.
const MAX_CANDIDATES: usize = 8;

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Box<str>,
    pub(crate) kind: GitKind,
    pub(crate) id: ObjectId,
}

/// A verified folder: its entries by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    entries: Box<[Entry]>,
}

impl Folder {
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| entry.name.as_ref().cmp(name));
        found.ok().map(|index| &self.entries[index])
    }

    /// Bytes it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        64 + self
            .entries
            .iter()
            .map(|entry| size_of::<Entry>() + entry.name.len() + 16)
            .sum::<usize>()
    }

    fn parse(data: &[u8], hash: gix::hash::Kind) -> Result<Self, String> {
        let mut entries = Vec::new();
        for entry in gix::objs::TreeRefIter::from_bytes(data, hash) {
            let entry = entry.map_err(|error| format!("not a tree: {error}"))?;
            // Names that are not UTF-8 keep a stand-in, by which they are listed and found alike.
            let name = String::from_utf8_lossy(entry.filename);
            if name.is_empty()
                || name == "."
                || name == ".."
                || name.contains(['/', '\0'])
                || name.eq_ignore_ascii_case(".git")
            {
                return Err(format!("it holds an entry named {name:?}"));
            }
            entries.push(Entry {
                name: name.into(),
                kind: entry.mode.kind(),
                id: entry.oid.to_owned(),
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        match entries
            .windows(2)
            .find(|pair| pair[0].name.cmp(&pair[1].name) == Ordering::Equal)
        {
            Some(pair) => Err(format!("it holds {:?} twice", pair[0].name)),
            None => Ok(Self {
                entries: entries.into_boxed_slice(),
            }),
        }
    }
}

/// What a commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitInfo {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    pub(crate) author_name: String,
    pub(crate) author_email: String,
    /// Seconds since the Unix epoch, of the committer.
    pub(crate) seconds: i64,
    pub(crate) subject: String,
}

/// One object database.
pub(crate) struct Objects {
    repository: gix::ThreadSafeRepository,
    url: RepoUrl,
    limits: Limits,
    folders: Mutex<TreeCache>,
    /// Handles that are not in use: making one costs more than reading a small object.
    handles: Mutex<Vec<gix::Repository>>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Objects({})", self.url)
    }
}

impl Objects {
    pub(crate) fn new(repository: gix::ThreadSafeRepository, url: RepoUrl, limits: Limits) -> Self {
        let folders = Mutex::new(TreeCache::new(limits.tree_cache_bytes));
        Self {
            repository,
            url,
            limits,
            folders,
            handles: Mutex::default(),
        }
    }

    /// A handle for the current thread.
    pub(crate) fn local(&self) -> gix::Repository {
        self.repository.to_thread_local()
    }

    /// Lends a handle that may have been used before.
    fn with<R>(&self, action: impl FnOnce(&gix::Repository) -> R) -> R {
        let pooled = self.handles.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let handle = pooled.unwrap_or_else(|| self.local());
        let result = action(&handle);
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if handles.len() < MAX_HANDLES {
            handles.push(handle);
        }
        result
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Is the object there? Says nothing about what it refers to.
    pub(crate) fn contains(&self, id: ObjectId) -> bool {
        self.with(|handle| handle.has_object(id))
    }

    /// Does its history end somewhere on purpose?
    pub(crate) fn is_shallow(&self) -> Result<bool, SourceError> {
        self.with(gix::Repository::is_shallow)
            .map_err(|error| self.store_error(error.probable_cause().to_string()))
    }

    /// A folder, parsed and verified; kept for the next one who asks.
    pub(crate) fn folder(&self, id: ObjectId) -> Result<Arc<Folder>, SourceError> {
        if let Some(folder) = self.lock().find(id) {
            return Ok(folder);
        }
        let data = self.data(id, Kind::Tree, self.limits.tree_bytes, "bytes of a folder's entries")?;
        let folder = Folder::parse(&data, id.kind()).map_err(|why| self.problem(id, ObjectProblem::Corrupt(why)))?;
        let folder = Arc::new(folder);
        self.lock().insert(id, &folder);
        Ok(folder)
    }

    /// The content of a file, verified.
    pub(crate) fn file(&self, id: ObjectId) -> Result<Vec<u8>, SourceError> {
        self.data(id, Kind::Blob, self.limits.file_bytes, "bytes of a file")
    }

    /// The bytes of a file, without reading it.
    pub(crate) fn file_size(&self, id: ObjectId) -> Result<u64, SourceError> {
        self.with(|handle| self.header(handle, id, Kind::Blob))
    }

    /// What a commit says.
    pub(crate) fn commit(&self, id: ObjectId) -> Result<CommitInfo, SourceError> {
        let data = self.data(id, Kind::Commit, MAX_COMMIT_BYTES, "bytes of a commit")?;
        let corrupt = |why: String| self.problem(id, ObjectProblem::Corrupt(why));
        let commit = gix::objs::CommitRef::from_bytes(&data, id.kind()).map_err(|error| corrupt(error.to_string()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (author_name, author_email) = commit
            .author()
            .map(|author| (text(author.name), text(author.email)))
            .unwrap_or_default();
        let subject = commit
            .message
            .split(|byte| *byte == b'\n')
            .find(|line| !line.trim_ascii().is_empty());
        Ok(CommitInfo {
            tree: commit.tree(),
            parents: commit.parents().collect(),
            author_name,
            author_email,
            seconds: commit.time().map(|time| time.seconds).unwrap_or_default(),
            subject: subject.map(|line| text(line.trim_ascii())).unwrap_or_default(),
        })
    }

    /// The commit that a ref's object leads to: itself, or what an annotated tag points at.
    pub(crate) fn peel(&self, id: ObjectId) -> Result<ObjectId, SourceError> {
        let mut current = id;
        for _ in 0..MAX_TAG_DEPTH {
            match self.kind(current)? {
                Kind::Commit => return Ok(current),
                Kind::Tag => {
                    let data = self.data(current, Kind::Tag, MAX_COMMIT_BYTES, "bytes of a tag")?;
                    let tag = gix::objs::TagRef::from_bytes(&data, current.kind())
                        .map_err(|error| self.problem(current, ObjectProblem::Corrupt(error.to_string())))?;
                    current = tag.target();
                }
                other => {
                    return Err(self.problem(
                        current,
                        ObjectProblem::Kind {
                            found: name(other),
                            wanted: "commit",
                        },
                    ));
                }
            }
        }
        Err(self.problem(
            id,
            ObjectProblem::Corrupt("it is a tag of a tag, more than eight deep".to_owned()),
        ))
    }

    /// The commits whose id begins with `digits`, sorted.
    pub(crate) fn commits_beginning(&self, digits: &str) -> Result<Vec<ObjectId>, SourceError> {
        let prefix = gix::hash::Prefix::from_hex(digits).map_err(|error| self.store_error(error.to_string()))?;
        let mut candidates = HashSet::new();
        let found = self.with(|handle| handle.objects.lookup_prefix(prefix, Some(&mut candidates)));
        found.map_err(|error| self.store_error(error.to_string()))?;
        let mut commits = Vec::new();
        for id in candidates {
            if self.kind(id)? == Kind::Commit {
                commits.push(id);
            }
        }
        commits.sort();
        commits.truncate(MAX_CANDIDATES);
        Ok(commits)
    }

    fn kind(&self, id: ObjectId) -> Result<Kind, SourceError> {
        let header = self.with(|handle| handle.try_find_header(id));
        let header = header.map_err(|error| self.unreadable(id, &error))?;
        header
            .map(|header| header.kind())
            .ok_or_else(|| self.problem(id, ObjectProblem::Missing))
    }

    /// Kind and size checked, before anything is unpacked.
    fn header(&self, handle: &gix::Repository, id: ObjectId, wanted: Kind) -> Result<u64, SourceError> {
        let header = handle
            .try_find_header(id)
            .map_err(|error| self.unreadable(id, &error))?;
        let header = header.ok_or_else(|| self.problem(id, ObjectProblem::Missing))?;
        if header.kind() != wanted {
            let problem = ObjectProblem::Kind {
                found: name(header.kind()),
                wanted: name(wanted),
            };
            return Err(self.problem(id, problem));
        }
        Ok(header.size())
    }

    fn data(&self, id: ObjectId, wanted: Kind, limit: u64, what: &'static str) -> Result<Vec<u8>, SourceError> {
        self.with(|handle| self.verified(handle, id, wanted, limit, what))
    }

    fn verified(
        &self,
        handle: &gix::Repository,
        id: ObjectId,
        wanted: Kind,
        limit: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, SourceError> {
        let measured = self.header(handle, id, wanted)?;
        if measured > limit {
            return Err(SourceError::Limit {
                url: self.url.to_string(),
                what,
                measured,
                limit,
            });
        }
        let object = handle
            .try_find_object(id)
            .map_err(|error| self.unreadable(id, &error))?;
        let mut object = object.ok_or_else(|| self.problem(id, ObjectProblem::Missing))?;
        let actual = gix::objs::compute_hash(id.kind(), object.kind, &object.data)
            .map_err(|error| self.problem(id, ObjectProblem::Corrupt(error.to_string())))?;
        if actual != id {
            return Err(self.problem(id, ObjectProblem::Corrupt(format!("its content hashes to {actual}"))));
        }
        Ok(std::mem::take(&mut object.data))
    }

    /// The machine's failure (no permission, too many open files) is not the object's.
    fn unreadable(&self, id: ObjectId, error: &gix::Error) -> SourceError {
        let io = causes(error)
            .into_iter()
            .find_map(|cause| cause.downcast_ref::<std::io::Error>());
        if let Some(io) = io.filter(|io| io.raw_os_error().is_some()) {
            return self.store_error(format!("object {id}: {io}"));
        }
        self.problem(id, ObjectProblem::Corrupt(error.probable_cause().to_string()))
    }

    fn problem(&self, id: ObjectId, problem: ObjectProblem) -> SourceError {
        SourceError::Object {
            url: self.url.to_string(),
            id: id.to_string(),
            problem,
        }
    }

    fn store_error(&self, reason: String) -> SourceError {
        let path = self.repository.objects.path().display().to_string();
        SourceError::Store {
            url: self.url.to_string(),
            path,
            reason,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TreeCache> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tree => "tree",
        Kind::Blob => "blob",
        Kind::Commit => "commit",
        Kind::Tag => "tag",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_machine_is_not_taken_for_a_damaged_object() {
        let dir = tempfile::tempdir().unwrap();
        let url = RepoUrl::parse(&dir.path().display().to_string()).unwrap();
        let repository = crate::store::create(dir.path()).unwrap();
        let objects = Objects::new(repository, url, Limits::default());
        let id = ObjectId::empty_blob(gix::hash::Kind::Sha1);
        // Too many open files.
        let machine = gix::Error::from_error(std::io::Error::from_raw_os_error(24));
        let error = objects.unreadable(id, &machine);
        assert!(
            matches!(&error, SourceError::Store { reason, .. } if reason.contains(&id.to_string())),
            "{error}"
        );
        assert!(error.is_transient());
        let damage = gix::Error::from_error(std::io::Error::new(std::io::ErrorKind::InvalidData, "bad zlib stream"));
        let error = objects.unreadable(id, &damage);
        assert!(
            matches!(
                &error,
                SourceError::Object {
                    problem: ObjectProblem::Corrupt(_),
                    ..
                }
            ),
            "{error}"
        );
        assert!(!error.is_transient());
    }

    #[test]
    fn folders_with_impossible_entries_are_corrupt() {
        let entry = |name: &[u8]| [b"100644 ", name, b"\0", &[1; 20]].concat();
        let parse = |data: &[u8]| Folder::parse(data, gix::hash::Kind::Sha1);
        assert!(parse(&[entry(b"a"), entry(b"b")].concat()).is_ok());
        for bad in [&b".."[..], b".", b".git", b".GIT", b"a/b", b""] {
            assert!(parse(&entry(bad)).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        assert!(parse(&[entry(b"a"), entry(b"a")].concat()).is_err());
        assert!(parse(b"100644 a\0short").is_err());
        // Not UTF-8: listed by a stand-in and found by it.
        let folder = parse(&entry(b"caf\xe9")).unwrap();
        assert!(folder.find(&folder.entries()[0].name).is_some());
    }
}
