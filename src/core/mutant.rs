//! Deliberate defects, one decision each, that the simulator must catch. They show that its checks
//! can fail. Only the feature `mutants` lets one be switched on; without it [`Mutation::is`] is the
//! constant `false` and the compiler removes every trace.
//!
//! Invariant: a mutant changes one decision and nothing else; none of them panics.

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One deliberate defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant { $($(#[$doc])* $name,)* }

        #[cfg(feature = "mutants")]
        impl Mutant {
            /// Every mutant, for the simulator's sweep.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

mutants! {
    /// Items that waited behind the one that killed the worker are forgotten.
    PrefetchedLost,
    /// One item too many is in flight.
    CreditOffByOne,
    /// Messages of an old incarnation are believed.
    NoIncarnationCheck,
    /// One restart too many before giving up.
    IntensityOffByOne,
    /// An item that crashed a worker runs again as the same attempt.
    AttemptNotCounted,
    /// In keep-order an item is told although the one before it is not settled.
    OrderOffByOne,
    /// The item behind the one that ran is blamed for a death.
    BlameNextItem,
    /// Items that only waited are charged for a death too.
    PrefetchedCharged,
    /// One crash too many before an item is dead.
    CrashLimitOffByOne,
    /// One retry too many.
    RetriesOffByOne,
    /// The hard limit of an attempt is never enforced.
    TimeoutNever,
    /// Items are handed out while the run drains.
    DispatchInDrain,
    /// A drain waits for ever.
    GraceIgnored,
    /// A later, weaker reason to stop replaces a stronger one.
    ReasonWeakened,
    /// Dead items in a row are counted on although one was done between them.
    DeadRowNotReset,
    /// Lifo hands out the oldest item.
    LifoAsFifo,
    /// What a dead worker gives back goes behind all others.
    ReturnedToBack,
    /// Once the queue was full the source is never asked again.
    NoDemandAfterFull,
    /// The source is asked for one item more than there is room for.
    DemandOffByOne,
    /// Rest-for-one restarts the slots of lower numbers.
    RestForOneLower,
    /// One-for-all restarts nobody else.
    OneForAllIgnored,
    /// Each restart waits as long as the first.
    BackoffNotDoubled,
    /// KILL goes to slots that have no process.
    KillReaped,
    /// A result for an item that was settled before is settled again.
    SecondSettle,
    /// Skipped items are never told to the reporters.
    EmitSkipped,
    /// The largest number first.
    PriorityReversed,
    /// `--halt` waits for one item more.
    HaltOffByOne,
    /// A transient worker that left with exit 0 is started again.
    TransientAsPermanent,
    /// Items go to a worker that has not said hello.
    DispatchBeforeHello,
    /// A dead item tells only its last cause.
    CausesForgotten,
    /// The term sequence ends before its KILL.
    KillForgotten,
    /// A retry does not wait for its delay.
    RetryAtOnce,
    /// Queued items are forgotten when the run stops.
    SkipForgotten,
    /// The breaker waits for one dead item more.
    DeadMaxOffByOne,
    /// The item of a worker that the strategy ended is charged.
    StrategyCharged,
    /// The run is called finished while a worker is still leaving.
    FinishEarly,
}

/// Which mutant is on, if any. A value without size in a build that anybody runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mutation(#[cfg(feature = "mutants")] Option<Mutant>);

impl Mutation {
    #[cfg(feature = "mutants")]
    pub(super) const NONE: Self = Self(None);
    #[cfg(not(feature = "mutants"))]
    pub(super) const NONE: Self = Self();

    #[cfg(feature = "mutants")]
    pub(super) const fn of(mutant: Mutant) -> Self {
        Self(Some(mutant))
    }

    /// If this mutant is on.
    #[cfg(feature = "mutants")]
    #[inline]
    pub(super) fn is(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }
    /// If this mutant is on: never.
    #[cfg(not(feature = "mutants"))]
    #[inline]
    pub(super) const fn is(self, _mutant: Mutant) -> bool {
        false
    }

    /// If any mutant is on.
    pub(super) fn any(self) -> bool {
        #[cfg(feature = "mutants")]
        return self.0.is_some();
        #[cfg(not(feature = "mutants"))]
        return false;
    }
}
