//! POSIX message queues without a name.
//!
//! A queue can be created only under a name. It has one for two system calls: then both ends are open, and the name is
//! removed. The result is a pair of descriptors, as of a pipe: inherited, watched and closed like any other. The queue
//! is freed with the last of them.
//!
//! Invariant: no call on an end waits. A queue does not report that its other end is closed, so code that waits for it
//! must watch another descriptor too.

use nix::errno::Errno;
use nix::mqueue::{MQ_OFlag, MqAttr, MqdT, mq_attr_member_t, mq_getattr, mq_open, mq_receive, mq_send, mq_unlink};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::stat::Mode;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

/// What the system charges for each message of a queue in addition to its bytes: its header and its node in the tree of
/// priorities (`mqueue_get_inode` in the kernel; `RLIMIT_MSGQUEUE` in `getrlimit(2)`).
const BYTES_BESIDE: u64 = 48 + 48;

/// The capacity of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub messages: u32,
    /// The most bytes of one message.
    pub bytes: u32,
}

impl Shape {
    /// The bytes that the queue counts in `RLIMIT_MSGQUEUE` from its creation to its end, full or empty.
    #[must_use]
    pub fn charge(self) -> u64 {
        u64::from(self.messages) * (u64::from(self.bytes) + BYTES_BESIDE)
    }
}

/// The limits of the system on message queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest queue.
    pub shape: Shape,
    /// The number of queues of all users; a privileged user may exceed it.
    pub queues: u64,
    /// The sum of [`Shape::charge`] of all queues of this user.
    pub charge: u64,
}

/// Reads the limits. Where the system does not show them, its defaults are returned.
///
/// # Errors
/// Those of `getrlimit(2)`.
pub fn limits() -> io::Result<Limits> {
    let (charge, _) = getrlimit(Resource::RLIMIT_MSGQUEUE)?;
    let number = |name: &str, otherwise: u32| {
        let text = fs::read_to_string(format!("/proc/sys/fs/mqueue/{name}"));
        text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(otherwise)
    };
    Ok(Limits {
        shape: Shape { messages: number("msg_max", 10), bytes: number("msgsize_max", 8192) },
        queues: u64::from(number("queues_max", 256)),
        charge: if charge == RLIM_INFINITY { u64::MAX } else { charge },
    })
}

/// Creates a queue and returns the end to receive from and the end to send to. `name` begins with its only slash, and
/// exists only during the call.
///
/// # Errors
/// `EMFILE`: the user's queues exceed the limit, or the system is short of descriptors. `ENOSPC`: there are too many
/// queues. `EEXIST`: the name is in use. `ENOSYS`: the system has no queues.
pub fn open(name: &CStr, shape: Shape) -> io::Result<(OwnedFd, OwnedFd)> {
    let attributes = MqAttr::new(0, member(shape.messages), member(shape.bytes), 0);
    // The system makes them close-on-exec in any case.
    let common = MQ_OFlag::O_NONBLOCK | MQ_OFlag::O_CLOEXEC;
    let create = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDONLY;
    let receiver = own(mq_open(name, common | create, Mode::S_IRUSR | Mode::S_IWUSR, Some(&attributes))?);
    let sender = mq_open(name, common | MQ_OFlag::O_WRONLY, Mode::empty(), None).map(own);
    let unlinked = mq_unlink(name);
    let sender = sender?;
    unlinked?;
    Ok((receiver, sender))
}

/// The most bytes of a message of this queue.
///
/// # Errors
/// The descriptor is no queue.
pub fn message_bytes(end: &OwnedFd) -> io::Result<usize> {
    let attributes = mq_getattr(&of(end))?;
    usize::try_from(attributes.msgsize()).map_err(|_| Errno::EINVAL.into())
}

/// Sends one message.
///
/// # Errors
/// `WouldBlock` if the queue is full; those of `mq_send(3)`.
pub fn send(end: &OwnedFd, message: &[u8]) -> io::Result<()> {
    loop {
        match mq_send(&of(end), message, 0) {
            Err(Errno::EINTR) => {}
            sent => return Ok(sent?),
        }
    }
}

/// Receives one message and returns its length. `buffer` must hold the largest message.
///
/// # Errors
/// `WouldBlock` if the queue is empty; those of `mq_receive(3)`.
pub fn receive(end: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match mq_receive(&of(end), buffer, &mut 0) {
            Err(Errno::EINTR) => {}
            received => return Ok(received?),
        }
    }
}

const fn member(number: u32) -> mq_attr_member_t {
    number as mq_attr_member_t
}

fn own(queue: MqdT) -> OwnedFd {
    // SAFETY: the fd is open, and `queue` was its only owner.
    unsafe { OwnedFd::from_raw_fd(queue.into_raw_fd()) }
}

/// The queue of a descriptor, for one call.
fn of(end: &OwnedFd) -> ManuallyDrop<MqdT> {
    // SAFETY: the fd is open as long as it is borrowed, and is not closed here. Each call checks that it is a queue.
    ManuallyDrop::new(unsafe { MqdT::from_raw_fd(end.as_raw_fd()) })
}

/// Removes a name that was left behind.
///
/// # Errors
/// No queue has this name.
pub fn remove(name: &CStr) -> io::Result<()> {
    Ok(mq_unlink(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::random;
    use std::io::ErrorKind;

    const SMALL: Shape = Shape { messages: 2, bytes: 128 };

    #[test]
    fn messages_stay_whole_and_a_name_is_free_at_once() {
        let name = random::name("/supervisor-test-").unwrap();
        let queues: Vec<_> = (0..3).map(|_| open(&name, SMALL).unwrap()).collect();
        assert_eq!(remove(&name).unwrap_err().raw_os_error(), Some(Errno::ENOENT as i32));
        let (receiver, sender) = &queues[1];
        assert_eq!((message_bytes(receiver).unwrap(), message_bytes(sender).unwrap()), (128, 128));
        let mut buffer = [0; 128];
        assert_eq!(receive(receiver, &mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        send(sender, b"one").unwrap();
        send(sender, b"").unwrap();
        assert_eq!(send(sender, b"three").unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(receive(receiver, &mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..3], b"one");
        assert_eq!(receive(receiver, &mut buffer).unwrap(), 0);
        assert!(send(sender, &[0; 129]).is_err());
        assert!(receive(sender, &mut buffer).is_err() && send(receiver, b"").is_err(), "each end has one direction");
        let (reader, _writer) = crate::sys::fd::pipe().unwrap();
        assert!(message_bytes(&reader).is_err());
    }

    #[test]
    fn the_charge_is_what_the_system_counts() {
        assert_eq!(Shape { messages: 10, bytes: 8192 }.charge(), 82_880);
        let limits = limits().unwrap();
        assert!(limits.shape.messages > 0 && limits.shape.bytes >= 128 && limits.queues > 0, "{limits:?}");
    }
}
