//! Where revisions and files come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_engine::effect::Freshness;
use capstan_engine::event::{ResolvedRevision, SourceFailure};
use capstan_model::ApplicationSource;
use capstan_render::FileTree;
use capstan_source::{Credentials, FetchPolicy, Poller, RepoUrl, Repositories, Resolved, SourceError};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

/// Resolves revisions and reads trees. The real one is [`Sources`]; a simulated run has its own.
pub trait SourceProvider: Send + Sync + 'static {
    /// The commit that a source's revision names.
    fn resolve<'a>(
        &'a self,
        source: &'a ApplicationSource,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<ResolvedRevision, SourceFailure>>;

    /// The files of a source's repository at a commit.
    fn tree<'a>(
        &'a self,
        source: &'a ApplicationSource,
        revision: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>>;

    /// Asks a repository for news: has any reference moved since it was last asked? The first answer is yes.
    fn poll<'a>(&'a self, repo_url: &'a str) -> BoxFuture<'a, Result<bool, SourceFailure>>;

    /// These are the repositories that are still polled: what is kept of the polls of others can go.
    fn retain(&self, repo_urls: &BTreeSet<String>);
}

/// Finds the credentials of a repository.
pub type CredentialLookup = dyn Fn(&RepoUrl) -> Option<Credentials> + Send + Sync;

/// Git repositories, through `capstan_source`.
pub struct Sources {
    repositories: Arc<Repositories>,
    credentials: Arc<CredentialLookup>,
    pollers: Mutex<BTreeMap<String, Arc<Mutex<Poll>>>>,
    /// Reading and fetching block: so many threads may.
    places: Arc<Semaphore>,
}

struct Poll {
    poller: Poller,
    /// Has it answered once?
    answered: bool,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// Repositories that are read or fetched at once.
const AT_ONCE: usize = 16;

impl Sources {
    /// Of public repositories.
    pub fn new(repositories: Arc<Repositories>) -> Self {
        Self::with_credentials(repositories, |_| None)
    }

    /// With what `credentials` finds, asked anew every time.
    pub fn with_credentials(
        repositories: Arc<Repositories>,
        credentials: impl Fn(&RepoUrl) -> Option<Credentials> + Send + Sync + 'static,
    ) -> Self {
        Self {
            repositories,
            credentials: Arc::new(credentials),
            pollers: Mutex::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Runs `work` where it may block. An object that cannot be had is asked for once more, from a mirror that is made anew.
    async fn blocking<T: Send + 'static>(
        &self,
        url: RepoUrl,
        work: impl Fn(&Repositories, &RepoUrl, Option<&Credentials>) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceFailure> {
        // Closed never: nobody closes it.
        let _place = self.places.clone().acquire_owned().await;
        let repositories = self.repositories.clone();
        let lookup = self.credentials.clone();
        let task = tokio::task::spawn_blocking(move || {
            let credentials = lookup(&url);
            match work(&repositories, &url, credentials.as_ref()) {
                Err(SourceError::Object { .. }) if !url.is_local() => {
                    repositories.repair(&url, credentials.as_ref())?;
                    work(&repositories, &url, credentials.as_ref())
                }
                done => done,
            }
        });
        match task.await {
            Ok(done) => done.map_err(|error| failure(&error)),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down: nobody will look at the result.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn poller(&self, repo_url: &str, url: &RepoUrl) -> Arc<Mutex<Poll>> {
        let mut pollers = self.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        let poll = pollers.entry(repo_url.to_owned()).or_insert_with(|| {
            let poller = Poller::new(url.clone());
            Arc::new(Mutex::new(Poll {
                poller,
                answered: false,
            }))
        });
        poll.clone()
    }
}

impl SourceProvider for Sources {
    fn resolve<'a>(
        &'a self,
        source: &'a ApplicationSource,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<ResolvedRevision, SourceFailure>> {
        async move {
            let url = git(source)?;
            let revision = source.target_revision.clone();
            let policy = match freshness {
                Freshness::Cached => FetchPolicy::Cached,
                Freshness::Remote => FetchPolicy::Fetch,
            };
            let resolved = self
                .blocking(url, move |repositories, url, credentials| {
                    repositories.resolve(url, &revision, policy, credentials)
                })
                .await?;
            if let Some(note) = &resolved.note {
                tracing::warn!(repository = source.repo_url, note, "resolved");
            }
            Ok(revision_of(resolved))
        }
        .boxed()
    }

    fn tree<'a>(
        &'a self,
        source: &'a ApplicationSource,
        revision: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>> {
        async move {
            let url = git(source)?;
            let revision = revision.to_owned();
            self.blocking(url, move |repositories, url, credentials| {
                // A commit that was pinned before the last start may have to be fetched again.
                let resolved = repositories.resolve(url, &revision, FetchPolicy::Cached, credentials)?;
                let tree = repositories.tree(url, &resolved.commit)?;
                Ok(Arc::new(tree) as Arc<dyn FileTree>)
            })
            .await
        }
        .boxed()
    }

    fn poll<'a>(&'a self, repo_url: &'a str) -> BoxFuture<'a, Result<bool, SourceFailure>> {
        async move {
            let url = RepoUrl::parse(repo_url).map_err(|error| failure(&error))?;
            let poll = self.poller(repo_url, &url);
            self.blocking(url, move |repositories, _, credentials| {
                let mut poll = poll.lock().unwrap_or_else(PoisonError::into_inner);
                let seen = poll.poller.poll(repositories, credentials)?;
                let first = !std::mem::replace(&mut poll.answered, true);
                Ok(first || !seen.changes.is_empty())
            })
            .await
        }
        .boxed()
    }

    fn retain(&self, repo_urls: &BTreeSet<String>) {
        let mut pollers = self.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        pollers.retain(|url, _| repo_urls.contains(url));
    }
}

fn git(source: &ApplicationSource) -> Result<RepoUrl, SourceFailure> {
    if !source.chart.is_empty() || source.repo_url.starts_with("oci://") {
        return Err(SourceFailure {
            message: format!(
                "{}: Helm and OCI repositories are not supported yet; vendor the chart in a Git repository and name its path",
                source.repo_url
            ),
            transient: false,
        });
    }
    RepoUrl::parse(&source.repo_url).map_err(|error| failure(&error))
}

fn failure(error: &SourceError) -> SourceFailure {
    SourceFailure {
        message: error.to_string(),
        transient: error.is_transient(),
    }
}

fn revision_of(resolved: Resolved) -> ResolvedRevision {
    ResolvedRevision {
        revision: resolved.commit,
        author: match resolved.author_email.as_str() {
            "" => resolved.author_name,
            mail => format!("{} <{mail}>", resolved.author_name),
        },
        subject: resolved.subject,
        time: Some(resolved.time),
    }
}
