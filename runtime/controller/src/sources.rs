//! Where revisions and files come from: Git repositories, and charts of Helm repositories and registries.

mod charts;
mod dependencies;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use capstan_engine::effect::Freshness;
use capstan_engine::event::{Descent, ResolvedRevision, SourceFailure};
use capstan_model::{AppProject, ApplicationSource};
use capstan_render::FileTree;
use capstan_source::{
    Ancestry, Charts, Credentials, FetchPolicy, Poller, Reference, RepoUrl, Repositories, Resolved, SourceError,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use self::charts::Tracked;
use self::dependencies::Ranges;
pub use self::secrets::Secrets;

/// Resolves revisions and reads trees. The real one is [`Sources`]; a simulated run has its own.
pub trait SourceProvider: Send + Sync + 'static {
    /// The commit that a source's revision names, or the version of a chart with the digest of what it is made of.
    fn resolve<'a>(
        &'a self,
        source: &'a ApplicationSource,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<ResolvedRevision, SourceFailure>>;

    /// Does the commit `to` of a source's branch follow the commit `from`? In a source without branches there is nothing to follow.
    fn descent<'a>(
        &'a self,
        source: &'a ApplicationSource,
        from: &'a str,
        to: &'a str,
    ) -> BoxFuture<'a, Result<Descent, SourceFailure>> {
        let _ = (source, from, to);
        futures::future::ready(Ok(Descent::NotABranch)).boxed()
    }

    /// The files of a source's repository at a commit, or of a chart.
    fn tree<'a>(
        &'a self,
        source: &'a ApplicationSource,
        revision: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>>;

    /// The tree with what its chart depends on and does not hold itself, brought from where `project` permits it to come from.
    /// `anew`: ranges that no lock file decides are decided again.
    fn complete<'a>(
        &'a self,
        source: &'a ApplicationSource,
        tree: Arc<dyn FileTree>,
        project: &'a AppProject,
        anew: bool,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>> {
        let _ = (source, project, anew);
        futures::future::ready(Ok(tree)).boxed()
    }

    /// Where Secrets about repositories are to be told, if they are of use.
    fn secrets(&self) -> Option<Arc<Secrets>> {
        None
    }

    /// Asks a repository for news: has any reference moved since it was last asked? The first answer is yes.
    fn poll<'a>(&'a self, repo_url: &'a str) -> BoxFuture<'a, Result<bool, SourceFailure>>;

    /// These are the repositories that are still polled: what is kept of the polls of others can go.
    fn retain(&self, repo_urls: &BTreeSet<String>);
}

/// Git repositories and charts, through `capstan_source`.
pub struct Sources {
    repositories: Arc<Repositories>,
    charts: Arc<Charts>,
    secrets: Arc<Secrets>,
    pollers: Mutex<BTreeMap<String, Arc<Mutex<Poll>>>>,
    /// Charts that applications use, by the repository's URL as they write it.
    tracked: Mutex<BTreeMap<String, Tracked>>,
    /// What ranges of dependencies were decided to be.
    ranges: Arc<Ranges>,
    /// Repositories of charts are polled at most this often.
    recheck: Duration,
    /// Reading and fetching block: so many threads may.
    places: Arc<Semaphore>,
    /// And so many of them for one host of charts.
    hosts: Mutex<BTreeMap<String, Arc<Semaphore>>>,
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

/// Of these for one host of charts: one that hangs must not hold up the others.
const AT_ONCE_FROM_A_HOST: usize = 4;
/// Hosts whose places are remembered though nobody waits for one.
const MAX_HOSTS: usize = 256;

/// An index may have megabytes, and public registries count requests.
const RECHECK: Duration = Duration::from_secs(30);

impl Sources {
    /// Of public repositories; of private ones as soon as somebody watches Secrets for [`SourceProvider::secrets`].
    pub fn new(repositories: Arc<Repositories>, charts: Arc<Charts>) -> Self {
        Self {
            repositories,
            charts,
            secrets: Arc::default(),
            pollers: Mutex::default(),
            tracked: Mutex::default(),
            ranges: Arc::default(),
            recheck: RECHECK,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            hosts: Mutex::default(),
        }
    }

    /// Repositories of charts are polled at most this often, however short the controller's interval is. Default 30 s.
    #[must_use]
    pub fn rechecking_charts_every(mut self, recheck: Duration) -> Self {
        self.recheck = recheck;
        self
    }

    /// Runs `work` where it may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, SourceFailure> + Send + 'static,
    ) -> Result<T, SourceFailure> {
        // Closed never: nobody closes it.
        let _place = self.places.clone().acquire_owned().await;
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down: nobody will look at the result.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Runs `work` that asks a host of charts.
    async fn run_for<T: Send + 'static>(
        &self,
        host: &str,
        work: impl FnOnce() -> Result<T, SourceFailure> + Send + 'static,
    ) -> Result<T, SourceFailure> {
        let places = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            if hosts.len() >= MAX_HOSTS {
                hosts.retain(|_, places| Arc::strong_count(places) > 1);
            }
            let places = hosts.entry(host.to_owned());
            places
                .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_FROM_A_HOST)))
                .clone()
        };
        // Closed never: nobody closes it. Waited for first, so that who waits for a host holds no place that others need.
        let _place = places.acquire_owned().await;
        self.run(work).await
    }

    /// Runs `work` on Git. An object that cannot be had is asked for once more, from a mirror that is made anew.
    async fn blocking<T: Send + 'static>(
        &self,
        url: RepoUrl,
        work: impl Fn(&Repositories, &RepoUrl, Option<&Credentials>) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceFailure> {
        let credentials = self.secrets.known().await.git(&url).map_err(|error| failure(&error))?;
        let repositories = self.repositories.clone();
        let work = move || match work(&repositories, &url, credentials.as_ref()) {
            Err(SourceError::Object { .. }) if !url.is_local() => {
                repositories.repair(&url, credentials.as_ref())?;
                work(&repositories, &url, credentials.as_ref())
            }
            done => done,
        };
        self.run(move || work().map_err(|error| failure(&error))).await
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
            let policy = match freshness {
                Freshness::Cached => FetchPolicy::Cached,
                Freshness::Remote => FetchPolicy::Fetch,
            };
            if charts::is_chart(source) {
                return self.resolve_chart(source, policy).await;
            }
            let url = git(source)?;
            let revision = source.target_revision.clone();
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

    fn descent<'a>(
        &'a self,
        source: &'a ApplicationSource,
        from: &'a str,
        to: &'a str,
    ) -> BoxFuture<'a, Result<Descent, SourceFailure>> {
        async move {
            if charts::is_chart(source) {
                return Ok(Descent::NotABranch);
            }
            let url = git(source)?;
            let (revision, from, to) = (source.target_revision.clone(), from.to_owned(), to.to_owned());
            let ancestry = self
                .blocking(url, move |repositories, url, credentials| {
                    // Who resolved it has asked the server a moment ago.
                    let resolved = repositories.resolve(url, &revision, FetchPolicy::Cached, credentials)?;
                    match resolved.reference {
                        Reference::Branch(_) | Reference::Head(_) => repositories.ancestry(url, &from, &to).map(Some),
                        Reference::Tag(_) | Reference::Other(_) | Reference::Commit => Ok(None),
                    }
                })
                .await?;
            Ok(match ancestry {
                None => Descent::NotABranch,
                Some(Ancestry::Follows) => Descent::Follows,
                Some(Ancestry::Diverged) => Descent::Diverged,
                Some(Ancestry::Unknown(why)) => Descent::Unknown(why),
            })
        }
        .boxed()
    }

    fn tree<'a>(
        &'a self,
        source: &'a ApplicationSource,
        revision: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>> {
        async move {
            if charts::is_chart(source) {
                return self.chart_tree(source, revision).await;
            }
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
            if let Some(news) = self.poll_charts(repo_url).await {
                return news;
            }
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
        let mut tracked = self.tracked.lock().unwrap_or_else(PoisonError::into_inner);
        tracked.retain(|url, _| repo_urls.contains(url));
    }

    fn complete<'a>(
        &'a self,
        source: &'a ApplicationSource,
        tree: Arc<dyn FileTree>,
        project: &'a AppProject,
        anew: bool,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>> {
        self.with_dependencies(source, tree, project, anew).boxed()
    }

    fn secrets(&self) -> Option<Arc<Secrets>> {
        Some(self.secrets.clone())
    }
}

fn git(source: &ApplicationSource) -> Result<RepoUrl, SourceFailure> {
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
