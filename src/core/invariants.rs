//! What holds between any two steps. [`Core::check`] compares counters; [`Core::check_deep`]
//! recounts every record, for the simulator.

use super::credit::Pace;
use super::pool::State;
use super::timers::Timer;
use super::{Core, Violation};
use crate::model::event::Stage;
use crate::model::ids::{Attempt, Batch};
use crate::model::spec::Lifecycle;

/// Fails with these words unless the condition holds.
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
        let (accepted, settled) = (self.totals.accepted, self.totals.settled());
        hold!(
            accepted == queued + delayed + flying + settled,
            "accepted {accepted} items, but {queued} are queued, {delayed} delayed, {flying} at workers, {settled} settled"
        );
        hold!(accepted == self.admission.next, "accepted {accepted} items, but the next id is {}", self.admission.next);
        let (fresh, outstanding) = (self.queue.fresh_items(), self.admission.outstanding);
        let limit = self.policy.queue_items_max.max(1).saturating_add(self.admission.excess);
        hold!(fresh + outstanding <= limit, "{fresh} fresh items and {outstanding} demanded pass the limit of {limit}");
        if let Some(order) = &self.order {
            let (next, waiting) = (order.next(), order.waiting_items());
            hold!(next + waiting == settled, "told {next} items in order, {waiting} wait, but {settled} are settled");
        }
        if self.stage > Stage::Running {
            hold!(queued == 0 && delayed == 0 || self.mutation.any(), "{queued} items are queued in a run that stops");
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

    /// Recounts everything: O(slots + runs). For the simulator.
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
        for (index, slot) in pool.slots.iter().enumerate() {
            let number = index + 1;
            let items: u64 = slot.leases.iter().map(|lease| u64::from(lease.batch.count)).sum();
            hold!(items == slot.items, "worker {number} holds {items} items, not {}", slot.items);
            hold!(
                Pace::permits(pool.rules, slot.leases.len(), items),
                "worker {number} holds {} runs of {items} items: beyond its credit",
                slot.leases.len()
            );
            let may_hold = match (self.policy.lifecycle, slot.state) {
                (_, State::Down) => false,
                (Lifecycle::PerItem, _) => items == 1,
                (Lifecycle::Resident, State::Starting) => false,
                (Lifecycle::Resident, _) => true,
            };
            hold!(items == 0 || may_hold, "worker {number} holds {items} items while {:?}", slot.state);
            hold!(slot.pid.is_none() || slot.is_up(), "worker {number} is down and has a pid");
            hold!(slot.pid.is_some() || slot.state != State::Ready, "worker {number} is ready without a pid");
            let wants = pool.spare(index) > 0;
            let (idle, busy) = (pool.idle.contains(index), pool.quick.contains(index) || pool.slow.contains(index));
            hold!(wants == (idle || busy), "worker {number} wants items: {wants}, but is filed as {}", idle || busy);
            hold!(!idle || items == 0, "worker {number} is filed as idle with {items} items");
            if let Some(deadline) = slot.timer {
                timers += 1;
                hold!(self.timers.holds(Timer::Slot(index), deadline), "the timer of worker {number} is not set");
            }
            let deaths = slot.history.deaths();
            let most = self.policy.intensity.restarts_max as usize + usize::from(self.stage > Stage::Running);
            hold!(deaths <= most, "worker {number} died {deaths} times within the period, of {most}");
            up += usize::from(slot.is_up());
            flying += items;
        }
        timers += usize::from(self.run_timer.is_some()) + usize::from(self.grace_timer.is_some());
        hold!(timers == self.timers.len(), "{timers} timers are known, {} are set", self.timers.len());
        hold!(up == pool.up, "{up} workers are up, not {}", pool.up);
        hold!(flying == pool.in_flight, "{flying} items are in flight, not {}", pool.in_flight);
        Ok(())
    }

    fn check_items(&self) -> Result<(), Violation> {
        let waiting: Vec<Batch> = self.queue.runs().collect();
        let items: u64 = waiting.iter().map(|batch| u64::from(batch.count)).sum();
        let counted = self.queue.items() + self.queue.delayed_items();
        hold!(items == counted, "{items} items wait, not {counted}");
        let leased = self.pool.slots.iter().flat_map(|slot| slot.leases.iter().map(|lease| lease.batch));
        let mut open: Vec<Batch> = waiting.into_iter().chain(leased).collect();
        for batch in &open {
            hold!(batch.count > 0, "an empty run at item {}", batch.first);
            hold!(
                batch.count == 1 || batch.attempt == Attempt::FIRST,
                "a run of {} items at a later attempt",
                batch.count
            );
            let causes = self.causes.get(&batch.first).map_or(0, Vec::len);
            let expected = batch.attempt.0 as usize - 1;
            hold!(causes == expected, "item {} at attempt {} has {causes} causes", batch.first, batch.attempt);
        }
        let charged = open.iter().filter(|batch| batch.attempt > Attempt::FIRST).count();
        hold!(charged == self.causes.len(), "{} items have causes, but {charged} open ones should", self.causes.len());
        if let Some(order) = &self.order {
            let told = order.waiting().map(|(first, count)| Batch {
                first: crate::model::ids::ItemId(first),
                count,
                attempt: Attempt::FIRST,
            });
            open.extend(told);
        }
        open.sort_unstable_by_key(|batch| batch.first);
        for pair in open.windows(2) {
            hold!(pair[0].end() <= pair[1].first, "item {} is in two places", pair[1].first);
        }
        let beyond = open.last().is_some_and(|batch| batch.end().0 > self.admission.next);
        hold!(!beyond, "an item that never arrived is open");
        let early =
            self.order.as_ref().is_some_and(|order| open.first().is_some_and(|batch| batch.first.0 < order.next()));
        hold!(!early, "an item was told before it was settled");
        Ok(())
    }
}
