//! All repositories that are read, one for each URL, however many applications share it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_model::Timestamp;
use gix::ObjectId;

use crate::ancestry::{self, Ancestry};
use crate::local::Local;
use crate::mirror::Mirror;
use crate::objects::Objects;
use crate::refs::{RefChange, RefTable};
use crate::revision::{Lookup, Reference, Revision, absent};
use crate::url::Location;
use crate::{Credentials, GitTree, Options, RepoUrl, SourceError};

/// How often a name is looked up again when its branch moves while its commit is being fetched.
const ATTEMPTS: usize = 3;

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchPolicy {
    /// What the server said last, if this process has asked it before; otherwise it is asked. For a poll's followers.
    Cached,
    /// The server is asked now (one small exchange); objects come only if they are missing.
    Fetch,
}

/// What a revision names: one immutable commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Commit id, 40 hex digits.
    pub commit: String,
    /// Id of its root folder, 40 hex digits.
    pub tree: String,
    /// By which kind of name it was found.
    pub reference: Reference,
    /// When it was committed.
    pub time: Timestamp,
    /// Its author's name.
    pub author_name: String,
    /// Its author's mail address.
    pub author_email: String,
    /// First line of its message.
    pub subject: String,
    /// What the user should know, such as a branch and a tag of the same name.
    pub note: Option<String>,
}

/// What a look at a repository found.
#[derive(Clone, Debug)]
pub struct Poll {
    /// Everything as it is now.
    pub refs: Arc<RefTable>,
    /// What changed since this poller's last look that succeeded; empty at its first.
    pub changes: Vec<RefChange>,
}

/// Watches one repository for all applications that use it: remembers what it saw last.
#[derive(Clone, Debug)]
pub struct Poller {
    url: RepoUrl,
    last: Option<Arc<RefTable>>,
}

impl Poller {
    /// Has seen nothing yet.
    pub fn new(url: RepoUrl) -> Self {
        Self { url, last: None }
    }

    /// Looks: one small exchange with a server (no object is transferred), or reading the refs of a local repository.
    ///
    /// # Errors
    /// As [`Repositories::refs`]; what was seen before stays, so that no change is lost.
    pub fn poll(
        &mut self,
        repositories: &Repositories,
        credentials: Option<&Credentials>,
    ) -> Result<Poll, SourceError> {
        let refs = repositories.refs(&self.url, FetchPolicy::Fetch, credentials)?;
        let changes = match &self.last {
            Some(last) if !Arc::ptr_eq(last, &refs) => refs.changes_since(last),
            Some(_) | None => Vec::new(),
        };
        self.last = Some(Arc::clone(&refs));
        Ok(Poll { refs, changes })
    }

    /// The repository that is watched.
    pub fn url(&self) -> &RepoUrl {
        &self.url
    }
}

/// The repositories of this process. Blocking: call it from a thread that may wait. Safe to use from many at once.
#[derive(Debug)]
pub struct Repositories {
    cache: PathBuf,
    options: Options,
    known: Mutex<BTreeMap<String, Arc<Backend>>>,
}

#[derive(Debug)]
enum Backend {
    Local(Local),
    Mirror(Mirror),
}

impl Backend {
    fn objects(&self) -> Result<Arc<Objects>, SourceError> {
        match self {
            Self::Local(local) => local.objects(),
            Self::Mirror(mirror) => mirror.objects(),
        }
    }

    fn refs(&self, policy: FetchPolicy, credentials: Option<&Credentials>) -> Result<Arc<RefTable>, SourceError> {
        match self {
            Self::Local(local) => local.list().map(Arc::new),
            Self::Mirror(mirror) => match mirror.known().filter(|_| policy == FetchPolicy::Cached) {
                Some(known) => Ok(known),
                None => mirror.list(credentials),
            },
        }
    }

    /// Brings an object, if it can come from somewhere.
    fn fetch(
        &self,
        wanted: Option<ObjectId>,
        pinned: bool,
        credentials: Option<&Credentials>,
    ) -> Result<(), SourceError> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Mirror(mirror) => mirror.fetch(wanted, pinned, credentials).map(|_| ()),
        }
    }
}

impl Repositories {
    /// `cache` is a folder of this process alone, made when needed.
    pub fn new(cache: impl Into<PathBuf>, options: Options) -> Self {
        Self {
            cache: cache.into(),
            options,
            known: Mutex::default(),
        }
    }

    /// Finds the commit that a `targetRevision` names, and brings it here if it is not.
    ///
    /// # Errors
    /// Every [`SourceError`]; one that concerns the server is not remembered.
    pub fn resolve(
        &self,
        url: &RepoUrl,
        revision: &str,
        policy: FetchPolicy,
        credentials: Option<&Credentials>,
    ) -> Result<Resolved, SourceError> {
        let parsed = Revision::parse(revision)?;
        let backend = self.backend(url);
        if let Revision::Commit(id) = parsed {
            return commit(&backend, url, id, credentials);
        }
        let mut policy = policy;
        for _ in 0..ATTEMPTS {
            let table = backend.refs(policy, credentials)?;
            match parsed.lookup(&table) {
                Lookup::Found { id, reference, note } => {
                    let mut objects = backend.objects()?;
                    if !objects.contains(id) {
                        backend.fetch(Some(id), false, credentials)?;
                        objects = backend.objects()?;
                    }
                    if objects.contains(id) || url.is_local() {
                        return describe(&objects, objects.peel(id)?, reference, note);
                    }
                    // It moved on between listing and fetching: the fetch has listed again.
                    policy = FetchPolicy::Cached;
                }
                Lookup::MaybeShort(digits) => return short(&backend, url, &digits, credentials),
                Lookup::Absent(reason) => return Err(absent(url, revision, reason)),
                Lookup::Empty(head) => {
                    return Err(SourceError::EmptyRepository {
                        url: url.to_string(),
                        head,
                    });
                }
            }
        }
        Err(absent(
            url,
            revision,
            "it moves faster than it can be fetched".to_owned(),
        ))
    }

    /// The files of a commit that [`Repositories::resolve`] returned. Asks no server.
    ///
    /// # Errors
    /// [`SourceError::Object`] when the commit or its root is not here or corrupt.
    pub fn tree(&self, url: &RepoUrl, commit: &str) -> Result<GitTree, SourceError> {
        let Revision::Commit(id) = Revision::parse(commit)? else {
            let reason = "a commit id of 40 hex digits is needed";
            return Err(SourceError::InvalidRevision {
                revision: commit.chars().take(64).collect(),
                reason,
            });
        };
        GitTree::open(self.backend(url).objects()?, id)
    }

    /// Is the commit `from` among the ancestors of the commit `to`, which [`Repositories::resolve`] returned? Asks no server.
    ///
    /// # Errors
    /// [`SourceError::Object`] when a commit in between is not here or corrupt.
    pub fn ancestry(&self, url: &RepoUrl, from: &str, to: &str) -> Result<Ancestry, SourceError> {
        match (Revision::parse(from)?, Revision::parse(to)?) {
            (Revision::Commit(from), Revision::Commit(to)) => ancestry::trace(&*self.backend(url).objects()?, from, to),
            _ => Ok(Ancestry::Unknown(format!("{from:?} and {to:?} are not both commits"))),
        }
    }

    /// Branches, tags and HEAD.
    ///
    /// # Errors
    /// Those of reaching and reading the repository.
    pub fn refs(
        &self,
        url: &RepoUrl,
        policy: FetchPolicy,
        credentials: Option<&Credentials>,
    ) -> Result<Arc<RefTable>, SourceError> {
        self.backend(url).refs(policy, credentials)
    }

    /// After [`SourceError::Object`]: gets a mirror anew from its server. Trees that are open go on reading the old one. A local repository
    /// is not ours to repair: nothing happens.
    ///
    /// # Errors
    /// Those of reaching the server; the old mirror then stays.
    pub fn repair(&self, url: &RepoUrl, credentials: Option<&Credentials>) -> Result<(), SourceError> {
        match self.backend(url).as_ref() {
            Backend::Local(_) => Ok(()),
            Backend::Mirror(mirror) => mirror.renew(credentials).map(|_| ()),
        }
    }

    fn backend(&self, url: &RepoUrl) -> Arc<Backend> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let backend = known.entry(url.identity()).or_insert_with(|| {
            let options = self.options.clone();
            Arc::new(match url.location() {
                Location::Local(path) => Backend::Local(Local::new(url.clone(), path.clone(), options)),
                Location::Http { .. } => Backend::Mirror(Mirror::new(url.clone(), &self.cache, options)),
            })
        });
        Arc::clone(backend)
    }
}

/// A full commit id never moves: no server is asked when it is here.
fn commit(
    backend: &Backend,
    url: &RepoUrl,
    id: ObjectId,
    credentials: Option<&Credentials>,
) -> Result<Resolved, SourceError> {
    if !backend.objects()?.contains(id) {
        backend.fetch(Some(id), false, credentials)?;
    }
    if !backend.objects()?.contains(id) {
        let none = |reason: &str| absent(url, &id.to_string(), reason.to_owned());
        backend
            .fetch(Some(id), true, credentials)
            .map_err(|error| match error {
                SourceError::Protocol { .. } => none("no branch or tag leads to it, and the server does not give it"),
                other => other,
            })?;
        if !backend.objects()?.contains(id) {
            return Err(none("the repository has no such commit"));
        }
    }
    let objects = backend.objects()?;
    describe(&objects, objects.peel(id)?, Reference::Commit, None)
}

/// The beginning of a commit id: has to be searched in the whole history.
fn short(
    backend: &Backend,
    url: &RepoUrl,
    digits: &str,
    credentials: Option<&Credentials>,
) -> Result<Resolved, SourceError> {
    let mut found = backend.objects()?.commits_beginning(digits)?;
    if found.is_empty() {
        backend.fetch(None, false, credentials)?;
        found = backend.objects()?.commits_beginning(digits)?;
    }
    match found.as_slice() {
        [] => Err(absent(
            url,
            digits,
            "it is no branch, no tag and not the beginning of a commit's id".to_owned(),
        )),
        [id] => describe(&*backend.objects()?, *id, Reference::Commit, None),
        several => Err(SourceError::AmbiguousRevision {
            url: url.to_string(),
            revision: digits.to_owned(),
            candidates: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

fn describe(
    objects: &Objects,
    id: ObjectId,
    reference: Reference,
    note: Option<String>,
) -> Result<Resolved, SourceError> {
    let info = objects.commit(id)?;
    Ok(Resolved {
        commit: id.to_string(),
        tree: info.tree.to_string(),
        reference,
        time: Timestamp::from_seconds(info.seconds),
        author_name: info.author_name,
        author_email: info.author_email,
        subject: info.subject,
        note,
    })
}
