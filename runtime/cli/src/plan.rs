//! `capstan plan`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use capstan_engine::plan::{Plan, PlanRequest};
use capstan_engine::settings::Guards;
use capstan_engine::targets::{TargetContext, Targets};
use capstan_model::{ApplicationId, SyncOptions};
use clap::{Args, ValueEnum};

use crate::error::CommandError;
use crate::output::{complain, print, print_value};
use crate::render::Source;

/// Arguments of `capstan plan`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Make the namespace, as `CreateNamespace=true` does.
    #[arg(long)]
    create_namespace: bool,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
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

/// Runs the command. Which kinds live in namespaces is not known without a cluster: all are taken to.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let output = arguments.source.render(false)?;
    output
        .warnings
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    let context = TargetContext {
        application: ApplicationId::new("argocd", arguments.source.release()),
        control_namespace: "argocd".into(),
        destination_namespace: arguments.source.namespace().to_owned(),
        namespaced: Arc::new(BTreeMap::new()),
        ..TargetContext::default()
    };
    let targets = Targets::prepare(output.manifests, &context, output.source_type);
    let targets = targets.map_err(|error| CommandError::Source(error.to_string()))?;
    let request = PlanRequest {
        targets: &targets,
        prune: &[],
        hooks: true,
        selection: &[],
        options: &SyncOptions::default(),
        destination_namespace: arguments.source.namespace(),
        create_namespace: arguments.create_namespace,
        hook_suffix: "",
        guards: Guards::default(),
    };
    let plan = Plan::new(&request).map_err(|error| CommandError::Source(error.to_string()))?;
    match arguments.output {
        Format::Text => print(&plan.text()),
        Format::Json => print_value(&plan.json(), false),
        Format::Dot => print(&plan.dot()),
        Format::Svg => print(&plan.svg()),
    }
    Ok(ExitCode::SUCCESS)
}
