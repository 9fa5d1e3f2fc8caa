//! A server's repository, mirrored below the cache folder: one bare repository for each URL, shared by all who read it.
//!
//! **Invariants.** What a name points at is what the server said last, never what lies in the mirror. At most one exchange runs for each
//! repository; who asked before it began shares its answer, error included. Objects are only added: a commit that was force-pushed away
//! stays readable until the mirror is renewed.
//!
//! The cache folder belongs to one process; locks found at opening are remains of a dead one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gix::ObjectId;

use crate::objects::Objects;
use crate::refs::RefTable;
use crate::remote::Server;
use crate::{Credentials, Options, RepoUrl, SourceError, store};

/// Every fetch adds a pack; with more than these the mirror is made anew.
const MAX_PACKS: usize = 400;

#[derive(Debug)]
pub(crate) struct Mirror {
    url: RepoUrl,
    /// Without the number of its generation.
    base: PathBuf,
    options: Options,
    state: Mutex<State>,
    /// Held during an exchange: the answer to the last one.
    exchange: Mutex<Option<Listed>>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    objects: Option<Arc<Objects>>,
    table: Option<Arc<RefTable>>,
}

#[derive(Debug)]
struct Listed {
    began: Instant,
    outcome: Result<Arc<RefTable>, SourceError>,
}

impl Mirror {
    pub(crate) fn new(url: RepoUrl, cache: &Path, options: Options) -> Self {
        let identity = url.identity();
        let digest = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, identity.as_bytes());
        let digest = digest.map(|id| id.to_string()).unwrap_or_default();
        let name: String = identity
            .split("://")
            .last()
            .unwrap_or_default()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .take(60)
            .collect();
        let base = cache.join(format!("{name}-{digest}"));
        Self {
            url,
            base,
            options,
            state: Mutex::default(),
            exchange: Mutex::default(),
        }
    }

    /// The mirror's objects as far as they are here.
    pub(crate) fn objects(&self) -> Result<Arc<Objects>, SourceError> {
        let mut state = self.state();
        if let Some(objects) = &state.objects {
            return Ok(Arc::clone(objects));
        }
        let generation = self.newest_generation();
        let path = self.path(generation);
        remove_locks(&path);
        let opened = store::open(&path).or_else(|_| {
            // Absent, or left half made.
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).map_err(gix::Error::from_error)?;
            store::create(&path)
        });
        let repository = opened.map_err(|error| self.store_error(&error.probable_cause().to_string()))?;
        let objects = Arc::new(Objects::new(repository, self.url.clone(), self.options.limits.clone()));
        state.generation = generation;
        state.objects = Some(Arc::clone(&objects));
        Ok(objects)
    }

    /// What the server said last, if it was asked by this process.
    pub(crate) fn known(&self) -> Option<Arc<RefTable>> {
        self.state().table.clone()
    }

    /// Asks the server; who waited while another asked gets the same answer, unless that began earlier than this call.
    pub(crate) fn list(&self, credentials: Option<&Credentials>) -> Result<Arc<RefTable>, SourceError> {
        let asked = Instant::now();
        let mut exchange = self.exchange();
        if let Some(listed) = exchange.as_ref().filter(|listed| listed.began >= asked) {
            return listed.outcome.clone();
        }
        let began = Instant::now();
        let outcome = self
            .objects()
            .and_then(|objects| self.server(&objects.local(), credentials).list());
        let outcome = outcome.map(|table| self.learn(table));
        *exchange = Some(Listed {
            began,
            outcome: outcome.clone(),
        });
        outcome
    }

    /// Brings an object that is not here, with everything else that is new. `pinned`: also when no ref leads to it.
    pub(crate) fn fetch(
        &self,
        wanted: Option<ObjectId>,
        pinned: bool,
        credentials: Option<&Credentials>,
    ) -> Result<Arc<RefTable>, SourceError> {
        let mut exchange = self.exchange();
        let objects = self.objects()?;
        // Another brought it while we waited.
        if let (Some(id), Some(table)) = (wanted, self.known())
            && objects.contains(id)
        {
            return Ok(table);
        }
        if packs(&self.path(self.state().generation)) > MAX_PACKS {
            return self.renew_locked(&mut exchange, credentials);
        }
        let began = Instant::now();
        let outcome = self
            .server(&objects.local(), credentials)
            .fetch(wanted.filter(|_| pinned));
        let outcome = outcome.map(|table| self.learn(table));
        tracing::debug!(repository = %self.url, took = ?began.elapsed(), fetched = outcome.is_ok(), "fetched");
        if !pinned || outcome.is_ok() {
            *exchange = Some(Listed {
                began,
                outcome: outcome.clone(),
            });
        }
        outcome
    }

    /// Makes the mirror anew, beside the old one, which open trees go on reading.
    pub(crate) fn renew(&self, credentials: Option<&Credentials>) -> Result<Arc<RefTable>, SourceError> {
        let mut exchange = self.exchange();
        self.renew_locked(&mut exchange, credentials)
    }

    fn renew_locked(
        &self,
        exchange: &mut Option<Listed>,
        credentials: Option<&Credentials>,
    ) -> Result<Arc<RefTable>, SourceError> {
        let generation = self.state().generation.max(self.newest_generation()) + 1;
        let path = self.path(generation);
        let made = std::fs::create_dir_all(&path)
            .map_err(gix::Error::from_error)
            .and_then(|()| store::create(&path));
        let repository = made.map_err(|error| self.store_error(&error.probable_cause().to_string()))?;
        let objects = Arc::new(Objects::new(repository, self.url.clone(), self.options.limits.clone()));
        let began = Instant::now();
        let table = match self.server(&objects.local(), credentials).fetch(None) {
            Ok(table) => table,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&path);
                return Err(error);
            }
        };
        tracing::info!(repository = %self.url, generation, "the mirror was made anew");
        for old in self.generations().into_iter().filter(|old| *old + 1 < generation) {
            let _ = std::fs::remove_dir_all(self.path(old));
        }
        {
            let mut state = self.state();
            state.generation = generation;
            state.objects = Some(objects);
        }
        let table = self.learn(table);
        *exchange = Some(Listed {
            began,
            outcome: Ok(Arc::clone(&table)),
        });
        Ok(table)
    }

    fn learn(&self, table: RefTable) -> Arc<RefTable> {
        let mut state = self.state();
        match &state.table {
            // The same allocation for the same answer, so that a comparison is one of pointers.
            Some(known) if **known == table => Arc::clone(known),
            _ => {
                let table = Arc::new(table);
                state.table = Some(Arc::clone(&table));
                table
            }
        }
    }

    fn server<'a>(&'a self, repository: &'a gix::Repository, credentials: Option<&'a Credentials>) -> Server<'a> {
        Server {
            repository,
            url: &self.url,
            limits: &self.options.limits,
            credentials,
        }
    }

    fn path(&self, generation: u64) -> PathBuf {
        let mut name = self.base.clone().into_os_string();
        name.push(format!(".{generation}.git"));
        name.into()
    }

    /// The generations that lie in the cache folder.
    fn generations(&self) -> Vec<u64> {
        let prefix = self
            .base
            .file_name()
            .map(|name| format!("{}.", name.to_string_lossy()))
            .unwrap_or_default();
        let Some(entries) = self.base.parent().and_then(|parent| std::fs::read_dir(parent).ok()) else {
            return Vec::new();
        };
        let names = entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix(".git")?.parse().ok())
            .collect()
    }

    fn newest_generation(&self) -> u64 {
        self.generations().into_iter().max().unwrap_or(0)
    }

    fn store_error(&self, reason: &str) -> SourceError {
        let path = self.base.display().to_string();
        SourceError::Store {
            url: self.url.to_string(),
            path,
            reason: reason.to_owned(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchange(&self) -> MutexGuard<'_, Option<Listed>> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many packs a repository has.
fn packs(path: &Path) -> usize {
    let entries = std::fs::read_dir(path.join("objects/pack"));
    entries.map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|ext| ext == "idx"))
            .count()
    })
}

/// Removes the locks that a killed process left in our own mirror.
fn remove_locks(path: &Path) {
    let mut folders = vec![path.join("refs")];
    let mut locks = vec![
        path.join("packed-refs.lock"),
        path.join("HEAD.lock"),
        path.join("config.lock"),
    ];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") {
                locks.push(path);
            }
        }
    }
    for lock in locks {
        let _ = std::fs::remove_file(lock);
    }
}
