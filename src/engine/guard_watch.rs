//! The guard ends only if it is killed, and is replaced at once. Where something ends every guard at its start, such as a
//! system that refuses what it needs, there is none after a few: a retry has an end.

use super::turn::Turn;
use crate::model::time::{Duration, Instant};

/// Guards in a row that may end at once.
const SHORT_LIVES_MAX: u32 = 5;
/// A guard that lives for less ended at once. Nobody kills that fast by hand.
const LIFE_MIN: Duration = Duration::from_millis(20);

/// How long the last guards lived.
#[derive(Default)]
pub struct GuardWatch {
    /// When the present guard was started, if it has replaced another one.
    started_at: Option<Instant>,
    /// Guards in a row that ended at once.
    short_lives: u32,
}

impl GuardWatch {
    /// The guard has ended. Without a guard the death of the supervisor would leave processes behind.
    pub fn on_ended(&mut self, turn: &mut Turn) {
        const PRICE: &str = "if the supervisor is killed too, what its workers have started will stay";
        let line = if self.wants_another(turn.now) {
            match turn.system.replace_guard() {
                Ok(pid) => format!("supervisor: the guard was killed; pid {pid} is the guard now"),
                Err(error) => {
                    format!("supervisor: the guard was killed, and failed to start another one: {error}; {PRICE}")
                }
            }
        } else {
            turn.system.dismiss_guard();
            format!("supervisor: {SHORT_LIVES_MAX} guards in a row ended at once, so there is none now; {PRICE}")
        };
        turn.notice(&line);
    }

    /// Whether a guard that ended now is replaced.
    fn wants_another(&mut self, now: Instant) -> bool {
        let is_short = self.started_at.is_some_and(|at| now.since(at) < LIFE_MIN);
        self.short_lives = if is_short { self.short_lives + 1 } else { 0 };
        self.started_at = Some(now);
        self.short_lives < SHORT_LIVES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_that_end_at_once_are_replaced_a_few_times_and_killed_ones_always() {
        let mut watch = GuardWatch::default();
        let at = |ms| Instant::ZERO + Duration::from_millis(ms);
        assert!((0..1000).all(|round| watch.wants_another(at(round * 20))));
        let end = 999 * 20;
        let replaced = (1..10).take_while(|after| watch.wants_another(at(end + after))).count();
        assert_eq!(replaced as u32, SHORT_LIVES_MAX - 1);
    }
}
