//! Invariants that hold between any two steps. [`Core::check`] compares counters; [`Core::check_deep`]
//! recounts every record, for the simulator.

use super::causes::Causes;
use super::credit::BatchSizer;
use super::slot::SlotState;
use super::timers::Timer;
use super::{Core, Violation};
use crate::model::event::Stage;
use crate::model::ids::Attempt;

/// Fails with this text unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(Violation(format!($($words)+)));
        }
    };
}

impl Core {
    /// The invariants that cost next to nothing; checked after each public call in debug builds.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        let (queued, delayed, flying) = (self.queue.items(), self.queue.delayed_items(), self.pool.in_flight);
        let (accepted, settled, hands) = (self.totals.accepted, self.totals.settled(), self.pool.hands);
        hold!(
            accepted == queued + delayed + hands + flying + settled,
            "accepted {accepted} items, but {queued} are queued, {delayed} delayed, {hands} in hand, {flying} at workers, \
             {settled} settled"
        );
        let arrived = self.admission.next - self.policy.first_item.0;
        hold!(accepted == arrived, "accepted {accepted} items, but the next id is {}", self.admission.next);
        let (fresh, outstanding) = (self.queue.fresh_items(), self.admission.outstanding);
        let limit = self.policy.queue_items_max.max(1).saturating_add(self.admission.excess);
        hold!(fresh + outstanding <= limit, "{fresh} fresh items and {outstanding} demanded pass the limit of {limit}");
        if let Some(order) = &self.order {
            let passed = order.next() - self.policy.first_item.0;
            let waiting = order.waiting_items() + order.restored_items();
            hold!(passed + waiting == settled, "{passed} items in order, {waiting} wait, but {settled} are settled");
        }
        if self.stage > Stage::Running {
            hold!(queued == 0 && delayed == 0, "{queued} items are queued in a run that stops");
            hold!(outstanding == 0, "the source is asked for {outstanding} items in a run that stops");
            hold!(self.reason.is_some() || self.stage == Stage::Finished, "the run stops without a reason");
        }
        if self.stage == Stage::Finished {
            hold!(self.pool.up == 0, "finished with {} workers up", self.pool.up);
            hold!(accepted == settled, "finished with {settled} of {accepted} items settled");
            hold!(self.poll_timeout().is_none(), "finished with a timer set");
        }
        Ok(())
    }

    /// Recounts everything: O(slots + batches). For the simulator.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check_deep(&self) -> Result<(), Violation> {
        self.check()?;
        self.check_slots()?;
        self.check_items()
    }

    fn check_slots(&self) -> Result<(), Violation> {
        let pool = &self.pool;
        let (mut up, mut flying, mut timers) = (0, 0, 0);
        let (mut present, mut tried, mut retired, mut hands) = (0, 0, 0, 0);
        for (index, slot) in pool.slots.iter().enumerate() {
            let number = index + 1;
            let items: u64 = slot.leases.iter().map(|lease| u64::from(lease.batch.count)).sum();
            hold!(items == slot.items, "worker {number} holds {items} items, not {}", slot.items);
            hold!(
                BatchSizer::permits(pool.rules, slot.leases.len(), items),
                "worker {number} holds {} batches of {items} items: beyond its credit",
                slot.leases.len()
            );
            let whole = self.policy.worker.starts_with_item();
            let may_hold = match slot.state {
                SlotState::Down | SlotState::Vacant => items == 0,
                _ if whole => items == 1,
                SlotState::Starting => items == 0,
                _ => true,
            };
            hold!(may_hold, "worker {number} holds {items} items while {:?}", slot.state);
            hold!(!slot.removed || !(slot.tried || slot.retired), "worker {number} is removed, and counted");
            hold!(
                !slot.removed || !matches!(slot.state, SlotState::Vacant | SlotState::Ready) || whole,
                "worker {number} is removed and takes items"
            );
            present += usize::from(!slot.removed);
            tried += usize::from(slot.tried);
            retired += usize::from(slot.retired);
            hold!(slot.pid.is_none() || slot.is_up(), "worker {number} is down and has a pid");
            hold!(slot.pid.is_some() || slot.state != SlotState::Ready, "worker {number} is ready without a pid");
            // One that is being ended by KILL alone needs not go on.
            let ends = matches!(slot.state, SlotState::Stopping { .. });
            hold!(!slot.is_held || slot.is_at_work() || ends, "worker {number} is held and has nothing to do");
            let wants = pool.spare(index) > 0;
            let (idle, busy) =
                (pool.idle.contains(index), pool.busy_short.contains(index) || pool.busy_long.contains(index));
            hold!(wants == (idle || busy), "worker {number} wants items: {wants}, but is filed as {}", idle || busy);
            hold!(!idle || items == 0, "worker {number} is filed as idle with {items} items");
            let in_hand = slot.hand.leases.len() as u64;
            hold!(in_hand == 0 || (whole && slot.is_up()), "worker {number} has an item in hand and no process");
            hold!(!slot.from_hand || slot.pid.is_none(), "the process of worker {number} was not in hand");
            let open = pool.open_hands.contains(index);
            let takes = slot.takes_in_hand() && self.policy.gives_in_hand();
            hold!(open == takes, "worker {number} can be given an item in hand: {takes}, but is filed as {open}");
            hands += in_hand;
            if let Some(deadline) = slot.timer {
                timers += 1;
                hold!(self.timers.holds(Timer::Slot(index), deadline), "the timer of worker {number} is not set");
            }
            let deaths = slot.history.failures();
            let most = self.policy.intensity.restarts_max as usize + usize::from(self.stage > Stage::Running);
            hold!(deaths <= most, "worker {number} died {deaths} times within the period, of {most}");
            up += usize::from(slot.is_up());
            flying += items;
        }
        let median_timer = self.median_limit.as_ref().and_then(|median| median.timer);
        let chaos_timer = self.chaos.as_ref().and_then(|chaos| chaos.timer);
        let others =
            [self.run_timer, self.grace_timer, self.gate.delay_timer, median_timer, self.hand_timer, chaos_timer];
        timers += others.into_iter().flatten().count();
        hold!(timers == self.timers.len(), "{timers} timers are known, {} are set", self.timers.len());
        hold!(up == pool.up, "{up} workers are up, not {}", pool.up);
        hold!(present == pool.target, "{present} slots are not removed, not {}", pool.target);
        let counted = (pool.tried, pool.retired);
        hold!((tried, retired) == counted, "tried, retired: {tried}, {retired}, not {counted:?}");
        hold!(hands == pool.hands, "{hands} items are in hand, not {}", pool.hands);
        hold!(flying == pool.in_flight, "{flying} items are in flight, not {}", pool.in_flight);
        Ok(())
    }

    fn check_items(&self) -> Result<(), Violation> {
        let waiting: Vec<_> = self.queue.batches().collect();
        let items: u64 = waiting.iter().map(|batch| u64::from(batch.count)).sum();
        let counted = self.queue.items() + self.queue.delayed_items();
        hold!(items == counted, "{items} items wait, not {counted}");
        let leased = self.pool.slots.iter().flat_map(|slot| slot.leases.iter().map(|lease| lease.batch));
        let in_hand = self.pool.slots.iter().flat_map(|slot| slot.hand.leases.iter().map(|lease| lease.batch));
        let mut open = Vec::new();
        let mut charged = 0;
        for batch in waiting.into_iter().chain(leased).chain(in_hand) {
            let later = batch.attempt > Attempt::FIRST;
            hold!(batch.count > 0, "an empty batch at item {}", batch.first);
            hold!(batch.count == 1 || !later || self.goes_on, "{} items in a batch at a later attempt", batch.count);
            let causes = self.causes.get(&batch.first).map_or(0, Causes::number);
            let expected = u64::from(batch.attempt.0) - 1;
            let fits = causes == expected || (self.goes_on && causes < expected);
            hold!(fits, "item {} at attempt {} has {causes} causes", batch.first, batch.attempt);
            charged += usize::from(causes > 0);
            open.push((batch.first.0, batch.end().0));
        }
        hold!(charged == self.causes.len(), "{} items have causes, but {charged} open ones should", self.causes.len());
        if let Some(order) = &self.order {
            open.extend(order.waiting().map(|(first, count)| (first, first + count)));
        }
        open.sort_unstable();
        for pair in open.windows(2) {
            hold!(pair[0].1 <= pair[1].0, "item {} is in two places", pair[1].0);
        }
        hold!(open.last().is_none_or(|last| last.1 <= self.admission.next), "an item that never arrived is open");
        let first = self.order.as_ref().map_or(self.policy.first_item.0, |order| order.next());
        hold!(open.first().is_none_or(|open| open.0 >= first), "an item was committed before it was settled");
        Ok(())
    }
}
