//! Letters from one thread to another that waits in a poll set, in batches.
//!
//! A bell for each letter would cost the reader a turn for each. So letters are posted many at a time,
//! and the bell rings only if the reader has said that it is about to wait.
//!
//! Invariant: in the order in which they were posted, each letter is taken once; who has parked does not
//! sleep over one. Nobody waits here, but for a lock that is held for moments. How many letters there can
//! be is up to those who post.

use super::wake_fd::WakeFd;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by those who post and the one who takes, whose poll set it is in.
#[derive(Debug)]
pub struct Mailbox<T> {
    content: Mutex<Content<T>>,
    wake_fd: WakeFd,
    /// How many letters there are, to look at without the lock: who looks again and again would keep others
    /// from posting.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Content<T> {
    messages: Vec<T>,
    /// The reader waits, or is about to.
    parked: bool,
    /// How often the bell was rung, or is about to be, since it was silenced.
    rings: u64,
}

impl<T> Mailbox<T> {
    /// An empty one.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Self> {
        let content = Content { messages: Vec::new(), parked: false, rings: 0 };
        Ok(Self { content: Mutex::new(content), wake_fd: WakeFd::new()?, waiting: AtomicUsize::new(0) })
    }

    /// Posts all of them, and wakes the reader if it is parked.
    pub fn post(&self, messages: &mut Vec<T>) {
        if messages.is_empty() {
            return;
        }
        let mut content = self.lock();
        content.messages.append(messages);
        self.waiting.store(content.messages.len(), Relaxed);
        if std::mem::take(&mut content.parked) {
            content.rings += 1;
            drop(content);
            // Without the lock, or the reader wakes up only to wait for it.
            self.wake_fd.ring();
        }
    }

    /// Moves all that is there behind what `messages` holds. The reader is awake from now on.
    pub fn take(&self, messages: &mut Vec<T>) {
        let mut content = self.lock();
        content.parked = false;
        if content.rings > 0 {
            // Who is only about to ring it is counted still: it is silenced after that, with a turn for nothing.
            content.rings = content.rings.saturating_sub(self.wake_fd.silence());
        }
        self.waiting.store(0, Relaxed);
        if messages.is_empty() {
            std::mem::swap(messages, &mut content.messages);
        } else {
            messages.append(&mut content.messages);
        }
    }

    /// Whether there is nothing to take, at a glance: a letter that is just being posted may be missed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.load(Relaxed) == 0
    }

    /// The reader is about to wait: from now on the bell rings for what is posted. False: there is something already.
    #[must_use]
    pub fn arm(&self) -> bool {
        let mut content = self.lock();
        content.parked = content.messages.is_empty();
        content.parked
    }

    fn lock(&self) -> MutexGuard<'_, Content<T>> {
        // Nothing in here is half done if a thread panics.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Readable when there is something for a reader that has parked.
impl<T> AsFd for Mailbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake_fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Duration;
    use crate::sys::poller::{Interest, Poller};
    use std::sync::Arc;

    fn rings<T>(mailbox: &Mailbox<T>) -> bool {
        let mut poller = Poller::new().unwrap();
        let mut ready = Vec::new();
        poller.add(mailbox, Interest::READ, 0).unwrap();
        poller.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        !ready.is_empty()
    }

    #[test]
    fn it_rings_once_for_a_reader_that_waits_and_for_no_other() {
        let mailbox = Mailbox::new().unwrap();
        let mut messages = Vec::new();
        mailbox.post(&mut vec![1]);
        assert!(!rings(&mailbox));
        assert!(!mailbox.arm(), "there is something");
        mailbox.post(&mut vec![2, 3]);
        mailbox.take(&mut messages);
        assert_eq!(messages, [1, 2, 3]);
        assert!(mailbox.arm());
        mailbox.post(&mut Vec::new());
        assert!(!rings(&mailbox), "nothing is no letter");
        mailbox.post(&mut vec![4]);
        mailbox.post(&mut vec![5]);
        assert!(rings(&mailbox));
        mailbox.take(&mut messages);
        assert_eq!(messages, [1, 2, 3, 4, 5]);
        assert!(!rings(&mailbox));
    }

    /// Of two who post, the one who comes first may ring last.
    #[test]
    fn a_ring_that_comes_late_is_silenced_too() {
        let mailbox = Mailbox::new().unwrap();
        let mut messages = Vec::new();
        assert!(mailbox.arm());
        // As `post` does it, but for the ring itself.
        let mut content = mailbox.lock();
        content.messages.push(1);
        (content.parked, content.rings) = (false, 1);
        drop(content);
        mailbox.take(&mut messages);
        assert!(mailbox.arm());
        mailbox.post(&mut vec![2]);
        mailbox.take(&mut messages);
        mailbox.wake_fd.ring();
        assert!(mailbox.arm() && rings(&mailbox));
        mailbox.take(&mut messages);
        assert!(mailbox.arm() && !rings(&mailbox), "it would ring for ever");
        assert_eq!(messages, [1, 2]);
    }

    #[test]
    fn no_letter_is_slept_over() {
        const LETTERS: u32 = 20_000;
        let mailbox = Arc::new(Mailbox::new().unwrap());
        let writer = std::thread::spawn({
            let mailbox = Arc::clone(&mailbox);
            move || (0..LETTERS).for_each(|letter| mailbox.post(&mut vec![letter]))
        });
        let mut poller = Poller::new().unwrap();
        poller.add(mailbox.as_ref(), Interest::READ, 0).unwrap();
        let (mut messages, mut ready) = (Vec::new(), Vec::new());
        while messages.len() < LETTERS as usize {
            let timeout = if mailbox.arm() { None } else { Some(Duration::ZERO) };
            poller.wait(&mut ready, timeout).unwrap();
            mailbox.take(&mut messages);
        }
        assert!(messages.iter().copied().eq(0..LETTERS));
        writer.join().unwrap();
    }
}
