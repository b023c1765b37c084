//! Items from an iterator of the program that uses the library.
//!
//! An iterator may block, and the loop may not. So the iterator runs on a thread of its own, which packs short items into
//! blocks; a wake fd tells the loop that there is something. The loop takes also a block that is not full, so that an
//! item never waits for the next one.
//!
//! Invariant: at most `BLOCKS_MAX` blocks wait. A run that ends early lets the thread end with its next item.

use super::delivery::{BATCH_BYTES_MAX, Delivery, Payload, Source, SourceError};
use super::splitter::too_long;
use crate::model::spec::ITEM_BYTES_MAX;
use crate::sys::wake_fd::WakeFd;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

/// Full blocks that wait for the loop. Each is at most [`BATCH_BYTES_MAX`], or one item.
const BLOCKS_MAX: usize = 4;

/// Follows each item of a block of several. An item that holds it comes alone.
const DELIMITER: u8 = b'\n';

/// Items that are ready for the loop.
enum Parcel {
    /// `count` items, each with its delimiter; or one item, alone.
    Items {
        block: Vec<u8>,
        count: u32,
        delimited: bool,
    },
    TooLong,
}

/// How the iterator has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IteratorEnd {
    Exhausted,
    Panicked,
}

/// What both threads see.
#[derive(Default)]
struct PackedItems {
    ready: VecDeque<Parcel>,
    /// The block that is being filled.
    open: Vec<u8>,
    open_items: u32,
    end: Option<IteratorEnd>,
    /// The loop found nothing and waits for the wake fd.
    is_awaited: bool,
    /// The run takes no more.
    is_closed: bool,
}

struct Shared {
    content: Mutex<PackedItems>,
    /// There is space for another block, or the run takes no more.
    has_space: Condvar,
    wake_fd: WakeFd,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, PackedItems> {
        // No change of the content is half done if a thread panics.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source.
pub struct IteratorSource {
    shared: Arc<Shared>,
    /// What is left of the last block.
    rest: Option<Payload>,
}

impl IteratorSource {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread or no descriptor is left.
    pub fn start(items: impl Iterator<Item = Vec<u8>> + Send + 'static) -> io::Result<Self> {
        let (content, has_space) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { content, has_space, wake_fd: WakeFd::new()? });
        let packer = Packer { shared: Arc::clone(&shared), end: IteratorEnd::Panicked };
        Builder::new().name("items".to_owned()).spawn(move || packer.run(items))?;
        Ok(Self { shared, rest: None })
    }

    /// The first items of a payload; the others wait.
    fn cut(&mut self, payload: Payload, items_max: u64) -> Payload {
        let items_max = u32::try_from(items_max).unwrap_or(u32::MAX).max(1);
        if payload.count <= items_max {
            return payload;
        }
        let bytes = &payload.block[payload.range.clone()];
        let cut = memchr::memchr_iter(DELIMITER, bytes).nth(items_max as usize - 1).map_or(bytes.len(), |at| at + 1);
        let middle = payload.range.start + cut;
        let (head, tail) = (payload.range.start..middle, middle..payload.range.end);
        self.rest = Some(part(&payload, tail, payload.count - items_max));
        part(&payload, head, items_max)
    }
}

/// A part of a delimited payload. A single item has no delimiter.
fn part(payload: &Payload, mut range: std::ops::Range<usize>, count: u32) -> Payload {
    if count == 1 {
        range.end -= 1;
    }
    Payload { range, count, ..payload.clone() }
}

impl Source for IteratorSource {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        if let Some(payload) = self.rest.take() {
            return Ok(Delivery::Items(self.cut(payload, items_max)));
        }
        let mut content = self.shared.lock();
        if content.ready.is_empty() {
            content.finish_block();
        }
        let parcel = content.ready.pop_front();
        if parcel.is_none() && content.end.is_none() {
            // Under the lock, so that the next item wakes the loop.
            self.shared.wake_fd.clear();
            content.is_awaited = true;
        }
        let end = content.end;
        drop(content);
        self.shared.has_space.notify_one();
        match (parcel, end) {
            (Some(Parcel::Items { block, count, delimited }), _) => {
                let bytes = block.len();
                let whole = Payload { block: Arc::new(block.into()), range: 0..bytes, count, priority: 0 };
                let whole = if delimited { part(&whole, 0..bytes, count) } else { whole };
                Ok(Delivery::Items(self.cut(whole, items_max)))
            }
            (Some(Parcel::TooLong), _) => Ok(too_long()),
            (None, Some(IteratorEnd::Exhausted)) => Ok(Delivery::Ended),
            (None, Some(IteratorEnd::Panicked)) => Err(SourceError::Iterator),
            (None, None) => Ok(Delivery::Idle),
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.shared.wake_fd.as_fd())
    }

    fn delimiter(&self) -> u8 {
        DELIMITER
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

impl Drop for IteratorSource {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.has_space.notify_one();
    }
}

impl PackedItems {
    fn finish_block(&mut self) {
        let (block, count) = (std::mem::take(&mut self.open), std::mem::take(&mut self.open_items));
        if count > 0 {
            self.ready.push_back(Parcel::Items { block, count, delimited: true });
        }
    }

    fn add(&mut self, item: Vec<u8>) {
        if item.len() > ITEM_BYTES_MAX {
            self.finish_block();
            self.ready.push_back(Parcel::TooLong);
        } else if item.len() >= BATCH_BYTES_MAX || memchr::memchr(DELIMITER, &item).is_some() {
            self.finish_block();
            self.ready.push_back(Parcel::Items { block: item, count: 1, delimited: false });
        } else {
            if self.open.len() + item.len() + 1 > BATCH_BYTES_MAX {
                self.finish_block();
            }
            self.open.extend_from_slice(&item);
            self.open.push(DELIMITER);
            self.open_items += 1;
        }
    }
}

/// The thread's side.
struct Packer {
    shared: Arc<Shared>,
    /// How the thread would end now.
    end: IteratorEnd,
}

impl Packer {
    fn run(mut self, items: impl Iterator<Item = Vec<u8>>) {
        for item in items {
            let mut content = self.shared.lock();
            while content.ready.len() >= BLOCKS_MAX && !content.is_closed {
                content = self.shared.has_space.wait(content).unwrap_or_else(PoisonError::into_inner);
            }
            if content.is_closed {
                break;
            }
            content.add(item);
            if std::mem::take(&mut content.is_awaited) {
                self.shared.wake_fd.wake();
            }
        }
        self.end = IteratorEnd::Exhausted;
    }
}

/// Reports the end, also if the iterator panicked.
impl Drop for Packer {
    fn drop(&mut self) {
        self.shared.lock().end = Some(self.end);
        self.shared.wake_fd.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::wait_readable;
    use std::sync::mpsc;

    /// Everything that the source delivers when it is asked for `items_max` at a time.
    fn all(mut source: IteratorSource, items_max: u64) -> Result<Vec<Vec<u8>>, String> {
        let mut items = Vec::new();
        loop {
            match source.next(items_max).map_err(|error| error.to_string())? {
                Delivery::Items(payload) => {
                    let bytes = &payload.block[payload.range.clone()];
                    if payload.count == 1 {
                        items.push(bytes.to_vec());
                    } else {
                        let several = bytes.strip_suffix(b"\n").unwrap();
                        items.extend(several.split(|byte| *byte == DELIMITER).map(<[u8]>::to_vec));
                    }
                    assert!(u64::from(payload.count) <= items_max);
                }
                Delivery::Rejected(reason) => items.push(reason.to_string().into_bytes()),
                Delivery::Idle => wait_readable(source.fd().unwrap()),
                Delivery::Ended => return Ok(items),
            }
        }
    }

    #[test]
    fn items_of_every_length_come_whole_and_in_order() {
        let lengths = [0, 1, 2, 0, BATCH_BYTES_MAX - 1, BATCH_BYTES_MAX, 5, 3 * BATCH_BYTES_MAX];
        let mut expected: Vec<Vec<u8>> = lengths.iter().map(|length| vec![b'x'; *length]).collect();
        expected.extend((0..100_000).map(|number| number.to_string().into_bytes()));
        expected.insert(3, b"two\nlines\n".to_vec());
        for items_max in [1, 7, u64::MAX] {
            let source = IteratorSource::start(expected.clone().into_iter()).unwrap();
            assert!(all(source, items_max).unwrap() == expected, "{items_max} at a time");
        }
    }

    #[test]
    fn an_item_over_the_limit_is_rejected_alone() {
        let items = [b"a".to_vec(), vec![0; ITEM_BYTES_MAX + 1], b"b".to_vec()];
        let found = all(IteratorSource::start(items.into_iter()).unwrap(), 9).unwrap();
        assert_eq!((found[0].as_slice(), found[2].as_slice(), found.len()), (&b"a"[..], &b"b"[..], 3));
    }

    #[test]
    fn an_item_does_not_wait_for_the_next_one() {
        let (sender, items) = mpsc::channel::<Vec<u8>>();
        let mut source = IteratorSource::start(items.into_iter()).unwrap();
        for item in [&b"first"[..], b"second"] {
            sender.send(item.to_vec()).unwrap();
            let delivered = loop {
                match source.next(10).unwrap() {
                    Delivery::Items(payload) => break payload,
                    Delivery::Idle => wait_readable(source.fd().unwrap()),
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(&delivered.block[delivered.range.clone()], item);
        }
        drop(sender);
        assert_eq!(all(source, 1), Ok(Vec::new()));
    }

    #[test]
    fn a_panic_of_the_iterator_is_a_lost_source() {
        let items = (0..3).map(|number| if number == 2 { panic!("on purpose") } else { vec![b'0' + number] });
        let error = all(IteratorSource::start(items).unwrap(), 9).unwrap_err();
        assert_eq!(error, "take an item from the iterator: it panicked");
    }

    #[test]
    fn an_endless_iterator_stops_with_its_source() {
        struct Endless {
            _dropped_with_it: mpsc::Sender<()>,
        }
        impl Iterator for Endless {
            type Item = Vec<u8>;
            fn next(&mut self) -> Option<Vec<u8>> {
                Some(vec![b'x'; 1000])
            }
        }
        let (sender, dropped) = mpsc::channel();
        drop(IteratorSource::start(Endless { _dropped_with_it: sender }).unwrap());
        // The thread drops the iterator, and with it the sender.
        assert_eq!(dropped.recv(), Err(mpsc::RecvError));
    }
}
