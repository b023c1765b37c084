//! Runs that never were, the same each time: a small one in which a worker is killed at item 7, and one of any size.

use supervisor::Config;
use supervisor::model::exit::{ExitStatus, Usage};
use supervisor::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::signal::Signal;
use supervisor::model::time::Instant;
use supervisor::trace::history::{History, HistoryBuilder, ProcessLife};
use supervisor::trace::record::TraceHeader;
use supervisor::trace::step::{FrameLife, Party, Step, StepKind, Topic};

const WORKERS: u32 = 5;

/// A slot that is at work.
struct Slot {
    process: usize,
    free_at: f64,
}

/// The making of a run: who is free, and chance from a seed.
struct Maker {
    made: History,
    slots: Vec<Slot>,
    seed: u64,
    pid: u32,
}

/// Five workers, 20 items, one a message; a worker is killed at item 7, which another one then does.
pub fn killed_at_seven() -> History {
    let mut maker = Maker::new("supervisor --items 20 --workers 5 --delay 20ms --trace run.trace");
    maker.items(0..7, 0.020);
    let died = maker.killed(7, 0.020);
    let mut next = 8;
    while maker.slots[maker.free_slot()].free_at < died {
        maker.handed_out(next, 1, 1, 0.020);
        next += 1;
    }
    maker.handed_out(7, 1, 2, 0.020);
    maker.items(next..20, 0.020);
    maker.finish()
}

/// About `steps` steps: batches of up to 8 items.
pub fn large(steps: usize) -> History {
    let mut maker = Maker::new("supervisor --items 200000 --workers 5 --output none --trace run.trace");
    let mut item = 0;
    while maker.made.steps.len() + 4 * WORKERS as usize + 3 < steps {
        let count = 1 + u32::try_from(maker.chance(8)).unwrap();
        maker.handed_out(item, count, 1, 40e-6);
        item += u64::from(count);
    }
    maker.finish()
}

/// A trace that ends before anything happened.
pub fn empty() -> History {
    let mut made = killed_at_seven();
    made.steps.clear();
    made.processes.clear();
    made.cut = Some("the trace ends before its run".to_owned());
    made
}

/// A run whose every text wants to be markup.
pub fn hostile() -> History {
    const EVIL: &str = "</script><img src=x onerror=document.title='owned'><!--<script>\u{2028}\u{202e}\"'&amp;\0\\";
    let mut made = killed_at_seven();
    made.cut = Some(format!("the trace is torn at byte 4096 {EVIL}"));
    let header = &mut made.header;
    let texts = [&mut header.command_line, &mut header.workers_run, &mut header.run_id, &mut header.program_version];
    texts.into_iter().for_each(|text| text.push_str(EVIL));
    header.transport.as_mut().unwrap().push_str(EVIL);
    for step in &mut made.steps {
        step.label.push_str(EVIL);
        step.because = Some(EVIL.to_owned());
    }
    for life in &mut made.processes {
        life.exit = life.exit.take().map(|exit| exit + EVIL);
    }
    made
}

/// A time in seconds since the start.
fn at(seconds: f64) -> Instant {
    Instant((seconds * 1e9).max(0.0).round() as u64)
}

/// `attempt` 0: it is not known.
const fn batch(first: u64, count: u32, attempt: u32) -> Batch {
    Batch { first: ItemId(first), count, attempt: Attempt(attempt) }
}

fn phrase(item: u64, count: u32) -> String {
    if count > 1 { format!("items {item} to {}", item + u64::from(count) - 1) } else { format!("item {item}") }
}

impl Maker {
    fn new(command: &str) -> Self {
        let header = TraceHeader {
            program_version: "0.1.0".to_owned(),
            run_id: "6f1c09d2".to_owned(),
            started_unix_ns: 1_795_767_123_000_000_000,
            pid: 4120,
            command_line: command.to_owned(),
            workers_run: "the built-in worker, task square".to_owned(),
            transport: Some("pipe".to_owned()),
            traces_items: true,
            common_fds: Vec::new(),
            policy: Config::builder().generate(20).workers(WORKERS).build().unwrap().policy,
        };
        let made = HistoryBuilder::new(header).finish();
        let mut maker = Self { made, slots: Vec::new(), seed: 7, pid: 4120 };
        for worker in 1..=WORKERS {
            let spawned = f64::from(worker) * 300e-6;
            let process = maker.started(WorkerId::try_from(worker).unwrap(), Incarnation(1), spawned);
            let free_at = maker.made.processes[process].ready.unwrap().as_secs_f64();
            maker.slots.push(Slot { process, free_at });
        }
        maker
    }

    /// A number below `end`, the same in each execution (a linear congruential generator).
    fn chance(&mut self, end: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % end
    }

    /// A short time that differs, in seconds.
    fn jitter(&mut self, about: f64) -> f64 {
        about * (0.4 + self.chance(1000) as f64 / 800.0)
    }

    fn step(&mut self, t: f64, kind: StepKind, [from, to]: [Party; 2], label: String) -> &mut Step {
        self.made.steps.push(Step { from, to, ..Step::new(at(t), kind, label) });
        self.made.steps.last_mut().unwrap()
    }

    /// A step about a process.
    fn step_of(&mut self, process: usize, t: f64, kind: StepKind, ends: [Party; 2], label: String) -> &mut Step {
        let ProcessLife { worker, incarnation, pid, .. } = self.made.processes[process];
        let step = self.step(t, kind, ends, label);
        (step.worker, step.incarnation, step.pid) = (Some(worker), Some(incarnation), Some(pid));
        step
    }

    /// A step of a process, at its worker.
    fn of_process(&mut self, process: usize, t: f64, topic: Topic, label: String) -> &mut Step {
        let worker = Party::Worker(self.made.processes[process].worker);
        // As a trace tells it: the supervisor starts a process, and hears of it from then on.
        let ends = if topic == Topic::Spawned { [Party::Supervisor, worker] } else { [worker, Party::Supervisor] };
        let step = self.step_of(process, t, StepKind::Process, ends, label);
        step.topic = topic;
        step
    }

    fn started(&mut self, worker: WorkerId, incarnation: Incarnation, spawned: f64) -> usize {
        self.pid += 1;
        let ready = spawned + self.jitter(1.5e-3);
        let process = self.made.processes.len();
        let rss_max_kib = 3400 + u64::from(worker.number()) * 12;
        self.made.processes.push(ProcessLife {
            worker,
            incarnation,
            pid: self.pid,
            ordered: Some(at(spawned - 200e-6)),
            spawned: at(spawned),
            ready: Some(at(ready)),
            ended: None,
            exit: None,
            items: 0,
            usage: Usage { user_us: 400, system_us: 900, rss_max_kib, ..Usage::default() },
        });
        let what = if incarnation > Incarnation(1) { "restarted" } else { "started" };
        self.of_process(process, spawned, Topic::Spawned, format!("{what} as pid {}", self.pid));
        self.of_process(process, ready, Topic::Ready, "is ready".to_owned());
        process
    }

    /// Hands the items out, one a message, each to the worker that is free first.
    fn items(&mut self, items: std::ops::Range<u64>, work: f64) {
        for item in items {
            self.handed_out(item, 1, 1, work);
        }
    }

    fn free_slot(&self) -> usize {
        let order = |slot: &&Slot, other: &&Slot| slot.free_at.total_cmp(&other.free_at);
        let first = self.slots.iter().min_by(order).unwrap();
        self.slots.iter().position(|slot| slot.process == first.process).unwrap()
    }

    /// One batch: handed out, worked on, answered, written.
    fn handed_out(&mut self, item: u64, count: u32, attempt: u32, work: f64) {
        let slot = self.free_slot();
        let process = self.slots[slot].process;
        let (began, took) = self.dispatch(slot, item, count, attempt);
        let finished = began + self.jitter(work * f64::from(count));
        let dispatch = self.made.steps.last_mut().unwrap();
        dispatch.life.as_mut().unwrap().finished = Some(at(finished));
        let ends = [Party::Worker(self.made.processes[process].worker), Party::Supervisor];
        let sent = finished + self.jitter(10e-6);
        let received = sent + took;
        let label =
            if count == 1 { format!("result {} of item {item}", item * item) } else { format!("{count} results") };
        let step = self.step_of(process, finished, StepKind::Frame, ends, label);
        (step.batch, step.bytes) = (Some(batch(item, count, attempt)), Some(24 * u64::from(count)));
        step.life = Some(FrameLife { sent: Some(at(sent)), received: Some(at(received)), ..FrameLife::default() });
        let label = format!("{} done", phrase(item, count));
        let step = self.step(received + 10e-6, StepKind::Output, [Party::Supervisor, Party::Output], label);
        (step.batch, step.bytes) = (Some(batch(item, count, 0)), Some(5 * u64::from(count)));
        let life = &mut self.made.processes[process];
        life.items += u64::from(count);
        life.usage.user_us += 130 * u64::from(count);
        self.slots[slot].free_at = received + 30e-6;
    }

    /// The frame that takes a batch to a worker, and the order before it. Returns when work began, and how long a
    /// frame is on its way.
    fn dispatch(&mut self, slot: usize, item: u64, count: u32, attempt: u32) -> (f64, f64) {
        let Slot { process, free_at } = self.slots[slot];
        let ends = [Party::Supervisor, Party::Worker(self.made.processes[process].worker)];
        let (waited, took, until_work) = (self.jitter(15e-6), self.jitter(40e-6), self.jitter(8e-6));
        let sent = free_at + waited;
        let began = sent + took + until_work;
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        let items = phrase(item, count);
        let step = self.step_of(process, free_at, StepKind::Frame, ends, format!("{items}{again}"));
        (step.batch, step.bytes) = (Some(batch(item, count, attempt)), Some(32 * u64::from(count)));
        step.life = Some(FrameLife {
            queued: Some(at(free_at)),
            sent: Some(at(sent)),
            received: Some(at(sent + took)),
            began: Some(at(began)),
            ..FrameLife::default()
        });
        (began, took)
    }

    /// The worker that gets this item is killed over it, from outside, and replaced. Returns when that was.
    fn killed(&mut self, item: u64, work: f64) -> f64 {
        let slot = self.free_slot();
        let process = self.slots[slot].process;
        let (began, _) = self.dispatch(slot, item, 1, 1);
        let died = began + work / 2.0;
        let ProcessLife { worker, incarnation, .. } = self.made.processes[process];
        let ends = [Party::Outside, Party::Worker(worker)];
        self.step_of(process, died - 50e-6, StepKind::Signal, ends, "KILL".to_owned());
        let label = format!("signal 9 (KILL) at item {item}, which is tried again, attempt 2");
        let topic = Topic::Exited(ExitStatus::Signal { signal: Signal::KILL, core_dumped: false });
        let step = self.of_process(process, died, topic, label);
        (step.batch, step.is_bad) = (Some(batch(item, 1, 0)), true);
        let own = [Party::Supervisor; 2];
        let label = format!("worker {worker} ended, item {item} is charged");
        let fact = self.step(died + 20e-6, StepKind::Fact, own, label);
        (fact.worker, fact.batch, fact.is_main) = (Some(worker), Some(batch(item, 1, 0)), false);
        let label = format!("retry item {item}, restart worker {worker}");
        let order = self.step(died + 30e-6, StepKind::Order, own, label);
        (order.worker, order.batch) = (Some(worker), Some(batch(item, 1, 0)));
        order.because = Some(format!("worker {worker} died while at item {item}"));
        let life = &mut self.made.processes[process];
        (life.ended, life.exit) = (Some(at(died)), Some("signal 9 (KILL)".to_owned()));
        let process = self.started(worker, Incarnation(incarnation.0 + 1), died + 5e-3);
        let free_at = self.made.processes[process].ready.unwrap().as_secs_f64();
        self.slots[slot] = Slot { process, free_at };
        died
    }

    /// All workers end, and the steps are put into order.
    fn finish(mut self) -> History {
        let mut t = self.slots.iter().map(|slot| slot.free_at).fold(0.0, f64::max) + 200e-6;
        self.step(t, StepKind::Fact, [Party::Source, Party::Supervisor], "no more items".to_owned());
        for slot in 0..self.slots.len() {
            t += 150e-6;
            let process = self.slots[slot].process;
            self.of_process(process, t, Topic::Exited(ExitStatus::Code(0)), "exit 0".to_owned());
            let life = &mut self.made.processes[process];
            (life.ended, life.exit) = (Some(at(t)), Some("exit 0".to_owned()));
        }
        let label = "finish: all items done".to_owned();
        self.step(t + 100e-6, StepKind::Order, [Party::Supervisor; 2], label);
        self.made.steps.sort_by_key(|step| step.at);
        self.made
    }
}
