//! A repository on this machine, read in place: no copy, no child process, no lock. Its refs are read anew at every look.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::objects::Objects;
use crate::refs::{HEADS, Head, RefTable, TAGS};
use crate::{Options, RepoUrl, SourceError, store};

/// How often a look at the refs is repeated when a ref vanishes in the middle of it.
const ATTEMPTS: usize = 3;

#[derive(Debug)]
pub(crate) struct Local {
    url: RepoUrl,
    path: PathBuf,
    options: Options,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    objects: Arc<Objects>,
    /// Device and inode of the folder, to notice that another took its place.
    identity: (u64, u64),
}

impl Local {
    pub(crate) fn new(url: RepoUrl, path: PathBuf, options: Options) -> Self {
        Self {
            url,
            path,
            options,
            open: Mutex::new(None),
        }
    }

    /// The object database, opened when it is not or when another repository took its place.
    pub(crate) fn objects(&self) -> Result<Arc<Objects>, SourceError> {
        let real = std::fs::canonicalize(&self.path).map_err(|error| self.io(&error))?;
        if !self.options.local.allows(&real) {
            let reason = "folders of the controller's machine are not read as repositories, unless its administrator allows this one";
            return Err(SourceError::Forbidden {
                url: self.url.to_string(),
                reason: reason.to_owned(),
            });
        }
        let identity = identity(&real).map_err(|error| self.io(&error))?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.as_ref().filter(|open| open.identity == identity) {
            return Ok(Arc::clone(&open.objects));
        }
        let repository = store::open(&real).map_err(|error| {
            if error.is_not_found() {
                return SourceError::NotFound {
                    url: self.url.to_string(),
                };
            }
            self.store(&error)
        })?;
        let objects = Arc::new(Objects::new(repository, self.url.clone(), self.options.limits.clone()));
        *open = Some(Open {
            objects: Arc::clone(&objects),
            identity,
        });
        Ok(objects)
    }

    /// Branches, tags and HEAD as they are now.
    pub(crate) fn list(&self) -> Result<RefTable, SourceError> {
        let objects = self.objects()?;
        let mut result = self.look(&objects);
        for _ in 1..ATTEMPTS {
            if result.is_ok() {
                break;
            }
            result = self.look(&objects);
        }
        result
    }

    fn look(&self, objects: &Objects) -> Result<RefTable, SourceError> {
        let repository = objects.local();
        read(&repository).map_err(|error| self.store(&error))
    }

    fn store(&self, error: &gix::Error) -> SourceError {
        let (url, path) = (self.url.to_string(), self.path.display().to_string());
        SourceError::Store {
            url,
            path,
            reason: error.probable_cause().to_string(),
        }
    }

    fn io(&self, error: &std::io::Error) -> SourceError {
        let url = self.url.to_string();
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => SourceError::NotFound { url },
            std::io::ErrorKind::PermissionDenied => SourceError::Forbidden {
                url,
                reason: error.to_string(),
            },
            _ => SourceError::Store {
                url,
                path: self.path.display().to_string(),
                reason: error.to_string(),
            },
        }
    }
}

/// Reads loose and packed refs.
fn read(repository: &gix::Repository) -> gix::Result<RefTable> {
    let head = match repository.head()?.kind {
        gix::head::Kind::Symbolic(reference) => Head::Symbolic(reference.name.as_bstr().to_string()),
        gix::head::Kind::Unborn(name) => Head::Symbolic(name.as_bstr().to_string()),
        gix::head::Kind::Detached { target, .. } => Head::Detached(target),
    };
    let mut tips = BTreeMap::new();
    let references = repository.references()?;
    for reference in references.local_branches()?.chain(references.tags()?) {
        let mut reference = reference?;
        let name = reference.name().as_bstr().to_string();
        debug_assert!(name.starts_with(HEADS) || name.starts_with(TAGS));
        let id = match reference.try_id() {
            Some(id) => id.detach(),
            None => reference.follow_to_object()?.detach(),
        };
        tips.insert(name, id);
    }
    Ok(RefTable { head, tips })
}

/// Which folder it is. A work tree's `.git` may be replaced while the folder around it stays.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let inner = path.join(".git");
    let metadata = std::fs::metadata(if inner.exists() { &inner } else { path })?;
    Ok((metadata.dev(), metadata.ino()))
}
