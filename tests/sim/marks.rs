//! Coverage marks: which faults and situations a sweep really reached. A mark that no seed reached
//! fails the sweep: a fault that never happens proves nothing.

macro_rules! listed {
    ($(#[$doc:meta])* $name:ident { $($variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($variant,)* }
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

listed! {
    /// Everything a sweep has to reach.
    Mark {
        // Faults that the world injects.
        SpawnFailed,
        DiedBeforeHello,
        DiedMidItem,
        DiedMidResult,
        DiedAfterResult,
        DiedIdle,
        Hung,
        LateResult,
        TornFrame,
        ChannelClosedWithoutExit,
        ExitedWithoutClose,
        OutputHeld,
        PoisonItem,
        SignalBurst,
        SourceStalled,
        SourceLost,
        ClockLeapt,
        ProbeExcluded,
        SinkClosed,
        SinkLost,
        StorageLost,
        NoHello,
        BadHello,
        BadFrame,
        WrongItem,
        ForeignPage,
        ItemFailed,
        ItemRejected,
        CommandNotStarted,
        ItemLeftOut,
        IgnoredTerm,
        IgnoredEndOfInput,
        // What the core did about it.
        MedianPassed,
        StartDelayed,
        StartHeld,
        WorkerHeld,
        HeldWentOn,
        HeldIdle,
        HeldEnded,
        MadeRoom,
        PausedAtWork,
        PausedIdle,
        Continued,
        StopContinued,
        RestartBegun,
        WorkerReplaced,
        RestartEnded,
        RestartGivenUp,
        ItemGivenUp,
        WorkerGivenUp,
        AskedSignalSent,
        CommandMadeRoom,
        ChaosDeath,
        ChaosStopped,
        ChaosWentOn,
        ChaosHeldSlow,
        ChaosHeldForEver,
        ChaosSlow,
        ChaosHung,
        ChaosTorn,
        HandStarted,
        HandStartedLate,
        HandReturned,
        HandReturnedLate,
        HandRecalled,
        HandWaits,
        ItemCharged,
        ItemDead,
        ItemTimedOut,
        ItemRetriedLater,
        RetryAskedFor,
        RetryRefused,
        ExitRetried,
        ExitFailed,
        ExitDead,
        ExitHalted,
        PrefetchReturned,
        RunningReturned,
        ResultOfTheDead,
        StaleDropped,
        RestartedAfterBackoff,
        IdleDeath,
        RestartedByStrategy,
        NotRestarted,
        // Contracts, commands and restored items.
        StartedWithoutHello,
        OldestCharged,
        OldestEnded,
        AnsweredOutOfOrder,
        NamedCharged,
        Grown,
        ShrunkWhileBusy,
        Revived,
        RevivedWhileLeaving,
        RemovedEnded,
        CallerAsked,
        SignalRepeated,
        StatusShown,
        ItemsRestored,
        ArrivedAgain,
        RestoredBehindOthers,
        FirstItemChosen,
        RestartLimit,
        DeadLimit,
        DemandStopped,
        BatchSplit,
        BatchesWaiting,
        ResultHeldForOrder,
        EscalatedToKill,
        HaltedSoon,
        HaltedNow,
        RunTimedOut,
        Drained,
        Terminated,
        Killed,
        EndedNormally,
        PerItem,
        Lifo,
        Priority,
        StartedTogether,
    }
}

/// A set of marks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks(u128);

impl Marks {
    pub const fn hit(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u32;
    }
    pub const fn has(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u32) != 0
    }
    pub const fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }
    /// The marks that were never hit.
    pub fn missing(self) -> Vec<Mark> {
        Mark::ALL.iter().copied().filter(|&mark| !self.has(mark)).collect()
    }
}

const _: () = assert!(Mark::ALL.len() <= 128, "the set is one word");
