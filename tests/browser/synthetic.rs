//! Runs that never were, the same each time: a small one in which a worker is killed at item 7, and one of any size.

use supervisor::trace::html::page::{FlowPage, PageKind, PageMark, PageParty, PageProcess, PageRun, PageStep};

const WORKERS: u32 = 5;

/// What a page needs, owned.
pub struct Synthetic {
    pub run: PageRun,
    pub processes: Vec<PageProcess>,
    pub steps: Vec<PageStep>,
    pub cut: Option<String>,
}

impl Synthetic {
    pub fn page(&self) -> FlowPage<'_> {
        FlowPage { run: &self.run, processes: &self.processes, steps: &self.steps, cut: self.cut.as_deref() }
    }
}

/// A slot that is at work.
struct Slot {
    process: usize,
    free_at: f64,
}

/// The making of a run: who is free, and chance from a seed.
struct Maker {
    made: Synthetic,
    slots: Vec<Slot>,
    seed: u64,
    pid: u32,
}

/// Five workers, 20 items, one a message; a worker is killed at item 7, which another one then does.
pub fn killed_at_seven() -> Synthetic {
    let mut maker = Maker::new("supervisor --items 20 --workers 5 --delay 20ms --trace run.trace");
    maker.items(0..7, 1, 0.020);
    let died = maker.killed(7, 0.020);
    let mut next = 8;
    while maker.slots[maker.free_slot()].free_at < died {
        maker.handed_out(next, 1, 1, 0.020);
        next += 1;
    }
    maker.handed_out(7, 1, 2, 0.020);
    maker.items(next..20, 1, 0.020);
    maker.finish()
}

/// About `steps` steps: batches of up to 8 items.
pub fn large(steps: usize) -> Synthetic {
    let mut maker = Maker::new("supervisor --items 200000 --workers 5 --output none --trace run.trace");
    let mut item = 0;
    while maker.made.steps.len() + 4 * WORKERS as usize + 3 < steps {
        let count = 1 + maker.chance(8);
        maker.items(item..item + count, count, 40e-6);
        item += count;
    }
    maker.finish()
}

/// A trace that ends before anything happened.
pub fn empty() -> Synthetic {
    let mut made = killed_at_seven();
    made.steps.clear();
    made.processes.clear();
    made.cut = Some("the trace ends before its run".to_owned());
    made
}

/// A run whose every text wants to be markup.
pub fn hostile() -> Synthetic {
    const EVIL: &str = "</script><img src=x onerror=document.title='owned'><!--<script>\u{2028}\u{202e}\"'&amp;\0\\";
    let mut made = killed_at_seven();
    made.cut = Some(format!("the trace is torn at byte 4096 {EVIL}"));
    for text in [&mut made.run.command, &mut made.run.id, &mut made.run.started, &mut made.run.version] {
        text.push_str(EVIL);
    }
    for step in &mut made.steps {
        step.label.push_str(EVIL);
        step.because = Some(EVIL.to_owned());
    }
    for row in &mut made.processes {
        row.reason.push_str(EVIL);
        row.exit = row.exit.take().map(|exit| exit + EVIL);
    }
    made
}

impl Maker {
    fn new(command: &str) -> Self {
        let run = PageRun {
            version: "0.1.0".to_owned(),
            id: "6f1c09d2".to_owned(),
            command: command.to_owned(),
            started: "2026-11-27T09:12:03+01:00".to_owned(),
            transport: "pipe".to_owned(),
            protocol: "frames".to_owned(),
            workers: WORKERS,
        };
        let made = Synthetic { run, processes: Vec::new(), steps: Vec::new(), cut: None };
        let mut maker = Self { made, slots: Vec::new(), seed: 7, pid: 4120 };
        for worker in 1..=WORKERS {
            let process = maker.started(worker, 1, f64::from(worker) * 300e-6);
            let free_at = maker.made.processes[process].ready.unwrap();
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

    fn step(&mut self, t: f64, kind: PageKind, from: PageParty, to: PageParty, label: String) -> &mut PageStep {
        self.made.steps.push(PageStep {
            t,
            kind,
            mark: PageMark::Plain,
            is_main: true,
            from,
            to,
            worker: None,
            incarnation: None,
            pid: None,
            item: None,
            count: None,
            attempt: None,
            bytes: None,
            label,
            because: None,
            queued: None,
            sent: None,
            received: None,
            began: None,
            finished: None,
        });
        self.made.steps.last_mut().unwrap()
    }

    /// A step of a process, at its worker.
    fn of_process(&mut self, process: usize, t: f64, mark: PageMark, label: String) -> &mut PageStep {
        let PageProcess { worker, incarnation, pid, .. } = self.made.processes[process];
        // As a trace tells it: the supervisor starts a process, and hears of it from then on.
        let (here, there) = (PageParty::Supervisor, PageParty::Worker(worker));
        let (from, to) = if mark == PageMark::Started { (here, there) } else { (there, here) };
        let step = self.step(t, PageKind::Process, from, to, label);
        (step.mark, step.worker, step.incarnation, step.pid) = (mark, Some(worker), Some(incarnation), Some(pid));
        step
    }

    fn started(&mut self, worker: u32, incarnation: u32, spawned: f64) -> usize {
        self.pid += 1;
        let ready = spawned + self.jitter(1.5e-3);
        let process = self.made.processes.len();
        self.made.processes.push(PageProcess {
            worker,
            incarnation,
            pid: self.pid,
            spawned: Some(spawned),
            ready: Some(ready),
            ended: None,
            exit: None,
            reason: String::new(),
            items: 0,
            user_us: 400,
            system_us: 900,
            rss_max_kib: 3400 + u64::from(worker) * 12,
        });
        let what = if incarnation > 1 { "restarted" } else { "started" };
        self.of_process(process, spawned, PageMark::Started, format!("{what} as pid {}", self.pid));
        self.of_process(process, ready, PageMark::Ready, "is ready".to_owned());
        process
    }

    /// Hands the items out in batches of `count`, each to the worker that is free first.
    fn items(&mut self, items: std::ops::Range<u64>, count: u64, work: f64) {
        for item in items.step_by(usize::try_from(count).unwrap()) {
            self.handed_out(item, count, 1, work);
        }
    }

    fn free_slot(&self) -> usize {
        let order = |slot: &&Slot, other: &&Slot| slot.free_at.total_cmp(&other.free_at);
        let first = self.slots.iter().min_by(order).unwrap();
        self.slots.iter().position(|slot| slot.process == first.process).unwrap()
    }

    /// One batch: handed out, worked on, answered, written.
    fn handed_out(&mut self, item: u64, count: u64, attempt: u32, work: f64) {
        let slot = self.free_slot();
        let process = self.slots[slot].process;
        let (began, took) = self.dispatch(slot, item, count, attempt);
        let finished = began + self.jitter(work * count as f64);
        let dispatch = self.made.steps.last_mut().unwrap();
        dispatch.finished = Some(finished);
        let PageProcess { worker, incarnation, pid, .. } = self.made.processes[process];
        let sent = finished + self.jitter(10e-6);
        let received = sent + took;
        let label =
            if count == 1 { format!("result {} of item {item}", item * item) } else { format!("{count} results") };
        let step = self.step(finished, PageKind::Frame, PageParty::Worker(worker), PageParty::Supervisor, label);
        (step.worker, step.incarnation, step.pid) = (Some(worker), Some(incarnation), Some(pid));
        (step.item, step.count, step.attempt, step.bytes) = (Some(item), Some(count), Some(attempt), Some(24 * count));
        (step.sent, step.received) = (Some(sent), Some(received));
        let label =
            if count == 1 { format!("item {item} done") } else { format!("items {item} to {} done", item + count - 1) };
        let step = self.step(received + 10e-6, PageKind::Output, PageParty::Supervisor, PageParty::Output, label);
        (step.item, step.count, step.bytes) = (Some(item), Some(count), Some(5 * count));
        self.made.processes[process].items += count;
        self.made.processes[process].user_us += 130 * count;
        self.slots[slot].free_at = received + 30e-6;
    }

    /// The frame that takes a batch to a worker, and the order before it. Returns when work began, and how long a
    /// frame is on its way.
    fn dispatch(&mut self, slot: usize, item: u64, count: u64, attempt: u32) -> (f64, f64) {
        let Slot { process, free_at } = self.slots[slot];
        let PageProcess { worker, incarnation, pid, .. } = self.made.processes[process];
        let (waited, took, until_work) = (self.jitter(15e-6), self.jitter(40e-6), self.jitter(8e-6));
        let sent = free_at + waited;
        let began = sent + took + until_work;
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        let items = if count > 1 { format!("items {item} to {}", item + count - 1) } else { format!("item {item}") };
        let step = self.step(
            free_at,
            PageKind::Frame,
            PageParty::Supervisor,
            PageParty::Worker(worker),
            format!("{items}{again}"),
        );
        (step.worker, step.incarnation, step.pid) = (Some(worker), Some(incarnation), Some(pid));
        (step.item, step.count, step.attempt, step.bytes) = (Some(item), Some(count), Some(attempt), Some(32 * count));
        (step.queued, step.sent, step.received, step.began) =
            (Some(free_at), Some(sent), Some(sent + took), Some(began));
        (began, took)
    }

    /// The worker that gets this item is killed over it, from outside, and replaced. Returns when that was.
    fn killed(&mut self, item: u64, work: f64) -> f64 {
        let slot = self.free_slot();
        let process = self.slots[slot].process;
        let (began, _) = self.dispatch(slot, item, 1, 1);
        let died = began + work / 2.0;
        let PageProcess { worker, incarnation, pid, .. } = self.made.processes[process];
        let label = "KILL".to_owned();
        let step = self.step(died - 50e-6, PageKind::Signal, PageParty::Outside, PageParty::Worker(worker), label);
        (step.worker, step.incarnation, step.pid) = (Some(worker), Some(incarnation), Some(pid));
        let label = format!("signal 9 (KILL) at item {item}, which is tried again, attempt 2");
        self.of_process(process, died, PageMark::Died, label).item = Some(item);
        let fact = self.step(
            died + 20e-6,
            PageKind::Fact,
            PageParty::Supervisor,
            PageParty::Supervisor,
            format!("worker {worker} ended, item {item} is charged"),
        );
        (fact.worker, fact.item, fact.is_main) = (Some(worker), Some(item), false);
        let order = self.step(
            died + 30e-6,
            PageKind::Order,
            PageParty::Supervisor,
            PageParty::Supervisor,
            format!("retry item {item}, restart worker {worker}"),
        );
        (order.worker, order.item) = (Some(worker), Some(item));
        order.because = Some(format!("worker {worker} died while at item {item}"));
        let row = &mut self.made.processes[process];
        (row.ended, row.exit) = (Some(died), Some("signal 9 (KILL)".to_owned()));
        row.reason = format!("while at item {item}");
        let process = self.started(worker, incarnation + 1, died + 5e-3);
        let free_at = self.made.processes[process].ready.unwrap();
        self.slots[slot] = Slot { process, free_at };
        died
    }

    /// All workers end, and the steps are put into order.
    fn finish(mut self) -> Synthetic {
        let mut t = self.slots.iter().map(|slot| slot.free_at).fold(0.0, f64::max) + 200e-6;
        let step = self.step(t, PageKind::Fact, PageParty::Source, PageParty::Supervisor, "no more items".to_owned());
        step.kind = PageKind::Fact;
        for slot in 0..self.slots.len() {
            t += 150e-6;
            let process = self.slots[slot].process;
            self.of_process(process, t, PageMark::Ended, "exit 0".to_owned());
            let row = &mut self.made.processes[process];
            (row.ended, row.exit) = (Some(t), Some("exit 0".to_owned()));
        }
        self.step(
            t + 100e-6,
            PageKind::Order,
            PageParty::Supervisor,
            PageParty::Supervisor,
            "finish: all items done".to_owned(),
        );
        self.made.steps.sort_by(|a, b| a.t.total_cmp(&b.t));
        self.made
    }
}
