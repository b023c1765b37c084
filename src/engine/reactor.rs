//! The one loop: wait, let the components read, hand their facts to the core, carry its orders out, end the turn.
//!
//! Invariant: it waits in one place, [`Reactor::wait`], and nothing in it blocks: not a worker, not the source, not
//! stdout. (Starting a worker waits for its exec, which is what vfork means; commands are started by threads of their
//! own.) A fact is handled when the component that reported it has returned.

use super::answer::Reply;
use super::apply::Components;
use super::children::Children;
use super::control::Control;
use super::error::EngineError;
use super::feed::Taken;
use super::finish::Finish;
use super::guard_watch::GuardWatch;
use super::pace::RunPace;
use super::progress::ProgressDisplay;
use super::requests::Requests;
use super::signal_receiver::SignalReceiver;
use super::token::Port;
use super::turn::{Fact, Reaction, Turn};
use crate::core::Core;
use crate::core::input::Input;
use crate::model::outcome::RunOutcome;
use crate::model::time::Duration;
use crate::mutant::mutant;
use crate::sys::poller::Ready;
use std::sync::Arc;

/// Payloads taken from the source before the loop looks at its workers again.
const PAYLOADS_PER_TURN: u32 = 8;

/// A run in progress.
pub struct Reactor {
    core: Core,
    components: Components,
    /// Before the system: what it runs is ended before the guard goes.
    pace: RunPace,
    turn: Turn,
    /// What the last wait brought.
    ready: Vec<Ready>,
    /// Requests of the program that started the run.
    requests: Option<Arc<Requests>>,
    signals: SignalReceiver,
    children: Children,
    guard: GuardWatch,
    progress: Option<ProgressDisplay>,
    control: Option<Control>,
    /// Set by the core's last order.
    outcome: Option<RunOutcome>,
}

impl Reactor {
    pub fn new(core: Core, components: Components, turn: Turn) -> Self {
        Self {
            core,
            components,
            turn,
            ready: Vec::new(),
            requests: None,
            signals: SignalReceiver::default(),
            children: Children::default(),
            guard: GuardWatch::default(),
            pace: RunPace::default(),
            progress: None,
            control: None,
            outcome: None,
        }
    }

    /// With requests of other threads; they have to be in the poll set.
    #[must_use]
    pub fn with_requests(self, requests: Option<Arc<Requests>>) -> Self {
        Self { requests, ..self }
    }

    /// With what sets the pace; it has to be in the poll set.
    #[must_use]
    pub fn with_pace(mut self, pace: RunPace) -> Self {
        self.pace = pace;
        self
    }

    /// With signals of the program.
    #[must_use]
    pub fn with_signals(self, signals: SignalReceiver) -> Self {
        Self { signals, ..self }
    }

    /// With a display of the state of the run.
    #[must_use]
    pub fn with_progress(self, progress: Option<ProgressDisplay>) -> Self {
        Self { progress, ..self }
    }

    /// With a socket for clients, which has to be in the poll set.
    #[must_use]
    pub fn with_control(self, control: Option<Control>) -> Self {
        Self { control, ..self }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The poll set or a launcher failed; everything else is a fact for the core.
    pub fn run(mut self) -> Result<RunOutcome, EngineError> {
        self.turn.refresh();
        self.pace.begin(&mut self.turn);
        let begun = self.components.feed.begin(&mut self.turn);
        begun.map_err(EngineError::system("watch the queue of the journal"))?;
        self.turn.report(Input::Start);
        self.handle_facts();
        loop {
            let busy = self.end_turn();
            if let Some(outcome) = self.outcome.take() {
                return self.finish(outcome);
            }
            let goes_on = self.suspend_if_due();
            self.wait(busy || goes_on)?;
            self.begin_turn()?;
        }
    }

    /// Ends a turn: takes items in, sends what was ordered, shows what was committed. Returns whether there is more to do
    /// at once.
    fn end_turn(&mut self) -> bool {
        let mut more = self.take_in();
        let congested = self.components.commit.output.is_congested();
        more |= self.components.fleet.hand_out_blocks(congested, &mut self.turn);
        while self.pace.permit(&self.core, &mut self.turn) {
            self.handle_facts();
        }
        self.pace.end_turn(&self.core, &mut self.turn);
        self.handle_facts();
        mutant!(BarrierBehindFrames, self.pass_barrier(), ());
        self.withhold();
        // Before the output is written, so that workers work meanwhile.
        self.components.fleet.end_turn(&mut self.turn);
        mutant!(BarrierBehindFrames, (), self.pass_barrier());
        self.handle_facts();
        if self.outcome.is_none() {
            let Components { commit, feed, fleet, .. } = &mut self.components;
            if let Some(progress) = &mut self.progress {
                progress.end_turn(&self.core, feed, fleet, &mut commit.output, self.turn.now);
            }
            let was_congested = commit.output.is_congested();
            commit.end_turn(&mut self.turn, feed);
            let is_congested = commit.output.is_congested();
            if !is_congested {
                commit.take_more_lines(|worker, incarnation| fleet.take_more_lines(worker, incarnation));
            }
            if is_congested != was_congested {
                self.turn.report(Input::Congested { congested: is_congested });
                fleet.set_congested(is_congested, &mut self.turn);
            }
            // The source was passed over because of what has just been written: perhaps nothing else wakes the loop.
            more |= was_congested && !is_congested;
            self.handle_facts();
            // Nothing leaves before it is recorded, not even while the loop waits.
            more |= self.components.commit.is_behind_barrier();
            self.withhold();
        }
        if let Some(control) = &mut self.control {
            control.end_turn(&mut self.turn);
        }
        if self.turn.trace.is_on() {
            let now = self.turn.system.now();
            self.turn.trace.end_turn(now, self.components.commit.output.out.len());
        }
        more
    }

    /// After TSTP, once the workers are stopped: gives the terminal back and stops this process, until it goes on.
    fn suspend_if_due(&mut self) -> bool {
        let Components { fleet, commit, .. } = &mut self.components;
        if !self.signals.is_suspension_due(fleet, &self.turn) {
            return false;
        }
        commit.output.leave_terminal(&mut self.turn);
        SignalReceiver::suspend(&mut self.turn);
        commit.output.return_to_terminal();
        if let Some(progress) = &mut self.progress {
            progress.look_now();
        }
        self.handle_facts();
        true
    }

    /// Everything of this turn is recorded. At the end of the run, `finish` does that.
    fn pass_barrier(&mut self) {
        if self.outcome.is_none() {
            let Components { commit, feed, .. } = &mut self.components;
            commit.end_barrier(&mut self.turn, feed);
        }
    }

    /// What a lost record does not have does not begin.
    fn withhold(&mut self) {
        if self.components.commit.is_record_lost() {
            self.components.fleet.withhold(&mut self.turn);
            self.handle_facts();
        }
    }

    fn take_in(&mut self) -> bool {
        for _ in 0..PAYLOADS_PER_TURN {
            let pressure = self.components.pressure();
            if self.components.feed.take(pressure, &mut self.turn) == Taken::Nothing {
                return false;
            }
            self.handle_facts();
        }
        true
    }

    /// Polls what has to be busy-polled, and then waits for events, unless there is something to do. `busy`: there is.
    fn wait(&mut self, busy: bool) -> Result<(), EngineError> {
        self.ready.clear();
        let fleet = &mut self.components.fleet;
        let busy = busy || fleet.has_unsent();
        let found = fleet.poll(busy, &mut self.turn);
        if !fleet.is_wait_due(found) {
            return Ok(());
        }
        if !found && !busy {
            fleet.give_way(&mut self.turn);
        }
        let failed = EngineError::system("wait for events");
        if found || busy {
            return self.turn.system.wait(&mut self.ready, Some(Duration::ZERO)).map_err(failed);
        }
        // Asks for the time only if it spins.
        if fleet.spins() {
            let timeout = self.next_timeout();
            match self.components.fleet.spin(timeout, &mut self.ready, &mut self.turn) {
                Ok(false) => {}
                found => return found.map(drop).map_err(failed),
            }
        }
        if !self.components.fleet.arm() {
            return Ok(());
        }
        let timeout = self.next_timeout();
        self.turn.system.wait(&mut self.ready, timeout).map_err(failed)
    }

    fn next_timeout(&self) -> Option<Duration> {
        let Components { fleet, commit, .. } = &self.components;
        let now = self.turn.system.now();
        let deadlines = [self.core.poll_timeout(), fleet.next_timeout()].into_iter().flatten();
        let counted = deadlines.filter(|_| !fleet.is_probing());
        let look = self.progress.as_ref().map(|progress| progress.next_look(self.core.totals()));
        let control = self.control.as_ref().and_then(Control::next_timeout);
        let own =
            [commit.output.next_retry(now), self.children.next_timeout(), self.pace.next_timeout(), look, control];
        let next = counted.chain(own.into_iter().flatten()).min()?;
        Some(next.since(now))
    }

    /// After a wait: everything that is ready, then the deadlines that have passed.
    fn begin_turn(&mut self) -> Result<(), EngineError> {
        self.handle_facts();
        self.turn.refresh();
        for at in 0..self.ready.len() {
            let event = self.ready[at];
            while self.on_ready(event) == Reaction::Again {
                mutant!(FactsAfterNextRead, self.handle_facts(), ());
            }
            self.handle_facts();
        }
        let fleet = &mut self.components.fleet;
        self.children.begin_turn(fleet, &mut self.turn);
        fleet.begin_turn(&mut self.turn).map_err(EngineError::system("go on starting commands"))?;
        let Components { commit, feed, .. } = &mut self.components;
        commit.show_lines(&mut self.turn, feed);
        self.handle_facts();
        let has_passed = self.core.poll_timeout().is_some_and(|at| at <= self.turn.now);
        if let Some(late) = self.components.fleet.late_until(has_passed, self.turn.now) {
            self.turn.trace.deadlines(late);
            self.core.handle_timeout(late);
            self.carry_out(&mut None);
            self.handle_facts();
        }
        Ok(())
    }

    fn on_ready(&mut self, event: Ready) -> Reaction {
        let Components { feed, fleet, commit, .. } = &mut self.components;
        match Port::of(event.token) {
            Some(Port::Source) => feed.on_ready(),
            Some(Port::Queue) => feed.on_queue(&mut self.turn),
            Some(Port::Signals) => self.signals.receive(&mut self.turn, self.progress.as_mut()),
            Some(Port::SharedPlace) => self.pace.on_shared_place(&mut self.turn),
            Some(Port::StartCheck) => self.pace.on_start_check(&mut self.turn),
            Some(Port::WorkersFile) => self.pace.on_workers_file(&mut self.turn),
            Some(Port::Guard) => self.guard.on_ended(&mut self.turn),
            Some(Port::Children) => self.children.on_ready(fleet, &mut self.turn),
            Some(Port::Blocks) => fleet.on_blocks(),
            Some(Port::Answers) => fleet.on_answers(&mut self.turn),
            Some(Port::Requests) => {
                if let Some(requests) = &self.requests {
                    requests.receive(&self.core, &mut self.turn);
                }
            }
            Some(Port::Stdout) if event.error || event.hangup => commit.output.lose_stdout(None, &mut self.turn),
            // Writable: the end of the turn writes. Reports of launchers are received in each turn.
            Some(Port::Stdout | Port::Stderr | Port::Files | Port::Launchers | Port::Orders) | None => {}
            Some(Port::Control) => {
                if let Some(control) = &mut self.control {
                    control.on_listener(&mut self.turn);
                }
            }
            Some(Port::Client { id }) => {
                if let Some(control) = &mut self.control {
                    return control.on_client(id, event, &self.core, fleet, &mut self.turn);
                }
            }
            Some(port @ Port::Worker { .. }) => return fleet.on_ready(port, &mut self.turn),
        }
        Reaction::Done
    }

    /// Hands all facts to the core, oldest first, and carries out what it orders.
    fn handle_facts(&mut self) {
        self.show_notices();
        while let Some(Fact { input, mut reply }) = self.turn.facts.pop_front() {
            if let Input::TakenBack { item, .. } = input {
                self.components.commit.taken_back(self.turn.now, item);
            }
            self.turn.trace.fact(self.turn.now, &input);
            self.core.handle(input, self.turn.now);
            self.carry_out(&mut reply);
        }
    }

    fn carry_out(&mut self, reply: &mut Option<Reply>) {
        while let Some(action) = self.core.poll_action() {
            self.turn.trace.order(&action);
            if let Some(outcome) = self.components.apply(action, reply, &mut self.turn) {
                self.outcome = Some(outcome);
            }
            self.show_notices();
        }
    }

    fn show_notices(&mut self) {
        if !self.turn.notices.is_empty() {
            self.components.commit.output.err.push(&self.turn.notices);
            self.turn.notices.clear();
        }
        if let Some(lines) = self.turn.trace.lines().filter(|lines| !lines.is_empty()) {
            self.components.commit.output.err.push(lines);
            lines.clear();
        }
    }

    /// No worker is left, so neither launchers nor guard are needed, nor what sets the pace, which has a process of its own; they
    /// go while the last bytes leave.
    fn finish(self, outcome: RunOutcome) -> Result<RunOutcome, EngineError> {
        let Self { core, components, pace, mut turn, progress, mut control, .. } = self;
        let Components { mut feed, fleet, mut commit, .. } = components;
        if let Some(control) = &mut control {
            control.close(&mut turn);
        }
        if let Some(mut progress) = progress {
            progress.finish(&core, &mut commit.output, turn.now);
        }
        drop((fleet, pace));
        turn.system.dismiss_guard();
        let outcome = Finish { core: &core, commit: &mut commit, feed: &mut feed, turn: &mut turn }.run(outcome)?;
        if let Some(control) = control {
            control.finish(&outcome, turn.now);
        }
        Ok(outcome)
    }
}
