//! One contract for every protocol: a new protocol adds one line at the end of this file, and says in [`Speaker`] how
//! its workers write.
//!
//! Nothing here reads or waits: bytes go into the protocol's buffer as a channel would put them there.

use supervisor::model::ids::{Attempt, Batch, ItemId};
use supervisor::model::outcome::RetryHint;
use supervisor::model::spec::{ITEM_BYTES_MAX, ProtocolKind};
use supervisor::protocol::frames::{hello, to_worker};
use supervisor::protocol::{LINE_BYTES_MAX, Outgoing, Protocol, ProtocolError, Received, SessionConfig};
use supervisor::wire::frame::{BODY_BYTES_MAX, FrameDecoder, FrameError};
use supervisor::wire::message::{FromWorker, REASON_BYTES_MAX, SMALL_BODY_BYTES_MAX, ToWorker};
use supervisor::wire::read_buffer::BUFFER_BYTES;
use supervisor::wire::times::{self, PAIR_BYTES, Pair};
use supervisor::wire::{append, append_without_body};

const TOKEN: [u8; 16] = *b"0123456789abcdef";
const PID: u32 = 4123;

fn session() -> SessionConfig {
    SessionConfig { token: Some(TOKEN), waits_until_ready: false, delimiter: b'\n', message_items_max: u32::MAX }
}

fn done(first: u64, count: u32) -> FromWorker {
    FromWorker::Done { first, count, attempt: 1, busy_ns: 7, timed: false }
}

fn failed(item: u64) -> FromWorker {
    FromWorker::Failed { item, attempt: 1, panicked: false, timed: false }
}

/// How a worker of a protocol writes, and what breaks the rules of that protocol.
trait Speaker {
    const KIND: ProtocolKind;

    /// What a worker says first.
    fn greeting() -> Vec<u8>;

    /// A message with its body.
    fn message(message: &FromWorker, body: &[u8]) -> Vec<u8>;

    /// A message that announces a body of this many bytes, up to where that begins.
    fn begin(message: &FromWorker, body_bytes: usize) -> Vec<u8>;

    /// The batches in bytes for a worker, each with its body.
    fn read(bytes: &[u8]) -> Vec<(ToWorker, Vec<u8>)>;

    /// What a worker sends after its greeting against the rules, and how the error text begins.
    fn breaches() -> Vec<(Vec<u8>, String)>;

    /// What a worker sends instead of its greeting, and the error text.
    fn wrong_greetings() -> Vec<(Vec<u8>, String)>;
}

struct Frames;

impl Speaker for Frames {
    const KIND: ProtocolKind = ProtocolKind::Frames;

    fn greeting() -> Vec<u8> {
        Self::message(&hello(PID, TOKEN), b"")
    }

    fn message(message: &FromWorker, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        append(message, body, &mut bytes).unwrap();
        bytes
    }

    fn begin(message: &FromWorker, body_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        append_without_body(message, body_bytes, &mut bytes).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Vec<(ToWorker, Vec<u8>)> {
        let (mut decoder, mut read) = (FrameDecoder::new(), Vec::new());
        let take = |frame: supervisor::wire::frame::Frame<'_>| {
            read.push((to_worker(frame.kind, frame.head).unwrap(), frame.body.to_vec()));
        };
        decoder.push(bytes, take).unwrap();
        assert_eq!(decoder.unread_bytes(), 0);
        read
    }

    fn breaches() -> Vec<(Vec<u8>, String)> {
        let mut wrong_way = Vec::new();
        append(&ToWorker::Batch { first: 1, count: 1, attempt: 1 }, b"x", &mut wrong_way).unwrap();
        let timed = |count| FromWorker::Done { first: 7, count, attempt: 1, busy_ns: 1, timed: true };
        let failed_timed = FromWorker::Failed { item: 7, attempt: 1, panicked: false, timed: true };
        let long = vec![b'x'; REASON_BYTES_MAX + 1];
        let more = SMALL_BODY_BYTES_MAX + 1;
        let breaches: [(Vec<u8>, &str); 22] = [
            (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), "read a frame: it begins with version 72, not 1"),
            (vec![1, 7, 0, 0, 0, 0, 0, 0], "read a frame: its kind 7 is unknown"),
            (vec![1, 2, 65, 0, 0, 0, 0, 0], "read a frame: its head of 65 bytes is over the limit of 64"),
            (
                vec![1, 2, 0, 0, 255, 255, 255, 255],
                "pass on a frame: its body of 4294967295 bytes is over the limit of 18874368",
            ),
            (
                vec![1, 2, 0, 0, 1, 0, 0x20, 1],
                "pass on a frame: its body of 18874369 bytes is over the limit of 18874368",
            ),
            (vec![1, 2, 1, 0, 0, 0, 0, 0, 99], "read a message of 1 bytes: "),
            (wrong_way, "read a message: it travels the wrong way"),
            (Self::greeting(), "it sent a second hello"),
            (Self::message(&hello(PID, TOKEN), b"x"), "read a hello: a body of 1 bytes follows it"),
            (Self::message(&done(7, 0), b""), "read a message: its count of items is 0"),
            (Self::message(&failed(7), &long), "read a reason: its 65537 bytes are over the limit of 65536"),
            (Self::message(&failed_timed, b"oh"), "read the times of 1 items: the body has 2 bytes only"),
            (
                Self::message(&done(7, 2), b"a\nb"),
                "read the results of 2 items: they are not a line each (newlines: 1)",
            ),
            (Self::message(&done(7, 2), b"a\n"), "read the results of 2 items: they are not a line each (newlines: 1)"),
            (
                Self::message(&done(7, 2), b"a\n\n\n"),
                "read the results of 2 items: they are not a line each (newlines: 3)",
            ),
            (
                Self::message(&timed(2), b"0123456789abcdef\n\n"),
                "read the times of 2 items: the body has 18 bytes only",
            ),
            (Self::message(&timed(u32::MAX), b""), "read the times of 4294967295 items: the body has 0 bytes only"),
            // These are refused at their head.
            (Self::begin(&hello(PID, TOKEN), more), "read a hello: a body of 1114113 bytes follows it"),
            (Self::begin(&failed_timed, more), "read a reason: its 1114113 bytes are over the limit of 65536"),
            (Self::begin(&done(7, 0), more), "read a message: its count of items is 0"),
            (
                Self::begin(&done(7, 2), more),
                "read the results of 2 items: 1114113 bytes are over the limit of 1114112 for several",
            ),
            (
                Self::begin(&timed(3), BODY_BYTES_MAX),
                "read the results of 3 items: 18874368 bytes are over the limit of 1114112 for several",
            ),
        ];
        breaches.into_iter().map(|(bytes, words)| (bytes, words.to_owned())).collect()
    }

    fn wrong_greetings() -> Vec<(Vec<u8>, String)> {
        let of_version = |protocol| FromWorker::Hello { protocol, pid: PID, token: TOKEN };
        let before = "it sent a message before its hello";
        let greetings: [(Vec<u8>, &str); 7] = [
            (Self::message(&hello(PID, [7; 16]), b""), "its hello has a wrong token"),
            (Self::message(&of_version(2), b""), "it uses protocol 2, this supervisor uses 1"),
            (Self::message(&of_version(0), b""), "it uses protocol 0, this supervisor uses 1"),
            (Self::message(&done(0, 1), b"x\n"), before),
            (Self::message(&done(0, 2), b"x\nx\n"), before),
            (Self::message(&failed(0), b"oh"), before),
            (Self::begin(&done(0, 1), SMALL_BODY_BYTES_MAX + 1), before),
        ];
        greetings.into_iter().map(|(bytes, words)| (bytes, words.to_owned())).collect()
    }
}

/// What was received, by value. The bytes of a large result are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Message(FromWorker, Vec<u8>),
    Large { message: FromWorker, times: [u8; PAIR_BYTES], bytes: Vec<u8> },
    Ready,
    Failure(u64, u32, RetryHint, Vec<u8>),
    Log(Vec<u8>),
}

/// A protocol object, and what it has reported.
struct Supervisor {
    protocol: Protocol,
    large: Option<(FromWorker, u64, Vec<u8>)>,
    events: Vec<Event>,
    /// Most bytes of the buffer that are free.
    spare_max: usize,
}

impl Supervisor {
    fn new(kind: ProtocolKind) -> Self {
        let spare_max = SMALL_BODY_BYTES_MAX + BUFFER_BYTES;
        Self { protocol: Protocol::new(kind, session()), large: None, events: Vec::new(), spare_max }
    }

    /// After the hello.
    fn greeted<S: Speaker>() -> Self {
        let mut supervisor = Self::new(S::KIND);
        assert!(!supervisor.protocol.is_greeted());
        supervisor.hear(&S::greeting(), usize::MAX).unwrap();
        assert!(supervisor.protocol.is_greeted());
        supervisor
    }

    /// Receives bytes in pieces of at most `piece_max`.
    fn hear(&mut self, mut bytes: &[u8], piece_max: usize) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            let spare = self.protocol.incoming().spare();
            assert!(!spare.is_empty() && spare.len() <= self.spare_max, "{}", spare.len());
            let (piece, rest) = bytes.split_at(bytes.len().min(spare.len()).min(piece_max));
            spare[..piece.len()].copy_from_slice(piece);
            self.protocol.incoming().filled(piece.len());
            bytes = rest;
            self.take_all()?;
        }
        Ok(())
    }

    fn take_all(&mut self) -> Result<(), ProtocolError> {
        while let Some(received) = self.protocol.next()? {
            match received {
                Received::Message(message, body) => {
                    assert!(self.large.is_none(), "{message:?} within a large result");
                    self.events.push(Event::Message(message, body.to_vec()));
                }
                Received::Ready => self.events.push(Event::Ready),
                Received::Failure { item, attempt, hint, reason } => {
                    self.events.push(Event::Failure(item.0, attempt.0, hint, reason.to_vec()));
                }
                Received::Log(text) => self.events.push(Event::Log(text.to_vec())),
                Received::LargeBegins { message, result_bytes } => {
                    assert!(self.large.is_none());
                    self.large = Some((message, result_bytes, Vec::new()));
                }
                Received::LargeBytes(bytes) => {
                    assert!(!bytes.is_empty());
                    self.large.as_mut().expect("it has begun").2.extend_from_slice(bytes);
                }
                Received::LargeEnds { message, times } => {
                    let (begun, announced, bytes) = self.large.take().expect("it has begun");
                    assert_eq!((begun, announced), (message, bytes.len() as u64));
                    self.events.push(Event::Large { message, times, bytes });
                }
            }
        }
        Ok(())
    }
}

fn a_greeting_comes_first_and_is_reported_once<S: Speaker>() {
    let mut supervisor = Supervisor::greeted::<S>();
    assert_eq!(supervisor.events, [Event::Message(hello(PID, TOKEN), Vec::new())]);
    assert!(!supervisor.protocol.is_within_message());
    assert_eq!(supervisor.protocol.take_answered(), 0);
}

fn a_wrong_greeting_is_named<S: Speaker>() {
    for (bytes, words) in S::wrong_greetings() {
        let mut supervisor = Supervisor::new(S::KIND);
        let error = supervisor.hear(&bytes, usize::MAX).unwrap_err();
        assert_eq!(error.to_string(), words);
        assert!(!supervisor.protocol.is_greeted() && supervisor.events.is_empty());
    }
}

/// Messages of every kind, in sizes at and around every limit.
fn conversation<S: Speaker>() -> (Vec<u8>, Vec<Event>, u64) {
    let (mut bytes, mut events, mut answered) = (S::greeting(), Vec::new(), 0);
    events.push(Event::Message(hello(PID, TOKEN), Vec::new()));
    let mut pairs = Vec::new();
    (0..2).for_each(|item| times::push(Pair { started_ns: item, runtime_ns: 3 }, &mut pairs));
    let timed = |count| FromWorker::Done { first: 9, count, attempt: 2, busy_ns: u64::MAX, timed: true };
    let sizes = [0, 1, 9, 65_536, BUFFER_BYTES - 10, BUFFER_BYTES, 300_000, SMALL_BODY_BYTES_MAX];
    let mut messages: Vec<(FromWorker, Vec<u8>)> =
        (0..).zip(sizes).map(|(first, size)| (done(first, 1), vec![b'x'; size])).collect();
    messages.push((done(8, 3), b"1\n\n9\n".to_vec()));
    messages.push((failed(11), b"no such number".to_vec()));
    messages.push((timed(2), [&pairs[..], b"1\n4\n"].concat()));
    messages.push((FromWorker::Failed { item: 13, attempt: 1, panicked: true, timed: true }, pairs[..16].to_vec()));
    messages.push((done(u64::MAX, 1), b"last\n".to_vec()));
    for (message, body) in messages {
        bytes.extend(S::message(&message, &body));
        answered += match message {
            FromWorker::Done { count, .. } => u64::from(count),
            _ => 1,
        };
        events.push(Event::Message(message, body));
    }
    (bytes, events, answered)
}

fn messages_arrive_whole_and_in_order_however_they_are_cut<S: Speaker>() {
    let (bytes, expected, answered) = conversation::<S>();
    for piece in [1, 7, 4096, BUFFER_BYTES - 1, usize::MAX] {
        let mut supervisor = Supervisor::new(S::KIND);
        supervisor.hear(&bytes, piece).unwrap();
        assert!(supervisor.events == expected, "pieces of {piece}");
        assert!(!supervisor.protocol.is_within_message());
        assert_eq!([supervisor.protocol.take_answered(), supervisor.protocol.take_answered()], [answered, 0]);
    }
}

fn a_torn_message_is_not_delivered_and_is_detected<S: Speaker>() {
    let bytes = S::message(&done(1, 1), b"result\n");
    for torn in 0..bytes.len() {
        let mut supervisor = Supervisor::greeted::<S>();
        supervisor.hear(&bytes[..torn], usize::MAX).unwrap();
        assert_eq!((supervisor.events.len(), supervisor.protocol.is_within_message()), (1, torn > 0), "at {torn}");
        assert_eq!(supervisor.protocol.take_answered(), 0);
        supervisor.hear(&bytes[torn..], usize::MAX).unwrap();
        assert_eq!(supervisor.events[1..], [Event::Message(done(1, 1), b"result\n".to_vec())], "at {torn}");
    }
}

fn a_large_result_is_announced_and_passed_on_as_it_comes<S: Speaker>() {
    let timed = FromWorker::Done { first: 2, count: 1, attempt: 1, busy_ns: 7, timed: true };
    let result: Vec<u8> = (0..BODY_BYTES_MAX).map(|at| (at % 251) as u8).collect();
    for piece in [PAIR_BYTES + 1, 100_000, usize::MAX] {
        let mut supervisor = Supervisor::greeted::<S>();
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        let (one_more, some) = (SMALL_BODY_BYTES_MAX + 1, SMALL_BODY_BYTES_MAX + 100_000);
        for (message, size) in [(done(1, 1), one_more), (timed, some), (done(3, 1), 5), (done(4, 1), BODY_BYTES_MAX)] {
            // The largest one in tiny pieces takes long and tests nothing more.
            let size = if piece < 1000 { size.min(some) } else { size };
            let body = &result[..size];
            bytes.extend(S::message(&message, body));
            let (times, rest) = if message == timed { body.split_at(PAIR_BYTES) } else { (&[0; PAIR_BYTES][..], body) };
            expected.push(if size > SMALL_BODY_BYTES_MAX {
                Event::Large { message, times: times.try_into().unwrap(), bytes: rest.to_vec() }
            } else {
                Event::Message(message, body.to_vec())
            });
        }
        supervisor.hear(&bytes, piece).unwrap();
        assert!(supervisor.events[1..] == expected, "pieces of {piece}");
        assert_eq!(supervisor.protocol.take_answered(), 4);
    }
}

/// A large result may never end: until its last byte has come, it is announced and not held in memory.
fn an_endless_result_takes_no_memory<S: Speaker>() {
    let mut supervisor = Supervisor::greeted::<S>();
    supervisor.hear(&S::begin(&done(1, 1), BODY_BYTES_MAX), usize::MAX).unwrap();
    for _ in 0..(BODY_BYTES_MAX - 1) / 65_536 {
        assert!(supervisor.large.is_some() && supervisor.protocol.is_within_message());
        // The buffer does not grow. `hear` asserts only an upper limit of its spare bytes.
        assert_eq!(supervisor.protocol.incoming().spare().len(), BUFFER_BYTES);
        supervisor.hear(&[7; 65_536], usize::MAX).unwrap();
    }
    assert_eq!((supervisor.events.len(), supervisor.protocol.take_answered()), (1, 0));
}

fn a_breach_is_named<S: Speaker>() {
    for (bytes, words) in S::breaches() {
        for piece in [1, usize::MAX] {
            let mut supervisor = Supervisor::greeted::<S>();
            let bytes = [S::message(&done(1, 1), b"good\n"), bytes.clone()].concat();
            let error = supervisor.hear(&bytes, piece).unwrap_err();
            assert!(error.to_string().starts_with(&words), "{error}, and not {words}");
            assert_eq!(supervisor.events[1..], [Event::Message(done(1, 1), b"good\n".to_vec())], "{words}");
            assert!(supervisor.protocol.incoming().spare().len() <= BUFFER_BYTES, "memory for a false length: {words}");
        }
    }
}

/// A batch as bytes for a worker, and the number of items in each message.
fn encoded(
    kind: ProtocolKind,
    session: SessionConfig,
    batch: Batch,
    body: &[u8],
) -> Result<(Vec<u8>, Vec<u32>), FrameError> {
    let (mut bytes, mut counts) = (Vec::new(), Vec::new());
    Protocol::new(kind, session).encode(batch, body, |outgoing| {
        match outgoing {
            Outgoing::Frame(prefix, items, range) => {
                prefix.append_to(0, &mut bytes);
                bytes.extend_from_slice(&body[range]);
                counts.push(items);
            }
            Outgoing::Text(text) => bytes.extend_from_slice(text),
        }
        Ok::<_, FrameError>(())
    })?;
    Ok((bytes, counts))
}

fn a_batch_becomes_messages_of_limited_length<S: Speaker>() {
    let check = |items: &str, count: u32, message_items_max: u32, expected: &str| {
        let batch = Batch { first: ItemId(7), count, attempt: Attempt(2) };
        let session = SessionConfig { delimiter: b';', message_items_max, ..session() };
        let (bytes, counts) = encoded(S::KIND, session, batch, items.as_bytes()).unwrap();
        let read = S::read(&bytes);
        let shown = read.iter().map(|(message, body)| {
            let ToWorker::Batch { first, count, attempt: 2 } = message else { panic!("{message:?}") };
            format!("{first}+{count}:{}", String::from_utf8_lossy(body))
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
        let of_messages = read.iter().map(|(ToWorker::Batch { count, .. }, _)| *count);
        assert_eq!(of_messages.collect::<Vec<_>>(), counts);
    };
    let items = "a;;ccc;d;e;";
    check(items, 5, u32::MAX, "7+5:a;;ccc;d;e;");
    check(items, 5, 5, "7+5:a;;ccc;d;e;");
    check(items, 5, 4, "7+4:a;;ccc;d; 11+1:e");
    check(items, 5, 3, "7+3:a;;ccc; 10+2:d;e;");
    check(items, 5, 2, "7+2:a;; 9+2:ccc;d; 11+1:e");
    check(items, 5, 1, "7+1:a 8+1: 9+1:ccc 10+1:d 11+1:e");
    check("one item; whole", 1, 1, "7+1:one item; whole");
    check("", 1, 1, "7+1:");
    // Missing items are not made up: a worker refuses this.
    check("", 3, 1, "7+3:");
}

fn too_long_a_body_is_refused_before_anything_is_put<S: Speaker>() {
    let batch = Batch { first: ItemId(7), count: 1, attempt: Attempt::FIRST };
    let body = vec![0; BODY_BYTES_MAX + 1];
    let error = encoded(S::KIND, session(), batch, &body).unwrap_err();
    assert_eq!(error, FrameError::Body { bytes: BODY_BYTES_MAX + 1 });
    let (bytes, _) = encoded(S::KIND, session(), batch, &body[..ITEM_BYTES_MAX]).unwrap();
    assert_eq!(S::read(&bytes)[0].1.len(), ITEM_BYTES_MAX);
}

fn a_failed_call_of_put_ends_the_encoding<S: Speaker>() {
    #[derive(Debug, PartialEq)]
    struct Full(u32);
    impl From<FrameError> for Full {
        fn from(error: FrameError) -> Self {
            panic!("{error}")
        }
    }
    let batch = Batch { first: ItemId(7), count: 3, attempt: Attempt::FIRST };
    let mut calls = 0;
    let session = SessionConfig { message_items_max: 1, ..session() };
    let encoded = Protocol::new(S::KIND, session).encode(batch, b"1\n2\n3\n", |_| {
        calls += 1;
        if calls == 2 { Err(Full(calls)) } else { Ok(()) }
    });
    assert_eq!((encoded, calls), (Err(Full(2)), 2));
}

/// xorshift64*: the same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

fn garbage_never_panics_and_an_error_is_final<S: Speaker>() {
    let good = [S::message(&done(1, 1), b"a\n"), S::message(&done(2, 2), b"b\nc\n"), S::message(&failed(4), b"oh")];
    let mut refused = 0;
    for seed in 1..=3000 {
        let mut random = Random(seed);
        let mut bytes = good.concat();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        let mut supervisor = Supervisor::greeted::<S>();
        if let Err(error) = supervisor.hear(&bytes, 1 + random.below(bytes.len())) {
            refused += 1;
            // A refused message is removed from the buffer; a broken stream of frames stays broken.
            if matches!(error, ProtocolError::Frame(_)) {
                assert_eq!(supervisor.take_all(), Err(error));
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// How a worker of a protocol of text answers.
trait Answerer {
    const KIND: ProtocolKind;

    /// Of 3000 answers with a few wrong bytes, more than this many are refused.
    const GARBAGE_MIN: u32;

    /// The line that gives an item to a worker.
    fn item(id: u64, attempt: u32, item: &str) -> String;

    /// The line that answers for an item.
    fn answer(id: u64, result: &str) -> String;

    /// What a worker that holds the items 1 and 2 sends against the rules, and how the error text begins.
    fn breaches() -> Vec<(Vec<u8>, &'static str)>;
}

struct Lines;

impl Answerer for Lines {
    const KIND: ProtocolKind = ProtocolKind::Lines;
    /// Any bytes are a result: only a newline too many is seen.
    const GARBAGE_MIN: u32 = 5;

    fn item(_: u64, _: u32, item: &str) -> String {
        format!("{item}\n")
    }

    fn answer(_: u64, result: &str) -> String {
        format!("{result}\n")
    }

    fn breaches() -> Vec<(Vec<u8>, &'static str)> {
        let asked = "it sent a line when it had answered every item: ";
        let long = [vec![b'x'; LINE_BYTES_MAX + 1], b"\n".to_vec()].concat();
        vec![
            (b"a\nb\nc".to_vec(), asked),
            (b"a\nb\n\n".to_vec(), asked),
            (long, "it sent a line of more than 16777216 bytes"),
        ]
    }
}

struct Json;

impl Answerer for Json {
    const KIND: ProtocolKind = ProtocolKind::Json;
    const GARBAGE_MIN: u32 = 1000;

    fn item(id: u64, attempt: u32, item: &str) -> String {
        format!("{{\"id\":{id},\"attempt\":{attempt},\"item\":{}}}\n", serde_json::to_string(item).unwrap())
    }

    fn answer(id: u64, result: &str) -> String {
        format!("{{\"id\":{id},\"result\":{}}}\n", serde_json::to_string(result).unwrap())
    }

    fn breaches() -> Vec<(Vec<u8>, &'static str)> {
        let twice = [Self::answer(1, "a"), Self::answer(1, "a")].concat();
        let garbage = "it sent a line that is no JSON object of this protocol: ";
        let lines: [(&str, &str); 12] = [
            (&twice, "it answered for item 1, which it does not hold"),
            (&Self::answer(3, "never sent"), "it answered for item 3, which it does not hold"),
            (&Self::answer(u64::MAX, ""), "it answered for item 18446744073709551615, which it does not hold"),
            (
                "{\"id\":1,\"attempt\":2,\"result\":\"late\"}\n",
                "it answered attempt 2 of item 1, which is at attempt 1",
            ),
            ("{\"id\":3,\"error\":\"x\"}\n", "it answered for item 3, which it does not hold"),
            ("{\"id\":3,\"progress\":0.5}\n", "it answered for item 3, which it does not hold"),
            ("{\"result\":1}\n", "it sent an answer without an id"),
            ("{\"id\":1}\n", "it sent an object that has not exactly one of the keys"),
            ("{\"id\":1,\"result\":1,\"error\":\"x\"}\n", "it sent an object that has not exactly one of the keys"),
            ("hello\n", garbage),
            ("\n", garbage),
            ("\u{1b}[2J\n", garbage),
        ];
        let long = [vec![b' '; LINE_BYTES_MAX + 1], b"\n".to_vec()].concat();
        let bytes: [(Vec<u8>, &str); 3] = [
            (b"\xff\xfe\n".to_vec(), garbage),
            (b"{\"id\":1,\"result\":\"\xff\"}\n".to_vec(), garbage),
            (long, "it sent a line of more than 16777216 bytes"),
        ];
        lines.into_iter().map(|(line, words)| (line.as_bytes().to_vec(), words)).chain(bytes).collect()
    }
}

/// A session in which the worker was sent these items, from item 1 on.
fn asked<A: Answerer>(items: &[&str]) -> Supervisor {
    let mut supervisor = Supervisor::of_text(A::KIND, false);
    for (id, item) in (1..).zip(items) {
        let batch = Batch::of_one(ItemId(id), Attempt::FIRST);
        supervisor.protocol.encode(batch, item.as_bytes(), |_| Ok::<_, FrameError>(())).unwrap();
    }
    supervisor
}

impl Supervisor {
    fn of_text(kind: ProtocolKind, waits_until_ready: bool) -> Self {
        let session = SessionConfig { token: None, waits_until_ready, ..session() };
        let spare_max = 2 * LINE_BYTES_MAX + BUFFER_BYTES;
        Self { protocol: Protocol::new(kind, session), large: None, events: Vec::new(), spare_max }
    }

    /// Each result that was received, with the id of its item; of several in one message, one by one.
    fn results(&self) -> Vec<(u64, String)> {
        let results = self.events.iter().flat_map(|event| {
            let (message, body) = match event {
                Event::Message(message, body) | Event::Large { message, bytes: body, .. } => (message, body),
                other => panic!("{other:?}"),
            };
            let FromWorker::Done { first, count, attempt: 1, busy_ns: 0, timed: false } = *message else {
                panic!("{message:?}");
            };
            let lines: Vec<_> = match count {
                1 => vec![body.as_slice()],
                _ => body.split_inclusive(|byte| *byte == b'\n').collect(),
            };
            assert_eq!(lines.len(), count as usize);
            (first..).zip(lines.into_iter().map(|line| String::from_utf8(line.to_vec()).unwrap())).collect::<Vec<_>>()
        });
        results.collect()
    }
}

fn a_batch_becomes_a_line_for_each_item<A: Answerer>() {
    for (items, delimiter) in [("a;;ccc;", b';'), ("a\n\nccc\n", b'\n')] {
        let session = SessionConfig { token: None, delimiter, ..session() };
        let batch = Batch { first: ItemId(7), count: 3, attempt: Attempt(2) };
        let (bytes, _) = encoded(A::KIND, session, batch, items.as_bytes()).unwrap();
        let expected = [A::item(7, 2, "a"), A::item(8, 2, ""), A::item(9, 2, "ccc")].concat();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        let (bytes, _) = encoded(A::KIND, session, Batch { count: 1, ..batch }, b"one item").unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), A::item(7, 2, "one item"));
    }
}

/// Results of every size, in one read and in many.
fn answers_arrive_whole_however_they_are_cut<A: Answerer>() {
    let sizes = [0, 1, 9, 65_536, BUFFER_BYTES - 1, BUFFER_BYTES, 300_000, SMALL_BODY_BYTES_MAX, 5_000_000, 3];
    let results: Vec<String> = sizes.iter().map(|size| "x".repeat(*size)).collect();
    let bytes: String = (1..).zip(&results).map(|(id, result)| A::answer(id, result)).collect();
    let expected: Vec<(u64, String)> = (1..).zip(results.iter().map(|result| format!("{result}\n"))).collect();
    for piece in [4096, BUFFER_BYTES - 1, usize::MAX] {
        let mut supervisor = asked::<A>(&["item"; 10]);
        supervisor.hear(bytes.as_bytes(), piece).unwrap();
        assert!(supervisor.results() == expected, "pieces of {piece}");
        assert!(!supervisor.protocol.is_within_message());
        assert_eq!([supervisor.protocol.take_answered(), supervisor.protocol.take_answered()], [10, 0]);
        let large = supervisor.events.iter().filter(|event| matches!(event, Event::Large { .. })).count();
        // One byte more than a small body, with the newline; and the largest.
        assert_eq!(large, 2);
        assert_eq!(supervisor.protocol.incoming().spare().len(), BUFFER_BYTES, "a large buffer is given back");
    }
}

fn a_torn_answer_is_not_delivered<A: Answerer>() {
    let answer = A::answer(1, "result");
    for torn in 0..answer.len() {
        let mut supervisor = asked::<A>(&["item"]);
        supervisor.hear(&answer.as_bytes()[..torn], 1).unwrap();
        assert_eq!((supervisor.events.len(), supervisor.protocol.is_within_message()), (0, torn > 0), "at {torn}");
        supervisor.hear(&answer.as_bytes()[torn..], 1).unwrap();
        assert_eq!(supervisor.results(), [(1, "result\n".to_owned())], "at {torn}");
    }
}

fn a_breach_of_a_protocol_of_text_is_named_and_shown_harmlessly<A: Answerer>() {
    for (bytes, words) in A::breaches() {
        for piece in [4096, usize::MAX] {
            let mut supervisor = asked::<A>(&["a", "b"]);
            let error = supervisor.hear(&bytes, piece).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}, and not {words}");
            assert!(error.len() < 400 && !error.contains(char::is_control), "{error:?}");
        }
    }
}

/// A worker that never ends its line is refused when it has sent as much as a result may have.
fn an_endless_line_is_refused_at_the_limit<A: Answerer>() {
    let mut supervisor = asked::<A>(&["item"]);
    let mut sent = 0;
    let error = loop {
        // The buffer is never larger than twice the limit.
        assert!(supervisor.protocol.incoming().spare().len() <= 2 * LINE_BYTES_MAX + BUFFER_BYTES);
        supervisor.protocol.incoming().copy_in(&[b' '; 65_536]);
        sent += 65_536;
        match supervisor.protocol.next() {
            Ok(None) => assert!(sent <= LINE_BYTES_MAX),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, ProtocolError::LongLine);
}

fn garbage_never_panics<A: Answerer>() {
    let good = [A::answer(1, "a"), A::answer(2, "b \\ \" \u{e9}"), A::answer(3, "c")].concat().into_bytes();
    let mut refused = 0;
    for seed in 1..=3000 {
        let mut random = Random(seed);
        let mut bytes = good.clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        let mut supervisor = asked::<A>(&["x", "y", "z"]);
        refused += u32::from(supervisor.hear(&bytes, 1 + random.below(bytes.len())).is_err());
    }
    assert!(refused > A::GARBAGE_MIN, "{refused}");
}

#[test]
fn lines_that_were_read_together_are_one_message() {
    let mut supervisor = asked::<Lines>(&["a", "b", "c"]);
    supervisor.hear(b"1\n2\n", usize::MAX).unwrap();
    supervisor.hear(b"3\n", usize::MAX).unwrap();
    let done = |first, count| FromWorker::Done { first, count, attempt: 1, busy_ns: 0, timed: false };
    let expected = [Event::Message(done(1, 2), b"1\n2\n".to_vec()), Event::Message(done(3, 1), b"3\n".to_vec())];
    assert_eq!(supervisor.events, expected);
}

#[test]
fn a_line_before_any_item_breaks_the_protocol_at_its_first_byte() {
    let mut supervisor = Supervisor::of_text(ProtocolKind::Lines, false);
    let error = supervisor.hear(b"W", usize::MAX).unwrap_err();
    assert!(error.to_string().contains("print one line for each item, and nothing else"), "{error}");
}

#[test]
fn json_answers_come_in_any_order_with_errors_progress_and_logs_between_them() {
    let mut supervisor = asked::<Json>(&["a", "b", "c"]);
    let lines = "{\"log\":\"so \\u00e9\"}\n{\"id\":3,\"result\":9}\n{\"id\":1,\"progress\":0.4}\n\
        {\"id\":2,\"error\":\"busy\",\"retry\":true}\n";
    supervisor.hear(lines.as_bytes(), 5).unwrap();
    assert_eq!(supervisor.protocol.named(), Some(ItemId(1)));
    supervisor.hear(b"{\"id\":1,\"attempt\":1,\"error\":{\"code\":7},\"retry\":false}\n", usize::MAX).unwrap();
    assert_eq!(supervisor.protocol.named(), None);
    let done = FromWorker::Done { first: 3, count: 1, attempt: 1, busy_ns: 0, timed: false };
    let expected = [
        Event::Log("so \u{e9}".into()),
        Event::Message(done, b"9\n".to_vec()),
        Event::Failure(2, 1, RetryHint::Always, b"busy".to_vec()),
        Event::Failure(1, 1, RetryHint::Never, b"{\"code\":7}".to_vec()),
    ];
    assert_eq!(supervisor.events, expected);
}

#[test]
fn json_that_waits_for_ready_takes_it_once_and_before_anything_but_a_log() {
    let hear = |waits, text: &str| {
        let mut supervisor = Supervisor::of_text(ProtocolKind::Json, waits);
        let heard = supervisor.hear(text.as_bytes(), usize::MAX);
        (supervisor.events, supervisor.protocol.is_greeted(), heard.err().map(|error| error.to_string()))
    };
    let ready = "{\"ready\":true}\n";
    assert_eq!(hear(true, ""), (vec![], false, None));
    let log = Event::Log(b"loading".to_vec());
    assert_eq!(hear(true, &format!("{{\"log\":\"loading\"}}\n{ready}")), (vec![log, Event::Ready], true, None));
    let (.., error) = hear(true, "{\"id\":1,\"result\":1}\n");
    assert_eq!(error.as_deref(), Some("it sent a message before {\"ready\":true}"));
    let (.., error) = hear(true, &[ready, ready].concat());
    assert_eq!(error.as_deref(), Some("it said a second time that it is ready"));
    // What is not awaited means nothing.
    assert_eq!(hear(false, ready), (vec![], true, None));
}

/// All tests of the contract for one protocol.
macro_rules! contract {
    ($name:ident, $speaker:ident) => {
        contract!($name, $speaker:
            a_greeting_comes_first_and_is_reported_once,
            a_wrong_greeting_is_named,
            messages_arrive_whole_and_in_order_however_they_are_cut,
            a_torn_message_is_not_delivered_and_is_detected,
            a_large_result_is_announced_and_passed_on_as_it_comes,
            an_endless_result_takes_no_memory,
            a_breach_is_named,
            a_batch_becomes_messages_of_limited_length,
            too_long_a_body_is_refused_before_anything_is_put,
            a_failed_call_of_put_ends_the_encoding,
            garbage_never_panics_and_an_error_is_final,
        );
    };
    ($name:ident, $speaker:ident: $($promise:ident),+ $(,)?) => {
        mod $name {
            $(#[test]
            fn $promise() {
                super::$promise::<super::$speaker>();
            })+
        }
    };
}

/// All tests of the contract for one protocol of text.
macro_rules! text_contract {
    ($name:ident, $answerer:ident) => {
        contract!($name, $answerer:
            a_batch_becomes_a_line_for_each_item,
            answers_arrive_whole_however_they_are_cut,
            a_torn_answer_is_not_delivered,
            a_breach_of_a_protocol_of_text_is_named_and_shown_harmlessly,
            an_endless_line_is_refused_at_the_limit,
            garbage_never_panics,
        );
    };
}

contract!(frames, Frames);
text_contract!(lines, Lines);
text_contract!(json, Json);

#[test]
fn every_protocol_keeps_the_contract() {
    for kind in ProtocolKind::ALL {
        let line = format!("contract!({}, ", kind.name());
        assert!(include_str!("contract_protocol.rs").contains(&line), "where is `{}...`?", line.trim());
    }
}
