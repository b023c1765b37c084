//! How firmly a command is asked to end: which signal it gets, and when the next one.
//!
//! Invariant: pure, and it only gets firmer: passed on, then the term sequence, then KILL.

use crate::model::policy_defaults::TERM_SEQUENCE;
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};

/// The same signal within this time counts once. `timeout(1)` signals its child and then the child's process group, so
/// every signal arrives twice.
const SIGNAL_REPEAT: Duration = Duration::from_millis(100);

/// Why a command gets the term sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ender {
    Timeout,
    /// This signal asked for it.
    Signal(Signal),
}

/// What one attempt of a command has been asked.
#[derive(Debug, Default)]
pub struct Ladder {
    /// INT and TERM so far; repetitions are not counted.
    stops: u32,
    last: Option<(Signal, Instant)>,
    ender: Option<Ender>,
    /// The next step of the term sequence, and when it is due.
    next: Option<(usize, Instant)>,
}

impl Ladder {
    /// A signal to this process. Returns what to send to the command.
    pub fn on_signal(&mut self, signal: Signal, now: Instant) -> Option<Signal> {
        let is_repeated = self.last.is_some_and(|(last, at)| last == signal && now.since(at) < SIGNAL_REPEAT);
        self.last = Some((signal, now));
        let is_stop = matches!(signal, Signal::INT | Signal::TERM);
        if is_repeated && is_stop {
            return None;
        }
        if !is_stop {
            return Some(signal);
        }
        self.stops = self.stops.saturating_add(1);
        match self.stops {
            1 => Some(signal),
            2 if self.next.is_none() && self.ender.is_none() => Some(self.begin(Ender::Signal(signal), now)),
            _ => {
                self.ender.get_or_insert(Ender::Signal(signal));
                self.next = None;
                Some(Signal::KILL)
            }
        }
    }

    /// The time limit has passed. Returns what to send, unless the command is being ended already.
    pub fn on_timeout(&mut self, now: Instant) -> Option<Signal> {
        self.ender.is_none().then(|| self.begin(Ender::Timeout, now))
    }

    fn begin(&mut self, ender: Ender, now: Instant) -> Signal {
        self.ender = Some(ender);
        self.step(0, now)
    }

    fn step(&mut self, number: usize, now: Instant) -> Signal {
        let step = TERM_SEQUENCE[number];
        // Behind the last one, KILL, nothing is left to be done.
        self.next = (number + 1 < TERM_SEQUENCE.len()).then(|| (number + 1, now + step.wait));
        step.signal
    }

    /// When [`Ladder::on_due`] has something to send.
    pub fn due(&self) -> Option<Instant> {
        self.next.map(|(_, due)| due)
    }

    /// The next step, if it is due.
    pub fn on_due(&mut self, now: Instant) -> Option<Signal> {
        let (number, _) = self.next.filter(|(_, due)| *due <= now)?;
        Some(self.step(number, now))
    }

    /// The whole job was stopped for this long.
    pub fn delay(&mut self, length: Duration) {
        if let Some((_, due)) = &mut self.next {
            *due = *due + length;
        }
    }

    /// Why the command is being ended.
    pub const fn ender(&self) -> Option<Ender> {
        self.ender
    }

    /// Whether somebody has asked for the end, so that there is no further attempt.
    pub const fn is_stopping(&self) -> bool {
        self.stops > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn a_stop_gets_firmer_each_time_and_a_repetition_counts_once() {
        let mut ladder = Ladder::default();
        let sent = [0, 50, 200, 1000].map(|ms| ladder.on_signal(Signal::TERM, at(ms)));
        assert_eq!(sent, [Some(Signal::TERM), None, Some(Signal::TERM), Some(Signal::KILL)]);
        assert_eq!((ladder.ender(), ladder.due()), (Some(Ender::Signal(Signal::TERM)), None));
        let mut ladder = Ladder::default();
        assert_eq!(ladder.on_signal(Signal::INT, at(0)), Some(Signal::INT));
        assert_eq!((ladder.ender(), ladder.due(), ladder.is_stopping()), (None, None, true));
        assert_eq!(ladder.on_signal(Signal::TERM, at(1)), Some(Signal::TERM));
        assert_eq!((ladder.ender(), ladder.due()), (Some(Ender::Signal(Signal::TERM)), Some(at(201))));
    }

    #[test]
    fn other_signals_are_passed_on_each_time_and_ask_for_no_end() {
        let mut ladder = Ladder::default();
        for signal in [Signal::HUP, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR1] {
            assert_eq!(ladder.on_signal(signal, at(0)), Some(signal));
        }
        assert!(!ladder.is_stopping() && ladder.ender().is_none());
    }

    #[test]
    fn the_timeout_gives_the_whole_term_sequence_and_a_stop_cuts_it_short() {
        let mut ladder = Ladder::default();
        assert_eq!(ladder.on_timeout(at(0)), Some(Signal::TERM));
        assert_eq!(ladder.on_timeout(at(1)), None);
        let mut sent = Vec::new();
        while let Some(due) = ladder.due() {
            assert_eq!(ladder.on_due(Instant(due.0 - 1)), None);
            sent.push((due, ladder.on_due(due).unwrap()));
        }
        assert_eq!(sent, [(at(200), Signal::TERM), (at(300), Signal::TERM), (at(350), Signal::KILL)]);
        let mut ladder = Ladder::default();
        ladder.on_timeout(at(0));
        ladder.delay(Duration::from_millis(5));
        assert_eq!(ladder.due(), Some(at(205)));
        let sent = [10, 20].map(|ms| ladder.on_signal(if ms == 10 { Signal::INT } else { Signal::TERM }, at(ms)));
        assert_eq!(sent, [Some(Signal::INT), Some(Signal::KILL)]);
        assert_eq!(ladder.ender(), Some(Ender::Timeout));
    }
}
