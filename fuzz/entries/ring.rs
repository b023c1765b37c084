use super::Bytes;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use supervisor::model::spec::TransportKind;
use supervisor::sys::block::{Block, BlockSlice};
use supervisor::transport::shm_ring::{Broken, Ring, RingReader, RingWriter, Words, must_wake};
use supervisor::transport::{self, Channel};
use supervisor::wire::frame::{BODY_BYTES_MAX, FrameDecoder};
use supervisor::wire::message::ToWorker;
use supervisor::wire::names;
use supervisor::wire::prefix::Prefix;

/// The first byte selects the test: a ring whose indices may have any value, or a whole channel whose memory
/// is overwritten.
pub fn ring(data: &[u8]) {
    let mut data = Bytes(data);
    if data.byte() & 1 == 0 { indices(data) } else { area(data) }
}

const RING: Ring = Ring { tail: 0, head: 1, bytes: 64 };

/// Words that may have any value each time they are read.
struct Hostile<'a> {
    lies: RefCell<Bytes<'a>>,
    /// The last value of each word; most reads return a value near it.
    stored: [Cell<u64>; 4],
}

impl Words for Hostile<'_> {
    fn load(&self, word: usize, _: Ordering) -> u64 {
        let mut lies = self.lies.borrow_mut();
        let near = self.stored[word].get();
        let found = match lies.byte() {
            255 => lies.word(),
            by @ 128.. => near.wrapping_sub(u64::from(by - 128)),
            by => near.wrapping_add(u64::from(by)),
        };
        self.stored[word].set(found);
        found
    }

    fn store(&self, word: usize, value: u64, _: Ordering) {
        self.stored[word].set(value);
    }

    fn fence(&self) {}
}

/// Whatever the other side's indices are, no byte is written that the other side may read, and no byte is read that it
/// may write.
fn indices(data: Bytes<'_>) {
    let words = Hostile { lies: RefCell::new(data), stored: Default::default() };
    let (mut writer, mut reader) = (RingWriter::new(RING), RingReader::new(RING));
    let mut released = 0;
    loop {
        let (what, bytes) = {
            let mut lies = words.lies.borrow_mut();
            if lies.is_empty() {
                return;
            }
            (lies.byte(), u64::from(lies.byte()))
        };
        let judged = match what % 8 {
            0 => writer.free_bytes(&words, bytes % 65).map(|free| {
                assert!(free <= RING.bytes);
                writer.wrote(bytes % (free + 1));
            }),
            1 => {
                writer.publish(&words);
                Ok(())
            }
            2 => writer.refresh(&words).map(|head| assert!(head <= writer.at() && writer.at() - head <= RING.bytes)),
            3 => reader.ready(&words).map(|ready| {
                assert!(ready + reader.unreleased() <= RING.bytes);
                reader.took(bytes % (ready + 1));
            }),
            4 => reader.refresh(&words).map(|ready| assert!(ready + reader.unreleased() <= RING.bytes)),
            5 => {
                reader.release(&words);
                Ok(())
            }
            6 => {
                writer.retract();
                Ok(())
            }
            _ => {
                must_wake(&words, 2, bytes);
                Ok(())
            }
        };
        assert!(reader.at() >= released, "a position only grows");
        released = reader.at() - reader.unreleased();
        if let Err(Broken { found, least, most }) = judged {
            assert!(found < least || found > most);
        }
    }
}

/// A channel whose worker is the fuzzer: it writes any bytes to the shared memory.
fn area(mut data: Bytes<'_>) {
    let kind = TransportKind::Shm;
    let (mut channel, endpoints) = transport::transport(&kind.into(), 1).unwrap().open().unwrap();
    let memory = endpoints.fds().find(|(names, _)| names.contains(&names::FD_MEMORY)).expect("shared memory").1;
    let memory = File::from(memory.try_clone_to_owned().unwrap());
    let block = Arc::new(Block::from(vec![b'x'; 300_000]));
    let (mut first, mut decoder) = (0, FrameDecoder::new());
    while !data.is_empty() {
        match data.byte() % 8 {
            // One of the words: an index of a ring, or whether a side sleeps.
            0 | 1 => {
                let (word, value) = (data.byte(), data.word());
                let _ = memory.write_all_at(&value.to_le_bytes(), 8 * u64::from(word));
            }
            // Bytes in a ring or in the staging area.
            2 => {
                let (at, bytes) = (data.word() % (1 << 20), data.byte());
                let _ = memory.write_all_at(data.take(bytes.into()), at);
            }
            3 => {
                let bytes = [0, 9, 1000, 70_000, 300_000][usize::from(data.byte() % 5)];
                let slice = BlockSlice::new(&block, 0..bytes);
                first += 1;
                // The channel may have reported an error already.
                let prefix = Prefix::new(&ToWorker::Batch { first, count: 1, attempt: 1 }, bytes);
                let _ = channel.queue(&prefix, 1, slice);
                let _ = channel.flush();
            }
            4 => {
                let _ = channel.flush();
            }
            5 => {
                let _ = channel.arm();
            }
            6 if data.byte() == 0 => channel.close_input(),
            _ => read(&mut *channel, &mut decoder),
        }
        assert!(channel.backlog_bytes() <= first as usize * (300_000 + 100));
    }
    read(&mut *channel, &mut decoder);
    channel.recover(decoder.buffer());
}

fn read(channel: &mut dyn Channel, decoder: &mut FrameDecoder) {
    if channel.fill(decoder.buffer()).is_ok() {
        while let Ok(Some(frame)) = decoder.next() {
            assert!(frame.body.len() <= BODY_BYTES_MAX);
        }
    }
}
