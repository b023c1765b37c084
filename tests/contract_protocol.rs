//! One contract for every protocol: a new protocol adds one line at the end of this file, and says in [`Speaker`] how
//! its workers write.
//!
//! Nothing here reads or waits: bytes go into the protocol's buffer as a channel would put them there.

use supervisor::model::ids::{Attempt, Batch, ItemId};
use supervisor::model::spec::{ITEM_BYTES_MAX, ProtocolKind};
use supervisor::protocol::frames::{hello, to_worker};
use supervisor::protocol::{Protocol, ProtocolError, Received, SessionConfig};
use supervisor::wire::frame::{BODY_BYTES_MAX, FrameDecoder, FrameError};
use supervisor::wire::message::{FromWorker, REASON_BYTES_MAX, SMALL_BODY_BYTES_MAX, ToWorker};
use supervisor::wire::read_buffer::BUFFER_BYTES;
use supervisor::wire::times::{self, PAIR_BYTES, Pair};
use supervisor::wire::{append, append_without_body};

const TOKEN: [u8; 16] = *b"0123456789abcdef";
const PID: u32 = 4123;

fn session() -> SessionConfig {
    SessionConfig { token: Some(TOKEN), delimiter: b'\n', message_items_max: u32::MAX }
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
}

/// A protocol object, and what it has reported.
struct Supervisor {
    protocol: Protocol,
    large: Option<(FromWorker, u64, Vec<u8>)>,
    events: Vec<Event>,
}

impl Supervisor {
    fn new(kind: ProtocolKind) -> Self {
        Self { protocol: Protocol::new(kind, session()), large: None, events: Vec::new() }
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
            assert!(!spare.is_empty() && spare.len() <= SMALL_BODY_BYTES_MAX + BUFFER_BYTES, "{}", spare.len());
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
    Protocol::new(kind, session).encode(batch, body, |prefix, items, range| {
        prefix.append_to(0, &mut bytes);
        bytes.extend_from_slice(&body[range]);
        counts.push(items);
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
    let encoded = Protocol::new(S::KIND, session).encode(batch, b"1\n2\n3\n", |_, _, _| {
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

contract!(frames, Frames);

#[test]
fn every_protocol_keeps_the_contract() {
    for kind in ProtocolKind::ALL {
        let line = format!("\ncontract!({}, ", kind.name());
        assert!(include_str!("contract_protocol.rs").contains(&line), "where is `{}...`?", line.trim());
    }
}
