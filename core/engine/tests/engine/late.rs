//! An outcome that comes a second time, or after what it belonged to is over, changes nothing.

use std::time::Duration;

use capstan_engine::{Effect, EffectKind, Event};
use proptest::prelude::*;

use crate::generate::{items, objects, tape};
use crate::rig::{Rig, Run, config};

fn next(run: &mut Run, wanted: impl Fn(&EffectKind) -> bool) -> Option<Effect> {
    let at = run.pending.iter().position(|effect| wanted(&effect.kind))?;
    run.pending.remove(at)
}

/// The write of an intent is answered when a newer commit has taken that operation's place: the new one records its own before it writes.
#[test]
fn an_intent_is_of_one_operation() {
    let waves = |value: &str| vec![config("a", 0, value), config("b", 1, value)];
    let is_status = |kind: &EffectKind| matches!(kind, EffectKind::PatchStatus { .. });
    let mut run = Rig::new(waves("1")).start(Vec::new());
    while let Some(effect) = next(&mut run, |kind| !is_status(kind)) {
        run.perform(&effect);
    }
    let intent = next(&mut run, is_status).unwrap();
    run.push(waves("2"));
    while let Some(effect) = next(&mut run, |kind| !is_status(kind)) {
        run.perform(&effect);
    }
    run.perform(&intent);
    let own = next(&mut run, is_status).map(|effect| effect.kind);
    let is_own = |patch: &serde_json::Value| patch.to_string().contains("00002");
    assert!(
        matches!(&own, Some(EffectKind::PatchStatus { patch, .. }) if is_own(patch)),
        "{own:?}"
    );
    let written = next(&mut run, |kind| matches!(kind, EffectKind::Apply(_)));
    assert!(written.is_none(), "{written:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn late_outcomes_change_nothing(items in items(), tape in tape(), steps in 0usize..80) {
        let mut run = Rig::new(objects(&items, "v1")).start(tape);
        run.drive(steps);
        let late = run.delivered.clone();
        let (effects, journal) = (run.log.len(), run.journal());
        let counted = run.engine.late_completions();
        for (id, outcome) in &late {
            run.handle(Event::Completed(id.clone(), outcome.clone()));
        }
        prop_assert_eq!(run.engine.late_completions(), counted + late.len() as u64);
        prop_assert_eq!(run.log.len(), effects, "{}", run.log[effects..].join("\n"));
        prop_assert_eq!(run.journal(), journal);
        run.settle(Duration::from_secs(60));
        prop_assert_eq!(run.sync(), "Synced Healthy");
    }
}
