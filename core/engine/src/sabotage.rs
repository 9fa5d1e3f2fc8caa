//! Breaking the engine on purpose, one law at a time: what shows that a test would see it.
//!
//! **Problem.** A property that holds says nothing until it is known that it can fail. So each guard and each law has a knock-out: a switch
//! that takes it out at the one place where it is enforced. `tests/laws/knockouts.rs` throws each of them, and its law has to turn red.
//!
//! **Invariants.** Only with the feature `sabotage`, which the engine's own tests switch on and nothing else does (`tests/purity` holds
//! that the program is built without it). Without it [`is`] is `false`, known to the compiler, and there is no way to set anything.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// What was written counts as healthy at once.
    SkipsHealth,
    /// The phases do not wait for each other's health.
    OverlapsPhases,
    /// Hooks of `SyncFail` run always.
    AlwaysRunsSyncFail,
    /// A namespace stays in its own wave, whatever lives in it.
    LeavesNamespacesLate,
    /// Nobody waits until a definition is established and its kind is served.
    DoesNotAwaitDefinitions,
    /// Prunes run in the order of waves.
    PrunesInOrder,
    /// The next prunes do not wait until the ones before are gone.
    DoesNotAwaitPrunes,
    /// `PruneLast` goes first.
    PrunesLastFirst,
    /// What lost its tracking id is pruned all the same.
    DeletesUntracked,
    /// `Prune=false` does not count.
    DeletesProtected,
    /// What is declared is pruned, too.
    PrunesDeclared,
    /// What is not listed counts as listed.
    PrunesUnlisted,
    /// What cannot be read counts as missing.
    CallsUnreadableMissing,
    /// A source that cannot be rendered counts as empty.
    EmptiesBrokenRender,
    /// An empty source deletes everything, `allowEmpty` or not.
    WipesWhenEmpty,
    /// A source that failed counts as read while it is tried again.
    ForgetsFailure,
    /// A delete insists on nothing.
    NoPreconditions,
    /// A delete does not look who leads.
    DeletesUnfenced,
    /// A replace insists on nothing.
    BlindReplace,
    /// A hook is tried as a change of its earlier run.
    TriesHooksInPlace,
    /// A hook without a name has another name after a restart.
    RenamesHooks,
    /// The creation of a hook is not recorded before.
    CreatesUnrecorded,
    /// An earlier hook of the same name counts as this one.
    TrustsEarlierHook,
    /// A hook whose creation may have worked is created again.
    CreatesAgain,
    /// A hook whose creation may have worked counts as failed.
    AssumesFailure,
    /// An operation writes what is newest, not what was pinned.
    FollowsTheBranch,
    /// What was not begun is begun after the operation was told to stop.
    WritesAfterStop,
    /// A dry run goes on to write.
    DryRunWrites,
    /// Leading does not matter.
    WritesWithoutLead,
    /// A suspended application is worked on.
    WritesSuspended,
    /// What is as declared is written again.
    WritesUnchanged,
    /// No deadline ever comes.
    NeverExpires,
    /// A new process does not know of the operation that ran.
    ForgetsOperation,
    /// The status is written although it says what it said.
    RepeatsStatus,
    /// What differs counts as synced.
    CallsEverythingSynced,
    /// Rows of the history are lost.
    RewritesHistory,
}

#[cfg(feature = "sabotage")]
thread_local! {
    static BROKEN: std::cell::Cell<Option<Sabotage>> = const { std::cell::Cell::new(None) };
}

/// From now on, on this thread, engines are broken so; or whole again.
#[cfg(feature = "sabotage")]
pub fn set(broken: Option<Sabotage>) {
    BROKEN.set(broken);
}

/// Is it broken so?
#[cfg(feature = "sabotage")]
pub(crate) fn is(what: Sabotage) -> bool {
    BROKEN.get() == Some(what)
}

/// Is it broken so? Never.
#[cfg(not(feature = "sabotage"))]
pub(crate) const fn is(_: Sabotage) -> bool {
    false
}
