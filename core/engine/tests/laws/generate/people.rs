//! What people change of the Application itself, and of the history of its source, as data.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Action, Bias, Case, Policy};

/// What the Application follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Follow {
    #[default]
    Branch,
    /// A commit, by its id.
    Commit(u8),
    /// A tag, which names the same commit for ever.
    Tag(u8),
}

/// What the Application's spec says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) policy: Policy,
    pub(crate) follows: Follow,
}

/// What somebody changes of the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Automated(bool),
    Prune(bool),
    Heals(bool),
    AllowsEmpty(bool),
    Ignores(bool),
    Options(&'static [&'static str]),
    Retry { limit: u8, refreshes: bool },
    Follows(Follow),
}

/// Somebody goes back to a row of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rollback {
    /// Which row, counted from the newest.
    pub(crate) ago: u8,
    pub(crate) prune: bool,
    /// Without asking whether that can be: the resource's field is written, as an old client does it.
    pub(crate) dares: bool,
}

impl Spec {
    pub(crate) fn of(case: &Case) -> Self {
        Self {
            policy: case.policy,
            follows: Follow::Branch,
        }
    }

    pub(crate) fn changed(mut self, change: Change) -> Self {
        let policy = &mut self.policy;
        match change {
            Change::Automated(on) => policy.automated = on,
            Change::Prune(on) => policy.prune = on,
            Change::Heals(on) => policy.heals = on,
            Change::AllowsEmpty(on) => policy.allow_empty = on,
            Change::Ignores(on) => policy.ignores = on,
            Change::Options(options) => policy.options = options,
            Change::Retry { limit, refreshes } => (policy.retries, policy.refreshes) = (limit, refreshes),
            Change::Follows(follows) => self.follows = follows,
        }
        self
    }
}

impl Policy {
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.contains(&option)
    }
}

/// Options of an application.
pub(super) const OPTIONS: [&[&str]; 10] = [
    &[],
    &[],
    &["PruneLast=true"],
    &["CreateNamespace=true"],
    &["Prune=confirm"],
    &["Replace=true"],
    &["Delete=confirm"],
    &["RespectIgnoreDifferences=true"],
    &["FailOnSharedResource=true"],
    &["RespectIgnoreDifferences=true", "Prune=confirm"],
];

pub(super) fn change() -> impl Strategy<Value = Change> {
    let flag = || any::<bool>();
    let follow = prop_oneof![
        2 => Just(Follow::Branch),
        2 => (0u8..4).prop_map(Follow::Commit),
        1 => (0u8..4).prop_map(Follow::Tag),
    ];
    prop_oneof![
        4 => flag().prop_map(Change::Automated),
        2 => flag().prop_map(Change::Prune),
        1 => flag().prop_map(Change::Heals),
        2 => flag().prop_map(Change::AllowsEmpty),
        1 => flag().prop_map(Change::Ignores),
        2 => select(&OPTIONS[..]).prop_map(Change::Options),
        2 => (0u8..3, flag()).prop_map(|(limit, refreshes)| Change::Retry { limit, refreshes }),
        4 => follow.prop_map(Change::Follows),
    ]
}

fn rollback() -> impl Strategy<Value = Rollback> {
    (0u8..3, prop::bool::weighted(0.7), prop::bool::weighted(0.4)).prop_map(|(ago, prune, dares)| Rollback {
        ago,
        prune,
        dares,
    })
}

/// Something that somebody does to the Application, to the branch, or to what lives.
pub(super) fn deed(bias: Bias) -> impl Strategy<Value = Action> {
    let more = |of: Bias| if bias == of { 3 } else { 1 };
    prop_oneof![
        2 * more(Bias::People) => change().prop_map(Action::Change),
        more(Bias::People) => rollback().prop_map(Action::Rollback),
        more(Bias::Prunes) => (0u8..4, any::<bool>()).prop_map(|(to, anew)| Action::Rewrite { to, anew }),
        2 => any::<bool>().prop_map(Action::Branch),
        1 => (0u8..4).prop_map(Action::Forget),
        1 => any::<bool>().prop_map(Action::Quota),
        1 => (0u8..8).prop_map(Action::Fight),
        1 => (0u8..8).prop_map(Action::Adopt),
        1 => Just(Action::EndNamespace),
    ]
}
