//! Deliberate defects, one decision each, that the simulators must catch. They show that the checks of a simulator
//! can fail.
//!
//! `mutant!(Name, good, bad)` is `good` alone, unless the feature `mutants` is on in a build with debug assertions. In
//! such a build it reads a thread-local variable that only a simulator sets. So a release build, benchmarks included,
//! holds no trace of a mutant although the tests' feature is on for the whole package.
//!
//! There are three lists: the mutants of the core, for `tests/sim.rs`, those of the shell, for `tests/sim_shell.rs`, and
//! those of a run that goes on, for the tests of `engine/journal`.
//!
//! Invariant: a mutant changes one decision and nothing else.

#[cfg(not(all(feature = "mutants", debug_assertions)))]
macro_rules! mutant {
    ($name:ident, $good:expr, $bad:expr) => {
        $good
    };
}

#[cfg(all(feature = "mutants", debug_assertions))]
macro_rules! mutant {
    ($name:ident, $good:expr, $bad:expr) => {
        if $crate::mutant::is_on($crate::mutant::Mutant::$name) { $bad } else { $good }
    };
}

pub(crate) use mutant;

/// Whether any mutant is on: the core's own checks would find it before the simulator can.
#[cfg(not(all(feature = "mutants", debug_assertions)))]
pub(crate) const fn any_is_on() -> bool {
    false
}

#[cfg(all(feature = "mutants", debug_assertions))]
pub use armed::{Mutant, arm};
#[cfg(all(feature = "mutants", debug_assertions))]
pub(crate) use armed::{any_is_on, is_on};

#[cfg(all(feature = "mutants", debug_assertions))]
mod armed {
    use std::cell::Cell;

    std::thread_local! {
        static ON: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Switches a mutant on for this thread; `None`: off.
    pub fn arm(mutant: Option<Mutant>) {
        ON.set(mutant);
    }
    pub(crate) fn is_on(mutant: Mutant) -> bool {
        ON.get() == Some(mutant)
    }
    pub(crate) fn any_is_on() -> bool {
        ON.get().is_some()
    }

    macro_rules! mutants {
        (
            core { $($(#[$core_doc:meta])* $core:ident,)* }
            shell { $($(#[$shell_doc:meta])* $shell:ident,)* }
            resume { $($(#[$resume_doc:meta])* $resume:ident,)* }
        ) => {
            /// One deliberate defect.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            pub enum Mutant {
                $($(#[$core_doc])* $core,)*
                $($(#[$shell_doc])* $shell,)*
                $($(#[$resume_doc])* $resume,)*
            }

            impl Mutant {
                /// Those of the core.
                pub const CORE: &[Self] = &[$(Self::$core,)*];
                /// Those of the shell.
                pub const SHELL: &[Self] = &[$(Self::$shell,)*];
                /// Those of a run that goes on.
                pub const RESUME: &[Self] = &[$(Self::$resume,)*];
            }
        };
    }

    mutants! {
    core {
        /// Items that waited behind the one that killed the worker are forgotten.
        PrefetchedLost,
        /// One item too many is in flight.
        CreditOffByOne,
        /// Messages of an old incarnation count.
        NoIncarnationCheck,
        /// One restart too many before giving up.
        IntensityOffByOne,
        /// The death of an idle worker counts toward giving up.
        IdleDeathCounted,
        /// An item whose attempt failed runs again as the same attempt.
        AttemptNotCounted,
        /// In keep-order an item is committed although the one before it is not settled.
        OrderOffByOne,
        /// The item behind the one that ran is blamed for a death.
        BlameNextItem,
        /// Items that only waited are charged for a death too.
        PrefetchedCharged,
        /// One crash too many before an item is dead.
        CrashLimitOffByOne,
        /// A worker that KILL or TERM from outside ended counts as one that crashed.
        KillCountedAsCrash,
        /// The start of an item is reported when it is sent.
        StartReportedUnseen,
        /// Nothing tells that an item came back.
        ReturnNotReported,
        /// One retry too many.
        RetriesOffByOne,
        /// An answer out of order begins the time of the oldest item again.
        BeginsAgain,
        /// The item that a worker named is not charged for its end.
        NamedNotBlamed,
        /// An attempt that asks for another one gets no more than others.
        HintIgnored,
        /// An item is tried again although its attempt says that a further one ends likewise.
        HopelessRepeated,
        /// The end of a command is judged as if it had no rule.
        ExitRulesIgnored,
        /// A rule to halt does not stop the run.
        HaltRuleIgnored,
        /// The hard limit of an attempt is never enforced.
        TimeoutNever,
        /// Processes are started for items although what they write is not read.
        CongestionIgnored,
        /// Items are handed out while the run drains.
        DispatchInDrain,
        /// A signal that arrives twice at once counts twice.
        RepeatedSignalCounts,
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
        /// Items that wait for their next attempt do not count toward how far is read ahead.
        DelayedNotCounted,
        /// Once the queue was full the source is never asked again.
        NoDemandAfterFull,
        /// The source is asked for one item more than the limit allows.
        DemandOffByOne,
        /// Rest-for-one restarts the slots of lower numbers.
        RestForOneLower,
        /// One-for-all restarts no other worker.
        OneForAllIgnored,
        /// Each restart waits as long as the first.
        BackoffNotDoubled,
        /// KILL goes to slots that have no process.
        KillReaped,
        /// A result for an item that was settled before is settled again.
        SecondSettle,
        /// Skipped items are never committed.
        CommitSkipped,
        /// The largest number first.
        PriorityReversed,
        /// `--halt` waits for one item more.
        HaltOffByOne,
        /// `--halt soon` waits for running items no longer than the grace.
        HaltSoonHurried,
        /// A transient worker that left with exit 0 is started again.
        TransientAsPermanent,
        /// Items go to a worker whose hello is awaited.
        DispatchBeforeHello,
        /// A dead item names only its last cause.
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
        /// A slot that was removed is filled again after its worker has left.
        RemovedRefilled,
        /// A removed slot keeps its worker and gets further items.
        ShrinkForgotten,
        /// The slots that work are removed before the idle ones.
        ShrinkBusyFirst,
        /// The attempts of an item that an earlier session has begun are counted from 1 again.
        AttemptRestarted,
        /// An item that was restored is handed out all the same.
        RestoredQueued,
        /// In keep-order the turn of a restored item does not pass.
        RestoredHoldsOrder,
        /// A restored item is committed again.
        RestoredCommitted,
        /// Without a progress page no item is charged for a death.
        OldestNotBlamed,
        /// Without a progress page the limit of an attempt counts from the dispatch of the batch.
        OldestLimitFromDispatch,
        /// One success is enough for a limit that is a share of the median.
        LimitFromFirstSuccess,
        /// Commands run on that have passed a limit of that kind.
        MedianLimitIgnored,
        /// The next process is started without the delay.
        StartDelayIgnored,
        /// Processes are started while none may be.
        StartsHeldIgnored,
        /// A start uses up no permit.
        PermitNotUsed,
        /// Slots that wait until the delay is over never get a process.
        DueForgotten,
        /// An item that is left out comes again.
        DeclinedAskedAgain,
        /// The slot of an item that is left out gets no further one.
        DeclinedSlotLost,
        /// A worker that is held is asked to end, and stays stopped.
        HeldWorkerForgotten,
        /// The item of a command that was ended to make room is charged.
        ReliefCharged,
        /// What is at an item that was given up goes on.
        GivenUpGoesOn,
        /// An item that was given up is begun all the same.
        GivenUpStays,
        /// A worker is not sent the signal that was asked for.
        AskedSignalLost,
        /// A worker that an asked signal ended counts as one that was ended by an order.
        AskedSignalIsOrder,
        /// An item stays in hand however long the command before it takes.
        HandKept,
        /// An item that was in hand and is not started is forgotten.
        HandLost,
        /// Items stay in hand although the run stops.
        HandsOutliveStop,
        /// The item of a worker that chaos has ended is charged.
        ChaosCharged,
        /// A worker that chaos has stopped never goes on.
        ChaosStopForgotten,
        /// The time of a pause counts for deadlines.
        PausedTimeCounts,
        /// Items are handed out although the run is paused.
        PausedDispatches,
        /// Processes are started although the run is paused.
        PausedStarts,
        /// A process that is spawned during a pause is not stopped.
        PauseForgotten,
        /// A stop leaves the run paused.
        StopStaysPaused,
        /// The next worker is asked to leave before the one that stands in for it is ready.
        RestartHurried,
        /// The worker that stands in for others stays.
        SpareStays,
    }
    shell {
        /// Nothing records that an attempt begins.
        BeginUnrecorded,
        /// What was appended is not synced before it counts as safe.
        SyncSkipped,
        /// A block of another file, or of another place of this one, is taken for a record.
        StaleBelieved,
        /// Frames leave, and commands start, before the barrier is passed.
        BarrierBehindFrames,
        /// A worker that cannot be watched is not ended.
        AbandonForgotten,
        /// A channel that is read to its end stays in the poll set.
        EndStaysWatched,
        /// What a dead worker left in its channel is not read.
        DrainForgotten,
        /// What a dead worker had finished and not sent is not taken over.
        RecoverForgotten,
        /// The progress page of a dead worker is not read.
        PageNotRead,
        /// The rest of a process group survives its leader.
        LeftoversSpared,
        /// The guard still knows a group when its leader is reaped.
        GroupForgottenLate,
        /// A process group is signalled when its number may be another's.
        SignalAfterReap,
        /// A pidfd is closed before it has left the poll set.
        PidfdClosedWatched,
        /// A channel is closed before it has left the poll set.
        ChannelClosedWatched,
        /// A channel that takes no more is not waited for.
        BlockedWriteUnwatched,
        /// The input of a worker is closed in front of what it was sent.
        ClosedBeforeWritten,
        /// Workers are not read from any more once stdout was slow.
        PausedForEver,
        /// A channel that delivered short reads is never read again.
        ThrottledForEver,
        /// The loop waits although a poll has just reported the end of a channel.
        LastFactForgotten,
        /// A busy-polled channel is not armed before the loop waits.
        ArmForgotten,
        /// A read that brings nothing at the moment is taken for the end.
        BlockedReadIsEnd,
        /// An event of a process that is gone hits the slot's next one.
        StaleEventCounts,
        /// The source is waited for although nothing is demanded.
        SourceStaysWatched,
        /// A source that had nothing is not waited for.
        IdleSourceUnwatched,
        /// In keep-order a result is shown before its turn.
        OrderIgnored,
        /// In keep-order lines of a command that runs are shown before their turn.
        EarlyOrderIgnored,
        /// An item that an earlier run has finished is handed out all the same.
        EarlierIgnored,
        /// The bytes of an item are released before they are shown.
        ReleasedBeforeShown,
        /// The bytes of an item are never released.
        NeverReleased,
        /// A result is shown before the record of it is safe.
        BarrierForgotten,
        /// The record is not made safe at the end of a turn.
        BarrierNotFlushed,
        /// What waits for the barrier when the run is over is not shown.
        LastTurnForgotten,
        /// A stdout that takes no more is not waited for.
        FullStdoutUnwatched,
        /// The loss of stdout is not reported.
        SinkLossForgotten,
        /// The loop waits before it has asked to be woken for reports.
        ReportsNotArmed,
        /// A deadline of a command counts before its launcher was asked.
        DeadlineNotProbed,
        /// Facts are handled when the buffer that they point into was read into again.
        FactsAfterNextRead,
        /// A wait that was interrupted is taken for one whose time is up.
        InterruptedIsDeadline,
        /// Processes are started whatever the machine has to spare.
        ShortMachineIgnored,
        /// A process that waits for the machine is not thought of again.
        ShortMachineForgotten,
        /// Workers that are held never go on.
        HeldForEver,
        /// What is in hand is started although the command before it has failed.
        HandAfterFailure,
        /// The loop is not woken for reports that were posted quietly.
        ReportsKeptQuiet,
    }
    resume {
        /// A run goes on with another input.
        FingerprintIgnored,
        /// What a crash has left in part stays, and records are appended to it.
        TruncationForgotten,
        /// A run goes on although it is another one.
        FactsIgnored,
        /// What was recorded and not given away is forgotten.
        PendingForgotten,
        /// Two runs write one journal.
        LockNotHeld,
    }
    }
}
