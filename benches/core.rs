//! The core: what one answer costs, with all that follows from it, and what the queue's orders cost.
//!
//! Benchmarks have no debug assertions, so the core that they measure holds no mutants (`src/mutant.rs`).

use divan::Bencher;
use divan::counter::ItemsCount;
use std::collections::VecDeque;
use supervisor::core::Core;
use supervisor::core::action::Action;
use supervisor::core::input::Input;
use supervisor::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::signal::Signal;
use supervisor::model::spec::{
    Backoff, Credit, Intensity, Policy, QueueOrder, RestartStrategy, RestartType, TermStep, WorkerContract,
};
use supervisor::model::time::{Duration, Instant};

fn main() {
    divan::main();
}

const WORKERS: usize = 2;
const FIRST: Incarnation = Incarnation(1);
/// Items in one delivery of the source: 64 KiB of short lines.
const DELIVERY: u64 = 7400;

fn policy() -> Policy {
    Policy {
        workers: WORKERS as u32,
        worker: WorkerContract::resident(Credit::Auto),
        first_item: ItemId(0),
        queue_order: QueueOrder::Fifo,
        queue_items_max: 1 << 18,
        batch_max: u32::MAX,
        keep_order: false,
        start_together: false,
        retries: 0,
        hinted_retries: 0,
        exit_rules: Vec::new(),
        crash_limit: 3,
        kill_limit: Some(3),
        retry_delay: Duration::ZERO,
        dead_max: Some(20),
        timeout: None,
        timeout_percent: None,
        start_delay: None,
        hello_timeout: Duration::from_secs(10),
        start_exits_max: None,
        term_sequence: vec![TermStep { signal: Signal::KILL, wait: Duration::ZERO }],
        grace: Duration::from_secs(10),
        restart: RestartType::Permanent,
        strategy: RestartStrategy::OneForOne,
        intensity: Intensity { restarts_max: 5, period: Duration::from_secs(10) },
        backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_secs(10) },
        halt: None,
        stop_at_abort: false,
        run_timeout: None,
        report_starts: false,
        explains: false,
        seed: 1,
        in_hand: true,
        chaos: None,
    }
}

/// A core whose workers are ready, and a source that never ends.
struct World {
    core: Core,
    now: Instant,
    arrived: u64,
    demand: u64,
    /// What the workers were sent, oldest first.
    sent: VecDeque<(WorkerId, Batch)>,
}

impl World {
    fn new(policy: Policy) -> Self {
        let core = Core::new(policy);
        let mut world = Self { core, now: Instant::ZERO, arrived: 0, demand: 0, sent: VecDeque::new() };
        world.feed(Input::Start);
        for index in 0..WORKERS {
            let worker = WorkerId::from_index(index);
            world.feed(Input::Spawned { worker, incarnation: FIRST, pid: 1 });
            world.feed(Input::Hello { worker, incarnation: FIRST });
        }
        world
    }

    fn feed(&mut self, input: Input) {
        self.now.0 += 100;
        self.core.handle(input, self.now);
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Demand { items } => self.demand = items,
                Action::Dispatch { worker, batch, .. } => self.sent.push_back((worker, batch)),
                _ => {}
            }
        }
    }

    fn deliver(&mut self, count: u64, priority: i64) {
        self.demand -= count;
        self.arrived += count;
        self.feed(Input::BatchArrived { first: ItemId(self.arrived - count), count: count as u32, priority });
    }

    /// The oldest batch is done, at `item_ns` an item.
    fn answer(&mut self, item_ns: u64) {
        while self.demand >= DELIVERY {
            self.deliver(DELIVERY, 0);
        }
        if let Some((worker, Batch { first, count, attempt })) = self.sent.pop_front() {
            let busy_ns = item_ns * u64::from(count);
            self.feed(Input::Settled { worker, incarnation: FIRST, first, count, attempt, busy_ns });
        }
    }
}

/// One answer: settled, committed, and the next batch dispatched. The argument is the most items in a message.
#[divan::bench(args = [1, 64, u32::MAX])]
fn step(bencher: Bencher<'_, '_>, batch_max: u32) {
    let mut world = World::new(Policy { batch_max, ..policy() });
    // Until the automatic credit has settled.
    for _ in 0..10_000 {
        world.answer(60);
    }
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| world.answer(60));
}

/// The same with results committed in the order of the items.
#[divan::bench]
fn step_in_order(bencher: Bencher<'_, '_>) {
    let mut world = World::new(Policy { keep_order: true, ..policy() });
    for _ in 0..10_000 {
        world.answer(60);
    }
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| world.answer(60));
}

/// A thousand items wait, and for each one answered another one arrives, a batch of its own.
#[divan::bench(args = [QueueOrder::Fifo, QueueOrder::Lifo, QueueOrder::Priority])]
fn queue(bencher: Bencher<'_, '_>, queue_order: QueueOrder) {
    let mut world = World::new(Policy { queue_order, queue_items_max: 1000, ..policy() });
    let mut one = move || {
        while world.demand > 0 {
            let priority = (world.arrived.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as i64;
            world.deliver(1, priority);
        }
        world.feed(Input::SourceIdle);
        world.answer(1_000_000);
    };
    for _ in 0..1000 {
        one();
    }
    bencher.counter(ItemsCount::new(1u32)).bench_local(one);
}
