//! An effect, in a line.

use capstan_engine::effect::{ApplyMode, DryRun, Effect, EffectKind};

pub(crate) fn describe(effect: &Effect) -> String {
    let what = match &effect.kind {
        EffectKind::ResolveRevision { freshness, .. } => format!("resolve {freshness:?}"),
        EffectKind::Render(task) if task.bypass_cache => format!("render {} anew", task.sources[0].1),
        EffectKind::Render(task) => format!("render {}", task.sources[0].1),
        EffectKind::TraceDescent { steps } => format!("trace descent of {} sources", steps.len()),
        EffectKind::Compare(task) => format!(
            "compare {}",
            task.pairs
                .iter()
                .map(|pair| pair.key.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        ),
        EffectKind::Apply(task) => {
            let verb = if task.mode == ApplyMode::Create {
                "create"
            } else {
                "apply"
            };
            let tried = if task.dry_run == DryRun::No { "" } else { "try to " };
            format!("{tried}{verb} {} {}", task.key, task.object.digest())
        }
        EffectKind::Delete { permit, .. } => format!("delete {}", permit.key()),
        EffectKind::Observe { key, .. } => format!("observe {key}"),
        EffectKind::RemoveFinalizer { key, .. } => format!("unfinalize {key}"),
        EffectKind::MigrateFields { key, from, .. } => {
            let from: Vec<String> = from.managers.iter().map(ToString::to_string).collect();
            format!("migrate {key} from {}", from.join(" "))
        }
        EffectKind::Pause { phase, wave, .. } => format!("pause after {phase} {wave}"),
        EffectKind::PatchApplication { patch, .. } => format!("patch application {patch}"),
        EffectKind::PatchStatus { patch, .. } => format!("status {patch}"),
        EffectKind::WatchKinds { kinds, .. } => format!(
            "watch {}",
            kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        ),
    };
    format!("{} {what}", effect.id)
}
