//! Messages from threads to one thread that waits in a poll set, in batches.
//!
//! A wake-up per message would cost the reader a turn of its loop each time. So messages are posted many at a time, and
//! the wake fd is written only if the reader has armed the mailbox, which it does before it waits.
//!
//! Invariant: each message is taken once, in the order of posting, and a reader that has armed the mailbox is woken for
//! every message that was not posted quietly. No function waits, except for a lock that is held for moments. The number of messages is not limited
//! here: the posting threads limit it.

use super::wake_fd::WakeFd;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by the posting threads and the reader.
#[derive(Debug)]
pub struct Mailbox<T> {
    state: Mutex<MailboxState<T>>,
    wake_fd: WakeFd,
    /// The number of messages, readable without the lock: a reader that polls must not keep others from posting.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct MailboxState<T> {
    messages: Vec<T>,
    /// The reader waits, or is about to.
    armed: bool,
    /// How often the wake fd was written, or is about to be, since it was cleared.
    wakes: u64,
}

impl<T> Mailbox<T> {
    /// An empty mailbox.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn new() -> io::Result<Self> {
        let state = MailboxState { messages: Vec::new(), armed: false, wakes: 0 };
        Ok(Self { state: Mutex::new(state), wake_fd: WakeFd::new()?, waiting: AtomicUsize::new(0) })
    }

    /// Posts all messages, and wakes the reader if it has armed the mailbox.
    pub fn post(&self, messages: &mut Vec<T>) {
        if messages.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.messages.append(messages);
        self.waiting.store(state.messages.len(), Relaxed);
        if std::mem::take(&mut state.armed) {
            state.wakes += 1;
            drop(state);
            // After the lock is released, or the reader would wake only to wait for it.
            self.wake_fd.wake();
        }
    }

    /// Posts all messages for whenever the reader looks: a reader that waits sleeps on.
    pub fn post_quietly(&self, messages: &mut Vec<T>) {
        let mut state = self.lock();
        state.messages.append(messages);
        self.waiting.store(state.messages.len(), Relaxed);
    }

    /// Wakes a reader that waits while there are messages that were posted quietly.
    pub fn wake_for_messages(&self) {
        let mut state = self.lock();
        if state.armed && !state.messages.is_empty() {
            state.armed = false;
            state.wakes += 1;
            drop(state);
            self.wake_fd.wake();
        }
    }

    /// Appends all waiting messages to `messages`, and disarms the mailbox.
    pub fn take(&self, messages: &mut Vec<T>) {
        let mut state = self.lock();
        state.armed = false;
        if state.wakes > 0 {
            // A thread that has yet to write the wake fd stays counted: the fd is cleared after that, in a later call.
            state.wakes = state.wakes.saturating_sub(self.wake_fd.clear());
        }
        self.waiting.store(0, Relaxed);
        if messages.is_empty() {
            std::mem::swap(messages, &mut state.messages);
        } else {
            messages.append(&mut state.messages);
        }
    }

    /// Whether no message waits, without the lock: a message that is being posted may be missed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.load(Relaxed) == 0
    }

    /// Arms the mailbox before the reader waits: the next post wakes the reader. False: messages are waiting already.
    #[must_use]
    pub fn arm(&self) -> bool {
        let mut state = self.lock();
        state.armed = state.messages.is_empty();
        state.armed
    }

    /// Whether the reader has armed the mailbox and was not woken since.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.lock().armed
    }

    fn lock(&self) -> MutexGuard<'_, MailboxState<T>> {
        // No code that holds the lock can panic between two related changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Readable when there are messages for a reader that has armed the mailbox.
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

    fn is_woken<T>(mailbox: &Mailbox<T>) -> bool {
        let mut poller = Poller::new().unwrap();
        let mut ready = Vec::new();
        poller.add(mailbox, Interest::READ, 0).unwrap();
        poller.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        !ready.is_empty()
    }

    #[test]
    fn a_reader_is_woken_once_and_only_if_it_waits() {
        let mailbox = Mailbox::new().unwrap();
        let mut messages = Vec::new();
        mailbox.post(&mut vec![1]);
        assert!(!is_woken(&mailbox));
        assert!(!mailbox.arm(), "messages are waiting");
        mailbox.post(&mut vec![2, 3]);
        mailbox.take(&mut messages);
        assert_eq!(messages, [1, 2, 3]);
        assert!(mailbox.arm());
        mailbox.post(&mut Vec::new());
        assert!(!is_woken(&mailbox), "no message, no wake");
        mailbox.post(&mut vec![4]);
        mailbox.post(&mut vec![5]);
        assert!(is_woken(&mailbox));
        mailbox.take(&mut messages);
        assert_eq!(messages, [1, 2, 3, 4, 5]);
        assert!(!is_woken(&mailbox));
    }

    /// Of two posting threads, the first to post may be the last to write the wake fd.
    #[test]
    fn a_late_wake_is_cleared_too() {
        let mailbox = Mailbox::new().unwrap();
        let mut messages = Vec::new();
        assert!(mailbox.arm());
        // As `post` does it, up to the write to the wake fd.
        let mut state = mailbox.lock();
        state.messages.push(1);
        (state.armed, state.wakes) = (false, 1);
        drop(state);
        mailbox.take(&mut messages);
        assert!(mailbox.arm());
        mailbox.post(&mut vec![2]);
        mailbox.take(&mut messages);
        mailbox.wake_fd.wake();
        assert!(mailbox.arm() && is_woken(&mailbox));
        mailbox.take(&mut messages);
        assert!(mailbox.arm() && !is_woken(&mailbox), "the reader would be woken for ever");
        assert_eq!(messages, [1, 2]);
    }

    #[test]
    fn a_sleeping_reader_misses_no_message() {
        const MESSAGES: u32 = 20_000;
        let mailbox = Arc::new(Mailbox::new().unwrap());
        let writer = std::thread::spawn({
            let mailbox = Arc::clone(&mailbox);
            move || (0..MESSAGES).for_each(|message| mailbox.post(&mut vec![message]))
        });
        let mut poller = Poller::new().unwrap();
        poller.add(mailbox.as_ref(), Interest::READ, 0).unwrap();
        let (mut messages, mut ready) = (Vec::new(), Vec::new());
        while messages.len() < MESSAGES as usize {
            let timeout = if mailbox.arm() { None } else { Some(Duration::ZERO) };
            poller.wait(&mut ready, timeout).unwrap();
            mailbox.take(&mut messages);
        }
        assert!(messages.iter().copied().eq(0..MESSAGES));
        writer.join().unwrap();
    }
}
