//! The fake source: items that come in bursts, with pauses, an end, a break, or silence.

use crate::agenda::Effect;
use crate::check::hold;
use crate::descriptor::Descriptor;
use crate::items::push_payload;
use crate::marks::Mark;
use crate::poll_set::Object;
use crate::scenario::{STEERING, Scenario};
use crate::world::{Shared, World};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use supervisor::model::ids::ItemId;
use supervisor::model::outcome::FailReason;
use supervisor::model::spec::QueueOrder;
use supervisor::source::{Delivery, Payload, Source, SourceError};
use supervisor::sys::block::Block;

/// Chance in a thousand that a source which is always ready says that it has nothing yet.
const PAUSES: u32 = 100;

/// Most items that one slot has in hand.
const HAND_ITEMS_MAX: u64 = 32;

/// The source, as the world knows it.
pub struct SourceState {
    /// Items that have come and were not delivered yet.
    pub available: u64,
    left: u64,
    pub ended: bool,
    pub broken: bool,
    /// It never delivers again, and does not end.
    pub stalled: bool,
    /// The shell has not closed it.
    pub is_open: bool,
    /// The shell was told that nothing follows.
    told: bool,
    /// The delivered blocks: their memory has to be free at the end.
    pub blocks: Vec<Arc<Block>>,
}

impl SourceState {
    pub const fn new(scenario: &Scenario) -> Self {
        Self {
            available: 0,
            left: scenario.items,
            ended: false,
            broken: false,
            stalled: false,
            is_open: true,
            told: false,
            blocks: Vec::new(),
        }
    }

    /// Whether its descriptor is readable.
    pub const fn is_readable(&self) -> bool {
        self.available > 0 || self.ended || self.broken
    }
}

impl World {
    pub fn plan_source(&mut self) {
        let wait = self.rng.below(self.scenario.source.gap_ns + 1);
        self.plan_next_burst(wait);
    }

    fn plan_next_burst(&mut self, wait: u64) {
        let (plan, left) = (self.scenario.source, self.source.left);
        let delivered = self.scenario.items - left;
        let to = |at: Option<u64>| at.map_or(u64::MAX, |at| at.saturating_sub(delivered));
        let burst = left.min(plan.burst).min(to(plan.breaks_at)).min(to(plan.stalls_at));
        if burst > 0 {
            self.after(wait, Effect::SourceDelivers(burst));
        } else if left > 0 && to(plan.breaks_at) == 0 {
            self.after(wait, Effect::SourceBreaks);
        } else if left > 0 && to(plan.stalls_at) == 0 {
            self.source.stalled = true;
            self.marks.hit(Mark::SourceStalled);
        } else {
            self.after(wait, Effect::SourceEnds);
        }
    }

    pub fn source_delivers(&mut self, items: u64) {
        self.source.available += items;
        self.source.left -= items;
        let wait = self.rng.below(self.scenario.source.gap_ns + 1);
        self.plan_next_burst(wait);
    }

    fn deliver(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let (is_open, told) = (self.source.is_open, self.source.told);
        hold!(
            self,
            is_open && !told && items_max > 0,
            Source,
            "asked for {items_max} items; open {is_open}, over {told}"
        );
        if self.source.broken && self.source.available == 0 {
            self.source.told = true;
            self.marks.hit(Mark::SourceBroke);
            let error = io::Error::from_raw_os_error(libc::EIO);
            return Err(SourceError::Read { name: "the source".to_owned(), error });
        }
        if self.source.available == 0 {
            if self.source.ended {
                self.source.told = true;
                return Ok(Delivery::Ended);
            }
            self.marks.hit(Mark::SourceIdle);
            return Ok(Delivery::Idle);
        }
        if !self.scenario.source.pollable && self.chance(PAUSES) {
            return Ok(Delivery::Idle);
        }
        let acceptable = self.items.acceptable();
        let is_known = self.items.is_next_known();
        if acceptable.is_none() || (!is_known && self.chance(self.scenario.rejected)) {
            self.source.available -= 1;
            self.marks.hit(Mark::ItemRejected);
            self.items.add(&self.scenario, &mut self.rng, true);
            return Ok(Delivery::Rejected(FailReason::Rejected("too long".to_owned())));
        }
        self.moved = true;
        let by_one = self.scenario.policy.queue_order == QueueOrder::Priority;
        let most = if by_one { 1 } else { items_max.min(self.source.available) };
        let count = self.rng.between(1, most.min(acceptable.unwrap_or(1)));
        self.source.available -= count;
        let mut bytes = b"before".to_vec();
        let start = bytes.len();
        for _ in 0..count {
            push_payload(self.items.next(), &mut bytes);
            if count > 1 {
                bytes.push(b'\n');
            }
            if self.scenario.finished.contains(ItemId(self.items.next())) {
                self.marks.hit(Mark::ItemRestored);
                self.items.add_restored(&self.scenario, &mut self.rng);
            } else {
                self.items.add(&self.scenario, &mut self.rng, false);
            }
        }
        self.check_ahead();
        let block = Arc::new(Block::from(bytes));
        self.source.blocks.push(Arc::clone(&block));
        let (range, priority) = (start..block.len(), if by_one { self.rng.below(3) as i64 } else { 0 });
        Ok(Delivery::Items(Payload { block, range, count: count as u32, priority }))
    }

    /// Items that the shell has taken and not settled are bounded by the queue and what workers may hold.
    fn check_ahead(&mut self) {
        let policy = &self.scenario.policy;
        // A record delays the outcomes that are shown, and an item whose command cannot be started comes back.
        if self.scenario.record.is_some() || self.scenario.calls.start_shortage > 0 {
            return;
        }
        let supervisor::model::spec::Credit::Items(credit) = policy.worker.credit else { return };
        let others = [self.scenario.scale, self.scenario.workers_max].into_iter().flatten();
        let workers = others.map(u64::from).fold(policy.workers.into(), u64::max);
        // Each TTIN adds one, and a restart has one more meanwhile.
        let steered = self.scenario.signals.iter().filter(|(_, signal)| STEERING.contains(signal)).count() as u64;
        let workers = workers + steered;
        let in_hand = if policy.gives_in_hand() { workers * HAND_ITEMS_MAX } else { 0 };
        let most = policy.queue_items_max + workers * u64::from(credit) + in_hand;
        let open = self.items.accepted() - self.items.settled;
        // Items that come back, from dead workers or for another attempt, do not count toward the queue's limit.
        let returned =
            self.items.all().filter(|(_, item)| !item.settled && item.returns + item.failures > 0).count() as u64;
        hold!(self, open <= most + returned, Source, "{open} items are taken in and open; {most} may be");
    }
}

/// The source as the shell sees it.
pub struct FakeSource {
    world: Shared,
    fd: Option<Descriptor>,
}

impl FakeSource {
    pub fn new(world: &Shared) -> Self {
        let pollable = world.borrow().scenario.source.pollable;
        Self { world: world.clone(), fd: pollable.then(|| Descriptor::open(world, Object::Source)) }
    }
}

impl Source for FakeSource {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        let delivery = world.deliver(items_max);
        let accepted = world.items.accepted();
        world.note(&[30, accepted], || format!("the source is asked: {accepted} items delivered by now"));
        delivery
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    fn delimiter(&self) -> u8 {
        b'\n'
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

impl Drop for FakeSource {
    fn drop(&mut self) {
        if let Ok(mut world) = self.world.try_borrow_mut() {
            world.source.is_open = false;
        }
    }
}
