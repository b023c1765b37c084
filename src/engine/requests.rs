//! Requests from other threads of the program to a running run.
//!
//! Invariant: the loop takes a request, or the request is dropped. None is left behind when the run has ended.

use super::turn::Turn;
use crate::core::Core;
use crate::core::input::Input;
use crate::model::command::{Command, Origin};
use crate::model::ids::ItemId;
use crate::model::status::Status;
use crate::sys::mailbox::Mailbox;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::mpsc::{self, Sender};

/// What another thread asks for.
enum Request {
    Command(Command),
    GiveUp(ItemId),
    Status(Sender<Status>),
    /// Notifications were taken: the loop checks whether it may continue.
    Resume,
}

/// Where requests wait for the loop. Shared by the handle and the loop.
pub struct Requests {
    mailbox: Mailbox<Request>,
    /// The run has ended.
    closed: AtomicBool,
}

impl Requests {
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Self> {
        let requests = Self { mailbox: Mailbox::new()?, closed: AtomicBool::new(false) };
        // So that the first post wakes the loop.
        let _ = requests.mailbox.arm();
        Ok(requests)
    }

    fn post(&self, request: Request) {
        self.mailbox.post(&mut vec![request]);
        // `close` may have emptied the mailbox before this post.
        if self.closed.load(Acquire) {
            self.mailbox.take(&mut Vec::new());
        }
    }

    /// Posts a command; it has no reply.
    pub fn command(&self, command: Command) {
        self.post(Request::Command(command));
    }

    /// Posts that an item is given up; it has no reply.
    pub fn give_up(&self, item: ItemId) {
        self.post(Request::GiveUp(item));
    }

    /// The state of the run; `None` once it has ended.
    pub fn status(&self) -> Option<Status> {
        let (sender, answer) = mpsc::channel();
        self.post(Request::Status(sender));
        // Ends also if the request is dropped, and its sender with it.
        answer.recv().ok()
    }

    /// Tells the loop that notifications were taken.
    pub fn resume(&self) {
        self.post(Request::Resume);
    }

    /// The loop's side: takes all requests.
    pub fn receive(&self, core: &Core, turn: &mut Turn) {
        let mut taken = Vec::new();
        loop {
            self.mailbox.take(&mut taken);
            for request in taken.drain(..) {
                match request {
                    Request::Command(command) => turn.report(Input::Command { command, origin: Origin::Caller }),
                    Request::GiveUp(item) => turn.report(Input::GivenUp { item }),
                    // A program that does not wait for the answer any more does not miss it.
                    Request::Status(sender) => _ = sender.send(core.status()),
                    Request::Resume => {}
                }
            }
            if self.mailbox.arm() {
                return;
            }
        }
    }

    /// The run has ended: what waits, and what comes, is dropped.
    pub fn close(&self) {
        self.closed.store(true, Release);
        self.mailbox.take(&mut Vec::new());
    }
}

/// Readable when there are requests.
impl AsFd for Requests {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mailbox.as_fd()
    }
}
