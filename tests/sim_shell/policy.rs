//! Policies, drawn over everything that the shell has to carry out.

use crate::choice::Rng;
use supervisor::model::chaos::ChaosPlan;
use supervisor::model::exit_rule::{ExitMatch, ExitRule};
use supervisor::model::ids::ItemId;
use supervisor::model::signal::Signal;
use supervisor::model::spec::{
    Backoff, Blame, Credit, Halt, HaltOn, Intensity, Policy, QueueOrder, RestartStrategy, RestartType, TermStep,
    Threshold, WorkerContract,
};
use supervisor::model::time::Duration;

const MS: u64 = 1_000_000;

/// `commands`: a process for each item. `hello`, `page`: of resident workers.
pub fn draw(rng: &mut Rng, commands: bool, hello: bool, page: bool) -> Policy {
    let credit = if rng.per_mille(400) { Credit::Auto } else { Credit::Items(rng.between(1, 6) as u32) };
    let blame = if page { Blame::ProgressPage } else { Blame::OldestHeld };
    let worker =
        if commands { WorkerContract::per_item() } else { WorkerContract { hello, credit, blame, in_order: true } };
    let queue_order = match rng.below(10) {
        0 => QueueOrder::Lifo,
        1 => QueueOrder::Priority,
        _ => QueueOrder::Fifo,
    };
    let restart = if rng.per_mille(800) { RestartType::Permanent } else { rng.pick(&RestartType::ALL) };
    let strategy = if rng.per_mille(800) { RestartStrategy::OneForOne } else { rng.pick(&RestartStrategy::ALL) };
    let backoff_min = rng.pick(&[0, MS, 100 * MS]);
    let policy = Policy {
        workers: rng.between(1, 4) as u32,
        worker,
        first_item: ItemId(rng.pick(&[0, 0, 7])),
        queue_order,
        queue_items_max: rng.pick(&[1, 2, 5, 16, 1_000]),
        batch_max: rng.pick(&[1, 2, 5, u32::MAX]),
        keep_order: rng.per_mille(450),
        start_together: rng.per_mille(100),
        retries: rng.pick(&[0, 0, 1, 3]),
        hinted_retries: rng.pick(&[0, 2]),
        exit_rules: if commands { draw_exit_rules(rng) } else { Vec::new() },
        crash_limit: rng.pick(&[1, 2, 3]),
        kill_limit: rng.pick(&[None, Some(1), Some(2)]),
        retry_delay: Duration(rng.pick(&[0, 0, MS, 50 * MS])),
        dead_max: rng.per_mille(100).then(|| rng.between(1, 4) as u32),
        timeout: rng.per_mille(300).then(|| Duration(rng.pick(&[5 * MS, 50 * MS, 400 * MS]))),
        timeout_percent: None,
        start_delay: rng.per_mille(150).then(|| Duration(rng.pick(&[MS, 20 * MS])).into()),
        hello_timeout: Duration(rng.pick(&[20 * MS, 1_000 * MS])),
        start_exits_max: rng.pick(&[None, Some(1), Some(3)]),
        term_sequence: draw_term_sequence(rng),
        grace: Duration(rng.pick(&[0, 20 * MS, 2_000 * MS])),
        restart,
        strategy,
        intensity: Intensity {
            restarts_max: rng.pick(&[0, 1, 3, 5]),
            period: Duration(rng.pick(&[100 * MS, 10_000 * MS])),
        },
        backoff: Backoff { min: Duration(backoff_min), max: Duration(backoff_min * rng.pick(&[1, 4, 100])) },
        stop_at_abort: rng.per_mille(50),
        halt: rng.per_mille(80).then(|| draw_halt(rng)),
        run_timeout: rng.per_mille(40).then(|| Duration(rng.pick(&[MS, 30 * MS, 500 * MS]))),
        report_starts: rng.per_mille(600),
        explains: false,
        seed: rng.next(),
        in_hand: rng.per_mille(700),
        chaos: None,
    };
    // One in four explains its orders.
    Policy { explains: policy.seed.is_multiple_of(4), chaos: draw_chaos(&policy), ..policy }
}

/// What the run does to its own workers, by a chance of its own. The workers of this world do nothing to their items, so only
/// those without a progress page have slow ones.
fn draw_chaos(policy: &Policy) -> Option<ChaosPlan> {
    let mut rng = Rng::new(policy.seed ^ 0xc4a0_5c4a_05c4_a05c);
    if !rng.per_mille(200) {
        return None;
    }
    let mut parts = vec![format!("kill={}/s", rng.pick(&["0.1", "2", "10"]))];
    if rng.per_mille(500) {
        parts.push(format!("stop={}/s", rng.pick(&["1", "5"])));
    }
    if rng.per_mille(500) {
        parts.push(format!("segv={}/s", rng.pick(&["1", "5"])));
    }
    if rng.per_mille(500) && policy.worker.blame != Blame::ProgressPage {
        parts.push(format!("slow=20%..{}ms", rng.pick(&[1, 50])));
    }
    Some(format!("{},seed={}", parts.join(","), rng.next()).parse().expect("a plan"))
}

/// Rules for the ends that commands come to here.
fn draw_exit_rules(rng: &mut Rng) -> Vec<(ExitMatch, ExitRule)> {
    let ends = [ExitMatch::Code(4), ExitMatch::Signal(Signal::SEGV), ExitMatch::Signal(Signal::KILL)];
    let ends = ends.into_iter().filter(|_| rng.per_mille(400)).collect::<Vec<_>>();
    ends.into_iter().map(|end| (end, rng.pick(&ExitRule::ALL))).collect()
}

fn draw_term_sequence(rng: &mut Rng) -> Vec<TermStep> {
    let mut steps: Vec<TermStep> = (0..rng.below(3))
        .map(|_| TermStep {
            signal: rng.pick(&[Signal::TERM, Signal::INT, Signal::HUP]),
            wait: Duration(rng.pick(&[0, 10 * MS, 200 * MS])),
        })
        .collect();
    steps.push(TermStep { signal: Signal::KILL, wait: Duration(rng.pick(&[0, 25 * MS])) });
    steps
}

fn draw_halt(rng: &mut Rng) -> Halt {
    let percent = rng.pick(&[1, 20, 50, 100]);
    let threshold = match rng.between(0, 3) {
        0 | 1 => Threshold::Items(rng.between(1, 10)),
        2 => Threshold::Percent(percent),
        _ => Threshold::PercentOfAll(percent),
    };
    Halt { on: rng.pick(&[HaltOn::Fail, HaltOn::Success, HaltOn::Done]), threshold, now: rng.per_mille(500) }
}
