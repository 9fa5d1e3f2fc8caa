//! `Compare`.

use capstan_engine::compare::{CompareTask, PairVerdict};

use super::Pool;

/// Fewer pairs are compared faster than a thread is woken.
const TINY: usize = 4;

pub(super) async fn compare(pool: &Pool, task: CompareTask) -> Vec<PairVerdict> {
    let tiny = task.pairs.len() <= TINY;
    pool.run(tiny, move || capstan_engine::compare::compare(&task)).await
}
