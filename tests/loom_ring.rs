//! The ring of the `shm` transport under every interleaving and memory order that loom tries: no byte is read before it
//! is written or overwritten before it is read, and no side sleeps for ever.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use supervisor::transport::shm_ring::{
    FOR_BYTES, FOR_FREE_BYTES, Ring, RingReader, RingWriter, Words, announce_sleep, must_wake, withdraw_sleep,
};

const RING: Ring = Ring { tail: 0, head: 1, bytes: 1 };
const WRITER_ASLEEP: usize = 2;
const READER_ASLEEP: usize = 3;
const BYTES: u64 = 3;

struct Shared {
    words: [AtomicU64; 4],
    /// Loom complains about every access that another one may overlap.
    byte: UnsafeCell<u64>,
    writers_wake_fd: WakeFd,
    readers_wake_fd: WakeFd,
}

/// Stays readable until a side has waited for it, as an eventfd does.
#[derive(Default)]
struct WakeFd {
    readable: Mutex<bool>,
    changed: Condvar,
}

impl WakeFd {
    fn wake(&self) {
        *self.readable.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut readable = self.readable.lock().unwrap();
        while !*readable {
            readable = self.changed.wait(readable).unwrap();
        }
        *readable = false;
    }
}

impl Words for Shared {
    fn load(&self, word: usize, order: Ordering) -> u64 {
        self.words[word].load(order)
    }

    fn store(&self, word: usize, value: u64, order: Ordering) {
        self.words[word].store(value, order);
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

fn shared() -> Arc<Shared> {
    let words = [0; 4].map(AtomicU64::new);
    Arc::new(Shared {
        words,
        byte: UnsafeCell::new(0),
        writers_wake_fd: WakeFd::default(),
        readers_wake_fd: WakeFd::default(),
    })
}

/// Writes the numbers from 1, each over the one before.
fn write(shared: &Shared) {
    let mut writer = RingWriter::new(RING);
    for number in 1..=BYTES {
        while writer.free_bytes(shared, 1).unwrap() == 0 {
            announce_sleep(shared, WRITER_ASLEEP, FOR_FREE_BYTES);
            if writer.free_bytes(shared, 1).unwrap() == 0 {
                shared.writers_wake_fd.wait();
            }
            withdraw_sleep(shared, WRITER_ASLEEP);
        }
        shared.byte.with_mut(|byte| unsafe { *byte = number });
        writer.wrote(1);
        assert!(writer.publish(shared));
        if must_wake(shared, READER_ASLEEP, FOR_BYTES) {
            shared.readers_wake_fd.wake();
        }
    }
}

fn read(shared: &Shared) {
    let mut reader = RingReader::new(RING);
    for number in 1..=BYTES {
        while reader.ready(shared).unwrap() == 0 {
            announce_sleep(shared, READER_ASLEEP, FOR_BYTES);
            if reader.ready(shared).unwrap() == 0 {
                shared.readers_wake_fd.wait();
            }
            withdraw_sleep(shared, READER_ASLEEP);
        }
        assert_eq!(shared.byte.with(|byte| unsafe { *byte }), number);
        reader.took(1);
        assert!(reader.release(shared));
        if must_wake(shared, WRITER_ASLEEP, FOR_FREE_BYTES) {
            shared.writers_wake_fd.wake();
        }
    }
}

#[test]
fn bytes_arrive_and_no_side_sleeps_for_ever() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let ours = shared();
        let theirs = Arc::clone(&ours);
        let reader = thread::spawn(move || read(&theirs));
        write(&ours);
        reader.join().unwrap();
    });
}
