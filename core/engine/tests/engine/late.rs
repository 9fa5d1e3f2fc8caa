//! An outcome that comes a second time, or after what it belonged to is over, changes nothing.

use std::time::Duration;

use capstan_engine::Event;
use proptest::prelude::*;

use crate::generate::{items, objects, tape};
use crate::rig::Rig;

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
