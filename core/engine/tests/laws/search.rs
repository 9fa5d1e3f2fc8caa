//! How the laws are searched: with a fixed seed, so that every run of the suite looks at the same cases, and failures kept in the
//! repository (`tests/proptest-regressions`).
//!
//! `CAPSTAN_LAWS_CASES` is how many cases a law is held against; `PROPTEST_RNG_SEED` is another seed.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use crate::evidence::Timeline;
use crate::generate::{Bias, Case, case};
use crate::history::Record;
use crate::world;

/// Cases of one law where nothing else is said: as many as a small machine does in a few seconds.
const CASES: u32 = 32;
const SEED: u64 = 0x00ca_95a7;

/// What a law says of a run: how often it had something to hold, or how it was broken.
pub(crate) type Check = fn(&Timeline<'_>) -> Result<usize, String>;

/// The laws, by their names.
pub(crate) const LAWS: [(&str, Check); 19] = [
    ("I-WAVE", crate::wave::check),
    ("I-PHASE", crate::phase::check),
    ("I-DEP", crate::dependency::check),
    ("I-PRUNEORD", crate::prune_order::check),
    ("I-TRACK", crate::tracking::check),
    ("I-UNK", crate::unknown::check),
    ("I-CAS", crate::preconditions::check),
    ("I-HOOK1", crate::hook_once::check),
    ("I-HOOKEV", crate::hook_evidence::check),
    ("I-AMB", crate::ambiguous::check),
    ("I-PIN", crate::pinned::check),
    ("I-WIN", crate::window::check),
    ("I-STAT", crate::status::check),
    ("I-NOOP", crate::no_op::check),
    ("L-END", crate::ends::check),
    ("L-DEL", crate::deletion::check),
    ("I-CONSENT", crate::consent::check),
    ("I-FIELD", crate::fields::check),
    ("I-DEST", crate::destination::check),
];

/// Whatever a search may dwell on.
pub(crate) const BIASES: [Bias; 6] = [
    Bias::Any,
    Bias::Order,
    Bias::Prunes,
    Bias::Hooks,
    Bias::People,
    Bias::Places,
];

#[expect(
    clippy::disallowed_methods,
    reason = "how much to search is the caller's to say; the core itself reads nothing"
)]
pub(crate) fn config() -> Config {
    let cases = std::env::var("CAPSTAN_LAWS_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    let default = Config::default();
    Config {
        cases: cases.unwrap_or(CASES),
        max_shrink_iters: 2_000,
        rng_seed: match default.rng_seed {
            RngSeed::Random => RngSeed::Fixed(SEED),
            seed @ RngSeed::Fixed(_) => seed,
        },
        ..default
    }
}

/// The first cases that a law of this bias is held against, or other ones with another seed.
pub(crate) fn cases(bias: Bias, seed: u64) -> impl Iterator<Item = Case> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = case(bias);
    std::iter::from_fn(move || Some(strategy.new_tree(&mut runner).ok()?.current()))
}

/// A law, held against each cluster of a run. Gives how often it had something to hold.
pub(crate) fn held(record: &Record, check: Check) -> Result<usize, String> {
    each_cluster(record, |timeline| Ok(vec![check(timeline)?])).map(|found| found[0])
}

/// Holds every law against a run. Gives how often each had something to hold.
pub(crate) fn all(record: &Record) -> Result<Vec<usize>, String> {
    each_cluster(record, |timeline| {
        let laws = LAWS.iter();
        laws.map(|(name, check)| check(timeline).map_err(|why| format!("{name}: {why}")))
            .collect()
    })
}

/// To a law, each cluster is a world of its own, in which it sees what is of that one and what is of none.
fn each_cluster(
    record: &Record,
    mut check: impl FnMut(&Timeline<'_>) -> Result<Vec<usize>, String>,
) -> Result<Vec<usize>, String> {
    if record.case.clusters < 2 {
        return check(&Timeline::of(record));
    }
    let mut sums = Vec::new();
    for place in record.places() {
        let of_place = record.within(place);
        let found = check(&Timeline::of(&of_place))
            .map_err(|why| format!("in cluster {place}: {why}\n{}\n\nand all of it:", of_place.story()))?;
        sums.resize(found.len(), 0);
        sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
    Ok(sums)
}

/// Holds one law against one case.
pub(crate) fn holds(case: &Case, check: Check) -> Result<usize, String> {
    let record = world::run(case);
    held(&record, check).map_err(|why| format!("{why}\n{}", record.story()))
}

/// The property of a law: its check, held against cases of a bias.
macro_rules! law {
    ($check:path, $bias:expr) => {
        proptest::proptest! {
            #![proptest_config($crate::search::config())]
            #[test]
            fn holds(case in $crate::generate::case($bias)) {
                $crate::search::holds(&case, $check).map_err(proptest::test_runner::TestCaseError::fail)?;
            }
        }
    };
}
pub(crate) use law;

/// Every law against the same cases, of every bias: more of them, and other ones, where `CAPSTAN_LAWS_CASES` and `PROPTEST_RNG_SEED` say so.
#[test]
fn every_law_holds_in_every_case() {
    let config = config();
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => SEED,
    };
    for (number, bias) in (0..).zip(BIASES) {
        for case in cases(bias, seed + number).take(config.cases as usize) {
            let record = world::run(&case);
            all(&record).unwrap_or_else(|why| panic!("{why}\n{case:?}\n{}", record.story()));
        }
    }
}
