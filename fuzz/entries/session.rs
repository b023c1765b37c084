use super::Bytes;
use std::collections::{BTreeMap, VecDeque};
use supervisor::core::Core;
use supervisor::core::action::Action;
use supervisor::core::input::Input;
use supervisor::model::exit::{ExitStatus, Usage};
use supervisor::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::outcome::{FailReason, Outcome, RetryHint, RunOutcome, Settlement};
use supervisor::model::signal::Signal;
use supervisor::model::spec::{
    Backoff, Credit, Intensity, Policy, ProtocolKind, QueueOrder, RestartStrategy, RestartType, TermStep,
    WorkerContract,
};
use supervisor::model::time::{Duration, Instant};
use supervisor::protocol::{Protocol, Received, SessionConfig};
use supervisor::wire::message::{FromWorker, PROTOCOL_VERSION};
use supervisor::wire::{append, times};

const ITEMS: u64 = 40;
const TOKEN: [u8; 16] = [7; 16];
const SESSION: SessionConfig =
    SessionConfig { token: Some(TOKEN), waits_until_ready: false, delimiter: b'\n', message_items_max: u32::MAX };
/// A run that has not ended after this many facts never will.
const FACTS_MAX: usize = 20_000;

/// `data` is what the worker in the first slot sends, over all its incarnations. The first byte selects how:
/// the rest are raw bytes, or each eight of them become a message. The worker in the second slot is honest,
/// and so is the first one once the bytes are used up.
///
/// In any case the run ends, each item has one outcome, and this is the outcome of the worker to which the
/// item was dispatched.
pub fn session(data: &[u8]) {
    let mut data = Bytes(data);
    let way = data.byte();
    let mut shell = Shell::new(way);
    shell.tell(Input::Start);
    if way & 1 == 0 {
        shell.hear_all(data.0, usize::from(data.byte()) + 1);
    } else {
        let mut frame = Vec::new();
        while !data.is_empty() {
            let torn = message(&mut data, &mut frame);
            shell.hear_all(&frame[..frame.len() - torn], frame.len());
        }
    }
    shell.be_honest();
}

/// Makes a message of eight bytes, valid or nearly so; returns how many bytes to cut off at its end.
fn message(data: &mut Bytes<'_>, frame: &mut Vec<u8>) -> usize {
    let [what, first, count, attempt, newlines, bytes, torn, odd] = std::array::from_fn(|_| data.byte());
    let timed = what & 0x40 != 0;
    let (first, count, attempt) = match odd {
        0..200 => (u64::from(first % 48), u32::from(count % 8), u32::from(attempt % 4)),
        200..230 => (u64::MAX - u64::from(first), u32::MAX - u32::from(count), u32::MAX - u32::from(attempt)),
        _ => (u64::from(first) << 56, u32::from(count) << 24, u32::from(attempt)),
    };
    let mut body = Vec::new();
    if timed {
        let pair = times::Pair { started_ns: u64::from(first as u8), runtime_ns: u64::MAX };
        (0..u32::from(bytes % 9)).for_each(|_| times::push(pair, &mut body));
    }
    (0..newlines % 9).for_each(|_| body.extend_from_slice(b"4\n"));
    frame.clear();
    let message = match what % 8 {
        0 | 1 => {
            body.truncate(usize::from(what & 0x80));
            FromWorker::Hello { protocol: PROTOCOL_VERSION + u16::from(odd > 250), pid: 1, token: TOKEN }
        }
        2 => FromWorker::Failed { item: first, attempt, panicked: what & 0x20 != 0, timed },
        _ => FromWorker::Done { first, count, attempt, busy_ns: u64::from(bytes) << (bytes % 64), timed },
    };
    append(&message, &body, frame).unwrap();
    if torn < 200 { 0 } else { usize::from(torn - 200).min(frame.len()) }
}

/// What is known of a process.
struct Process {
    incarnation: Incarnation,
    greeted: bool,
    protocol: Protocol,
    /// Batches that were dispatched to it and are not answered.
    held: VecDeque<Batch>,
    /// It was asked to leave once it has answered.
    leaving: bool,
}

struct Shell {
    core: Core,
    now: Instant,
    processes: [Option<Process>; 2],
    arrived: u64,
    demand: u64,
    ended: bool,
    /// By item: the worker to which it was dispatched last.
    holders: BTreeMap<u64, WorkerId>,
    settled: BTreeMap<u64, Outcome>,
    facts: usize,
    finished: Option<RunOutcome>,
}

impl Shell {
    fn new(way: u8) -> Self {
        let policy = Policy {
            workers: 2,
            worker: WorkerContract::resident(if way & 4 == 0 { Credit::Auto } else { Credit::Items(5) }),
            first_item: ItemId(0),
            queue_order: if way & 2 == 0 { QueueOrder::Fifo } else { QueueOrder::Lifo },
            queue_items_max: 20,
            batch_max: if way & 8 == 0 { u32::MAX } else { 1 },
            keep_order: way & 16 != 0,
            start_together: false,
            retries: 2,
            hinted_retries: 2,
            exit_rules: Vec::new(),
            crash_limit: 3,
            kill_limit: None,
            retry_delay: Duration(0),
            dead_max: None,
            timeout: (way & 32 != 0).then(|| Duration::from_millis(50)),
            timeout_percent: None,
            start_delay: None,
            hello_timeout: Duration::from_millis(100),
            start_exits_max: None,
            term_sequence: vec![TermStep { signal: Signal::KILL, wait: Duration::from_millis(1) }],
            grace: Duration::from_millis(10),
            restart: RestartType::Permanent,
            strategy: if way & 64 == 0 { RestartStrategy::OneForOne } else { RestartStrategy::OneForAll },
            intensity: Intensity { restarts_max: 1_000_000, period: Duration::from_secs(1) },
            backoff: Backoff { min: Duration(0), max: Duration(0) },
            halt: None,
            stop_at_abort: false,
            run_timeout: None,
            report_starts: true,
            explains: true,
            seed: 1,
            in_hand: true,
            chaos: None,
        };
        Self {
            core: Core::new(policy),
            now: Instant(0),
            processes: [None, None],
            arrived: 0,
            demand: 0,
            ended: false,
            holders: BTreeMap::new(),
            settled: BTreeMap::new(),
            facts: 0,
            finished: None,
        }
    }

    fn tell(&mut self, input: Input) {
        let mut facts = VecDeque::from([input]);
        while let Some(fact) = facts.pop_front() {
            self.facts += 1;
            self.core.handle(fact, self.now);
            while let Some(action) = self.core.poll_action() {
                self.carry_out(action, &mut facts);
            }
        }
    }

    fn carry_out(&mut self, action: Action, facts: &mut VecDeque<Input>) {
        assert!(self.finished.is_none(), "{action:?} after the end");
        match action {
            Action::Spawn { worker, incarnation, batch } => {
                assert_eq!(batch, None, "the workers are started ahead of their items");
                let slot = &mut self.processes[worker.index()];
                assert!(slot.is_none(), "the slot is taken");
                let (greeted, held) = (false, VecDeque::new());
                *slot = Some(Process {
                    incarnation,
                    greeted,
                    protocol: Protocol::new(ProtocolKind::Frames, SESSION),
                    held,
                    leaving: false,
                });
                facts.push_back(Input::Spawned { worker, incarnation, pid: 1000 + incarnation.0 });
                if worker.index() == 1 {
                    facts.push_back(Input::Hello { worker, incarnation });
                }
            }
            Action::Dispatch { worker, incarnation, batch } => {
                let process = self.processes[worker.index()].as_mut().expect("a process");
                assert_eq!(process.incarnation, incarnation);
                process.held.push_back(batch);
                (batch.first.0..batch.end().0).for_each(|item| _ = self.holders.insert(item, worker));
            }
            Action::Kill { worker, incarnation, .. } => {
                if let Some(process) =
                    self.processes[worker.index()].take_if(|process| process.incarnation == incarnation)
                {
                    let running = process.held.front().map(|batch| batch.first);
                    let status = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
                    facts.push_back(Input::Exited { worker, incarnation, status, usage: Usage::default(), running });
                }
            }
            Action::CloseInput { worker, .. } | Action::Recall { worker, .. } => {
                self.processes[worker.index()].as_mut().expect("a process").leaving = true;
            }
            Action::Probe { worker, incarnation } => {
                let process = self.processes[worker.index()].as_ref();
                let running = process.and_then(|process| process.held.front()).map(|batch| batch.first);
                facts.push_back(Input::ProbeResult { worker, incarnation, running });
            }
            Action::Settle { settlement, .. } => self.settle(&settlement),
            Action::Demand { items } => self.demand = items,
            Action::CloseSource => self.ended = true,
            Action::Finish(outcome) => self.finished = Some(outcome),
            Action::InHand { .. } | Action::TakeBack { .. } => panic!("{action:?} for workers that stay"),
            Action::Commit { .. } | Action::Report(_) | Action::ShowStatus(_) | Action::Because(_) => {}
        }
    }

    fn settle(&mut self, settlement: &Settlement) {
        for index in 0..u64::from(settlement.count) {
            let item = settlement.first.plus(index).0;
            assert!(item < self.arrived, "item {item} never arrived");
            let before = self.settled.insert(item, settlement.outcome.clone());
            assert_eq!(before, None, "item {item} has two outcomes");
            if settlement.outcome == Outcome::Done {
                assert_eq!(self.holders.get(&item), settlement.worker.as_ref(), "item {item} was another worker's");
            }
        }
    }

    /// The source delivers what is demanded, and the honest worker answers for a batch.
    fn others(&mut self) {
        if self.demand > 0 && self.arrived < ITEMS {
            let count = self.demand.min(ITEMS - self.arrived).min(7);
            let first = ItemId(self.arrived);
            self.arrived += count;
            self.demand -= count;
            self.tell(Input::BatchArrived { first, count: count as u32, priority: 0 });
        } else if !self.ended && self.arrived == ITEMS {
            self.ended = true;
            self.tell(Input::SourceEnded);
        }
        self.answer(1);
    }

    /// An honest answer for the oldest batch that the worker holds, or an honest exit.
    fn answer(&mut self, index: usize) {
        let Some(process) = self.processes[index].as_mut() else { return };
        let (worker, incarnation) = (WorkerId::from_index(index), process.incarnation);
        if let Some(Batch { first, count, attempt }) = process.held.pop_front() {
            self.tell(Input::Settled { worker, incarnation, first, count, attempt, busy_ns: 1_000_000 });
        } else if process.leaving {
            self.exit(index, ExitStatus::Code(0));
        }
    }

    fn exit(&mut self, index: usize, status: ExitStatus) {
        let Some(process) = self.processes[index].take() else { return };
        let (worker, incarnation) = (WorkerId::from_index(index), process.incarnation);
        let running = process.held.front().map(|batch| batch.first);
        self.tell(Input::Exited { worker, incarnation, status, usage: Usage::default(), running });
    }

    /// Bytes from the first worker, in pieces of this size.
    fn hear_all(&mut self, bytes: &[u8], piece: usize) {
        for bytes in bytes.chunks(piece.max(1)) {
            if self.finished.is_some() {
                return;
            }
            self.hear(bytes);
            self.others();
        }
        self.core.check_deep().unwrap();
    }

    /// Does what the engine does with bytes that it has read.
    fn hear(&mut self, bytes: &[u8]) {
        let Some(process) = self.processes[0].as_mut() else { return };
        let (worker, incarnation) = (WorkerId::from_index(0), process.incarnation);
        let mut inputs = Vec::new();
        process.protocol.incoming().copy_in(bytes);
        loop {
            match process.protocol.next() {
                // A large result ends with its message. The engine stores its bytes; here they are dropped.
                Ok(Some(Received::Message(message, body))) => {
                    if let FromWorker::Done { count, timed: true, .. } = message {
                        assert!(times::split(body, count).is_some(), "checked by the protocol");
                    }
                    inputs.extend(input_of(worker, incarnation, message).map(Ok));
                }
                Ok(Some(Received::LargeEnds { message, .. })) => {
                    inputs.extend(input_of(worker, incarnation, message).map(Ok));
                }
                Ok(Some(Received::LargeBegins { .. } | Received::LargeBytes(_))) => {}
                // Of protocols of text.
                Ok(Some(Received::Ready | Received::Failure { .. } | Received::Log(_))) => unreachable!("in frames"),
                Ok(None) => break,
                Err(error) => {
                    inputs.push(Err(error.to_string()));
                    break;
                }
            }
        }
        process.greeted |= process.protocol.is_greeted();
        for input in inputs {
            let is_there = self.processes[0].as_ref().is_some_and(|process| process.incarnation == incarnation);
            if !is_there {
                return;
            }
            match input {
                Ok(input) => self.hear_one(input),
                Err(error) => return self.tell(Input::ProtocolError { worker, incarnation, error }),
            }
        }
    }

    fn hear_one(&mut self, input: Input) {
        let answered = match &input {
            Input::Settled { first, count, attempt, .. } => Some((*first, *count, *attempt)),
            Input::Failed { item, attempt, .. } => Some((*item, 1, *attempt)),
            _ => None,
        };
        if let (Some((first, count, attempt)), Some(process)) = (answered, self.processes[0].as_mut()) {
            take_off(&mut process.held, first, count, attempt);
        }
        self.tell(input);
    }

    /// The first worker's process ends, and all later ones are honest.
    fn be_honest(&mut self) {
        self.exit(0, ExitStatus::Code(3));
        while self.finished.is_none() {
            assert!(self.facts < FACTS_MAX, "the run does not end: {:?}", self.core.status());
            if let Some(process) = self.processes[0].as_mut().filter(|process| !process.greeted) {
                process.greeted = true;
                let incarnation = process.incarnation;
                self.tell(Input::Hello { worker: WorkerId::from_index(0), incarnation });
            }
            self.answer(0);
            self.others();
            if let Some(at) = self.core.poll_timeout() {
                self.now = Instant(self.now.0 + 1_000_000).max(at.min(Instant(self.now.0 + 1_000_000_000)));
                self.core.handle_timeout(self.now);
                let mut facts = VecDeque::new();
                while let Some(action) = self.core.poll_action() {
                    self.carry_out(action, &mut facts);
                }
                facts.into_iter().for_each(|fact| self.tell(fact));
            }
            self.facts += 1;
        }
        assert!(self.settled.len() as u64 == self.arrived && self.arrived == ITEMS, "each item has its outcome");
        assert!(self.processes.iter().all(Option::is_none), "no process is left");
    }
}

/// The fact for the core that a message reports.
fn input_of(worker: WorkerId, incarnation: Incarnation, message: FromWorker) -> Option<Input> {
    Some(match message {
        FromWorker::Work { .. } => return None,
        FromWorker::Hello { .. } => Input::Hello { worker, incarnation },
        FromWorker::Done { first, count, attempt, busy_ns, .. } => {
            let (first, attempt) = (ItemId(first), Attempt(attempt));
            Input::Settled { worker, incarnation, first, count, attempt, busy_ns }
        }
        FromWorker::Failed { item, attempt, .. } => {
            let (item, attempt) = (ItemId(item), Attempt(attempt));
            let reason = FailReason::Message("so it says".to_owned());
            Input::Failed { worker, incarnation, item, attempt, reason, hint: RetryHint::Default }
        }
    })
}

/// Removes these items from `held`, if they are the next ones.
fn take_off(held: &mut VecDeque<Batch>, first: ItemId, count: u32, attempt: Attempt) {
    let (mut next, mut left, mut rest) = (first, count, held.clone());
    while left > 0 {
        let Some(batch) = rest.pop_front() else { return };
        if batch.first != next || batch.attempt != attempt {
            return;
        }
        if batch.count > left {
            rest.push_front(Batch { first: batch.first.plus(left.into()), count: batch.count - left, attempt });
            left = 0;
        } else {
            left -= batch.count;
            next = batch.end();
        }
    }
    if count > 0 {
        *held = rest;
    }
}
