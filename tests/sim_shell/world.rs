//! The simulated world below the shell: a clock that jumps from event to event, worker processes, launchers, a source,
//! stdout and stderr, and a poll set.
//!
//! The shell drives it: at each call of the shell time passes and effects may happen ([`World::tick`]); while the shell
//! waits, the world goes on until something that is watched is ready.
//!
//! Invariant: the seed decides everything that happens. A check that does not hold is noted, and the next wait ends the
//! run.

use crate::agenda::{Agenda, Effect};
use crate::check::{Check, Violation};
use crate::choice::Rng;
use crate::commands::Commands;
use crate::disk::SimulatedFile;
use crate::items::Items;
use crate::machine::Machine;
use crate::marks::{Mark, Marks};
use crate::output::OutputStreams;
use crate::pipe::Pipe;
use crate::poll_set::PollSet;
use crate::process::Process;
use crate::scenario::{Fault, STEERING, Scenario};
use crate::sessions::{Killed, Session};
use crate::source::SourceState;
use crate::trace::Trace;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use supervisor::model::signal::Signal;
use supervisor::sys::signals::ReceivedSignal;
use supervisor::sys::spill::SpillFile;
use supervisor::trace::frame::TracedFrame;

/// The world, shared by the fakes that the shell is given.
pub type Shared = Rc<RefCell<World>>;

/// After this many processes the simulated user ends the run with a signal.
const PATIENCE_PROCESSES: usize = 80;

/// After this many calls the user checks whether a run can end. The longest that do end take a third of it.
pub const PATIENCE_CALLS: u64 = 60_000;

pub struct World {
    pub scenario: Scenario,
    pub rng: Rng,
    pub now: u64,
    pub agenda: Agenda,
    pub trace: Trace,
    pub marks: Marks,
    pub violation: Option<Violation>,
    /// Calls of the shell so far, and the most that a run may take.
    pub calls: u64,
    pub calls_max: u64,
    pub poll_set: PollSet,
    pub pipes: Vec<Pipe>,
    pub processes: Vec<Process>,
    pub commands: Commands,
    pub items: Items,
    pub source: SourceState,
    pub output: OutputStreams,
    pub spill: Arc<SpillFile>,
    /// Signals to the supervisor that it has not seen yet.
    pub signals: VecDeque<ReceivedSignal>,
    pub signalled: bool,
    /// Signals of a user who ended a run that cannot end by itself.
    pub impatience: usize,
    /// The number of calls after which the user checks next.
    pub patient_until: u64,
    /// Frames that the tap was passed.
    pub traced: Vec<TracedFrame>,
    /// The journal of the run, if it has one.
    pub journal: Option<SimulatedFile>,
    pub session: Session,
    /// A fault of the supervisor's own storage was injected.
    pub storage_failed: bool,
    /// The barrier did not hold.
    pub record_lost: bool,
    /// Waits in a row that reported events although nothing had moved.
    pub repeats: u32,
    /// Since the last wait something has happened, or bytes have moved.
    pub moved: bool,
    pub starts: u32,
    pub machine: Machine,
    /// The shell has dismissed the guard: all workers are gone.
    pub dismissed: bool,
    /// The run's last event was shown.
    pub finished: bool,
}

impl World {
    pub fn new(scenario: Scenario, rng: Rng, calls_max: u64, aloud: bool) -> Self {
        let mut world = Self {
            items: Items::new(&scenario),
            source: SourceState::new(&scenario),
            output: OutputStreams::new(&scenario),
            scenario,
            rng,
            now: 0,
            agenda: Agenda::default(),
            trace: Trace::new(aloud),
            marks: Marks::default(),
            violation: None,
            calls: 0,
            calls_max,
            poll_set: PollSet::default(),
            journal: None,
            session: Session::default(),
            pipes: Vec::new(),
            processes: Vec::new(),
            commands: Commands::default(),
            spill: Arc::new(SpillFile::new()),
            signals: VecDeque::new(),
            signalled: false,
            impatience: 0,
            patient_until: PATIENCE_CALLS,
            traced: Vec::new(),
            storage_failed: false,
            record_lost: false,
            repeats: 0,
            moved: false,
            starts: 0,
            machine: Machine::default(),
            dismissed: false,
            finished: false,
        };
        world.plan_the_outside();
        world
    }

    pub fn plan_the_outside(&mut self) {
        for index in 0..self.scenario.signals.len() {
            let (at, signal) = self.scenario.signals[index];
            self.after(at, Effect::Signalled(signal));
        }
        for index in 0..self.scenario.leaps.len() {
            let (at, length) = self.scenario.leaps[index];
            self.after(at, Effect::Leap(length));
        }
        if let Some(at) = self.scenario.stdout_closed_at {
            self.after(at, Effect::StdoutCloses);
        }
        self.plan_source();
    }

    /// Notes that a check does not hold. The first one counts.
    pub fn violate(&mut self, check: Check, text: String) {
        if self.session.is_killed {
            return;
        }
        let now = self.now;
        self.trace.add(now, &[99], || format!("!! {check:?}: {text}"));
        self.violation.get_or_insert(Violation { check, text });
    }

    pub fn note(&mut self, words: &[u64], text: impl FnOnce() -> String) {
        self.trace.add(self.now, words, text);
    }

    /// True `per_mille` times in a thousand. Draws no number where the fault is off.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.rng.per_mille(per_mille)
    }

    pub fn after(&mut self, wait: u64, effect: Effect) {
        let tie = self.rng.next();
        self.agenda.add(self.now.saturating_add(wait), tie, effect);
    }

    /// A call of the shell: time passes, and whatever is due happens; perhaps a worker dies.
    pub fn tick(&mut self) {
        self.calls += 1;
        if self.calls > self.calls_max {
            self.violate(Check::Ends, format!("the run is not over after {} calls", self.calls_max));
            panic!("endless run");
        }
        if self.session.killed_at == Some(self.calls) {
            self.session.is_killed = true;
            std::panic::resume_unwind(Box::new(Killed));
        }
        self.now += 100 + self.rng.below(900);
        if self.scenario.calls.sudden_death > 0 && self.rng.below(100_000) < u64::from(self.scenario.calls.sudden_death)
        {
            self.kill_any();
        }
        self.run_due();
    }

    /// Everything that is due by now happens.
    pub fn run_due(&mut self) {
        while let Some(effect) = self.agenda.pop_due(self.now) {
            self.apply(effect);
        }
    }

    fn apply(&mut self, effect: Effect) {
        self.moved = true;
        match effect {
            Effect::StreamOpens => {}
            _ => self.note(&[1], || format!("* {effect:?}")),
        }
        if self.waits_to_go_on(effect) {
            return;
        }
        match effect {
            Effect::WorkerGoesOn(id) => self.worker_goes_on(id),
            Effect::ItemEnds(id) => self.item_ends(id),
            Effect::Hit(id, signal) => self.hit(id, signal),
            Effect::Dies(id, end) => self.dies(id, end.into()),
            Effect::EndShows(id) => self.processes[id].end_shows = true,
            Effect::LauncherGoesOn(index) => self.launcher_goes_on(index),
            Effect::CommandEnds(index) => self.command_ends(index),
            Effect::SourceDelivers(items) => self.source_delivers(items),
            Effect::SourceEnds => self.source.ended = true,
            Effect::SourceBreaks => self.source.broken = true,
            Effect::StdoutCloses => self.stdout_closes(),
            Effect::StreamOpens => {}
            Effect::Signalled(signal) => self.receive(signal),
            Effect::Leap(length) => {
                self.marks.hit(Mark::ClockLeapt);
                self.now += length;
            }
        }
    }

    fn receive(&mut self, signal: Signal) {
        self.marks.hit(Mark::Signalled);
        self.signalled |= matches!(signal, Signal::INT | Signal::TERM | Signal::QUIT);
        // A process sends what steers a run.
        let is_sent = STEERING.contains(&signal);
        self.signals.push_back(ReceivedSignal { signal, sender_pid: is_sent.then_some(1) });
    }

    /// No effect is left. If the world has a reason for that, the user sends a signal, and this returns true; else the
    /// shell has lost a wake-up.
    pub fn is_rescued(&mut self) -> bool {
        let reason = self.reason_to_hang();
        let after = if self.impatience < 8 { reason } else { None };
        let Some(reason) = after else {
            self.violate(Check::LostWakeUp, format!("nothing will ever happen again ({reason:?})"));
            return false;
        };
        self.loses_patience(reason);
        true
    }

    /// The user also ends a run that cannot go on and only checks its time limits again and again.
    pub fn watch_the_clock(&mut self) {
        if self.calls > self.patient_until
            && let Some(reason) = self.reason_to_hang()
        {
            self.patient_until = self.calls + PATIENCE_CALLS / 4;
            self.loses_patience(reason);
        }
    }

    fn loses_patience(&mut self, reason: &str) {
        self.note(&[2], || format!("the user loses patience: {reason}"));
        self.marks.hit(Mark::LostPatience);
        self.impatience += 1;
        self.receive(Signal::INT);
    }

    fn reason_to_hang(&self) -> Option<&'static str> {
        let no_limit = self.scenario.policy.timeout.is_none();
        if no_limit && self.processes.iter().any(|process| process.is_alive() && process.hangs) {
            return Some("a worker hangs");
        }
        if no_limit && self.commands.all.iter().any(|command| command.ended.is_none() && command.hangs) {
            return Some("a command hangs");
        }
        // `--halt soon` has no grace, and the core cannot see that the worker does not begin the items that it holds.
        let waits = self.scenario.policy.halt.is_some_and(|halt| !halt.now);
        let stays = |process: &Process| {
            process.is_alive() && matches!(process.fault, Some(Fault::IgnoresEndOfInput | Fault::ClosesChannel))
        };
        if waits && self.processes.iter().any(stays) {
            return Some("a worker does not leave after a halt");
        }
        if self.source.is_open && self.source.stalled {
            return Some("the source is silent");
        }
        self.output.is_stuck(self.now).then_some("a stream is stuck")
    }

    /// Back-offs that are longer than the period of the restart limit let a run go on for ever.
    pub fn note_start(&mut self) {
        let started = self.processes.len() + self.commands.all.len() / 4 - self.session.started_before();
        if started > PATIENCE_PROCESSES * (1 + self.impatience) {
            self.loses_patience("workers come and go");
        }
    }
}
