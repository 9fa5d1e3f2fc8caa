//! `Render`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use capstan_engine::effect::RenderTask;
use capstan_engine::event::SourceFailure;
use capstan_engine::targets::Targets;
use capstan_model::{ApplicationId, ApplicationSource};
use capstan_render::{FileTree, Interrupt, RenderInputs, inputs_unchanged};

use super::Shared;
use super::render_cache::{Parameters, Rendered};
use crate::renderer::{Renderer, SourceToRender};

/// How long a render may take.
const RENDER_TIME: Duration = Duration::from_secs(60);

type Trees = BTreeMap<String, Arc<dyn FileTree>>;

/// All sources at their commits, prepared. What is cached is taken if its inputs have not changed.
pub(super) async fn render(
    shared: &Shared,
    application: ApplicationId,
    task: RenderTask,
) -> Result<Targets, SourceFailure> {
    let parameters = Parameters::of(&task);
    let known = match task.bypass_cache {
        true => None,
        false => shared.renders.find(&application, &parameters),
    };
    let revisions: Vec<String> = task.sources.iter().map(|(_, revision)| revision.clone()).collect();
    if let Some(known) = known.as_ref().filter(|known| known.revisions == revisions) {
        return Ok(known.targets.clone());
    }
    let mut trees = Vec::with_capacity(task.sources.len());
    for (source, revision) in &task.sources {
        let tree = shared.sources.tree(source, revision).await?;
        trees.push(match source.is_reference() {
            true => tree,
            false => {
                let (project, anew) = (&task.project, task.bypass_cache);
                shared.sources.complete(source, tree, project, anew).await?
            }
        });
    }
    let renderer = shared.renderer.clone();
    let interrupt = Interrupt::default();
    let stop = interrupt.clone();
    let work = move || {
        let references = references(&task.sources, &trees);
        if let Some(known) = &known
            && !names_revision(&task.sources)
            && all_unchanged(&known.inputs, &trees, &references)?
        {
            return Ok((known.inputs.clone(), known.targets.clone()));
        }
        render_all(&*renderer, &task, &trees, &references, &interrupt)
    };
    let (inputs, targets) = shared.pool.run_within(RENDER_TIME, work, move || stop.raise()).await?;
    let rendered = Rendered {
        parameters,
        revisions,
        inputs,
        targets: targets.clone(),
    };
    shared.renders.keep(application, rendered);
    Ok(targets)
}

/// Trees by the names under which other sources refer to them.
fn references(sources: &[(ApplicationSource, String)], trees: &[Arc<dyn FileTree>]) -> Trees {
    let named = sources
        .iter()
        .zip(trees)
        .filter(|((source, _), _)| !source.reference.is_empty());
    named
        .map(|((source, _), tree)| (source.reference.clone(), tree.clone()))
        .collect()
}

fn render_all(
    renderer: &dyn Renderer,
    task: &RenderTask,
    trees: &[Arc<dyn FileTree>],
    references: &Trees,
    interrupt: &Interrupt,
) -> Result<(Vec<RenderInputs>, Targets), SourceFailure> {
    let (mut inputs, mut manifests, mut source_type) = (Vec::new(), Vec::new(), String::new());
    for ((source, revision), tree) in task.sources.iter().zip(trees) {
        if source.is_reference() {
            inputs.push(RenderInputs::new());
            continue;
        }
        let input = SourceToRender {
            source,
            revision,
            context: &task.context,
            kube_version: &task.kube_version,
            api_versions: &task.api_versions,
            references,
            interrupt,
        };
        let rendered = renderer.render(&input, &**tree)?;
        for warning in &rendered.warnings {
            tracing::warn!(application = %task.context.application, warning, "rendered");
        }
        manifests.extend(rendered.manifests);
        inputs.push(rendered.inputs);
        if source_type.is_empty() {
            source_type = rendered.source_type;
        }
    }
    let targets = Targets::prepare(manifests, &task.context, &source_type).map_err(|error| SourceFailure {
        message: error.to_string(),
        transient: false,
    })?;
    Ok((inputs, targets))
}

/// Does a parameter or the name of a values file hold the commit itself? Then every commit renders something else.
fn names_revision(sources: &[(ApplicationSource, String)]) -> bool {
    let helm = sources.iter().filter_map(|(source, _)| source.helm.as_ref());
    let mut texts = helm.flat_map(|helm| {
        let parameters = helm.parameters.iter().map(|parameter| &parameter.value);
        let files = helm.file_parameters.iter().map(|parameter| &parameter.path);
        parameters.chain(files).chain(&helm.value_files)
    });
    texts.any(|text| text.contains("ARGOCD_APP_REVISION"))
}

/// Does every path that was looked at have the same content, or is it as absent as before?
fn all_unchanged(
    inputs: &[RenderInputs],
    trees: &[Arc<dyn FileTree>],
    references: &Trees,
) -> Result<bool, SourceFailure> {
    for (inputs, tree) in inputs.iter().zip(trees) {
        let unchanged = inputs_unchanged(inputs, &**tree, references);
        if !unchanged.map_err(|error| SourceFailure {
            message: error.to_string(),
            transient: true,
        })? {
            return Ok(false);
        }
    }
    Ok(true)
}
