//! How many items per second the sources deliver: `cargo bench --bench splitter`.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use supervisor::model::config::Split;
use supervisor::source::generator::Generator;
use supervisor::source::splitter::Splitter;
use supervisor::source::{Delivery, Source};

/// The bytes of one read of a file.
const PIECE_BYTES: usize = 128 * 1024;

fn main() {
    divan::main();
}

/// Lines of six digits, asked for one, a few, or all at a time.
#[divan::bench(args = [1, 64, u64::MAX])]
fn lines(bencher: Bencher<'_, '_>, items_max: u64) {
    let line = b"123456\n";
    let piece = line.repeat(PIECE_BYTES / line.len());
    let mut splitter = Splitter::new(Split::Delimiter(b'\n'), false);
    bencher.counter(ItemsCount::new(piece.len() / line.len())).bench_local(|| {
        splitter.push(&piece);
        while let Some(delivery) = splitter.next(items_max) {
            divan::black_box(delivery);
        }
    });
}

/// Lines that begin with their priority, each an item of its own.
#[divan::bench]
fn lines_with_priorities(bencher: Bencher<'_, '_>) {
    let line = b"-12\t123456\n";
    let piece = line.repeat(PIECE_BYTES / line.len());
    let mut splitter = Splitter::new(Split::Delimiter(b'\n'), true);
    bencher.counter(ItemsCount::new(piece.len() / line.len())).bench_local(|| {
        splitter.push(&piece);
        while let Some(delivery) = splitter.next(u64::MAX) {
            divan::black_box(delivery);
        }
    });
}

/// Blocks of 64 KiB, cut behind a line, or exactly.
#[divan::bench(args = [true, false])]
fn blocks(bencher: Bencher<'_, '_>, at_lines: bool) {
    let line = b"123456\n";
    let piece = line.repeat(PIECE_BYTES / line.len());
    let delimiter = at_lines.then_some(b'\n');
    let mut splitter = Splitter::new(Split::Block { bytes: 64 * 1024, delimiter }, false);
    bencher.counter(BytesCount::of_slice(&piece)).bench_local(|| {
        splitter.push(&piece);
        while let Some(delivery) = splitter.next(u64::MAX) {
            divan::black_box(delivery);
        }
    });
}

#[divan::bench]
fn generator(bencher: Bencher<'_, '_>) {
    const ITEMS: u64 = 1_000_000;
    bencher.counter(ItemsCount::new(ITEMS)).bench_local(|| {
        let mut generator = Generator::new(ITEMS);
        while let Ok(Delivery::Items(payload)) = generator.next(u64::MAX) {
            divan::black_box(payload);
        }
    });
}
