//! I-WAVE: of two objects of one operation in the same phase, the one of the later wave is first written after the one of the earlier is
//! settled: written by this operation (or as declared already), and then seen, at that version or a later one, healthy at its generation.
//!
//! The oracle parses the waves itself, takes the operation and its commit from the statuses in H, and the evidence from what the
//! controller had been told before the request left it.

use crate::evidence::{Timeline, first_writes};
use crate::objects::Phase;

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let mut found = 0;
    for (at, request, attempt, object) in first_writes(timeline) {
        let steps = timeline.steps(&attempt);
        let Some(step) = timeline.step_of(&steps, object) else {
            continue;
        };
        // Hooks of SyncFail run all at once.
        if step.phase == Phase::OnFailure {
            continue;
        }
        for earlier in steps
            .iter()
            .filter(|earlier| earlier.phase == step.phase && earlier.wave < step.wave)
        {
            let name = crate::objects::key_of(earlier.declared);
            timeline.settled(&attempt, *earlier, at).map_err(|why| {
                let (of, before) = (step.wave, earlier.wave);
                format!(
                    "[{at}] {} of wave {of} was written, but {name} of wave {before} {why}",
                    request.key
                )
            })?;
            found += 1;
        }
    }
    Ok(found)
}

crate::search::law!(check, crate::generate::Bias::Order);
