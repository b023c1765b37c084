//! Giving way to workers that answer short lines quickly. While such a worker holds many items, each of its answers makes
//! the loop turn, and a loop that turns for every few lines takes the core that another worker needs. So the loop gives
//! its core away before it looks again (`sched_yield`): the next look finds many lines, and is one turn for all of them.
//!
//! Invariant: the loop gives way only after quick answers of workers that still held enough items; so never with a credit
//! of one, for slow items, or for the last items. Where giving way took long, it is not repeated for a while: another
//! program took the core, or a worker with long items.

use super::super::super::turn::Fact;
use crate::core::input::Input;
use crate::model::time::{Duration, Instant};

/// For workers that answer each line with a line: one that holds fewer items may have none left at the next look.
pub const GIVE_WAY_HELD_MIN: u64 = 16;
/// Answers that come further apart are waited for.
const QUICK: Duration = Duration(500_000);
/// To give way takes as long as a worker needs for the items that it holds. Another program takes its time slice, some
/// milliseconds.
const LONG: Duration = Duration::from_millis(1);
/// Turns in which the loop keeps its core after giving way took long. The number doubles while it takes long.
const TURNS_KEPT_MIN: u32 = 16;
const TURNS_KEPT_MAX: u32 = 4096;
/// A turn with fewer answers was not worth its cost.
const ANSWERS_FEW: u64 = 8;
/// After so many such turns in a row, the loop may have a core for itself while the workers share another one. It sleeps
/// then: its core is idle, and the system moves a worker there. The number doubles with each sleep, since a worker may
/// as well have a core of its own already.
const TURNS_FEW_MIN: u32 = 64;
const TURNS_FEW_MAX: u32 = 1 << 14;
const SLEEP: Duration = Duration(20_000);

/// When the loop gives way.
pub struct GivingWay {
    /// Answers of workers that held this many items count. `None`: the loop never gives way.
    held_min: Option<u64>,
    /// Answers of this turn that count.
    answered: u64,
    /// They came quickly after those of an earlier turn, which came at this time.
    quick: bool,
    last: Option<Instant>,
    /// Turns left in which the loop keeps its core, and how many there are when giving way takes long again.
    kept: u32,
    kept_next: u32,
    /// Turns in a row with few answers, and after how many the loop sleeps.
    few: u32,
    few_max: u32,
}

impl GivingWay {
    pub const fn new(held_min: Option<u64>) -> Self {
        Self {
            held_min,
            answered: 0,
            quick: false,
            last: None,
            kept: 0,
            kept_next: TURNS_KEPT_MIN,
            few: 0,
            few_max: TURNS_FEW_MIN,
        }
    }

    /// A worker that held `held` items was read from, and these facts came. Returns how many it holds now.
    pub fn note_facts<'a>(&mut self, held: u64, facts: impl Iterator<Item = &'a Fact>, now: Instant) -> u64 {
        if self.held_min.is_none() {
            return held;
        }
        let answered = facts.map(|fact| answered_items(&fact.input)).sum();
        self.note_answers(held, answered, now);
        held.saturating_sub(answered)
    }

    fn note_answers(&mut self, held: u64, answered: u64, now: Instant) {
        if answered == 0 || self.held_min.is_none_or(|held_min| held < held_min) {
            return;
        }
        if self.answered == 0 {
            self.quick = self.last.is_some_and(|last| now.since(last) < QUICK);
            self.last = Some(now);
        }
        self.answered += answered;
    }

    /// Whether to give way before the loop waits, and for which sleep (zero: to give the core away is enough).
    pub fn take_due(&mut self) -> Option<Duration> {
        let answered = std::mem::take(&mut self.answered);
        if answered == 0 || !self.quick {
            return None;
        }
        if self.kept > 0 {
            self.kept -= 1;
            return None;
        }
        self.few = if answered < ANSWERS_FEW { self.few + 1 } else { 0 };
        if self.few < self.few_max {
            return Some(Duration::ZERO);
        }
        self.few = 0;
        self.few_max = (2 * self.few_max).min(TURNS_FEW_MAX);
        Some(SLEEP)
    }

    /// How long it took.
    pub fn note_taken(&mut self, taken: Duration) {
        if taken < LONG {
            self.kept_next = (self.kept_next / 2).max(TURNS_KEPT_MIN);
        } else {
            self.kept = self.kept_next;
            self.kept_next = (2 * self.kept_next).min(TURNS_KEPT_MAX);
        }
    }
}

/// How many items a fact settles.
fn answered_items(fact: &Input) -> u64 {
    match fact {
        Input::Settled { count, .. } => u64::from(*count),
        Input::Failed { .. } => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A turn in which a worker that held `held` items answered `answered` of them, at this time.
    fn turn(giving_way: &mut GivingWay, held: u64, answered: u64, at_us: u64) -> Option<Duration> {
        giving_way.note_answers(held, answered, Instant(at_us * 1000));
        giving_way.take_due()
    }

    #[test]
    fn only_quick_answers_of_workers_that_hold_enough_count() {
        let mut some = GivingWay::new(Some(16));
        assert_eq!(turn(&mut some, 64, 32, 0), None);
        assert_eq!(turn(&mut some, 64, 32, 100), Some(Duration::ZERO));
        assert_eq!(some.take_due(), None);
        assert_eq!(turn(&mut some, 15, 15, 200), None);
        assert_eq!(turn(&mut some, 16, 0, 250), None);
        assert_eq!(turn(&mut some, 16, 16, 300), Some(Duration::ZERO));
        assert_eq!(turn(&mut some, 64, 32, 800), None);
        let mut never = GivingWay::new(None);
        assert_eq!((turn(&mut never, 64, 32, 0), turn(&mut never, 64, 32, 1)), (None, None));
    }

    #[test]
    fn a_core_that_came_back_late_is_kept_for_longer_and_longer() {
        let mut some = GivingWay::new(Some(1));
        let mut at_us = 0;
        let mut kept = |some: &mut GivingWay| {
            let from = at_us;
            while turn(some, 64, 32, at_us).is_none() {
                at_us += 1;
            }
            at_us += 1;
            at_us - from - 1
        };
        assert_eq!(kept(&mut some), 1);
        for turns in [16, 32, 64, 128] {
            some.note_taken(LONG);
            assert_eq!(kept(&mut some), turns);
        }
        some.note_taken(Duration::ZERO);
        assert_eq!(kept(&mut some), 0);
        some.note_taken(LONG);
        assert_eq!(kept(&mut some), 128);
    }

    #[test]
    fn turns_with_few_answers_end_in_a_sleep_more_and_more_seldom() {
        let mut some = GivingWay::new(Some(1));
        let sleeps: Vec<u64> = (0..1000).filter(|&at| turn(&mut some, 64, 7, at) == Some(SLEEP)).collect();
        assert_eq!(sleeps, [64, 192, 448, 960]);
        assert_eq!(turn(&mut some, 64, 8, 1000), Some(Duration::ZERO));
        assert_eq!(some.few, 0);
    }
}
