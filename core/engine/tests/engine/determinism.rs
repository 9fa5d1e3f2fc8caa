//! Same events at the same times give the same effects, byte for byte.

use std::time::Duration;

use proptest::prelude::*;

use crate::generate::{items, objects, tape};
use crate::rig::Rig;

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn two_runs_are_one(items in items(), tape in tape()) {
        let run = || {
            let mut run = Rig::new(objects(&items, "v1")).start(tape.clone());
            run.drive(40);
            run.push(objects(&items[1..], "v2"));
            run.settle(Duration::from_secs(60));
            (run.log.join("\n"), run.journal(), run.rig.resource.to_string())
        };
        prop_assert_eq!(run(), run());
    }
}
