//! Dependencies that a chart names and does not hold: brought, and shown where a chart looks for them.
//!
//! A lock file decides versions. Where there is none, a range is decided once, for all charts that have it, until somebody asks for a
//! render without caches: the same commit gives the same objects until then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_engine::event::SourceFailure;
use capstan_model::{AppProject, ApplicationSource};
use capstan_render::{
    DependencyRepository, FileTree, MissingDependency, OverlayTree, ReadError, RenderError, join, missing_dependencies,
};
use capstan_source::{Chart, ChartVersion, Charts, FetchPolicy, SECRET_TYPE_LABEL, SourceError, is_same_version};

use super::Sources;
use super::charts::passes_credentials;

/// Ranges that are remembered.
const MAX_RANGES: usize = 10_000;

/// What ranges were decided to be.
#[derive(Debug, Default)]
pub(super) struct Ranges(Mutex<BTreeMap<String, ChartVersion>>);

impl Sources {
    pub(super) async fn with_dependencies(
        &self,
        source: &ApplicationSource,
        tree: Arc<dyn FileTree>,
        project: &AppProject,
        anew: bool,
    ) -> Result<Arc<dyn FileTree>, SourceFailure> {
        let (path, inner) = (source.path.clone(), tree.clone());
        // A directory is rendered as such, whatever is in it.
        if source.directory.is_some() && source.helm.is_none() {
            return Ok(tree);
        }
        let missing = self.run(move || missing(&*inner, &path)).await?;
        if missing.is_empty() {
            return Ok(tree);
        }
        let mut added = BTreeMap::new();
        let mut hidden = Vec::new();
        for dependency in missing {
            let (version, bytes) = self.bring(source, &dependency, project, anew).await?;
            added.insert(dependency.archive_path(&version), bytes);
            hidden.extend(dependency.replaces);
        }
        // What is brought under the name of what it replaces is shown, not hidden.
        hidden.retain(|path| !added.contains_key(path));
        let overlay = OverlayTree::new(tree, added).and_then(|overlay| overlay.hiding(hidden));
        Ok(Arc::new(overlay.map_err(|error| unreadable(&error))?))
    }

    /// The version and the packed chart of a dependency.
    async fn bring(
        &self,
        source: &ApplicationSource,
        dependency: &MissingDependency,
        project: &AppProject,
        anew: bool,
    ) -> Result<(String, Arc<[u8]>), SourceFailure> {
        let url = self.repository_url(dependency).await?;
        if !permits(project, &url) {
            let reason = format!(
                "project {} does not permit the repository {url}; add it to spec.sourceRepos of the AppProject",
                project.metadata.name
            );
            return Err(about(dependency, &reason, false));
        }
        let chart = self.chart(&url, &dependency.name, passes_credentials(source)).await;
        let chart = chart.map_err(|error| about(dependency, &error.message, true))?;
        let (charts, ranges, dependency) = (self.charts.clone(), self.ranges.clone(), dependency.clone());
        self.run_for(&chart.repository.host(), move || {
            let brought = ranges.bring(&charts, &chart, &dependency, anew);
            // Whatever is wrong with another repository may be mended there, and nothing of this source changes then: it is tried again.
            brought.map_err(|error| about(&dependency, &error.to_string(), true))
        })
        .await
    }

    async fn repository_url(&self, dependency: &MissingDependency) -> Result<String, SourceFailure> {
        match &dependency.repository {
            DependencyRepository::Http(url) | DependencyRepository::Oci(url) => Ok(url.clone()),
            DependencyRepository::Named(name) => {
                let secrets = self.secrets.known().await;
                secrets.named(name).map(str::to_owned).ok_or_else(|| {
                    let reason = format!(
                        "no repository is called {name:?}: give one that name in a Secret labelled {SECRET_TYPE_LABEL}: repository, or write its URL"
                    );
                    about(dependency, &reason, true)
                })
            }
        }
    }
}

fn about(dependency: &MissingDependency, reason: &str, transient: bool) -> SourceFailure {
    let file = match dependency.chart.as_str() {
        "" => "Chart.yaml".to_owned(),
        folder => format!("{folder}/Chart.yaml"),
    };
    SourceFailure {
        message: format!("{file}: dependency {}: {reason}", dependency.name),
        transient,
    }
}

impl Ranges {
    fn bring(
        &self,
        charts: &Charts,
        chart: &Chart,
        dependency: &MissingDependency,
        anew: bool,
    ) -> Result<(String, Arc<[u8]>), SourceError> {
        let version = self.decide(charts, chart, dependency, anew)?;
        match charts.fetch(chart, &version) {
            Ok(archive) => Ok((version.version, archive.bytes)),
            Err(error) if error.is_transient() || anew => Err(error),
            // What was decided is no longer to be had.
            Err(_) => self.bring(charts, chart, dependency, true),
        }
    }

    fn decide(
        &self,
        charts: &Charts,
        chart: &Chart,
        dependency: &MissingDependency,
        anew: bool,
    ) -> Result<ChartVersion, SourceError> {
        let key = format!("{}\n{}\n{}", chart.repository, chart.name, dependency.version);
        let known = self.lock().get(&key).filter(|_| !anew).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = charts.resolve(chart, &dependency.version, FetchPolicy::Cached);
        // What is known of the index may be older than the version that a lock names.
        let found = match found {
            Ok(found) if !anew => found,
            Err(error) if !is_about_version(&error) => return Err(error),
            _ => charts.resolve(chart, &dependency.version, FetchPolicy::Fetch)?,
        };
        if dependency.locked && !is_same_version(&found.version, &dependency.version) {
            return Err(SourceError::ChartVersionNotFound {
                url: chart.repository.to_string(),
                chart: chart.name.clone(),
                version: dependency.version.clone(),
                reason: format!("the lock file names it; the nearest is {}", found.version),
            });
        }
        let mut known = self.lock();
        if known.len() >= MAX_RANGES {
            known.clear();
        }
        known.insert(key, found.clone());
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ChartVersion>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_about_version(error: &SourceError) -> bool {
    matches!(
        error,
        SourceError::ChartVersionNotFound { .. } | SourceError::ChartNotFound { .. }
    )
}

/// What the chart at `path` lacks. Most charts name no dependency: then nothing more is read than that.
fn missing(tree: &dyn FileTree, path: &str) -> Result<Vec<MissingDependency>, SourceFailure> {
    let names_any = |name: &str| -> Result<bool, ReadError> {
        let Some(file) = join(path, name) else { return Ok(false) };
        match tree.read(&file) {
            Ok(content) => Ok(content.is_some_and(|text| contains(&text, b"dependencies"))),
            // The source is a packed chart, or its path is none: the render says so.
            Err(ReadError::WrongKind { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    };
    let any = names_any("Chart.yaml").and_then(|found| Ok(found || names_any("requirements.yaml")?));
    match any {
        Ok(true) => missing_dependencies(tree, path).map_err(|error| SourceFailure {
            transient: matches!(error, RenderError::Read(ReadError::Unavailable { .. })),
            message: error.to_string(),
        }),
        Ok(false) => Ok(Vec::new()),
        Err(error) => Err(unreadable(&error)),
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

fn unreadable(error: &ReadError) -> SourceFailure {
    SourceFailure {
        message: error.to_string(),
        transient: matches!(error, ReadError::Unavailable { .. }),
    }
}

/// May a project's chart take dependencies from there? A registry may be written with or without `oci://`; denied one way is denied.
fn permits(project: &AppProject, url: &str) -> bool {
    let spellings = [url, url.strip_prefix("oci://").unwrap_or(url)];
    let permitted = |project: &AppProject, url: &str| {
        let source = ApplicationSource {
            repo_url: url.to_owned(),
            ..ApplicationSource::default()
        };
        project.permits_source(&source).is_ok()
    };
    let mut denials = project.clone();
    denials.spec.source_repos.retain(|pattern| pattern.starts_with('!'));
    denials.spec.source_repos.push("*".to_owned());
    spellings.iter().all(|url| permitted(&denials, url)) && spellings.iter().any(|url| permitted(project, url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_permits_registries_however_they_are_written() {
        let project = |patterns: &[&str]| {
            let mut project = AppProject::permissive("team");
            project.spec.source_repos = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            project
        };
        for (patterns, url, expected) in [
            (&["*"][..], "https://charts.example", true),
            (&["https://charts.example"], "https://charts.example", true),
            (&["https://git.example/*"], "https://charts.example", false),
            (&[], "https://charts.example", false),
            (
                &["oci://registry.example/charts"],
                "oci://registry.example/charts",
                true,
            ),
            (&["registry.example/charts"], "oci://registry.example/charts", true),
            (
                &["*", "!registry.example/charts"],
                "oci://registry.example/charts",
                false,
            ),
            (
                &["*", "!oci://registry.example/charts"],
                "oci://registry.example/charts",
                false,
            ),
        ] {
            assert_eq!(permits(&project(patterns), url), expected, "{patterns:?} {url}");
        }
    }
}
