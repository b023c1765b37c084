//! The pace of a worker: when it reads the clock, how long its items took, and when it sends results.
//!
//! A read of the clock costs as much as a tiny item, so the clock is read once for several items, and more rarely the
//! shorter they are.
//!
//! Invariant: never reads the clock itself; moments are arguments, in nanoseconds.

/// Results are sent after about this much work, so that a death costs little and the supervisor is not kept waiting.
const FLUSH_NS: u64 = 1_000_000;

/// If two reads are nearer than this, the next ones are made more rarely.
const LOOK_NS_MIN: u64 = 50_000;

/// Most items between two reads: fewer reads gain nothing that can be measured, and if items suddenly turn slow, so
/// many pass unmeasured.
const STRIDE_MAX: u32 = 64;

/// The pace of one worker.
#[derive(Debug)]
pub(super) struct Pace {
    stride: u32,
    items_to_look: u32,
    looked_ns: u64,
    /// The time of one item, between the last two reads.
    item_ns: u64,
    /// When the work on the items that are not reported yet began.
    group_ns: u64,
    /// When results were last sent, or work began after that.
    flushed_ns: u64,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { stride: 1, items_to_look: 1, looked_ns: 0, item_ns: 0, group_ns: 0, flushed_ns: 0 }
    }

    /// Work begins, with no unreported item.
    pub(super) const fn begin(&mut self, now_ns: u64) {
        (self.looked_ns, self.group_ns, self.flushed_ns) = (now_ns, now_ns, now_ns);
    }

    /// Counts a finished item. Returns whether a [`look`](Self::look) is due.
    #[inline(always)]
    pub(super) const fn is_look_due(&mut self) -> bool {
        self.items_to_look = self.items_to_look.saturating_sub(1);
        self.items_to_look == 0
    }

    /// Evaluates a read of the clock. Returns whether results are to be sent.
    pub(super) fn look(&mut self, now_ns: u64) -> bool {
        let passed_ns = now_ns.saturating_sub(self.looked_ns);
        let near = passed_ns < LOOK_NS_MIN;
        self.item_ns = passed_ns / self.stride as u64;
        self.stride = if near { (self.stride * 2).min(STRIDE_MAX) } else { (self.stride / 4).max(1) };
        self.items_to_look = self.stride;
        self.looked_ns = now_ns;
        now_ns.saturating_sub(self.flushed_ns) >= FLUSH_NS
    }

    /// The time of the items that are reported now; the next group begins. Never 0, which would mean unknown.
    pub(super) fn close_group(&mut self, now_ns: u64) -> u64 {
        let busy_ns = now_ns.saturating_sub(self.group_ns).max(1);
        self.group_ns = now_ns;
        busy_ns
    }

    /// The same without a read of the clock, as long as the items before took. The next group that is measured makes
    /// up for the error.
    pub(super) fn guess_group(&mut self, items: u32) -> u64 {
        let busy_ns = (self.item_ns * u64::from(items)).max(1);
        self.group_ns = self.group_ns.saturating_add(busy_ns);
        busy_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items of `item_ns` each: how many between two reads, and after how many results leave.
    fn settle(pace: &mut Pace, item_ns: u64, items: u32) -> (u32, Option<u32>) {
        let (mut now, mut first_flush) = (1, None);
        pace.begin(now);
        for item in 1..=items {
            now += item_ns;
            if pace.is_look_due() && pace.look(now) && first_flush.is_none() {
                first_flush = Some(item);
            }
        }
        (pace.stride, first_flush)
    }

    #[test]
    fn tiny_items_are_looked_at_rarely_and_slow_ones_each() {
        let mut pace = Pace::new();
        assert_eq!(settle(&mut pace, 20, 10_000), (STRIDE_MAX, None));
        assert_eq!(settle(&mut pace, 2_000_000, 70).0, 1);
        let (stride, first_flush) = settle(&mut pace, 2_000_000, 5);
        assert_eq!((stride, first_flush), (1, Some(1)));
    }

    #[test]
    fn results_of_middling_items_leave_after_a_millisecond() {
        let (_, first_flush) = settle(&mut Pace::new(), 10_000, 1000);
        let items = first_flush.unwrap();
        assert!((100..108).contains(&items), "{items}");
    }

    #[test]
    fn busy_time_is_cut_at_groups_and_never_unknown() {
        let mut pace = Pace::new();
        pace.begin(100);
        assert_eq!(pace.close_group(130), 30);
        assert_eq!(pace.close_group(135), 5);
        assert_eq!(pace.close_group(135), 1);
    }

    #[test]
    fn what_is_guessed_is_made_up_for_by_what_is_measured() {
        let mut pace = Pace::new();
        pace.begin(1000);
        assert_eq!(pace.guess_group(1), 1);
        assert!(!pace.look(1080));
        assert_eq!(pace.guess_group(2), 160);
        assert_eq!(pace.close_group(1300), 300 - 160 - 1);
    }
}
