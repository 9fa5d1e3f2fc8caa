//! Git repositories in memory, and the plain manifests in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use capstan_controller::{RenderInputs, RenderedSource, Renderer, SourceProvider, SourceToRender};
use capstan_engine::effect::Freshness;
use capstan_engine::event::{Descent, ResolvedRevision, SourceFailure};
use capstan_model::{ApplicationSource, Digest, Manifest, SourceLocation};
use capstan_render::{EntryKind, FileTree, ReadError, TreeEntry};
use capstan_sim::scenario::{Files, Scenario};
use capstan_yaml::{Mode, parse_documents};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use serde_json::json;

/// The files of one commit.
#[derive(Clone, Debug)]
pub(crate) struct Tree(BTreeMap<String, Arc<[u8]>>);

impl Tree {
    fn below(files: &Files, folder: &str) -> Self {
        let prefix = format!("{folder}/");
        let below = files
            .iter()
            .filter_map(|(path, text)| Some((path.strip_prefix(&prefix)?.to_owned(), text.as_bytes().into())));
        Self(below.collect())
    }

    fn commit(&self) -> String {
        let content: Vec<_> = self
            .0
            .iter()
            .map(|(path, bytes)| (path, String::from_utf8_lossy(bytes)))
            .collect();
        let first = Digest::of_json(&json!(content)).to_string();
        let second = Digest::of_json(&json!(first)).to_string();
        format!("{first}{second}").chars().take(40).collect()
    }
}

impl FileTree for Tree {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        let prefix = if dir.is_empty() {
            String::new()
        } else {
            format!("{dir}/")
        };
        let mut entries: BTreeMap<&str, TreeEntry> = BTreeMap::new();
        for (path, content) in &self.0 {
            let Some(rest) = path.strip_prefix(&prefix) else {
                continue;
            };
            let (name, kind, size) = match rest.split_once('/') {
                Some((folder, _)) => (folder, EntryKind::Directory, 0),
                None => (rest, EntryKind::File, content.len() as u64),
            };
            let name_of = name.to_owned();
            entries.insert(
                name,
                TreeEntry {
                    name: name_of,
                    kind,
                    size,
                },
            );
        }
        Ok((!entries.is_empty()).then(|| entries.into_values().collect()))
    }

    fn id(&self, path: &str) -> Result<Option<String>, ReadError> {
        let prefix = format!("{path}/");
        let within = |name: &&String| path.is_empty() || *name == path || name.starts_with(&prefix);
        let found: Vec<_> = self.0.keys().filter(within).map(|name| (name, &self.0[name])).collect();
        Ok((!found.is_empty()).then(|| Digest::of_json(&json!(format!("{found:?}"))).to_string()))
    }
}

struct Commit {
    tree: Arc<Tree>,
    resolved: ResolvedRevision,
    /// The revision it follows, where the scenario says so.
    parent: Option<String>,
}

struct Repository {
    url: String,
    commits: BTreeMap<String, Commit>,
    head: String,
    polled: Option<String>,
}

/// The repositories of a scenario. Clones share them.
#[derive(Clone)]
pub(crate) struct Repositories(Arc<Mutex<BTreeMap<String, Repository>>>);

impl Repositories {
    pub(crate) fn new(scenario: &Scenario, files: &Files) -> Self {
        let repositories = scenario.world.repositories.iter().map(|(name, repository)| {
            let commits = repository.revisions.iter().map(|(name, revision)| {
                let tree = Tree::below(files, &revision.files);
                let resolved = ResolvedRevision {
                    revision: tree.commit(),
                    author: revision.author.clone(),
                    subject: revision.subject.clone(),
                    time: None,
                };
                let tree = Arc::new(tree);
                let parent = revision.parent.clone();
                (name.clone(), Commit { tree, resolved, parent })
            });
            let repository = Repository {
                url: repository.url.clone(),
                commits: commits.collect(),
                head: repository.at.clone(),
                polled: None,
            };
            (name.clone(), repository)
        });
        Self(Arc::new(Mutex::new(repositories.collect())))
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<String, Repository>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Moves the branch. Gives the repository's URL.
    pub(crate) fn push(&self, name: &str, revision: &str) -> String {
        self.with(|all| {
            let repository = all
                .get_mut(name)
                .unwrap_or_else(|| panic!("the scenario has no repository {name}"));
            assert!(
                repository.commits.contains_key(revision),
                "{name} has no revision {revision}"
            );
            revision.clone_into(&mut repository.head);
            repository.url.clone()
        })
    }

    /// Commit ids by the scenario's names of revisions.
    pub(crate) fn commits(&self) -> BTreeMap<String, String> {
        self.with(|all| {
            all.values()
                .flat_map(|repository| &repository.commits)
                .map(|(name, commit)| (name.clone(), commit.resolved.revision.clone()))
                .collect()
        })
    }

    pub(crate) fn resolve_now(&self, source: &ApplicationSource) -> Result<ResolvedRevision, SourceFailure> {
        self.of(source, |repository| {
            Some(repository.commits.get(&repository.head)?.resolved.clone())
        })
    }

    /// Does the commit `to` follow `from`? It does unless the scenario says what else it follows.
    pub(crate) fn descent_now(&self, from: &str, to: &str) -> Descent {
        self.with(|all| {
            let named = |repository: &Repository, id: &str| {
                let mut commits = repository.commits.iter();
                commits
                    .find(|(_, commit)| commit.resolved.revision == id)
                    .map(|(name, _)| name.clone())
            };
            for repository in all.values() {
                let (Some(from), Some(mut at)) = (named(repository, from), named(repository, to)) else {
                    continue;
                };
                if repository.commits[&at].parent.is_none() {
                    return Descent::Follows;
                }
                for _ in 0..repository.commits.len() {
                    if at == from {
                        return Descent::Follows;
                    }
                    match repository.commits.get(&at).and_then(|commit| commit.parent.clone()) {
                        Some(parent) => at = parent,
                        None => break,
                    }
                }
                return if at == from {
                    Descent::Follows
                } else {
                    Descent::Diverged
                };
            }
            Descent::Unknown("no repository has both commits".into())
        })
    }

    pub(crate) fn tree_now(
        &self,
        source: &ApplicationSource,
        revision: &str,
    ) -> Result<Arc<dyn FileTree>, SourceFailure> {
        self.of(source, |repository| {
            let mut commits = repository.commits.values();
            let commit = commits.find(|commit| commit.resolved.revision == revision)?;
            Some(commit.tree.clone() as Arc<dyn FileTree>)
        })
    }

    fn of<T>(
        &self,
        source: &ApplicationSource,
        look: impl FnOnce(&Repository) -> Option<T>,
    ) -> Result<T, SourceFailure> {
        let found = self.with(|all| {
            let repository = all.values().find(|repository| repository.url == source.repo_url)?;
            look(repository)
        });
        found.ok_or_else(|| failure(format!("{} does not exist, or not at this revision", source.repo_url)))
    }
}

fn failure(message: String) -> SourceFailure {
    SourceFailure {
        message,
        transient: false,
    }
}

impl SourceProvider for Repositories {
    fn resolve<'a>(
        &'a self,
        source: &'a ApplicationSource,
        _: Freshness,
    ) -> BoxFuture<'a, Result<ResolvedRevision, SourceFailure>> {
        ready(self.resolve_now(source)).boxed()
    }

    fn descent<'a>(
        &'a self,
        _: &'a ApplicationSource,
        from: &'a str,
        to: &'a str,
    ) -> BoxFuture<'a, Result<Descent, SourceFailure>> {
        ready(Ok(self.descent_now(from, to))).boxed()
    }

    fn tree<'a>(
        &'a self,
        source: &'a ApplicationSource,
        revision: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn FileTree>, SourceFailure>> {
        ready(self.tree_now(source, revision)).boxed()
    }

    fn poll<'a>(&'a self, repo_url: &'a str) -> BoxFuture<'a, Result<bool, SourceFailure>> {
        let moved = self.with(|all| {
            let repository = all.values_mut().find(|repository| repository.url == repo_url)?;
            let before = repository.polled.replace(repository.head.clone());
            Some(before.as_ref() != Some(&repository.head))
        });
        ready(moved.ok_or_else(|| failure(format!("{repo_url} does not exist")))).boxed()
    }

    fn retain(&self, _: &BTreeSet<String>) {}
}

/// Renders a folder of plain manifests.
pub(crate) struct Plain;

impl Renderer for Plain {
    fn render(&self, input: &SourceToRender<'_>, tree: &dyn FileTree) -> Result<RenderedSource, SourceFailure> {
        let folder = &input.source.path;
        let entries = tree.list(folder).map_err(|error| failure(error.to_string()))?;
        let entries = entries.ok_or_else(|| failure(format!("{folder} does not exist")))?;
        let id = tree.id(folder).map_err(|error| failure(error.to_string()))?;
        let mut rendered = RenderedSource {
            source_type: "Directory".into(),
            inputs: RenderInputs::from([(folder.clone(), id)]),
            ..RenderedSource::default()
        };
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            let file = format!("{folder}/{}", entry.name);
            let content = tree.read(&file).map_err(|error| failure(error.to_string()))?;
            let text = String::from_utf8_lossy(&content.unwrap_or_default()).into_owned();
            let documents =
                parse_documents(&text, Mode::Kube11).map_err(|error| failure(format!("{file}: {error}")))?;
            for document in documents.into_iter().filter(|document| !document.value.is_null()) {
                let location = SourceLocation {
                    file: file.clone(),
                    line: u32::try_from(document.line).unwrap_or(0),
                };
                let manifest = Manifest::parse(document.value, location).map_err(|error| failure(error.to_string()))?;
                rendered.manifests.push(manifest);
            }
        }
        Ok(rendered)
    }
}
