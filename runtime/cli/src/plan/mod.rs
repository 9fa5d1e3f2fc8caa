//! `capstan plan`: of a folder, with or without a cluster, or of an Application.

mod live;
mod scopes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use capstan_engine::plan::{Aside, Outlook, Plan, PlanError, PlanRequest, PruneItem};
use capstan_engine::settings::{Guards, Settings, parse_kind};
use capstan_engine::targets::{TargetContext, Targets};
use capstan_model::{Application, ApplicationId, GroupKind, SyncOptions};
use clap::{Args, ValueEnum};

use crate::error::CommandError;
use crate::output::{complain, print, print_value};
use crate::render::Source;
use crate::session::in_session;
use scopes::without_a_cluster;

/// What hooks without a name are called in a plan: their names are made when they run.
const HOOK_SUFFIX: &str = "<attempt>";

/// Arguments of `capstan plan`.
#[derive(Debug, Args)]
#[command(mut_arg("dir", |dir| dir.required_unless_present("app")))]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Make the namespace, as `CreateNamespace=true` does.
    #[arg(long)]
    create_namespace: bool,
    /// Of this Application (`NAME` or `NAMESPACE/NAME`) instead of a folder: its sources, options and rules, and what it would delete.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dir", "values", "set", "set_string", "set_json", "set_literal", "name", "namespace", "kube_version", "api_versions", "create_namespace"])]
    app: Option<String>,
    /// With --app: this commit, branch, tag or chart version instead of the Application's own; of its first source that is not only referred
    /// to by others.
    #[arg(long, requires = "app", conflicts_with = "dir")]
    revision: Option<String>,
    /// With --app: this working copy of its repository instead of what is in Git.
    #[arg(long, value_name = "DIR", requires = "app", conflicts_with_all = ["revision", "dir"])]
    local: Option<PathBuf>,
    /// With --app: as a sync that a person asks for, with prune.
    #[arg(long, requires = "app", conflicts_with = "dir")]
    prune: bool,
    /// Say what would change in the cluster, and why. Implied by --app and --kubeconfig.
    #[arg(long)]
    live: bool,
    /// Kubeconfig of the cluster.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Namespace of the controller and its Applications.
    #[arg(long, default_value = "argocd")]
    control_namespace: String,
    #[command(flatten)]
    controller: Controller,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// What the controller was started with and a sync depends on: a plan is what that controller does only with the same words here.
#[derive(Debug, Args)]
struct Controller {
    /// The controller's --installation-id.
    #[arg(long, default_value = "")]
    installation_id: String,
    /// The controller's --guards.
    #[arg(long, default_value = "capstan", value_name = "capstan|argo")]
    guards: Guards,
    /// The controller's --protect-kind. May be given several times.
    #[arg(long, value_name = "[GROUP/]KIND", value_parser = parse_kind)]
    protect_kind: Vec<GroupKind>,
    /// The controller's --impersonation.
    #[arg(long)]
    impersonation: bool,
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            control_namespace: self.control_namespace.clone(),
            installation_id: self.controller.installation_id.clone(),
            protected_kinds: self.controller.protect_kind.clone(),
            guards: self.controller.guards,
            impersonation: self.controller.impersonation,
            ..Settings::default()
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Phases and waves in order.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// What is planned.
struct Subject {
    application: ApplicationId,
    targets: Targets,
    destination_namespace: String,
    options: SyncOptions,
    guards: Guards,
}

impl Subject {
    fn plan(&self, prune: &[PruneItem]) -> Result<Plan, CommandError> {
        let failed = |error: PlanError| CommandError::Source(error.to_string());
        Plan::new(&PlanRequest {
            targets: &self.targets,
            prune,
            hooks: true,
            selection: &[],
            options: &self.options,
            destination_namespace: &self.destination_namespace,
            create_namespace: self.options.create_namespace == Some(true),
            hook_suffix: HOOK_SUFFIX,
            guards: self.guards,
        })
        .map_err(failed)
    }

    fn aside(&self, application: Option<&Application>) -> Aside {
        Aside::new(&self.targets, &self.options, application)
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let is_live = arguments.live || arguments.kubeconfig.is_some() || arguments.app.is_some();
    if is_live {
        let (kubeconfig, namespace) = (arguments.kubeconfig.clone(), &arguments.control_namespace);
        let seen = in_session(kubeconfig, namespace, async |session| match &arguments.app {
            Some(name) => live::of_application(session, arguments, name).await,
            None => live::of_folder(session, arguments).await,
        })?;
        show(arguments.output, &seen.plan, Some(&seen.outlook), &seen.aside);
        return Ok(match seen.outlook.course().is_clear() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    let subject = folder(arguments, None)?;
    show(arguments.output, &subject.plan(&[])?, None, &subject.aside(None));
    Ok(ExitCode::SUCCESS)
}

/// A folder, as an Application of its name would declare it. `namespaced`: which kinds live in namespaces, where a cluster says so.
fn folder(arguments: &Arguments, namespaced: Option<Arc<BTreeMap<GroupKind, bool>>>) -> Result<Subject, CommandError> {
    let source = &arguments.source;
    let output = source.render(false)?;
    output
        .warnings
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    let application = ApplicationId::new(&arguments.control_namespace, source.release());
    let context = TargetContext {
        application: application.clone(),
        control_namespace: arguments.control_namespace.clone(),
        destination_namespace: source.namespace().to_owned(),
        namespaced: namespaced.unwrap_or_else(|| without_a_cluster(&output.manifests)),
        installation_id: arguments.controller.installation_id.clone(),
        ..TargetContext::default()
    };
    let targets = Targets::prepare(output.manifests, &context, output.source_type);
    Ok(Subject {
        application,
        targets: targets.map_err(|error| CommandError::Source(error.to_string()))?,
        destination_namespace: source.namespace().to_owned(),
        options: SyncOptions {
            create_namespace: arguments.create_namespace.then_some(true),
            ..SyncOptions::default()
        },
        guards: arguments.controller.guards,
    })
}

fn show(format: Format, plan: &Plan, outlook: Option<&Outlook>, aside: &Aside) {
    match format {
        Format::Text => print(&plan.text(outlook, aside)),
        Format::Json => print_value(&plan.json(outlook, aside), false),
        Format::Dot => print(&plan.dot(outlook, aside)),
        Format::Svg => print(&plan.svg(outlook, aside)),
    }
}
