//! The simulated world around the real core: a clock that jumps from event to event, processes, a
//! source, and a shell that carries out the core's orders.
//!
//! Invariant: everything that happens is decided by the seed, or by the script of choices. Nothing
//! makes a system call.

use crate::agenda::{Agenda, DeathStatus, Effect, ProcessId};
use crate::channel::WorkerMessage;
use crate::choice::{Rng, Script};
use crate::in_hand::{HandOrder, SimHand};
use crate::marks::{Mark, Marks};
use crate::process::{Behaviour, Lifetime, SimProcess};
use crate::scenario::{Fault, Scenario};
use crate::shadow::{Shadow, Truth};
use crate::source::SimSource;
use crate::trace::Trace;
use crate::violation::{BrokenCheck, Check, ensure};
use supervisor::core::Core;
use supervisor::core::action::Action;
use supervisor::core::input::{Input, Relief};
use supervisor::model::command::{self, Command, Origin};
use supervisor::model::ids::{Batch, Incarnation, WorkerId};
use supervisor::model::signal::Signal;
use supervisor::model::spec::{Policy, QueueOrder};
use supervisor::model::time::Instant;

/// How one world ended.
#[derive(Clone, Copy, Debug)]
pub struct WorldEnd {
    pub steps: u64,
    pub trace_hash: u64,
    pub marks: Marks,
}

pub struct World {
    pub scenario: Scenario,
    pub rng: Rng,
    pub script: Option<Script>,
    /// Under a script: how many more workers it may kill, each at a moment of its choice.
    crashes_left: u32,
    pub now: u64,
    pub agenda: Agenda,
    core: Core,
    pub shadow: Shadow,
    pub marks: Marks,
    pub trace: Trace,
    pub processes: Vec<SimProcess>,
    /// How many of `processes` belong to this world; the rest are kept for reuse.
    process_count: usize,
    /// The present process of each slot.
    pub present: Vec<Option<ProcessId>>,
    /// What each slot has in hand.
    pub hands: Vec<SimHand>,
    pub behaviours: Vec<Behaviour>,
    pub source: SimSource,
    pub told: Vec<WorkerMessage>,
    steps: u64,
    pub finished: bool,
    /// Skips the core's own invariant check, so that a defect has to show in what the core does.
    pub outside_only: bool,
    /// Signals of a user who ended a run that cannot end by itself.
    impatience: u32,
}

/// The longest delay of an effect that happens soon.
const LAG_NS_MAX: u64 = 60_000;
/// In a run with chaos the world looks once in this many steps whether the run can still end by itself.
const CHAOS_STEPS: u64 = 1_000;

/// The core's status is compared with the shadow model once in this many steps.
const STATUS_STEPS: u64 = 16;
/// After this many processes the simulated user ends the run with a signal.
const PATIENCE_PROCESSES: usize = 400;
const LATE_TIMER_NS_MAX: u64 = 5_000_000;

impl World {
    pub fn new() -> Self {
        let mut rng = Rng::new(0);
        let scenario = Scenario::draw(&mut rng);
        Self {
            core: Core::new(scenario.policy.clone()),
            shadow: Shadow::new(&scenario.policy),
            scenario,
            rng,
            script: None,
            crashes_left: 0,
            now: 0,
            agenda: Agenda::default(),
            marks: Marks::default(),
            trace: Trace::default(),
            processes: Vec::new(),
            process_count: 0,
            present: Vec::new(),
            hands: Vec::new(),
            behaviours: Vec::new(),
            source: SimSource::default(),
            told: Vec::new(),
            steps: 0,
            finished: false,
            outside_only: false,
            impatience: 0,
        }
    }

    /// The time of the run: without the time that it was paused.
    pub fn run_now(&self) -> Instant {
        self.shadow.clock.run_time(self.now)
    }

    pub const fn policy(&self) -> &Policy {
        &self.scenario.policy
    }

    /// Prepares the world for a scenario; allocations of the last one are reused.
    pub fn reset(&mut self, scenario: Scenario, rng: Rng, core: Core, script: Option<Script>, crashes: u32) {
        self.shadow.reset(&scenario.policy);
        self.agenda.reset(script.is_some());
        self.present.clear();
        self.hands.clear();
        self.present.resize(scenario.policy.workers as usize, None);
        self.behaviours.clear();
        (self.scenario, self.rng, self.core, self.script, self.crashes_left) = (scenario, rng, core, script, crashes);
        (self.now, self.process_count, self.steps, self.finished, self.impatience) = (0, 0, 0, false, 0);
        self.source = SimSource::default();
        self.marks = Marks::default();
        self.trace.reset();
    }

    /// Plays it to the end of the run, or to the first check that does not hold.
    pub fn run(&mut self, steps_max: u64) -> Result<WorldEnd, BrokenCheck> {
        self.plan_the_outside();
        self.input(Input::Start)?;
        while !self.finished {
            self.steps += 1;
            // Many of its own moments are nothing for a run with chaos: nobody is there to be struck.
            let steps_max = if self.policy().chaos.is_some() { 3 * steps_max } else { steps_max };
            ensure!(self.steps < steps_max, StopEnds, "the run is not over after {steps_max} steps");
            // Back-offs that are longer than the period of the restart limit let a run go on for ever.
            if self.process_count > PATIENCE_PROCESSES * (1 + self.impatience as usize) {
                self.loses_patience()?;
            }
            self.step()?;
        }
        self.afterwards()?;
        self.mark_the_end();
        Ok(WorldEnd { steps: self.steps, trace_hash: self.trace.hash(), marks: self.marks })
    }

    fn plan_the_outside(&mut self) {
        for index in 0..self.scenario.signals.len() {
            let (at, signal) = self.scenario.signals[index];
            self.after(at, Effect::Signalled(signal));
        }
        for index in 0..self.scenario.scales.len() {
            let (at, workers) = self.scenario.scales[index];
            self.after(at, Effect::Scaled(workers));
        }
        for index in 0..self.scenario.requests.len() {
            let (at, request) = self.scenario.requests[index];
            self.after(at, Effect::Asked(request));
        }
        for index in 0..self.scenario.steers.len() {
            let (at, request) = self.scenario.steers[index];
            self.after(at, Effect::Steered(request));
        }
        for index in 0..self.scenario.leaps.len() {
            let (at, length) = self.scenario.leaps[index];
            self.after(at, Effect::Leap(length));
        }
        if self.scenario.sink_slow_until > 0 {
            let begin = self.rng.below(self.scenario.sink_slow_until);
            self.after(begin, Effect::Congested(true));
            self.after(self.scenario.sink_slow_until, Effect::Congested(false));
        }
        for index in 0..self.scenario.holds.len() {
            let (at, length, count) = self.scenario.holds[index];
            self.after(at, Effect::StartsPermitted(Some(0)));
            self.after(at + length / 2, Effect::StartsPermitted(Some(count)));
            self.after(at + length, Effect::StartsPermitted(None));
        }
        for index in 0..self.scenario.shortages.len() {
            let (at, length, count) = self.scenario.shortages[index];
            self.after(at, Effect::Short(count));
            if self.rng.below(2) == 0 {
                self.after(at + length / 4, Effect::VeryShort);
            }
            self.after(at + length / 2, Effect::Roomy);
            self.after(at + length, Effect::Short(u32::MAX));
        }
        for index in 0..self.scenario.given_up.len() {
            let (at, behind) = self.scenario.given_up[index];
            self.after(at, Effect::GivenUp(behind));
        }
        for index in 0..self.scenario.asked_signals.len() {
            let (at, slot, signal) = self.scenario.asked_signals[index];
            self.after(at, Effect::AskedSignal(slot, signal));
        }
        let plans = [
            (self.scenario.sink_closed_at, Effect::SinkClosed),
            (self.scenario.sink_lost_at, Effect::SinkLost),
            (self.scenario.storage_lost_at, Effect::StorageLost),
            (self.scenario.source_lost_at, Effect::SourceLost),
        ];
        for (at, effect) in plans {
            if let Some(at) = at {
                self.after(at, effect);
            }
        }
    }

    /// One event: the core's timer, or the next effect, whichever is first.
    fn step(&mut self) -> Result<(), BrokenCheck> {
        let timer = self.core.poll_timeout().map(|at| at.0);
        // Chaos goes on for ever in a run that cannot end by itself.
        let waits_for_ever = self.steps >= CHAOS_STEPS && self.steps.is_multiple_of(CHAOS_STEPS);
        if waits_for_ever && self.policy().chaos.is_some() && self.is_stalled() {
            return self.loses_patience();
        }
        match (self.agenda.next_at(), timer) {
            (None, None) => self.stalls(),
            (None, Some(timer)) => self.timer(timer),
            (Some(_), _) if self.agenda.scripted => self.scripted_step(),
            (Some(next), Some(timer)) if timer < next || (timer == next && self.rng.below(2) == 0) => self.timer(timer),
            (Some(next), _) => {
                self.now = self.now.max(next);
                let Some(effect) = self.agenda.pop() else { return Ok(()) };
                self.take(effect)
            }
        }
    }

    /// One of the events that may come next, or the death of a worker: before its item is finished,
    /// or after that with the result still unread.
    fn scripted_step(&mut self) -> Result<(), BrokenCheck> {
        if let Some(effect) = self.agenda.pop() {
            return self.take(effect);
        }
        let Some(mut script) = self.script.take() else { return Ok(()) };
        let victims: Vec<ProcessId> = if self.crashes_left > 0 { self.living().collect() } else { Vec::new() };
        let chosen = self.agenda.choose(&mut script, 2 * victims.len());
        self.script = Some(script);
        match chosen {
            Ok(effect) => self.take(effect),
            Err(index) => {
                self.crashes_left -= 1;
                let id = victims[index / 2];
                if index % 2 == 1 {
                    self.take(Effect::ItemEnds(id))?;
                }
                self.take(Effect::Dies(id, DeathStatus::Signal(9)))
            }
        }
    }

    /// A choice of two, by the script or by chance.
    pub fn either(&mut self) -> bool {
        match &mut self.script {
            Some(script) => script.choose(2) == 0,
            None => self.rng.below(2) == 0,
        }
    }

    fn living(&self) -> impl Iterator<Item = ProcessId> + '_ {
        (0..self.process_count).filter(|&id| self.processes[id].is_alive())
    }

    /// The core's timer fires, one time in four late.
    fn timer(&mut self, due: u64) -> Result<(), BrokenCheck> {
        let late = if !self.agenda.scripted && self.rng.below(4) == 0 { self.rng.below(LATE_TIMER_NS_MAX) } else { 0 };
        self.now = self.now.max(due.saturating_add(late));
        self.trace.word(&[1, self.now]);
        self.trace.say(self.now, || "timeout".to_owned());
        self.shadow.clock.shell_now = self.now;
        self.core.handle_timeout(Instant(self.now));
        self.obey()?;
        if let Some(next) = self.core.poll_timeout() {
            ensure!(next.0 > self.now, TimerLater, "handle_timeout({}) leaves a timeout at {}", self.now, next.0);
        }
        Ok(())
    }

    /// No event is left. A fault of the world has to explain that; then the user ends the run.
    fn stalls(&mut self) -> Result<(), BrokenCheck> {
        let explained = self.is_stalled();
        ensure!(explained, Progress, "nothing is left to wait for and the run is not over: {:?}", self.core.status());
        self.now += 1_000_000_000;
        self.loses_patience()
    }

    /// Whether a fault of the world keeps the run from its end.
    fn is_stalled(&self) -> bool {
        let hangs = self.living().any(|id| {
            let process = &self.processes[id];
            process.stuck || process.deaf_shell || process.fault == Some(Fault::WrongItem)
        });
        hangs || self.source.stalled
    }

    /// The user ends a run that would go on for ever.
    fn loses_patience(&mut self) -> Result<(), BrokenCheck> {
        ensure!(self.impatience < 8, StopEnds, "the run does not end after {} signals", self.impatience);
        self.impatience += 1;
        let signal = self.rng.pick(&[Signal::INT, Signal::TERM]);
        self.take(Effect::Signalled(signal))
    }

    fn take(&mut self, effect: Effect) -> Result<(), BrokenCheck> {
        self.trace.effect(self.now, effect);
        if self.waits_to_go_on(effect) {
            return Ok(());
        }
        match effect {
            Effect::SpawnAnswered(id) => return self.spawn_answered(id),
            Effect::Begins(id) => self.begins(id),
            Effect::Wakes(id) => self.wakes(id),
            Effect::ItemEnds(id) => self.item_ends(id),
            Effect::Read(id) => return self.read(id, false),
            Effect::EndOfFile(id) => return self.end_of_file(id),
            Effect::Probed(id) => return self.probed(id),
            Effect::Hit(id, signal) => self.hit(id, signal),
            Effect::Dies(id, status) => {
                if self.processes[id].fault == Some(Fault::DiesIdle) && self.processes[id].inbox.is_empty() {
                    self.marks.hit(Mark::DiedIdle);
                }
                self.dies(id, status);
            }
            Effect::OutputHeld(id) => return self.output_held(id),
            Effect::Reaped(id) => return self.reaped(id),
            Effect::HandOrdered(slot) => return self.hand_ordered(slot),
            Effect::Late(id) => return self.late(id),
            Effect::SourceSpeaks => return self.source_speaks(),
            Effect::SourceLost => return self.source_lost(),
            Effect::Signalled(signal) => return self.signalled(signal),
            Effect::Scaled(workers) => {
                return self.input(Input::Command { command: Command::Scale { workers }, origin: Origin::Caller });
            }
            Effect::Asked(request) => {
                return self.input(Input::Command { command: request.into(), origin: Origin::Caller });
            }
            Effect::Steered(request) => {
                return self.input(Input::Command { command: request.into(), origin: Origin::Caller });
            }
            Effect::Congested(congested) => return self.input(Input::Congested { congested }),
            Effect::StartsPermitted(count) => return self.input(Input::StartsPermitted { count }),
            Effect::Short(count) => return self.input(Input::Relief(Relief::Run { count })),
            Effect::Roomy => return self.input(Input::Relief(Relief::GoOn)),
            Effect::VeryShort => return self.input(Input::Relief(Relief::EndYoungest)),
            Effect::AskedSignal(slot, signal) => {
                let command = Command::SignalWorker { worker: WorkerId::from_index(slot as usize), signal };
                return self.input(Input::Command { command, origin: Origin::Caller });
            }
            Effect::GivenUp(behind) => {
                let item = self.scenario.policy.first_item.plus(behind);
                return self.input(Input::GivenUp { item });
            }
            Effect::SinkClosed => {
                self.marks.hit(Mark::SinkClosed);
                return self.input(Input::SinkClosed);
            }
            Effect::SinkLost => {
                self.marks.hit(Mark::SinkLost);
                return self.input(Input::SinkLost { error: String::from("no space left") });
            }
            Effect::StorageLost => {
                self.marks.hit(Mark::StorageLost);
                return self.input(Input::StorageLost { error: String::from("no space left") });
            }
            Effect::Leap(length) => {
                self.marks.hit(Mark::ClockLeapt);
                self.now += length;
                self.shadow.leapt(length);
            }
        }
        Ok(())
    }

    fn signalled(&mut self, signal: Signal) -> Result<(), BrokenCheck> {
        let origin = Origin::Signal { signal, sender_pid: None };
        for &command in command::of_signal(signal, false) {
            self.input(Input::Command { command, origin })?;
        }
        Ok(())
    }

    /// Passes a fact to the core, does what it orders, and checks the result from outside.
    pub fn input(&mut self, input: Input) -> Result<(), BrokenCheck> {
        self.trace.say(self.now, || format!("{input:?}"));
        self.shadow.clock.shell_now = self.now;
        let run_now = self.run_now();
        self.shadow.before(&input, run_now, &mut self.marks);
        self.core.handle(input, Instant(self.now));
        self.obey()
    }

    /// Carries out every order that waits, in order.
    fn obey(&mut self) -> Result<(), BrokenCheck> {
        while let Some(action) = self.core.poll_action() {
            self.trace.action(self.now, &action);
            let truth = self.truth_about(&action);
            let run_now = self.run_now();
            self.shadow.action(&action, run_now, truth, &mut self.marks)?;
            self.apply(action);
        }
        let run_now = self.run_now();
        self.shadow.after(run_now, &mut self.marks)?;
        self.watch_the_clock()?;
        if self.steps.is_multiple_of(STATUS_STEPS) && !self.shadow.finished {
            self.shadow.shows(&self.core.status())?;
        }
        // The core's own invariants come last: the shadow model finds first what can be seen from outside.
        match self.core.check_deep() {
            _ if self.outside_only => Ok(()),
            Ok(()) => Ok(()),
            Err(broken) => Err(BrokenCheck { check: Check::Core, text: broken.to_string() }),
        }
    }

    /// No item runs longer than its hard limit plus two probe intervals.
    fn watch_the_clock(&mut self) -> Result<(), BrokenCheck> {
        if self.shadow.limit().is_none() {
            return Ok(());
        }
        for slot in 0..self.present.len() {
            let Some(id) = self.present[slot] else { continue };
            let process = &self.processes[id];
            if process.is_alive() && process.truly_running().is_some() && process.fault != Some(Fault::ForeignPage) {
                self.shadow.runs_since(
                    slot,
                    process.incarnation,
                    Instant(process.since.max(process.excluded_at)),
                    self.shadow.clock.run_time(self.now),
                )?;
            }
        }
        Ok(())
    }

    /// The true state of the process that an order names.
    fn truth_about(&self, action: &Action) -> Truth {
        let Action::Kill { worker, incarnation, .. } = action else { return Truth::default() };
        let present = self.present.get(worker.index()).copied().flatten();
        let Some(process) = present.map(|id| &self.processes[id]) else { return Truth::default() };
        if process.incarnation != incarnation.0 {
            return Truth::default();
        }
        let exists = matches!(process.life, Lifetime::Running | Lifetime::Zombie(_));
        Truth {
            exists,
            running: self.progress_of(process),
            since: Instant(process.since),
            excluded_at: Instant(process.excluded_at),
        }
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Demand { items } => self.demanded(items),
            Action::CloseSource => self.source.over = true,
            Action::Spawn { worker, incarnation, batch } => self.asked_for(worker, incarnation, batch),
            Action::Dispatch { worker, batch, .. } => {
                self.with_present(worker, |process| process.inbox.push_back(batch))
            }
            Action::CloseInput { worker, .. } => self.with_present(worker, |process| process.input_closed = true),
            Action::Recall { worker, .. } => self.with_present(worker, |process| {
                process.recalled = true;
                process.input_closed = true;
            }),
            Action::Probe { worker, .. } => {
                if let Some(id) = self.present[worker.index()] {
                    self.soon(Effect::Probed(id));
                }
            }
            Action::Kill { worker, signal, .. } => {
                match self.present[worker.index()] {
                    // What stops a process does so at once.
                    Some(id) if matches!(signal, Signal::STOP | Signal::CONT) => self.stops(id, signal),
                    Some(id) => self.soon(Effect::Hit(id, signal)),
                    None => {}
                }
            }
            Action::InHand { worker, batch } => self.orders_hand(worker, HandOrder::Give(batch)),
            Action::TakeBack { worker } => self.orders_hand(worker, HandOrder::TakeBack),
            Action::Finish(_) => self.finished = true,
            Action::Settle { .. }
            | Action::Commit { .. }
            | Action::ShowStatus(_)
            | Action::Report(_)
            | Action::Because(_) => {}
        }
    }

    fn with_present(&mut self, worker: WorkerId, change: impl FnOnce(&mut SimProcess)) {
        if let Some(id) = self.present[worker.index()] {
            change(&mut self.processes[id]);
            self.soon(Effect::Wakes(id));
        }
    }

    /// The core orders a process; the process's fault is drawn here.
    pub fn asked_for(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Option<Batch>) {
        self.hand_begins(worker.index(), incarnation);
        let id = self.process_count;
        self.process_count += 1;
        if self.processes.len() == id {
            self.processes.push(SimProcess::default());
        }
        let faulty = self.rng.per_mille(self.scenario.fault_chance) && !self.scenario.faults.is_empty();
        let fault = if faulty { Some(self.rng.pick(&self.scenario.faults)) } else { None };
        let fault_after = self.rng.below(4);
        let hello = self.policy().worker.hello;
        let process = &mut self.processes[id];
        process.reset(worker.index(), incarnation.0, 1000 + id as u32, hello);
        process.fault = fault;
        // A process per item runs a single item, so its fault strikes in that one.
        process.fault_after = if batch.is_some() { 0 } else { fault_after };
        process.inbox.extend(batch);
        if self.present.len() <= worker.index() {
            self.present.resize(worker.index() + 1, None);
        }
        self.present[worker.index()] = Some(id);
        self.soon(Effect::SpawnAnswered(id));
    }

    /// After the end the core gives no orders, whatever facts arrive.
    fn afterwards(&mut self) -> Result<(), BrokenCheck> {
        ensure!(self.core.poll_timeout().is_none(), Finish, "a timeout after the end");
        self.signalled(Signal::INT)?;
        self.input(Input::SinkClosed)?;
        self.core.handle_timeout(Instant(self.now + 1_000_000_000));
        self.obey()
    }

    fn mark_the_end(&mut self) {
        if self.scenario.signals.len() > 1 {
            self.marks.hit(Mark::SignalBurst);
        }
        if self.policy().first_item.0 > 0 {
            self.marks.hit(Mark::FirstItemChosen);
        }
        if self.policy().worker.starts_with_item() {
            self.marks.hit(Mark::PerItem);
        }
        match self.policy().queue_order {
            QueueOrder::Lifo => self.marks.hit(Mark::Lifo),
            QueueOrder::Priority => self.marks.hit(Mark::Priority),
            QueueOrder::Fifo => {}
        }
        if self.policy().start_together {
            self.marks.hit(Mark::StartedTogether);
        }
    }

    /// At a random moment within [`LAG_NS_MAX`].
    pub fn soon(&mut self, effect: Effect) {
        let lag = self.rng.below(LAG_NS_MAX);
        self.after(lag, effect);
    }

    pub fn after(&mut self, wait: u64, effect: Effect) {
        let tie = if self.agenda.scripted { 0 } else { self.rng.next() };
        self.agenda.add(self.now.saturating_add(wait), tie, effect);
    }
}
