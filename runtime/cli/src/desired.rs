//! What an Application declares, rendered here by the controller's code.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use capstan_engine::event::Discovery;
use capstan_engine::targets::{TargetContext, Targets};
use capstan_model::{Application, ApplicationSource, GroupKind};
use capstan_render::{FileTree, RenderOutput, RenderRequest};
use capstan_source::{FetchPolicy, LocalRepositories, Options, RepoUrl, Repositories};

use crate::error::CommandError;
use crate::local_tree::LocalTree;
use crate::session::Session;

/// Where an Application's files are taken from.
pub(crate) enum Origin<'a> {
    /// Its repositories, at this commit, branch or tag; at its own revision where there is none.
    Git(Option<&'a str>),
    /// A working copy of its repository.
    Local(&'a Path),
}

/// The desired objects of an Application.
pub(crate) fn targets(
    session: &Session,
    application: &Application,
    origin: &Origin<'_>,
) -> Result<Targets, CommandError> {
    let discovery = session.cluster.table().discovery.clone();
    // As long as the trees that read what was fetched into it.
    let folder = tempfile::tempdir().map_err(|error| CommandError::File {
        path: "temporary folder".into(),
        reason: error.to_string(),
    })?;
    let opened = match origin {
        Origin::Git(revision) => fetch(application, *revision, folder.path())?,
        Origin::Local(root) => open_local(application, root)?,
    };
    let referenced = opened.iter().filter(|(source, ..)| !source.reference.is_empty());
    let trees: BTreeMap<String, Arc<dyn FileTree>> = referenced
        .map(|(source, tree, _)| (source.reference.clone(), tree.clone()))
        .collect();
    let api_versions = discovery.api_versions();
    let (mut manifests, mut source_type) = (Vec::new(), "");
    for opened in &opened {
        let output = render(application, opened, &discovery, &api_versions, &trees)?;
        manifests.extend(output.manifests);
        source_type = output.source_type;
    }
    let context = TargetContext {
        application: application.id(),
        control_namespace: session.namespace().to_owned(),
        destination_namespace: application.spec.destination.namespace.clone(),
        namespaced: scopes(&discovery),
        ..TargetContext::default()
    };
    Targets::prepare(manifests, &context, source_type).map_err(|error| CommandError::Source(error.to_string()))
}

/// Which kinds live in namespaces.
pub(crate) fn scopes(discovery: &Discovery) -> Arc<BTreeMap<GroupKind, bool>> {
    let kinds = discovery.kinds.iter();
    Arc::new(kinds.map(|(kind, served)| (kind.clone(), served.namespaced)).collect())
}

/// The sources' files, fetched into `folder`.
fn fetch<'a>(
    application: &'a Application,
    revision: Option<&str>,
    folder: &Path,
) -> Result<Vec<Opened<'a>>, CommandError> {
    let options = Options {
        local: LocalRepositories::Anywhere,
        ..Options::default()
    };
    let repositories = Repositories::new(folder, options);
    let failed = |error: capstan_source::SourceError| CommandError::Source(error.to_string());
    let mut opened: Vec<Opened<'a>> = Vec::new();
    for source in application.spec.sources() {
        if !source.chart.is_empty() {
            return Err(CommandError::Source(format!(
                "chart {} of {} is not in Git: what it renders to is seen in the controller only",
                source.chart, source.repo_url
            )));
        }
        let url = RepoUrl::parse(&source.repo_url).map_err(failed)?;
        let wanted = revision.unwrap_or(&source.target_revision);
        let resolved = repositories
            .resolve(&url, wanted, FetchPolicy::Fetch, None)
            .map_err(failed)?;
        let tree: Arc<dyn FileTree> = Arc::new(repositories.tree(&url, &resolved.commit).map_err(failed)?);
        opened.push((source, tree, resolved.commit));
    }
    Ok(opened)
}

/// The same files for all sources: they have to be of one repository.
fn open_local<'a>(application: &'a Application, root: &Path) -> Result<Vec<Opened<'a>>, CommandError> {
    let root = root.canonicalize().map_err(|error| CommandError::File {
        path: root.display().to_string(),
        reason: error.to_string(),
    })?;
    let sources = application.spec.sources();
    let foreign = sources
        .iter()
        .find(|source| source.repo_url != sources[0].repo_url || !source.chart.is_empty());
    if let Some(foreign) = foreign {
        return Err(CommandError::Usage(format!(
            "a working copy stands for one Git repository, and {} has also {}",
            application.id(),
            foreign.repo_url
        )));
    }
    let tree: Arc<dyn FileTree> = Arc::new(LocalTree::new(&root));
    let opened = |source: &'a ApplicationSource| (source, tree.clone(), source.target_revision.clone());
    Ok(sources.iter().map(opened).collect())
}

/// A source, its files and its commit.
type Opened<'a> = (&'a ApplicationSource, Arc<dyn FileTree>, String);

fn render(
    application: &Application,
    (source, tree, commit): &Opened<'_>,
    discovery: &Discovery,
    api_versions: &[String],
    trees: &BTreeMap<String, Arc<dyn FileTree>>,
) -> Result<RenderOutput, CommandError> {
    let (id, spec) = (application.id(), &application.spec);
    let environment = capstan_render::build_environment(
        (&id.namespace, &id.name, &spec.project),
        source,
        commit,
        &discovery.version,
        api_versions,
    );
    let request = RenderRequest {
        environment: &environment,
        namespace: &spec.destination.namespace,
        kube_version: &discovery.version,
        api_versions,
        references: trees,
        ..RenderRequest::new(&application.metadata.name, source)
    };
    capstan_render::render(&request, &**tree).map_err(|error| CommandError::Source(error.to_string()))
}
