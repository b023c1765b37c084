//! Frames and messages: what one batch costs on its way, both sides together.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use supervisor::wire::codec;
use supervisor::wire::frame::FrameDecoder;
use supervisor::wire::message::{FromWorker, ToWorker};

fn main() {
    divan::main();
}

const FRAMES: u32 = 64;

fn stream(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in 0..FRAMES {
        let batch = ToWorker::Batch { first: u64::from(frame) * 7400, count: 7400, attempt: 1 };
        supervisor::wire::append(&batch, body, &mut bytes).expect("within the limit");
    }
    bytes
}

/// A message and a body into a buffer that is used again and again.
#[divan::bench(args = [9, 1024, 65536])]
fn encode(bencher: Bencher<'_, '_>, body_bytes: usize) {
    let body = vec![b'7'; body_bytes];
    let mut out = Vec::new();
    let batch = ToWorker::Batch { first: 123_456_789, count: 7400, attempt: 1 };
    bencher.counter(BytesCount::new(body_bytes)).bench_local(|| {
        out.clear();
        supervisor::wire::append(black_box(&batch), black_box(&body), &mut out)
    });
}

/// Frames out of a stream that arrives in full reads.
#[divan::bench(args = [9, 1024, 65536])]
fn decode(bencher: Bencher<'_, '_>, body_bytes: usize) {
    let bytes = stream(&vec![b'7'; body_bytes]);
    let mut decoder = FrameDecoder::new();
    bencher.counter(ItemsCount::new(FRAMES)).counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        decoder.push(black_box(&bytes), |frame| {
            let _ = black_box(codec::decode::<ToWorker>(frame.head));
            black_box(frame.body);
        })
    });
}

/// The message alone.
#[divan::bench]
fn message(bencher: Bencher<'_, '_>) {
    let done = FromWorker::Done { first: 123_456_789, count: 7400, attempt: 1, busy_ns: 987_654, timed: false };
    let mut bytes = Vec::new();
    bencher.bench_local(|| {
        bytes.clear();
        codec::encode(black_box(&done), &mut bytes);
        codec::decode::<FromWorker>(black_box(&bytes))
    });
}
