//! Both ends of each transport, the worker's on a thread: what a channel costs without core, tasks
//! and processes. `cargo bench --bench transport`.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use std::sync::Arc;
use supervisor::model::ids::{Attempt, Batch, ItemId};
use supervisor::model::spec::{ProtocolKind, TransportKind};
use supervisor::protocol::frames::{hello, to_worker};
use supervisor::protocol::{Outgoing, Protocol, Received, SessionConfig};
use supervisor::sys::block::{Block, BlockSlice};
use supervisor::sys::poller::{Interest, Poller};
use supervisor::transport::{self, Channel, Connection, Fill, Flush, in_process};
use supervisor::wire::frame::Frame;
use supervisor::wire::message::{FromWorker, ToWorker};

fn main() {
    divan::main();
}

/// Messages in one measurement of throughput, and how many of them are out at once.
const MESSAGES: u64 = 256;
const CREDIT: u64 = 4;

const TOKEN: [u8; 16] = [7; 16];

/// What both sides of each channel know.
const SESSION: SessionConfig =
    SessionConfig { token: Some(TOKEN), waits_until_ready: false, delimiter: b'\n', message_items_max: u32::MAX };

/// The in-process queues, in addition to the transports that `--transport` names.
const THREAD: &str = "thread";

fn names() -> Vec<&'static str> {
    TransportKind::ALL.into_iter().map(TransportKind::name).chain([THREAD]).collect()
}

/// A channel whose other end answers each batch with its own bytes, until the input ends.
struct Pair {
    channel: Box<dyn Channel>,
    protocol: Protocol,
    poller: Poller,
    worker: Option<std::thread::JoinHandle<()>>,
    first: u64,
}

impl Pair {
    fn open(name: &str) -> Self {
        let (channel, worker) = match transport::by_name(name) {
            Some(kind) => {
                let (channel, endpoints) = transport::transport(&kind.into(), 1).unwrap().open().unwrap();
                (channel, std::thread::spawn(move || answer(transport::connect(kind, endpoints).unwrap())))
            }
            None => {
                let (channel, end) = in_process::open().unwrap();
                (channel, std::thread::spawn(move || answer(end.connect())))
            }
        };
        let protocol = Protocol::new(ProtocolKind::Frames, SESSION);
        Self { channel, protocol, poller: Poller::new().unwrap(), worker: Some(worker), first: 0 }
    }

    fn send(&mut self, body: &Arc<Block>) {
        self.first += 1;
        let batch = Batch { first: ItemId(self.first), count: 1, attempt: Attempt::FIRST };
        let queue = |outgoing: Outgoing<'_>| match outgoing {
            Outgoing::Frame(prefix, items, range) => self.channel.queue(prefix, items, BlockSlice::new(body, range)),
            Outgoing::Text(text) => self.channel.queue_text(text),
        };
        self.protocol.encode(batch, body, queue).unwrap();
    }

    /// Sends what is queued, and waits for so many answers.
    fn receive(&mut self, mut answers: u64) {
        loop {
            let blocked = self.channel.flush().unwrap() == Flush::Blocked;
            while let Some(received) = self.protocol.next().unwrap() {
                let is_answer = matches!(divan::black_box(received), Received::Message(FromWorker::Done { .. }, _));
                answers -= u64::from(is_answer);
            }
            self.channel.answered(self.protocol.take_answered());
            if answers == 0 && !blocked {
                return;
            }
            match self.channel.fill(self.protocol.incoming()).unwrap() {
                Fill::Bytes(_) => {}
                Fill::Blocked => self.wait(blocked),
                Fill::Closed => panic!("the worker left"),
            }
        }
    }

    fn wait(&mut self, for_writing: bool) {
        use std::os::fd::AsRawFd;
        let read = self.channel.read_fd();
        let write = self.channel.write_fd().filter(|_| for_writing);
        let is_one = write.is_some_and(|write| write.as_raw_fd() == read.as_raw_fd());
        self.poller.add(read, Interest { read: true, write: is_one }, 0).unwrap();
        if let Some(write) = write.filter(|_| !is_one) {
            self.poller.add(write, Interest::WRITE, 1).unwrap();
        }
        self.poller.wait(&mut Vec::new(), None).unwrap();
        self.poller.remove(read).unwrap();
        if let Some(write) = write.filter(|_| !is_one) {
            self.poller.remove(write).unwrap();
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.channel.close_input();
        if let Some(worker) = self.worker.take() {
            worker.join().unwrap();
        }
    }
}

fn answer(mut connection: Connection) {
    let mut frames = Vec::new();
    supervisor::wire::append(&hello(std::process::id(), TOKEN), b"", &mut frames).unwrap();
    connection.results.send(&frames).unwrap();
    loop {
        while let Some(Frame { kind, head, body }) = connection.items.next().unwrap() {
            let ToWorker::Batch { first, .. } = to_worker(kind, head).unwrap();
            frames.clear();
            let done = FromWorker::Done { first, count: 1, attempt: 1, busy_ns: 1, timed: false };
            supervisor::wire::append(&done, body, &mut frames).unwrap();
            connection.results.send(&frames).unwrap();
        }
        if !connection.items.fill().unwrap() {
            return;
        }
    }
}

/// Full batches, a few of them out at once.
#[divan::bench(args = names(), sample_count = 20)]
fn batches_of_64_kib(bencher: Bencher<'_, '_>, name: &str) {
    let mut pair = Pair::open(name);
    let body = Arc::new(Block::from(vec![b'7'; 64 * 1024]));
    bencher.counter(BytesCount::new(MESSAGES * 64 * 1024)).bench_local(|| {
        for _ in 0..CREDIT {
            pair.send(&body);
        }
        for _ in CREDIT..MESSAGES {
            pair.receive(1);
            pair.send(&body);
        }
        pair.receive(CREDIT);
    });
}

/// One short message out and back.
#[divan::bench(args = names(), sample_count = 20, sample_size = 500)]
fn round_trip(bencher: Bencher<'_, '_>, name: &str) {
    let mut pair = Pair::open(name);
    let body = Arc::new(Block::from(b"123456789".to_vec()));
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        pair.send(&body);
        pair.receive(1);
    });
}
