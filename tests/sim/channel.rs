//! The channel from a simulated worker to the simulated shell: bytes, through the real codec.

use supervisor::wire::codec;
use supervisor::wire::frame::FrameDecoder;
use supervisor::wire::message::{FromWorker, PROTOCOL_VERSION};

/// The token of every simulated worker.
pub const TOKEN: [u8; 16] = *b"simulated worker";

/// What the shell decodes from a worker's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerMessage {
    Hello,
    Done {
        first: u64,
        count: u32,
        attempt: u32,
        busy_ns: u64,
    },
    Failed {
        item: u64,
        attempt: u32,
    },
    /// Bytes that are no frame, a hello that is not the expected one, a message before it.
    Broken,
}

/// One channel: what was written and not yet read, and the decoder at the reading end.
#[derive(Default)]
pub struct SimChannel {
    written: Vec<u8>,
    read: usize,
    decoder: FrameDecoder,
    hello_seen: bool,
    broken: bool,
}

impl SimChannel {
    /// Forgets everything, for the next process that uses it. `hello`: its first message has to be one.
    pub fn reset(&mut self, hello: bool) {
        // A decoder keeps its large buffer; one that holds a part of a frame is not reused.
        if self.broken || self.decoder.unread_bytes() > 0 {
            self.decoder = FrameDecoder::new();
        }
        self.written.clear();
        (self.read, self.hello_seen, self.broken) = (0, !hello, false);
    }

    pub fn write_hello(&mut self, pid: u32, right: bool) {
        let protocol = if right { PROTOCOL_VERSION } else { PROTOCOL_VERSION + 1 };
        self.write(FromWorker::Hello { protocol, pid, token: TOKEN }, b"");
    }

    pub fn write_done(&mut self, first: u64, count: u32, attempt: u32, busy_ns: u64) {
        const RESULTS: [u8; 64] = [b'\n'; 64];
        let body = &RESULTS[..RESULTS.len().min(count as usize)];
        self.write(FromWorker::Done { first, count, attempt, busy_ns, timed: false }, body);
    }

    pub fn write_failed(&mut self, item: u64, attempt: u32) {
        self.write(FromWorker::Failed { item, attempt, panicked: false, timed: false }, b"no such thing");
    }

    pub fn write_garbage(&mut self) {
        self.written.extend_from_slice(b"printed to the wrong descriptor\n");
    }

    fn write(&mut self, message: FromWorker, body: &[u8]) {
        supervisor::wire::append(&message, body, &mut self.written).expect("a small body fits");
    }

    /// Cuts off the end of what was written: the writer died in the middle of it.
    pub fn tear(&mut self, bytes: usize) {
        let kept = self.written.len().saturating_sub(bytes).max(self.read);
        self.written.truncate(kept);
    }

    pub const fn unread_bytes(&self) -> usize {
        self.written.len() - self.read
    }

    /// The shell reads up to `bytes` and gets every message that is now whole.
    pub fn read(&mut self, bytes: usize, pid: u32, told: &mut Vec<WorkerMessage>) {
        let end = self.written.len().min(self.read.saturating_add(bytes));
        let piece = &self.written[self.read..end];
        self.read = end;
        if self.broken {
            return;
        }
        let (mut hello_seen, mut broken) = (self.hello_seen, false);
        let framed = self.decoder.push(piece, |frame| {
            if !broken {
                let message = interpret(frame.head, pid, &mut hello_seen);
                broken = message == WorkerMessage::Broken;
                told.push(message);
            }
        });
        if framed.is_err() && !broken {
            told.push(WorkerMessage::Broken);
        }
        self.broken = broken || framed.is_err();
        self.hello_seen = hello_seen;
    }
}

fn interpret(head: &[u8], expected_pid: u32, hello_seen: &mut bool) -> WorkerMessage {
    match codec::decode(head) {
        Ok(FromWorker::Hello { protocol: PROTOCOL_VERSION, pid, token: TOKEN })
            if !*hello_seen && pid == expected_pid =>
        {
            *hello_seen = true;
            WorkerMessage::Hello
        }
        Ok(FromWorker::Done { first, count, attempt, busy_ns, .. }) if *hello_seen && count > 0 => {
            WorkerMessage::Done { first, count, attempt, busy_ns }
        }
        Ok(FromWorker::Failed { item, attempt, .. }) if *hello_seen => WorkerMessage::Failed { item, attempt },
        _ => WorkerMessage::Broken,
    }
}
