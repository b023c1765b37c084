//! What one seed is about: a policy, a number of items, and which faults may happen how often.

use crate::agenda::{CallerRequest, SteerRequest};
use crate::chaos;
use crate::choice::Rng;
use supervisor::model::exit_rule::{ExitMatch, ExitRule};
use supervisor::model::ids::ItemId;
use supervisor::model::signal::Signal;
use supervisor::model::spec::{
    Backoff, Blame, Credit, Halt, HaltOn, Intensity, Policy, QueueOrder, RestartStrategy, RestartType, StartDelay,
    TermStep, Threshold, WorkerContract,
};
use supervisor::model::time::Duration;

/// What may go wrong with a resident worker, or with a process for one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    SpawnFails,
    DiesBeforeHello,
    NoHello,
    BadHello,
    DiesMidItem,
    DiesMidResult,
    DiesAfterResult,
    DiesIdle,
    Hangs,
    ClosesChannel,
    BadFrame,
    WrongItem,
    ForeignPage,
    IgnoresTerm,
    IgnoresEndOfInput,
}

impl Fault {
    pub const ALL: [Self; 15] = [
        Self::SpawnFails,
        Self::DiesBeforeHello,
        Self::NoHello,
        Self::BadHello,
        Self::DiesMidItem,
        Self::DiesMidResult,
        Self::DiesAfterResult,
        Self::DiesIdle,
        Self::Hangs,
        Self::ClosesChannel,
        Self::BadFrame,
        Self::WrongItem,
        Self::ForeignPage,
        Self::IgnoresTerm,
        Self::IgnoresEndOfInput,
    ];
}

/// Chances are per thousand, unless noted otherwise.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub policy: Policy,
    pub items: u64,
    /// The chance that a process is faulty, and which faults it may have.
    pub fault_chance: u32,
    pub faults: Vec<Fault>,
    /// The chance that an item fails its first attempts, kills its worker each time, or never ends.
    pub failing: u32,
    pub poisoned: u32,
    pub hanging: u32,
    pub rejected: u32,
    /// The chance that the next few items were settled by an earlier run.
    pub restored: u32,
    /// The chance that a read takes only a part of what is there.
    pub torn: u32,
    /// The chance that a dying worker's end-of-file is not seen (another process holds the pipe).
    pub held_open: u32,
    /// Per mille of the processes of items whose output is held open after their end.
    pub output_held: u32,
    /// The chance that the source is idle after a delivery; it may then never deliver again.
    pub idle: u32,
    pub source_dies: bool,
    /// The chance that a message of a dead worker arrives after its exit.
    pub late: u32,
    /// Until then each probe finds the shell congested, so that the time counts for no limit.
    pub sink_slow_until: u64,
    /// How long an item takes at most.
    pub item_ns_max: u64,
    /// When these happen to the run, if ever.
    pub signals: Vec<(u64, Signal)>,
    pub scales: Vec<(u64, u32)>,
    pub requests: Vec<(u64, CallerRequest)>,
    pub steers: Vec<(u64, SteerRequest)>,
    pub leaps: Vec<(u64, u64)>,
    /// When no process may be started, for how long, and how many may be from the middle of that time on.
    pub holds: Vec<(u64, u64, u32)>,
    /// When the machine is short, for how long, and how many workers go on then.
    pub shortages: Vec<(u64, u64, u32)>,
    /// When items are given up, and how many are before them.
    pub given_up: Vec<(u64, u64)>,
    /// When somebody asks for a signal to a worker: to which slot, and which.
    pub asked_signals: Vec<(u64, u32, Signal)>,
    pub sink_closed_at: Option<u64>,
    pub sink_lost_at: Option<u64>,
    pub storage_lost_at: Option<u64>,
    pub source_lost_at: Option<u64>,
}

const MS: u64 = 1_000_000;

impl Scenario {
    /// The scenario of a seed.
    pub fn draw(rng: &mut Rng) -> Self {
        let policy = draw_policy(rng);
        // A third of the seeds allow one fault alone, so that no other fault can hide what it does.
        let fault_chance = rng.pick(&[0, 0, 100, 300, 600, 1000]);
        let faults = match rng.below(3) {
            0 => Fault::ALL.to_vec(),
            1 => (0..3).map(|_| rng.pick(&Fault::ALL)).collect(),
            _ => vec![rng.pick(&Fault::ALL)],
        };
        let mut rare = |chance: u32, values: &[u32]| if rng.per_mille(chance) { rng.pick(values) } else { 0 };
        let (failing, poisoned) = (rare(350, &[50, 300, 1000]), rare(350, &[30, 150, 1000]));
        let (hanging, rejected) = (rare(200, &[30, 100]), rare(150, &[50, 300]));
        let (torn, held_open) = (rare(300, &[200, 900]), rare(300, &[500, 1000]));
        let (idle, late) = (rare(300, &[200, 800]), rare(250, &[300, 1000]));
        let items = if rng.per_mille(30) { 0 } else { rng.between(1, 40) };
        let item_ns_max = rng.pick(&[2_000, 200_000, 3 * MS, 40 * MS]);
        let policy = Policy { chaos: chaos::draw(&policy, item_ns_max), ..policy };
        // Late enough to meet a run at work, seldom enough to let most runs end by themselves.
        let span = (items * item_ns_max / u64::from(policy.workers)).max(4 * MS);
        let mut moment = |chance: u32| rng.per_mille(chance).then(|| rng.below(span));
        let (sink_closed_at, sink_lost_at) = (moment(25), moment(25));
        let (storage_lost_at, source_lost_at) = (moment(25), moment(30));
        let source_dies = rng.per_mille(30);
        let signals = draw_signals(rng, span);
        let (scales, requests) = (draw_scales(rng, span), draw_requests(rng, span));
        let restored = if rng.per_mille(250) { rng.pick(&[100, 500, 900]) } else { 0 };
        let leaps = if rng.per_mille(120) {
            vec![(rng.below(span), rng.pick(&[10 * MS, 1_000 * MS, 3_600_000 * MS]))]
        } else {
            vec![]
        };
        let sink_slow_until = if rng.per_mille(150) { rng.pick(&[5 * MS, 60 * MS, 700 * MS]) } else { 0 };
        Self {
            policy,
            items,
            fault_chance,
            faults,
            failing,
            poisoned,
            hanging,
            rejected,
            restored,
            torn,
            held_open,
            output_held: if held_open > 0 { 300 } else { 0 },
            idle,
            source_dies,
            late,
            sink_slow_until,
            item_ns_max,
            signals,
            scales,
            requests,
            steers: draw_steers(rng, span),
            leaps,
            holds: draw_holds(rng, span),
            shortages: draw_shortages(rng, span),
            given_up: draw_given_up(rng, span, items),
            asked_signals: draw_asked_signals(rng, span),
            sink_closed_at,
            sink_lost_at,
            storage_lost_at,
            source_lost_at,
        }
    }

    /// A world without faults, for cases of which every order of events is played.
    pub fn calm(policy: Policy, items: u64) -> Self {
        Self {
            policy,
            items,
            fault_chance: 0,
            faults: vec![],
            failing: 0,
            poisoned: 0,
            hanging: 0,
            rejected: 0,
            restored: 0,
            torn: 0,
            held_open: 1000,
            output_held: 0,
            idle: 0,
            source_dies: false,
            late: 0,
            sink_slow_until: 0,
            item_ns_max: 0,
            signals: vec![],
            scales: vec![],
            requests: vec![],
            steers: vec![],
            leaps: vec![],
            holds: vec![],
            shortages: vec![],
            given_up: vec![],
            asked_signals: vec![],
            sink_closed_at: None,
            sink_lost_at: None,
            storage_lost_at: None,
            source_lost_at: None,
        }
    }
}

fn draw_signals(rng: &mut Rng, span: u64) -> Vec<(u64, Signal)> {
    if !rng.per_mille(200) {
        return vec![];
    }
    let count = rng.pick(&[1, 1, 2, 2, 3, 5]);
    let gap = rng.pick(&[0, MS, 30 * MS, 400 * MS]);
    let mut at = rng.below(span);
    (0..count)
        .map(|_| {
            at += rng.below(gap + 1);
            let signals = [Signal::INT, Signal::INT, Signal::TERM, Signal::TERM, Signal::QUIT, Signal::USR1];
            (at, rng.pick(&signals))
        })
        .collect()
}

/// When callers steer the run. Each pause has an end.
fn draw_steers(rng: &mut Rng, span: u64) -> Vec<(u64, SteerRequest)> {
    let mut steers = vec![];
    let pauses = if rng.per_mille(150) { rng.pick(&[1, 1, 2, 4]) } else { 0 };
    for _ in 0..pauses {
        let (at, length) = (rng.below(span), rng.pick(&[1_000, MS, 30 * MS, 3_000 * MS]));
        steers.extend([(at, SteerRequest::Pause), (at + length, SteerRequest::Continue)]);
    }
    let restarts = if rng.per_mille(200) { rng.pick(&[1, 1, 2, 5]) } else { 0 };
    for _ in 0..restarts {
        let one = SteerRequest::RestartOne(rng.below(6) as usize);
        steers.push((rng.below(span), rng.pick(&[SteerRequest::RestartAll, SteerRequest::RestartAll, one])));
    }
    let others = [SteerRequest::AddWorker, SteerRequest::RemoveWorker, SteerRequest::Continue];
    let count = if rng.per_mille(150) { rng.pick(&[1, 2, 5]) } else { 0 };
    steers.extend((0..count).map(|_| (rng.below(span), rng.pick(&others))));
    steers
}

/// When callers scale the run, and to how many workers.
fn draw_scales(rng: &mut Rng, span: u64) -> Vec<(u64, u32)> {
    let count = if rng.per_mille(250) { rng.pick(&[1, 2, 3, 6]) } else { 0 };
    (0..count).map(|_| (rng.below(span), rng.pick(&[0, 1, 1, 2, 2, 3, 4, 5, 7]))).collect()
}

/// When no process may be started, for how long, and how many may be from the middle of that time on.
fn draw_holds(rng: &mut Rng, span: u64) -> Vec<(u64, u64, u32)> {
    let count = if rng.per_mille(150) { rng.pick(&[1, 1, 2]) } else { 0 };
    (0..count).map(|_| (rng.below(span), rng.pick(&[MS, 30 * MS, 400 * MS]), rng.pick(&[0, 1, 2]))).collect()
}

/// When the machine is short, for how long, and how many workers go on then.
fn draw_shortages(rng: &mut Rng, span: u64) -> Vec<(u64, u64, u32)> {
    let count = if rng.per_mille(200) { rng.pick(&[1, 2, 4]) } else { 0 };
    (0..count).map(|_| (rng.below(span), rng.pick(&[MS, 10 * MS, 200 * MS]), rng.pick(&[0, 1, 1, 2, 3]))).collect()
}

/// When items are given up, and which: some never come.
fn draw_given_up(rng: &mut Rng, span: u64, items: u64) -> Vec<(u64, u64)> {
    let count = if rng.per_mille(200) { rng.pick(&[1, 2, 4, 8]) } else { 0 };
    (0..count).map(|_| (rng.below(span), rng.below(items + 2))).collect()
}

/// When somebody asks for a signal to a worker. Some ask for slots that are not there.
fn draw_asked_signals(rng: &mut Rng, span: u64) -> Vec<(u64, u32, Signal)> {
    let count = if rng.per_mille(150) { rng.pick(&[1, 2, 4, 8]) } else { 0 };
    let signals = [Signal::KILL, Signal::TERM];
    (0..count).map(|_| (rng.below(span), rng.below(6) as u32, rng.pick(&signals))).collect()
}

/// The wait between two starts of processes: always the same, or by chance.
fn draw_start_delay(rng: &mut Rng) -> Option<StartDelay> {
    let min = rng.pick(&[0, MS, 20 * MS]);
    rng.per_mille(200).then(|| StartDelay { min: Duration(min), max: Duration(min + rng.pick(&[0, MS, 10 * MS])) })
}

/// When callers ask for the end of the run.
fn draw_requests(rng: &mut Rng, span: u64) -> Vec<(u64, CallerRequest)> {
    let requests = [CallerRequest::Stop, CallerRequest::Drain, CallerRequest::Terminate, CallerRequest::Kill];
    let count = if rng.per_mille(60) { rng.pick(&[1, 1, 2, 3]) } else { 0 };
    (0..count).map(|_| (rng.below(span), rng.pick(&requests))).collect()
}

/// The contract of the workers: that of our own protocol, of a process per item, or of a foreign program.
fn draw_contract(rng: &mut Rng) -> WorkerContract {
    let credit = if rng.per_mille(500) { Credit::Auto } else { Credit::Items(rng.between(1, 6) as u32) };
    let foreign = |hello, blame, in_order| WorkerContract { hello, credit, blame, in_order };
    match rng.below(20) {
        0..5 => WorkerContract::per_item(),
        5..8 => foreign(false, Blame::OldestHeld, true),
        8 => foreign(true, Blame::OldestHeld, true),
        9 => foreign(false, Blame::ProgressPage, true),
        10 | 11 => foreign(false, Blame::OldestHeld, false),
        12 => foreign(true, Blame::OldestHeld, false),
        _ => WorkerContract::resident(credit),
    }
}

/// A policy drawn over everything that can be chosen.
pub fn draw_policy(rng: &mut Rng) -> Policy {
    let worker = draw_contract(rng);
    let queue_order = match rng.below(10) {
        0 | 1 => QueueOrder::Lifo,
        2 | 3 => QueueOrder::Priority,
        _ => QueueOrder::Fifo,
    };
    let restart = if rng.per_mille(600) { RestartType::Permanent } else { rng.pick(&RestartType::ALL) };
    let strategy = if rng.per_mille(600) { RestartStrategy::OneForOne } else { rng.pick(&RestartStrategy::ALL) };
    let backoff_min = rng.pick(&[0, MS, 100 * MS]);
    let policy = Policy {
        workers: rng.between(1, 5) as u32,
        worker,
        first_item: ItemId(if rng.per_mille(700) { 0 } else { rng.pick(&[1, 7, 1_000, 1 << 40]) }),
        queue_order,
        queue_items_max: rng.pick(&[1, 2, 5, 16, 1_000]),
        batch_max: rng.pick(&[1, 2, 5, u32::MAX]),
        keep_order: rng.per_mille(400),
        start_together: rng.per_mille(200),
        retries: rng.pick(&[0, 0, 1, 3]),
        hinted_retries: rng.pick(&[0, 1, 3]),
        exit_rules: draw_exit_rules(rng, worker),
        crash_limit: rng.pick(&[1, 2, 3]),
        kill_limit: rng.pick(&[None, Some(1), Some(2)]),
        retry_delay: Duration(rng.pick(&[0, 0, MS, 50 * MS])),
        dead_max: rng.per_mille(300).then(|| rng.between(1, 4) as u32),
        timeout: rng.per_mille(400).then(|| Duration(rng.pick(&[5 * MS, 50 * MS, 400 * MS]))),
        timeout_percent: None,
        start_delay: None,
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
        halt: rng.per_mille(150).then(|| draw_halt(rng)),
        run_timeout: rng.per_mille(60).then(|| Duration(rng.pick(&[MS, 30 * MS, 500 * MS]))),
        report_starts: rng.per_mille(600),
        explains: false,
        seed: rng.next(),
        in_hand: rng.per_mille(700),
        chaos: None,
    };
    // One in four explains its orders.
    let explains = policy.seed.is_multiple_of(4);
    Policy {
        explains,
        timeout_percent: draw_timeout_percent(rng, &policy),
        start_delay: draw_start_delay(rng),
        ..policy
    }
}

/// A limit of commands that have none yet: a share of the median.
fn draw_timeout_percent(rng: &mut Rng, policy: &Policy) -> Option<u32> {
    let is_free = policy.worker.starts_with_item() && policy.timeout.is_none();
    (is_free && rng.per_mille(300)).then(|| rng.pick(&[50, 100, 150, 400]))
}

/// Rules for ends that commands come to here; two for one of them, of which the first counts.
fn draw_exit_rules(rng: &mut Rng, worker: WorkerContract) -> Vec<(ExitMatch, ExitRule)> {
    if !worker.starts_with_item() || rng.per_mille(300) {
        return Vec::new();
    }
    let code = rng.between(1, 4) as u8;
    let signal = Signal(rng.pick(&[9, 11, 15]));
    let ends = [ExitMatch::Code(code), ExitMatch::Signal(signal), ExitMatch::Code(3)];
    ends.map(|end| (end, rng.pick(&[ExitRule::Retry, ExitRule::Retry, ExitRule::Fail, ExitRule::Dead, ExitRule::Halt])))
        .into()
}

fn draw_term_sequence(rng: &mut Rng) -> Vec<TermStep> {
    let mut steps: Vec<TermStep> = (0..rng.below(4))
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
