//! What an Application declares: brought, and rendered, by the controller's code.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use capstan_controller::{SourceProvider as _, Sources};
use capstan_engine::effect::Freshness;
use capstan_engine::event::{Discovery, SourceFailure};
use capstan_engine::targets::{TargetContext, Targets};
use capstan_kubernetes::{SecretWatch, SeenSecrets};
use capstan_model::{AppProject, Application, ApplicationSource, GroupKind, shown_revision};
use capstan_render::{FileTree, RenderOutput, RenderRequest};
use capstan_source::{
    AUTHORITIES_MAP, Charts, FetchLimits, LocalRepositories, Options, Repositories, SECRET_TYPE_LABEL,
};

use crate::error::CommandError;
use crate::local_tree::LocalTree;
use crate::output::complain;
use crate::session::Session;

/// Where an Application's files are taken from.
pub(crate) enum Origin<'a> {
    /// Its repositories. The first source that is more than a reference at this commit, branch, tag or version; all others, and without one
    /// all, at their own.
    Remote(Option<&'a str>),
    /// A working copy of its repository.
    Local(&'a Path),
}

/// What objects are rendered for, beside the Application.
pub(crate) struct Setting<'a> {
    /// Where charts that others depend on may come from.
    pub(crate) project: &'a AppProject,
    /// The controller's name on this cluster; empty where it has none.
    pub(crate) installation_id: &'a str,
}

/// The desired objects of an Application.
pub(crate) async fn targets(
    session: &Session,
    application: &Application,
    origin: &Origin<'_>,
    setting: &Setting<'_>,
) -> Result<Targets, CommandError> {
    let discovery = session.cluster.table().discovery.clone();
    // As long as the trees that read what was fetched into it.
    let folder = tempfile::tempdir().map_err(|error| CommandError::File {
        path: "temporary folder".into(),
        reason: error.to_string(),
    })?;
    let sources = sources(folder.path());
    let _secrets = watch_secrets(session, &sources);
    let opened = match origin {
        Origin::Remote(revision) => fetch(&sources, application, *revision, setting.project).await?,
        Origin::Local(root) => open_local(&sources, application, root, setting.project).await?,
    };
    let referenced = opened.iter().filter(|(source, ..)| !source.reference.is_empty());
    let trees: BTreeMap<String, Arc<dyn FileTree>> = referenced
        .map(|(source, tree, _)| (source.reference.clone(), tree.clone()))
        .collect();
    let api_versions = discovery.api_versions();
    let (mut manifests, mut source_type) = (Vec::new(), "");
    for opened in opened.iter().filter(|(source, ..)| !source.is_reference()) {
        let output = render(application, opened, &discovery, &api_versions, &trees)?;
        manifests.extend(output.manifests);
        source_type = output.source_type;
    }
    let context = TargetContext {
        application: application.id(),
        control_namespace: session.namespace().to_owned(),
        installation_id: setting.installation_id.to_owned(),
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

/// Repositories and charts, kept in `folder` meanwhile.
fn sources(folder: &Path) -> Sources {
    let options = Options {
        local: LocalRepositories::Anywhere,
        ..Options::default()
    };
    let charts = Charts::new(folder.join("charts"), FetchLimits::default());
    Sources::new(Arc::new(Repositories::new(folder, options)), Arc::new(charts))
}

/// Credentials, as the controller has them, if whoever asks may read them. Private repositories cannot be read without.
fn watch_secrets(session: &Session, sources: &Sources) -> Option<SecretWatch> {
    let secrets = sources.secrets()?;
    secrets.expect();
    let labels = format!("{SECRET_TYPE_LABEL} in (repository,repo-creds)");
    let listener = move |seen: SeenSecrets| {
        if let SeenSecrets::Unavailable(why) = &seen {
            complain(&format!(
                "note: no Secret about a repository can be read, so none is used: {why}"
            ));
        }
        secrets.tell(seen);
    };
    Some(SecretWatch::start(
        &session.cluster,
        session.namespace(),
        &labels,
        AUTHORITIES_MAP,
        listener,
    ))
}

fn failed(failure: SourceFailure) -> CommandError {
    CommandError::Source(failure.message)
}

/// The sources' files.
async fn fetch(
    sources: &Sources,
    application: &Application,
    revision: Option<&str>,
    project: &AppProject,
) -> Result<Vec<Opened>, CommandError> {
    let mut revision = revision;
    let mut opened = Vec::new();
    for source in application.spec.sources() {
        let mut wanted = source.clone();
        if let Some(revision) = revision.take_if(|_| !source.is_reference()) {
            revision.clone_into(&mut wanted.target_revision);
        }
        let resolved = sources.resolve(&wanted, Freshness::Remote).await.map_err(failed)?;
        let tree = sources.tree(&wanted, &resolved.revision).await.map_err(failed)?;
        let tree = complete(sources, source, tree, project).await?;
        opened.push((source.clone(), tree, resolved.revision));
    }
    Ok(opened)
}

/// With what its chart depends on.
async fn complete(
    sources: &Sources,
    source: &ApplicationSource,
    tree: Arc<dyn FileTree>,
    project: &AppProject,
) -> Result<Arc<dyn FileTree>, CommandError> {
    match source.is_reference() {
        true => Ok(tree),
        false => sources.complete(source, tree, project, false).await.map_err(failed),
    }
}

/// The same files for all sources: they have to be of one repository.
async fn open_local(
    sources: &Sources,
    application: &Application,
    root: &Path,
    project: &AppProject,
) -> Result<Vec<Opened>, CommandError> {
    let root = root.canonicalize().map_err(|error| CommandError::File {
        path: root.display().to_string(),
        reason: error.to_string(),
    })?;
    let all = application.spec.sources();
    let foreign = all
        .iter()
        .find(|source| source.repo_url != all[0].repo_url || !source.chart.is_empty());
    if let Some(foreign) = foreign {
        return Err(CommandError::Usage(format!(
            "a working copy stands for one Git repository, and {} has also {}",
            application.id(),
            foreign.repo_url
        )));
    }
    let local: Arc<dyn FileTree> = Arc::new(LocalTree::new(&root));
    let mut opened = Vec::new();
    for source in all {
        let tree = complete(sources, source, local.clone(), project).await?;
        opened.push((source.clone(), tree, source.target_revision.clone()));
    }
    Ok(opened)
}

/// A source, its files and its revision.
type Opened = (ApplicationSource, Arc<dyn FileTree>, String);

fn render(
    application: &Application,
    (source, tree, revision): &Opened,
    discovery: &Discovery,
    api_versions: &[String],
    trees: &BTreeMap<String, Arc<dyn FileTree>>,
) -> Result<RenderOutput, CommandError> {
    let (id, spec) = (application.id(), &application.spec);
    let environment = capstan_render::build_environment(
        (&id.namespace, &id.name, &spec.project),
        source,
        shown_revision(revision),
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
