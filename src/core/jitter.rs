//! The source of jitter: splitmix64 (Steele, Lea, Flood 2014) from the policy's seed.
//!
//! Invariant: the same seed gives the same run; nothing comes from the environment.

use crate::model::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A length from `min` to `max`, which is no shorter.
    pub(super) fn between(&mut self, min: Duration, max: Duration) -> Duration {
        match max.0.saturating_sub(min.0).checked_add(1) {
            Some(lengths) => Duration(min.0 + self.next() % lengths),
            None => Duration(self.next()),
        }
    }

    /// A number below `limit`, which is at least 1.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// The time to the next of events that come by chance, so far apart on average: the exponential distribution.
    pub(super) fn exponential(&mut self, mean: Duration) -> Duration {
        // In (0, 1], with as many bits as a float holds.
        let chance = ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        Duration((-chance.ln() * mean.0 as f64) as u64)
    }

    /// A length between half of `delay` and all of it, so that items that failed together do not return together.
    pub(super) fn of(&mut self, delay: Duration) -> Duration {
        let half = delay.0 / 2;
        Duration(delay.0 - self.next() % (half + 1))
    }
}
