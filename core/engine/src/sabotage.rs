//! Breaking the engine on purpose, one law at a time: what shows that a test would see it.
//!
//! **Problem.** A property that holds says nothing until it is known that it can fail. So each guard and each law has a knock-out: a switch
//! that takes it out at the one place where it is enforced. The engine's suites throw each of them, and its law, its scenarios or its story have
//! to turn red; each suite holds that it throws all that are its own.
//!
//! **Invariants.** Only with the feature `sabotage`, which the engine's own tests and those over the vectors switch on, and nothing else does
//! (`tests/purity` holds that the program is built without it). Without it [`is`] is `false`, known to the compiler, and there is no way to set anything.

/// The switches, each with who has to see it.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident: $seen_by:ident,)*) => {
        /// What is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sabotage {
            $($(#[$doc])* $name,)*
        }

        impl Sabotage {
            /// Every switch.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Who has to see it: the suites hold that each of theirs is.
            pub const fn seen_by(self) -> SeenBy {
                match self {
                    $(Self::$name => SeenBy::$seen_by,)*
                }
            }
        }
    };
}

/// Which suite has to turn red.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    /// A law, by what happened in a world: `tests/laws/knockouts.rs`.
    Law,
    /// The scenarios of a guard: `tests/engine/guards/knockouts.rs`.
    Scenario,
    /// A story of the engine: `tests/engine/knockouts.rs`.
    Story,
}

switches! {
    /// What was written counts as healthy at once.
    SkipsHealth: Law,
    /// The phases do not wait for each other's health.
    OverlapsPhases: Law,
    /// Hooks of `SyncFail` run always.
    AlwaysRunsSyncFail: Law,
    /// A namespace stays in its own wave, whatever lives in it.
    LeavesNamespacesLate: Law,
    /// Nobody waits until a definition is established and its kind is served.
    DoesNotAwaitDefinitions: Law,
    /// Prunes run in the order of waves.
    PrunesInOrder: Law,
    /// Objects of kinds that no status names are written before that is told.
    WritesUntoldKinds: Law,
    /// The next prunes do not wait until the ones before are gone.
    DoesNotAwaitPrunes: Law,
    /// `PruneLast` goes first.
    PrunesLastFirst: Law,
    /// What lost its tracking id is pruned all the same.
    DeletesUntracked: Law,
    /// What another controller took over right before the delete goes all the same.
    DeletesOwned: Scenario,
    /// `Prune=false` does not count.
    DeletesProtected: Law,
    /// What is declared is pruned, too.
    PrunesDeclared: Law,
    /// What another object owns counts as the application's.
    CountsOwned: Law,
    /// What `ignoreDifferences` names is compared all the same.
    ComparesIgnored: Law,
    /// What is not listed counts as listed.
    PrunesUnlisted: Law,
    /// What cannot be read counts as missing.
    CallsUnreadableMissing: Law,
    /// A source that cannot be rendered counts as empty.
    EmptiesBrokenRender: Law,
    /// An empty source deletes everything, `allowEmpty` or not.
    WipesWhenEmpty: Law,
    /// A source that failed counts as read while it is tried again.
    ForgetsFailure: Law,
    /// An application that is not automated is synced by itself.
    SyncsUnasked: Law,
    /// An automated sync prunes, whatever the policy says.
    PrunesUnasked: Law,
    /// `Prune=confirm` waits for nobody.
    PrunesUnconfirmed: Law,
    /// `Delete=confirm` waits for nobody.
    DeletesUnconfirmed: Law,
    /// What `RespectIgnoreDifferences` leaves to others is written as it is declared.
    WritesIgnored: Law,
    /// `FailOnSharedResource` does not count.
    WritesShared: Law,
    /// Another attempt of a rollback is of the newest commit.
    ForgetsTheRow: Law,
    /// A delete insists on nothing.
    NoPreconditions: Law,
    /// A delete does not look who leads.
    DeletesUnfenced: Law,
    /// A replace insists on nothing.
    BlindReplace: Law,
    /// A hook that may remove itself is not held until it is recorded how it ended.
    LetsHooksVanish: Story,
    /// A hook is let go before it is recorded how it ended.
    LetsGoEarly: Law,
    /// A hook is tried as a change of its earlier run.
    TriesHooksInPlace: Story,
    /// A hook without a name has another name after a restart.
    RenamesHooks: Law,
    /// The creation of a hook is not recorded before.
    CreatesUnrecorded: Law,
    /// An earlier hook of the same name counts as this one.
    TrustsEarlierHook: Law,
    /// A hook whose creation may have worked is created again.
    CreatesAgain: Law,
    /// A hook whose creation may have worked counts as failed.
    AssumesFailure: Law,
    /// An operation writes what is newest, not what was pinned.
    FollowsTheBranch: Law,
    /// What was not begun is begun after the operation was told to stop.
    WritesAfterStop: Law,
    /// A dry run goes on to write.
    DryRunWrites: Law,
    /// Leading does not matter.
    WritesWithoutLead: Law,
    /// A suspended application is worked on.
    WritesSuspended: Law,
    /// What is as declared is written again.
    WritesUnchanged: Law,
    /// No deadline ever comes.
    NeverExpires: Law,
    /// A new process does not know of the operation that ran.
    ForgetsOperation: Law,
    /// The status is written although it says what it said.
    RepeatsStatus: Law,
    /// What differs counts as synced.
    CallsEverythingSynced: Law,
    /// Rows of the history are lost.
    RewritesHistory: Law,
    /// What is in a namespace, or of a kind, goes along, whoever's it is.
    DeletesInUse: Story,
    /// A namespace or a definition that is declared no longer is needed by nobody.
    ForgetsNeeded: Law,
    /// A hook deletes an ordinary object of its name as an earlier run.
    RunsOverOrdinary: Story,
    /// An approval that counted once counts for ever.
    KeepsApprovals: Story,
    /// A sync of some objects hides what was synced before it.
    ForgetsWholeSyncs: Story,
    /// A delete of what is to be made anew that was not answered is a failure.
    GivesUpHalfway: Story,
    /// Applications do not wait for Applications.
    DoesNotAwaitApplications: Story,
    /// An Application whose newest commit is on its way counts as there.
    TakesOldForNewest: Story,
    /// Much of an application may go at once.
    PrunesMuch: Scenario,
    /// One render is enough to know what is not declared.
    TrustsOneRender: Scenario,
    /// Nobody looks who else has objects in a namespace.
    DeletesNamespacesInUse: Scenario,
    /// Namespaces of Kubernetes and of the controller are like others.
    DeletesReserved: Scenario,
    /// Nobody looks who else has objects of a kind.
    DeletesDefinitionsInUse: Scenario,
    /// `Delete=false` does not count.
    DeletesKept: Law,
    /// Nobody runs the hooks of a deletion.
    SkipsDeletionHooks: Law,
    /// An Application whose objects are gone stays all the same.
    NeverLetsGo: Law,
    /// A definition goes with the application that brought it.
    CascadesDefinitions: Scenario,
    /// What holds others, or data, is made anew by a sync that forces.
    RecreatesProtected: Scenario,
    /// A hook that holds things is deleted for its next run.
    RecreatesHolders: Story,
    /// Kinds that hold others, or data, are pruned like others.
    PrunesProtectedKinds: Scenario,
    /// A process deletes as soon as it has started.
    SkipsWarmUp: Scenario,
    /// It does not matter which installation made an object.
    IgnoresInstallation: Scenario,
    /// An operation goes on where the application goes since.
    GoesOnElsewhere: Law,
    /// It does not matter which cluster was synced to.
    DeletesInAnotherCluster: Scenario,
    /// Another cluster behind the address is the same one.
    SpeaksToStrangers: Scenario,
    /// A sync that deletes is not tried before.
    DeletesUntried: Scenario,
    /// What failed does not stop the deletes that come after it.
    PrunesAfterFailure: Scenario,
    /// It does not matter which commit follows which.
    PrunesRewrittenHistory: Scenario,
    /// A repair does not wait, however often it was undone.
    HealsAtOnce: Scenario,
    /// A field is put right, however often that was undone.
    FightsForEver: Scenario,
    /// A pause of deletes pauses nothing.
    DeletesWhilePaused: Scenario,
    /// The journal does not say why something goes.
    DeletesUntold: Scenario,
    /// Windows forbid nothing.
    IgnoresWindows: Law,
    /// What runs when a window shuts goes on.
    OverrunsWindows: Law,
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
