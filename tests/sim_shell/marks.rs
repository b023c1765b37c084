//! Coverage marks: which faults and situations a sweep really reached. A mark that no seed reached fails the sweep: a
//! fault that never happens proves nothing.

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
        // Faults of the system, by call.
        WaitInterrupted,
        WaitSpuriousFrames,
        WaitSpuriousSource,
        WaitSpuriousStream,
        WaitSpuriousSignals,
        WaitSpuriousReports,
        WaitStaleEvent,
        WatchProcessFailed,
        WatchFramesFailed,
        WatchWritableFailed,
        WatchSourceFailed,
        WatchStderrFailed,
        StartShortage,
        StartFailedForGood,
        OpenShortage,
        SignalRefused,
        Abandoned,
        // Of channels.
        ShortRead,
        ShortWrite,
        ReadFailed,
        WriteFailed,
        SpoolFailed,
        BacklogBlocked,
        WorkerBlockedInWrite,
        ReadClosed,
        WrittenToClosed,
        Recovered,
        Armed,
        ArmedTooLate,
        Throttled,
        GaveWay,
        Restarted,
        Suspended,
        // Of workers.
        DiedBeforeHello,
        DiedIdle,
        DiedMidItem,
        DiedBeforeResult,
        DiedMidResult,
        DiedAfterResult,
        DiedInCall,
        Hung,
        NoHello,
        WrongToken,
        Garbage,
        WrongItem,
        ForeignPage,
        ClosedChannel,
        HeldOpen,
        Stopped,
        IgnoredSignal,
        IgnoredEndOfInput,
        LeftAfterRecall,
        HugeResult,
        ItemFailed,
        // Of commands.
        CommandShortage,
        OutputHeld,
        CommandNotStarted,
        CommandDeclined,
        CommandCrashed,
        CommandFailed,
        CommandKilled,
        CommandRuled,
        CommandSpilled,
        LauncherProbed,
        EarlyLines,
        MoreLines,
        LastLines,
        // Of the source.
        SourceIdle,
        SourceBroke,
        SourceStalled,
        SourcePassedOver,
        ItemRejected,
        ItemRestored,
        // Of the output.
        StdoutShortWrite,
        StdoutBlocked,
        StdoutStuck,
        StdoutClosed,
        StdoutFull,
        StderrBlocked,
        StderrLost,
        BarDrawn,
        Congested,
        RecordFailed,
        ReporterFailed,
        BarrierPassed,
        DiskRead,
        // Of sessions that go on with a journal.
        SessionKilled,
        SessionEnded,
        PowerLost,
        SyncFailed,
        DiskWriteFailed,
        SessionRefused,
        PendingShown,
        WentOn,
        // From outside.
        Signalled,
        ClockLeapt,
        Scaled,
        LostPatience,
        MachineShort,
        WorkerHeld,
        CommandHeld,
        HandKept,
        HandStarted,
        HandStartedLate,
        HandReturned,
        HandRecalled,
        HeldWentOn,
        MadeRoom,
        EndedByChaos,
        MachineFree,
        // What the shell did about it.
        ItemCharged,
        ItemReturned,
        ItemDead,
        ItemTimedOut,
        ResultOfTheDead,
        ShownOutOfTurn,
        FinishWaited,
        // Kinds of runs.
        Commands,
        Pages,
        NoHandshake,
        Timed,
        KeepOrder,
        EndedNormally,
        EndedEarly,
    }
}

/// Those of runs of several sessions.
pub const OF_SESSIONS: &[Mark] = &[
    Mark::SessionKilled,
    Mark::SessionEnded,
    Mark::PowerLost,
    Mark::SyncFailed,
    Mark::DiskWriteFailed,
    Mark::SessionRefused,
    Mark::PendingShown,
    Mark::WentOn,
];

/// A set of marks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks(u128);

impl Marks {
    pub const fn hit(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u32;
    }
    pub const fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }
    pub const fn has(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u32) != 0
    }
    /// Those of these marks that were never hit.
    pub fn missing_of(self, marks: &[Mark]) -> Vec<Mark> {
        marks.iter().copied().filter(|mark| !self.has(*mark)).collect()
    }
    /// All others that were never hit.
    pub fn missing_but(self, marks: &[Mark]) -> Vec<Mark> {
        Mark::ALL.iter().copied().filter(|mark| !marks.contains(mark) && !self.has(*mark)).collect()
    }
}

const _: () = assert!(Mark::ALL.len() <= 128, "the set is one word");
