//! `capstan app diff`: rendered here, compared here, by the same code as the controller's.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use capstan_engine::compare::{ComparePair, CompareTask, FieldDifference, IgnoreRules, Verdict, compare};
use capstan_engine::event::Discovery;
use capstan_engine::targets::{Target, TargetContext, Targets};
use capstan_model::{Application, ApplicationSource, Blob, ResourceStatus};
use capstan_render::{FileTree, RenderOutput, RenderRequest};
use capstan_source::{FetchPolicy, LocalRepositories, Options, RepoUrl, Repositories};
use clap::Args;
use serde_json::Value;

use super::Session;
use crate::error::CommandError;
use crate::output::{complain, one_line, print};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// Commit, branch or tag to compare with; the Application's own when absent.
    #[arg(long)]
    revision: Option<String>,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    let application = session.application(&id).await?;
    let targets = targets(session, &application, arguments.revision.as_deref())?;
    let mut lines = Vec::new();
    let mut pairs = Vec::new();
    for target in targets.objects().iter().filter(|target| target.meta.is_resource()) {
        let live = session.cluster.observe(&target.key, &target.gvk).await;
        match live.map_err(|error| CommandError::Api(format!("{}: {error}", target.key)))? {
            Some(live) => pairs.push(ComparePair {
                key: target.key.clone(),
                desired: target.object.clone(),
                live: Blob::new(&live),
                rules: IgnoreRules::default(),
            }),
            None => lines.push(format!(
                "{}: not in the cluster, declared at {}",
                target.key, target.location
            )),
        }
    }
    for verdict in compare(&CompareTask { pairs }) {
        match verdict.verdict {
            Verdict::Equal => {}
            Verdict::Different(fields) => {
                lines.push(format!("{}:", verdict.key));
                lines.extend(fields.iter().map(describe));
            }
            Verdict::Failed(why) => lines.push(format!("{}: cannot be compared: {why}", verdict.key)),
        }
    }
    let declared: Vec<&Target> = targets.objects().iter().collect();
    let is_extra =
        |resource: &&ResourceStatus| resource.requires_pruning && !declared.iter().any(|t| t.key == resource.key());
    let extra = application.status.resources.iter().filter(is_extra);
    lines.extend(extra.map(|resource| format!("{}: not in Git", resource.key())));
    if lines.is_empty() {
        complain("no differences");
        return Ok(ExitCode::SUCCESS);
    }
    print(&lines.join("\n"));
    Ok(ExitCode::FAILURE)
}

fn describe(field: &FieldDifference) -> String {
    let show = |value: &Option<Value>| {
        value
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), |value| one_line(&value.to_string()))
    };
    let writer = field
        .writer
        .as_ref()
        .map(|writer| format!("   (written by {})", writer.manager))
        .unwrap_or_default();
    format!(
        "  {}: Git {} live {}{writer}",
        field.path,
        show(&field.desired),
        show(&field.live)
    )
}

/// The desired objects, rendered here.
fn targets(session: &Session, application: &Application, revision: Option<&str>) -> Result<Targets, CommandError> {
    let folder = tempfile::tempdir().map_err(|error| CommandError::File {
        path: "temporary folder".into(),
        reason: error.to_string(),
    })?;
    let options = Options {
        local: LocalRepositories::Anywhere,
        ..Options::default()
    };
    let repositories = Repositories::new(folder.path(), options);
    let discovery = session.cluster.table().discovery.clone();
    let spec = &application.spec;
    let mut trees: BTreeMap<String, Arc<dyn FileTree>> = BTreeMap::new();
    let mut opened = Vec::new();
    for source in spec.sources() {
        let failed = |error: capstan_source::SourceError| CommandError::Source(error.to_string());
        let url = RepoUrl::parse(&source.repo_url).map_err(failed)?;
        let wanted = revision.unwrap_or(&source.target_revision);
        let resolved = repositories
            .resolve(&url, wanted, FetchPolicy::Fetch, None)
            .map_err(failed)?;
        let tree: Arc<dyn FileTree> = Arc::new(repositories.tree(&url, &resolved.commit).map_err(failed)?);
        if !source.reference.is_empty() {
            trees.insert(source.reference.clone(), tree.clone());
        }
        opened.push((source, tree, resolved.commit));
    }
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
        destination_namespace: spec.destination.namespace.clone(),
        namespaced: Arc::new(
            discovery
                .kinds
                .iter()
                .map(|(kind, served)| (kind.clone(), served.namespaced))
                .collect(),
        ),
        ..TargetContext::default()
    };
    Targets::prepare(manifests, &context, source_type).map_err(|error| CommandError::Source(error.to_string()))
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
