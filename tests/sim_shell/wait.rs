//! The one place where the shell waits: the world goes on until something that is watched is ready or the time is up.
//!
//! Before each wait the world looks for events that no watch reports. Without that check a lost wake-up would only show
//! as a delay, once something else wakes the loop.

use crate::check::{Check, hold};
use crate::marks::Mark;
use crate::output::Lost;
use crate::poll_set::{Object, Watch};
use crate::world::World;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::io;
use std::os::fd::AsFd;
use supervisor::engine::parts::Port;
use supervisor::model::time::Duration;
use supervisor::sys::poller::{Interest, Ready};

/// The longest pause of a throttled channel.
const PAUSE_NS_MAX: u64 = 8_000_000;
/// How late a timer fires at most.
const LATE_NS_MAX: u64 = 1_000_000;
/// The most waits in a row that may report events although nothing has moved.
const REPEATS_MAX: u32 = 64;

impl World {
    pub fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        self.tick();
        self.notice_orders();
        self.check_pidfds();
        if timeout != Some(Duration::ZERO) {
            self.check_wake_ups(timeout);
        }
        if self.dismissed {
            self.marks.hit(Mark::FinishWaited);
        }
        if self.violation.is_some() {
            return Err(io::Error::other("a check does not hold"));
        }
        self.watch_the_clock();
        if self.chance(self.scenario.calls.interrupted) {
            self.marks.hit(Mark::WaitInterrupted);
            self.note(&[60], || "the wait is interrupted".to_owned());
            return Ok(());
        }
        self.advance(ready, timeout)?;
        self.check_spin(ready);
        self.add_faulty_events(ready);
        self.shuffle(ready);
        let (events, now) = (ready.len(), self.now);
        self.trace.add(now, &[61, events as u64], || format!("wait: {events} events, timeout {timeout:?}"));
        Ok(())
    }

    fn advance(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        let deadline = timeout.map(|timeout| self.now.saturating_add(timeout.0));
        loop {
            self.collect(ready);
            if !ready.is_empty() {
                return Ok(());
            }
            match (self.agenda.next_at(), deadline) {
                (None, None) if !self.is_rescued() => return Err(io::Error::other("nothing will ever happen again")),
                (None, None) => {}
                (Some(next), deadline) if deadline.is_none_or(|deadline| next <= deadline) => {
                    self.now = self.now.max(next);
                    self.run_due();
                }
                (_, Some(deadline)) => {
                    if timeout != Some(Duration::ZERO) {
                        self.now = self.now.max(deadline) + self.rng.below(LATE_NS_MAX);
                    }
                    return Ok(());
                }
                (Some(_), None) => {}
            }
        }
    }

    /// Everything that is watched and ready.
    fn collect(&mut self, ready: &mut Vec<Ready>) {
        for at in 0..self.poll_set.watches.len() {
            let watch = self.poll_set.watches[at];
            let event = self.readiness(&watch);
            if event.readable || event.writable || event.hangup || event.error {
                ready.push(event);
            }
        }
        if !self.signals.is_empty() {
            ready.push(Ready { token: Port::Signals.token(), ..READABLE });
        }
    }

    fn readiness(&self, watch: &Watch) -> Ready {
        let Interest { read, write } = watch.interest;
        let mut event = Ready { token: watch.token, ..NOTHING };
        match watch.object {
            Object::Process(id) => event.readable = read && self.processes[id].end_shows,
            Object::FromWorker(pipe) => {
                let pipe = &self.pipes[pipe];
                event.readable = read && pipe.shows_readable();
                event.hangup = !pipe.style.busy_polled && !pipe.worker_writes;
            }
            Object::ToWorker(pipe) => {
                let pipe = &self.pipes[pipe];
                event.writable = write && pipe.takes_output();
                event.error = !pipe.worker_reads;
            }
            Object::Source => event.readable = read && self.source.is_readable(),
            Object::Stdout => {
                event.writable = write && self.output.out.is_writable(self.now);
                event.error = self.output.out.lost == Some(Lost::Closed);
            }
            Object::Stderr => event.writable = write && self.output.err.is_writable(self.now),
            Object::Reports => event.readable = read && self.reports_are_readable(),
        }
        event
    }

    /// Whether the real descriptor of the reports is readable.
    fn reports_are_readable(&self) -> bool {
        let Some(mailboxes) = &self.commands.mailboxes else { return false };
        let mut asked = [PollFd::new(mailboxes.reports.as_fd(), PollFlags::POLLIN)];
        nix::poll::poll(&mut asked, PollTimeout::ZERO).is_ok_and(|found| found > 0)
    }

    /// Spurious events: of a descriptor that is not ready, and of one that is closed.
    fn add_faulty_events(&mut self, ready: &mut Vec<Ready>) {
        if self.chance(self.scenario.calls.spurious) && !self.poll_set.watches.is_empty() {
            let at = self.rng.below(self.poll_set.watches.len() as u64) as usize;
            let watch = self.poll_set.watches[at];
            let (mark, event) = match watch.object {
                // A pidfd is never readable without cause.
                Object::Process(_) => (Mark::WaitSpuriousSignals, Port::Signals.token()),
                Object::FromWorker(_) | Object::ToWorker(_) => (Mark::WaitSpuriousFrames, watch.token),
                Object::Source => (Mark::WaitSpuriousSource, watch.token),
                Object::Stdout | Object::Stderr => (Mark::WaitSpuriousStream, watch.token),
                Object::Reports => (Mark::WaitSpuriousReports, watch.token),
            };
            if ready.iter().all(|ready| ready.token != event) {
                self.marks.hit(mark);
                ready.push(Ready { token: event, ..READABLE });
            }
        }
        if self.chance(self.scenario.calls.stale_event) && !self.poll_set.stale_tokens.is_empty() {
            let at = self.rng.below(self.poll_set.stale_tokens.len() as u64) as usize;
            self.marks.hit(Mark::WaitStaleEvent);
            ready.push(Ready { token: self.poll_set.stale_tokens[at], ..READABLE });
        }
    }

    fn shuffle(&mut self, ready: &mut [Ready]) {
        for at in (1..ready.len()).rev() {
            let other = self.rng.below(at as u64 + 1) as usize;
            ready.swap(at, other);
        }
    }

    /// Everything that has happened is reported by a watch.
    fn check_wake_ups(&mut self, timeout: Option<Duration>) {
        let soon = timeout.is_some_and(|timeout| timeout.0 <= PAUSE_NS_MAX) || self.output.may_be_congested();
        for at in 0..self.pipes.len() {
            if let Some(text) = self.unnoticed(at, soon) {
                return self.violate(Check::LostWakeUp, format!("pipe {at}: {text}"));
            }
        }
        for id in 0..self.processes.len() {
            let process = &self.processes[id];
            let watched = process.reaped || self.poll_set.watch_of(Object::Process(id)).is_some();
            hold!(self, watched, LostWakeUp, "the end of process {id} is not watched for");
        }
        if !self.finished {
            self.check_streams(soon);
        }
        let unread = !self.dismissed && self.commands.has_reports() && !self.reports_are_readable();
        hold!(self, !unread, LostWakeUp, "launchers have reported, and their descriptor is not readable");
    }

    /// What the shell would miss at this pipe while it sleeps. `soon`: it wakes soon and may check again.
    fn unnoticed(&self, at: usize, soon: bool) -> Option<&'static str> {
        let pipe = &self.pipes[at];
        let owner = &self.processes[pipe.process?];
        if pipe.dropped || owner.reaped {
            return None;
        }
        let reading = self.poll_set.watch_of(Object::FromWorker(at)).map(|watch| watch.interest.read);
        if !pipe.read_to_end && owner.honest {
            if pipe.is_busy_polled() && reading == Some(true) {
                return Some("it is neither polled nor armed");
            }
            if pipe.has_input() && reading != Some(true) && !soon {
                return Some("its input is not waited for");
            }
        }
        // A worker that is dead, has closed its channel or broken the protocol is ended, whatever waits for it.
        let is_served = owner.is_alive() && owner.honest && pipe.worker_reads && !self.storage_failed;
        if is_served && pipe.backlog > 0 && !pipe.input_closed && pipe.takes_output() {
            let writing = self.poll_set.watch_of(Object::ToWorker(at)).is_some_and(|watch| watch.interest.write);
            if !writing && !pipe.armed && !soon {
                return Some("its backlog is not waited for");
            }
        }
        None
    }

    /// The loop does not spin: events in each wait, while nothing moves.
    fn check_spin(&mut self, ready: &[Ready]) {
        let moved = std::mem::take(&mut self.moved);
        self.repeats = if moved || ready.is_empty() { 0 } else { self.repeats + 1 };
        let repeats = self.repeats;
        let ports: Vec<_> =
            if repeats > REPEATS_MAX { ready.iter().map(|event| Port::of(event.token)).collect() } else { vec![] };
        hold!(self, repeats <= REPEATS_MAX, Spin, "{ports:?} are ready again and again");
    }
}

const NOTHING: Ready = Ready { token: 0, readable: false, writable: false, hangup: false, error: false };
const READABLE: Ready = Ready { token: 0, readable: true, writable: false, hangup: false, error: false };
