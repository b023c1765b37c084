//! How large the message queues of a run are, and which limit of the system refused one.
//!
//! The system counts all queues of a user together, and counts them as full. So the more workers a run has, the fewer
//! and the shorter are the messages that a queue holds.

use crate::sys::mqueue::{Limits, Shape};
use std::io;

/// Larger shapes gain nothing: a message is as much as a read, and the queue holds a few.
const SHAPE_MAX: Shape = Shape { messages: 16, bytes: 32 * 1024 };

/// As the number of workers grows, first the queue gets fewer messages, then the messages get shorter, then the queue
/// holds one.
const MESSAGES_MIN: u32 = 4;
const MESSAGE_BYTES_MIN: u32 = 1024;

/// Why message queues cannot serve a run; completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error(
        "carry frames by message queues: {workers} workers need {needed} bytes of them and the limit is {limit}; raise `ulimit -q`, give fewer workers or another --transport"
    )]
    Bytes { workers: u32, needed: u64, limit: u64 },
    #[error(
        "carry frames by message queues: {workers} workers need {needed} bytes of them, of {limit} that `ulimit -q` allows all of this user's, and others hold some; raise it, give fewer workers or another --transport"
    )]
    BytesInUse { workers: u32, needed: u64, limit: u64 },
    #[error(
        "carry frames by message queues: {workers} workers need {needed} and /proc/sys/fs/mqueue/queues_max allows {limit} in all; raise it, give fewer workers or another --transport"
    )]
    Queues { workers: u32, needed: u64, limit: u64 },
    #[error("carry frames by message queues: this system has none; give another --transport")]
    Unknown,
}

/// The shapes of which the queues of this many workers keep within the limits, larger ones first.
pub(super) fn shapes(workers: u32, allowed: &Limits) -> Result<Vec<Shape>, QueueError> {
    let needed = |shape: Shape| 2 * u64::from(workers) * shape.charge();
    let mut shape = Shape {
        messages: SHAPE_MAX.messages.min(allowed.shape.messages),
        bytes: SHAPE_MAX.bytes.min(allowed.shape.bytes),
    };
    let mut shapes = Vec::new();
    loop {
        if needed(shape) <= allowed.charge {
            shapes.push(shape);
        }
        if shape.messages > MESSAGES_MIN {
            shape.messages = (shape.messages - shape.messages / 4).max(MESSAGES_MIN);
        } else if shape.bytes > MESSAGE_BYTES_MIN {
            shape.bytes = (shape.bytes / 2).max(MESSAGE_BYTES_MIN);
        } else if shape.messages > 1 {
            shape.messages = 1;
        } else {
            break;
        }
    }
    let least = QueueError::Bytes { workers, needed: needed(shape), limit: allowed.charge };
    if shapes.is_empty() { Err(least) } else { Ok(shapes) }
}

/// The refusal that an error stands for, if it is one.
pub(super) fn judge(error: &io::Error, workers: u32, shape: Shape, allowed: &Limits) -> Option<QueueError> {
    let count = 2 * u64::from(workers);
    match error.raw_os_error() {
        Some(libc::EMFILE) => {
            Some(QueueError::BytesInUse { workers, needed: count * shape.charge(), limit: allowed.charge })
        }
        Some(libc::ENOSPC) => Some(QueueError::Queues { workers, needed: count, limit: allowed.queues }),
        Some(libc::ENOSYS) => Some(QueueError::Unknown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Limits = Limits { shape: Shape { messages: 10, bytes: 8192 }, queues: 256, charge: 819_200 };

    #[test]
    fn queues_shrink_as_workers_become_more_until_nothing_fits() {
        let first = |workers| shapes(workers, &USUAL).map(|shapes| (shapes[0].messages, shapes[0].bytes));
        let expected = [(1, 10, 8192), (4, 10, 8192), (5, 8, 8192), (8, 6, 8192), (12, 4, 8192), (16, 4, 4096)];
        for (workers, messages, bytes) in expected {
            assert_eq!(first(workers), Ok((messages, bytes)), "{workers} workers");
        }
        assert_eq!(first(365), Ok((1, 1024)));
        let error = first(366).unwrap_err();
        assert_eq!(error, QueueError::Bytes { workers: 366, needed: 819_840, limit: 819_200 });
        assert_eq!(
            error.to_string(),
            "carry frames by message queues: 366 workers need 819840 bytes of them and the limit is 819200; \
             raise `ulimit -q`, give fewer workers or another --transport"
        );
        for workers in 1..=365 {
            let found = shapes(workers, &USUAL).unwrap();
            assert!(found.iter().all(|shape| 2 * u64::from(workers) * shape.charge() <= USUAL.charge));
            assert!(found.is_sorted_by_key(|shape| std::cmp::Reverse(shape.charge())), "{found:?}");
        }
        let generous = Limits { shape: Shape { messages: 1000, bytes: 1 << 20 }, charge: u64::MAX, ..USUAL };
        assert_eq!(shapes(1000, &generous).unwrap()[0], SHAPE_MAX);
        let tight = Limits { shape: Shape { messages: 1, bytes: 128 }, ..USUAL };
        assert_eq!(shapes(1, &tight).unwrap(), [Shape { messages: 1, bytes: 128 }]);
    }

    #[test]
    fn refusals_are_told_from_other_errors() {
        let shape = Shape { messages: 1, bytes: 1024 };
        let judged = |errno| judge(&io::Error::from_raw_os_error(errno), 3, shape, &USUAL);
        let in_use = QueueError::BytesInUse { workers: 3, needed: 6720, limit: 819_200 };
        assert_eq!(judged(libc::EMFILE), Some(in_use));
        assert_eq!(judged(libc::ENOSPC), Some(QueueError::Queues { workers: 3, needed: 6, limit: 256 }));
        assert_eq!(judged(libc::ENOSYS), Some(QueueError::Unknown));
        assert_eq!(judged(libc::ENOMEM), None);
    }
}
