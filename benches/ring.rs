//! The ring of the `shm` transport: the cost of moving an index and of passing a message.

use divan::Bencher;
use divan::counter::ItemsCount;
use std::sync::atomic::Ordering;
use supervisor::sys::shared_area::{AreaPart, Plan, SharedArea};
use supervisor::transport::shm_ring::{FOR_BYTES, Ring, RingReader, RingWriter, must_wake};

const PLAN: Plan = Plan { ring_bytes: 256 * 1024, arena_bytes: 0, staging_bytes: 0 };
const RING: Ring = Ring { tail: 0, head: 16, bytes: PLAN.ring_bytes as u64 };
const ASLEEP: usize = 32;
const MESSAGES: usize = 1000;

fn main() {
    divan::main();
}

/// Written, published, read and released one by one, each with a check whether the other side sleeps.
#[divan::bench(args = [32, 1024, 65_536])]
fn messages_one_by_one(bencher: Bencher<'_, '_>, bytes: usize) {
    let (area, _fd) = SharedArea::create(PLAN).unwrap();
    let (mut writer, mut reader) = (RingWriter::new(RING), RingReader::new(RING));
    let (message, mut taken) = (vec![b'x'; bytes], vec![0; bytes]);
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for _ in 0..MESSAGES {
            assert!(writer.free_bytes(&area, bytes as u64).unwrap() >= bytes as u64);
            area.put(AreaPart::RingA, writer.at(), &message);
            writer.wrote(bytes as u64);
            writer.publish(&area);
            divan::black_box(must_wake(&area, ASLEEP, FOR_BYTES));
            assert_eq!(reader.ready(&area).unwrap(), bytes as u64);
            area.take(AreaPart::RingA, reader.at(), &mut taken);
            reader.took(bytes as u64);
            reader.release(&area);
        }
        area.word(0).load(Ordering::Relaxed)
    });
}

/// The same, published together.
#[divan::bench]
fn messages_together(bencher: Bencher<'_, '_>) {
    const BYTES: usize = 32;
    let (area, _fd) = SharedArea::create(PLAN).unwrap();
    let (mut writer, mut reader) = (RingWriter::new(RING), RingReader::new(RING));
    let (message, mut taken) = ([b'x'; BYTES], vec![0; BYTES * MESSAGES]);
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for _ in 0..MESSAGES {
            area.put(AreaPart::RingA, writer.at(), &message);
            writer.wrote(BYTES as u64);
        }
        writer.publish(&area);
        divan::black_box(must_wake(&area, ASLEEP, FOR_BYTES));
        assert_eq!(reader.ready(&area).unwrap(), taken.len() as u64);
        area.take(AreaPart::RingA, reader.at(), &mut taken);
        reader.took(taken.len() as u64);
        reader.release(&area);
    });
}
