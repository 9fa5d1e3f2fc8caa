//! Sources that are charts (`spec.source.chart`, or an `oci://` URL).
//!
//! A revision is `1.2.3@sha256:…`: the version that people see, and the digest that makes it one thing for ever. Published again with
//! other content, it is another revision.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use capstan_engine::event::{ResolvedRevision, SourceFailure};
use capstan_model::ApplicationSource;
use capstan_render::{ChartLimits, FileTree, MemoryTree, unpack_chart};
use capstan_source::{Chart, ChartArchive, ChartVersion, Charts, FetchPolicy, SourceError, is_version_range};

use super::{Sources, failure};

/// What is watched of one repository.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    charts: BTreeMap<Key, Seen>,
    /// When it was polled last.
    polled: Option<Instant>,
}

/// A chart, what is wanted of it, and whether credentials go where the index says.
type Key = (String, String, bool);

#[derive(Clone, Debug, Default)]
struct Seen {
    last: Option<ChartVersion>,
    /// There was news, and no application has resolved it since.
    is_unclaimed: bool,
}

/// Does this source name a chart, not a folder of a Git repository?
pub(super) fn is_chart(source: &ApplicationSource) -> bool {
    !source.chart.is_empty() || source.repo_url.starts_with("oci://")
}

pub(super) fn passes_credentials(source: &ApplicationSource) -> bool {
    source.helm.as_ref().is_some_and(|helm| helm.pass_credentials)
}

impl Sources {
    /// How a chart of a repository is reached, by what is known of Secrets now.
    pub(super) async fn chart(&self, repo_url: &str, name: &str, pass: bool) -> Result<Chart, SourceFailure> {
        let secrets = self.secrets.known().await;
        let found = secrets.charts(repo_url, name).map_err(|error| failure(&error))?;
        let mut access = found.access;
        access.pass_credentials = pass;
        Ok(Chart {
            repository: found.repository,
            name: name.to_owned(),
            access,
        })
    }

    pub(super) async fn resolve_chart(
        &self,
        source: &ApplicationSource,
        policy: FetchPolicy,
    ) -> Result<ResolvedRevision, SourceFailure> {
        let pass = passes_credentials(source);
        let key = (source.chart.clone(), source.target_revision.clone(), pass);
        self.track(&source.repo_url, &key, None);
        let chart = self.chart(&source.repo_url, &source.chart, pass).await?;
        let (charts, wanted) = (self.charts.clone(), source.target_revision.clone());
        let found = self
            .run_for(&chart.repository.host(), move || {
                charts.resolve(&chart, &wanted, policy).map_err(|error| failure(&error))
            })
            .await?;
        if let Some(note) = &found.note {
            tracing::warn!(repository = source.repo_url, note, "resolved");
        }
        self.track(&source.repo_url, &key, Some(&found));
        let name = source.chart.rsplit('/').next().filter(|name| !name.is_empty());
        let name = name.or_else(|| source.repo_url.rsplit('/').next()).unwrap_or_default();
        Ok(ResolvedRevision {
            subject: format!("{name} {}", found.version).trim_end().to_owned(),
            author: String::new(),
            time: found.created,
            revision: found.to_string(),
        })
    }

    pub(super) async fn chart_tree(
        &self,
        source: &ApplicationSource,
        revision: &str,
    ) -> Result<Arc<dyn FileTree>, SourceFailure> {
        let chart = self
            .chart(&source.repo_url, &source.chart, passes_credentials(source))
            .await?;
        let (charts, pinned) = (self.charts.clone(), revision.to_owned());
        let host = chart.repository.host();
        let brought = self.run_for(&host, move || unpacked(&charts, &chart, &pinned)).await;
        if brought.as_ref().is_err_and(|error| !error.transient) {
            self.failed(source);
        }
        brought
    }

    /// It was found and cannot be used: the next poll looks whether somebody has mended it.
    fn failed(&self, source: &ApplicationSource) {
        let key = (
            source.chart.clone(),
            source.target_revision.clone(),
            passes_credentials(source),
        );
        let mut tracked = self.tracked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = tracked
            .get_mut(&source.repo_url)
            .and_then(|tracked| tracked.charts.get_mut(&key))
        {
            seen.last = None;
        }
    }

    /// `None` when no application is known to take charts from there.
    pub(super) async fn poll_charts(&self, repo_url: &str) -> Option<Result<bool, SourceFailure>> {
        let due = {
            let mut tracked = self.tracked.lock().unwrap_or_else(PoisonError::into_inner);
            let tracked = tracked.get_mut(repo_url)?;
            if tracked.polled.is_some_and(|last| last.elapsed() < self.recheck) {
                return Some(Ok(false));
            }
            tracked.polled = Some(Instant::now());
            // What was news and nobody took up is not asked for by anybody any more.
            tracked.charts.retain(|_, seen| !seen.is_unclaimed);
            let ranges = tracked
                .charts
                .iter()
                .filter(|((_, wanted, _), _)| is_version_range(wanted));
            ranges
                .map(|(key, seen)| (key.clone(), seen.last.clone()))
                .collect::<Vec<_>>()
        };
        let mut news = false;
        let mut first_failure = None;
        for (key, last) in due {
            match self.ask_again(repo_url, &key).await {
                Ok(found) => {
                    if last.is_none_or(|last| last.to_string() != found.to_string()) {
                        news = true;
                        self.is_news(repo_url, &key, &found);
                    }
                }
                Err(error) => first_failure = first_failure.or(Some(error)),
            }
        }
        Some(match first_failure {
            Some(error) if !news => Err(error),
            _ => Ok(news),
        })
    }

    async fn ask_again(&self, repo_url: &str, (name, wanted, pass): &Key) -> Result<ChartVersion, SourceFailure> {
        let chart = self.chart(repo_url, name, *pass).await?;
        let (charts, wanted) = (self.charts.clone(), wanted.clone());
        self.run_for(&chart.repository.host(), move || {
            charts
                .resolve(&chart, &wanted, FetchPolicy::Fetch)
                .map_err(|error| failure(&error))
        })
        .await
    }

    fn track(&self, repo_url: &str, key: &Key, found: Option<&ChartVersion>) {
        // What is pinned never changes.
        if ChartVersion::parse(&key.1).is_some() {
            return;
        }
        let mut tracked = self.tracked.lock().unwrap_or_else(PoisonError::into_inner);
        let charts = &mut tracked.entry(repo_url.to_owned()).or_default().charts;
        let seen = charts.entry(key.clone()).or_default();
        seen.is_unclaimed = false;
        if let Some(found) = found {
            seen.last = Some(found.clone());
        }
    }

    fn is_news(&self, repo_url: &str, key: &Key, found: &ChartVersion) {
        let mut tracked = self.tracked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = tracked
            .get_mut(repo_url)
            .and_then(|tracked| tracked.charts.get_mut(key))
        {
            seen.last = Some(found.clone());
            seen.is_unclaimed = true;
        }
    }
}

/// The files of a chart at a revision.
fn unpacked(charts: &Charts, chart: &Chart, revision: &str) -> Result<Arc<dyn FileTree>, SourceFailure> {
    let archive = fetch(charts, chart, revision).map_err(|error| failure(&error))?;
    let place = place(chart, revision);
    let invalid = |message: String| SourceFailure {
        message,
        transient: false,
    };
    let files = unpack_chart(&place, &archive.bytes, ChartLimits::default());
    let files = files.map_err(|error| invalid(error.to_string()))?;
    // Else it would be taken for a folder of manifests.
    if !files.contains_key("Chart.yaml") {
        return Err(invalid(format!(
            "{place}: Chart.yaml file is missing: this is no chart"
        )));
    }
    Ok(Arc::new(MemoryTree::from_files(files)))
}

/// The chart at a revision; one that is not of ours (a bare version, written by Argo CD into a status) is resolved first.
fn fetch(charts: &Charts, chart: &Chart, revision: &str) -> Result<ChartArchive, SourceError> {
    let version = match ChartVersion::parse(revision) {
        Some(version) => version,
        None => charts.resolve(chart, revision, FetchPolicy::Cached)?,
    };
    charts.fetch(chart, &version)
}

/// What the chart is called in messages.
fn place(chart: &Chart, revision: &str) -> String {
    let version = revision.split('@').next().unwrap_or_default();
    match chart.name.as_str() {
        "" => format!("{}:{version}", chart.repository),
        name => format!("{}/{name}:{version}", chart.repository),
    }
}
