//! What one seed is about: a policy, a number of items, and which faults may happen how often.

use crate::choice::Rng;
use crate::disk::DiskFault;
use crate::policy;
use supervisor::engine::parts::MemoryRules;
use supervisor::model::config::StartRules;
use supervisor::model::item_set::ItemSet;
use supervisor::model::signal::Signal;
use supervisor::model::spec::{Policy, QueueOrder};
use supervisor::model::time::Duration;

/// Signals that steer a run that goes on, sent by a process.
pub const STEERING: [Signal; 5] = [Signal::HUP, Signal::TTIN, Signal::TTOU, Signal::TSTP, Signal::CONT];

pub const MS: u64 = 1_000_000;

/// What may be wrong with a worker process, or with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    DiesBeforeHello,
    NoHello,
    WrongToken,
    DiesIdle,
    DiesMidItem,
    /// It has finished an item and sent nothing.
    DiesBeforeResult,
    /// A part of a frame is written.
    DiesMidResult,
    DiesAfterResult,
    Hangs,
    ClosesChannel,
    Garbage,
    /// It answers for an item that it does not hold.
    WrongItem,
    /// Its progress page names an item that it does not hold.
    ForeignPage,
    /// It writes a few bytes at a time.
    Dribbles,
    /// It stops for a long time, and goes on.
    Stops,
    IgnoresSignals,
    IgnoresEndOfInput,
    /// A process that it started holds its channel open when it dies.
    HeldOpen,
    /// The supervisor may send it no signal but KILL.
    ChangedUser,
}

impl Fault {
    pub const ALL: [Self; 19] = [
        Self::DiesBeforeHello,
        Self::NoHello,
        Self::WrongToken,
        Self::DiesIdle,
        Self::DiesMidItem,
        Self::DiesBeforeResult,
        Self::DiesMidResult,
        Self::DiesAfterResult,
        Self::Hangs,
        Self::ClosesChannel,
        Self::Garbage,
        Self::WrongItem,
        Self::ForeignPage,
        Self::Dribbles,
        Self::Stops,
        Self::IgnoresSignals,
        Self::IgnoresEndOfInput,
        Self::HeldOpen,
        Self::ChangedUser,
    ];
}

/// How bytes travel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelStyle {
    /// Nothing is reported unless the channel is armed.
    pub busy_polled: bool,
    pub spin: Duration,
    /// It has a staging area: what a worker has finished and not sent is not lost with it.
    pub staging: bool,
    pub to_worker_bytes_max: usize,
    pub from_worker_bytes_max: usize,
}

/// Chances that a call fails or does less than it could, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallFaults {
    pub interrupted: u32,
    pub spurious: u32,
    pub stale_event: u32,
    pub watch: u32,
    pub start_shortage: u32,
    pub open_shortage: u32,
    pub short_read: u32,
    pub short_write: u32,
    pub channel_read: u32,
    pub channel_write: u32,
    pub spool: u32,
    /// The chance that some worker dies during a call, in 100,000.
    pub sudden_death: u32,
}

/// How the items come.
#[derive(Clone, Copy, Debug)]
pub struct SourcePlan {
    /// It has a descriptor; else it is always ready.
    pub pollable: bool,
    /// Items that come at once, and the time to the next ones.
    pub burst: u64,
    pub gap_ns: u64,
    /// After this many items it breaks, or never delivers again.
    pub breaks_at: Option<u64>,
    pub stalls_at: Option<u64>,
}

/// What a stream takes.
#[derive(Clone, Copy, Debug)]
pub struct StreamPlan {
    /// Most bytes of one write, and how long nothing is taken afterwards.
    pub bytes_max: u64,
    pub blocked_ns: u64,
    /// Nothing is taken from this moment on.
    pub stuck_at: Option<u64>,
    /// After this many bytes: no space is left.
    pub full_at: Option<u64>,
}

impl StreamPlan {
    pub const CALM: Self = Self { bytes_max: u64::MAX, blocked_ns: 0, stuck_at: None, full_at: None };
}

/// A durable record, and which of its flushes fail.
#[derive(Clone, Copy, Debug)]
pub struct RecordPlan {
    pub fails_at: Option<u32>,
    pub for_good: bool,
    /// Of the disk that the journal lies on.
    pub fault: Option<DiskFault>,
}

/// Chances in a thousand, unless said otherwise.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub policy: Policy,
    /// A process for each item; else resident workers.
    pub launchers: Option<usize>,
    pub hello: bool,
    pub page: bool,
    /// Workers report the times of their items.
    pub timed: bool,
    pub message_items_max: u32,
    pub gives_way_from: Option<u64>,
    pub channel: ChannelStyle,
    pub items: u64,
    pub item_ns_max: u64,
    /// Most results in one frame.
    pub group_max: usize,
    /// The chance that a process is faulty, and which faults it may have.
    pub fault_chance: u32,
    pub faults: Vec<Fault>,
    /// Starts after which the program cannot be started at all.
    pub program_gone_at: Option<u32>,
    pub failing: u32,
    pub poisoned: u32,
    pub hanging: u32,
    pub rejected: u32,
    /// The chance that a result is not a short line.
    pub odd_results: u32,
    /// The first result is so large that it goes to a file.
    pub huge_result: bool,
    /// Every result has several KiB.
    pub big_results: bool,
    pub calls: CallFaults,
    pub source: SourcePlan,
    pub stdout: StreamPlan,
    pub stdout_closed_at: Option<u64>,
    pub stderr: StreamPlan,
    pub record: Option<RecordPlan>,
    pub reporter_fails_at: Option<u64>,
    pub wants_inputs: bool,
    /// The run is scaled to this many workers before it starts.
    pub scale: Option<u32>,
    pub signals: Vec<(u64, Signal)>,
    pub leaps: Vec<(u64, u64)>,
    /// The longest time until a launcher has its turn.
    pub launcher_ns_max: u64,
    /// A line on stderr with each event.
    pub talkative: bool,
    /// What the machine has to have to spare before a process is started.
    pub start_rules: StartRules,
    /// How little memory may be free while workers are at items.
    pub memory_rules: MemoryRules,
    /// Lines of commands are shown while they run.
    pub early: bool,
    /// The number of workers is searched for, up to this one.
    pub workers_max: Option<u32>,
    /// A bar on the terminal of stderr.
    pub bar: bool,
    /// What an earlier run has finished.
    pub finished: ItemSet,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn draw(rng: &mut Rng) -> Self {
        let launchers = rng.per_mille(250).then(|| rng.between(1, 2) as usize);
        let (hello, page) = (rng.per_mille(700), launchers.is_none() && rng.per_mille(250));
        let policy = policy::draw(rng, launchers.is_some(), hello, page);
        let mut scenario = Self::calm(rng, policy, launchers);
        (scenario.hello, scenario.page) = (hello, page);
        scenario.draw_workers(rng);
        scenario.draw_items(rng);
        scenario.draw_calls(rng);
        scenario.draw_outside(rng);
        if rng.per_mille(200) {
            let (load_max, free_bytes_min) = (rng.pick(&[None, Some(1), Some(3)]), rng.pick(&[None, Some(1000)]));
            scenario.start_rules = StartRules { load_max, free_bytes_min };
        }
        scenario.bar = rng.per_mille(250);
        scenario.workers_max = rng.per_mille(150).then(|| 1 + rng.below(6) as u32);
        if rng.per_mille(200) {
            let (first, chance) = (scenario.policy.first_item, rng.pick(&[100, 500, 900]));
            let ids = (0..scenario.items).filter(|_| rng.per_mille(chance)).map(|item| first.plus(item));
            scenario.finished = ids.collect();
        }
        if rng.per_mille(200) {
            let (hold_below, end_below) = (rng.pick(&[None, Some(1000)]), rng.pick(&[None, Some(500)]));
            scenario.memory_rules = MemoryRules { hold_below, end_below };
        }
        scenario
    }

    /// A scenario without faults.
    pub fn calm(rng: &mut Rng, policy: Policy, launchers: Option<usize>) -> Self {
        Self {
            hello: policy.worker.hello,
            page: false,
            policy,
            launchers,
            timed: false,
            message_items_max: rng.pick(&[1, 3, 1000]),
            gives_way_from: rng.pick(&[None, Some(1), Some(3)]),
            channel: ChannelStyle {
                busy_polled: false,
                spin: Duration::ZERO,
                staging: false,
                to_worker_bytes_max: 1 << 16,
                from_worker_bytes_max: 1 << 16,
            },
            items: rng.between(1, 24),
            item_ns_max: rng.pick(&[2_000, 200_000, 3 * MS, 40 * MS]),
            group_max: 1,
            fault_chance: 0,
            faults: Vec::new(),
            program_gone_at: None,
            failing: 0,
            poisoned: 0,
            hanging: 0,
            rejected: 0,
            odd_results: 0,
            huge_result: false,
            big_results: false,
            calls: CallFaults::default(),
            source: SourcePlan { pollable: true, burst: u64::MAX, gap_ns: 0, breaks_at: None, stalls_at: None },
            stdout: StreamPlan::CALM,
            stdout_closed_at: None,
            stderr: StreamPlan::CALM,
            record: None,
            reporter_fails_at: None,
            wants_inputs: false,
            scale: None,
            signals: Vec::new(),
            leaps: Vec::new(),
            launcher_ns_max: 50_000,
            talkative: false,
            start_rules: StartRules::default(),
            memory_rules: MemoryRules::default(),
            early: launchers.is_some() && rng.per_mille(400),
            bar: false,
            workers_max: None,
            finished: ItemSet::default(),
        }
    }

    fn draw_workers(&mut self, rng: &mut Rng) {
        self.timed = self.launchers.is_none() && rng.per_mille(150);
        let busy_polled = rng.per_mille(300);
        self.channel = ChannelStyle {
            busy_polled,
            spin: Duration(if busy_polled && rng.per_mille(200) { 20_000 } else { 0 }),
            staging: rng.per_mille(250),
            to_worker_bytes_max: rng.pick(&[16, 64, 4096, 1 << 16]),
            from_worker_bytes_max: rng.pick(&[16, 64, 4096, 1 << 16]),
        };
        self.group_max = rng.pick(&[1, 1, 2, 8]);
        // A third of the seeds allow one fault alone, so that no other fault can hide what it does.
        self.fault_chance = rng.pick(&[0, 0, 0, 100, 300, 600, 1000]);
        self.faults = match rng.below(3) {
            0 => Fault::ALL.to_vec(),
            1 => (0..3).map(|_| rng.pick(&Fault::ALL)).collect(),
            _ => vec![rng.pick(&Fault::ALL)],
        };
        self.program_gone_at = rng.per_mille(15).then(|| rng.below(8) as u32);
        self.launcher_ns_max = rng.pick(&[5_000, 50_000, 20 * MS]);
    }

    fn draw_items(&mut self, rng: &mut Rng) {
        let mut rare = |chance: u32, values: &[u32]| if rng.per_mille(chance) { rng.pick(values) } else { 0 };
        self.failing = rare(250, &[50, 300, 1000]);
        self.poisoned = rare(200, &[30, 150, 1000]);
        self.hanging = rare(100, &[30, 100]);
        self.rejected = rare(120, &[50, 300]);
        self.odd_results = rare(300, &[100, 600]);
        if rng.per_mille(30) {
            self.items = 0;
        }
        self.huge_result = rng.per_mille(3);
        if rng.per_mille(8) {
            (self.big_results, self.items) = (true, 260);
            (self.channel.to_worker_bytes_max, self.channel.from_worker_bytes_max) = (1 << 16, 1 << 16);
            // An outbox would write a piece of more than 16 KiB past the fake system.
            (self.group_max, self.item_ns_max) = (1, 2_000);
        }
        if self.huge_result {
            self.channel.from_worker_bytes_max = 1 << 16;
            // A recovered result is in memory, from where an outbox would write it past the fake system.
            self.channel.staging = false;
        }
        self.wants_inputs = rng.per_mille(300);
    }

    fn draw_calls(&mut self, rng: &mut Rng) {
        let mut rare = |chance: u32, values: &[u32]| if rng.per_mille(chance) { rng.pick(values) } else { 0 };
        self.calls = CallFaults {
            interrupted: rare(250, &[20, 300]),
            spurious: rare(250, &[20, 300]),
            stale_event: rare(150, &[100, 500]),
            watch: rare(120, &[20, 150]),
            start_shortage: rare(120, &[50, 400]),
            open_shortage: rare(80, &[50, 400]),
            short_read: rare(350, &[100, 900]),
            short_write: rare(350, &[100, 900]),
            channel_read: rare(60, &[5, 50]),
            channel_write: rare(60, &[5, 50]),
            spool: rare(30, &[20]),
            sudden_death: rare(250, &[30, 300, 2000]),
        };
    }

    fn draw_outside(&mut self, rng: &mut Rng) {
        // Late enough to meet a run at work, seldom enough to let most runs end by themselves.
        let span = (self.items * self.item_ns_max / u64::from(self.policy.workers)).clamp(MS / 2, 400 * MS);
        let items = self.items;
        self.source = SourcePlan {
            pollable: self.policy.queue_order == QueueOrder::Priority || rng.per_mille(700),
            burst: rng.pick(&[1, 3, 10, u64::MAX]),
            gap_ns: rng.pick(&[0, 20_000, 2 * MS]),
            breaks_at: rng.per_mille(40).then(|| rng.below(items + 1)),
            stalls_at: rng.per_mille(40).then(|| rng.below(items + 1)),
        };
        if !self.source.pollable {
            // A file: all items are there at once.
            (self.source.burst, self.source.gap_ns, self.source.stalls_at) = (u64::MAX, 0, None);
        }
        let mut moment = |chance: u32| rng.per_mille(chance).then(|| rng.below(span));
        self.stdout_closed_at = moment(40);
        let (stuck_out, stuck_err, reporter) = (moment(25), moment(25), moment(25));
        self.reporter_fails_at = reporter;
        self.stdout = Self::draw_stream(rng, stuck_out);
        self.stderr = Self::draw_stream(rng, stuck_err);
        if self.big_results {
            self.stdout.blocked_ns = rng.pick(&[0, 20 * MS]);
            self.stdout.bytes_max = 1 << 16;
        }
        if self.huge_result {
            self.stdout.bytes_max = u64::MAX;
        }
        self.talkative = rng.per_mille(400);
        self.record = rng.per_mille(300).then(|| RecordPlan {
            fails_at: rng.per_mille(120).then(|| rng.below(6) as u32),
            for_good: rng.per_mille(500),
            fault: None,
        });
        self.scale = rng.per_mille(80).then(|| rng.between(1, 6) as u32);
        if rng.per_mille(150) {
            let gap = rng.pick(&[0, MS, 30 * MS]);
            let mut at = rng.below(span);
            for _ in 0..rng.pick(&[1, 1, 2, 3]) {
                at += rng.below(gap + 1);
                let signals = [Signal::INT, Signal::INT, Signal::TERM, Signal::QUIT, Signal::USR1];
                self.signals.push((at, rng.pick(&signals)));
            }
        }
        if rng.per_mille(100) {
            self.leaps.push((rng.below(span), rng.pick(&[10 * MS, 1_000 * MS, 3_600_000 * MS])));
        }
        self.draw_steering(&mut Rng::new(self.policy.seed ^ span), span);
    }

    /// By choices of its own, so that all others are as they were without it.
    fn draw_steering(&mut self, rng: &mut Rng, span: u64) {
        let count = if rng.per_mille(200) { rng.pick(&[1, 1, 2, 4]) } else { 0 };
        self.signals.extend((0..count).map(|_| (rng.below(span), rng.pick(&STEERING))));
    }

    fn draw_stream(rng: &mut Rng, stuck_at: Option<u64>) -> StreamPlan {
        let slow = rng.per_mille(250);
        StreamPlan {
            bytes_max: if slow { rng.pick(&[3, 40, 5000]) } else { u64::MAX },
            blocked_ns: if slow { rng.pick(&[1_000, 300_000, 30 * MS]) } else { 0 },
            stuck_at,
            full_at: rng.per_mille(25).then(|| rng.below(200)),
        }
    }
}
