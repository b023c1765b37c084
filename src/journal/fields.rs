//! The fields of a record, as they are read.
//!
//! Invariant: a field that is not there whole, or has a value that none has, is none.

use super::record::{ItemHash, RunFact};
use crate::model::exit::ExitStatus;
use crate::model::ids::{Attempt, ItemId, WorkerId};
use crate::model::outcome::{Cause, CauseKind, FailReason};
use crate::model::signal::Signal;
use crate::model::time::Duration;

/// The bytes of a payload that were not read yet. Each function takes a field from their start; `None`: there is none.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(field)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn truth(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn option<T>(&mut self, get: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.truth()? { get(self).map(Some) } else { Some(None) }
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let bytes = self.u32()?;
        self.take(bytes as usize)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// At least one item, all of which have a number.
    pub(super) fn items(&mut self) -> Option<(ItemId, u32)> {
        let (first, count) = (self.u64()?, self.u32()?);
        first.checked_add(u64::from(count)).filter(|_| count > 0)?;
        Some((ItemId(first), count))
    }

    pub(super) fn facts(&mut self) -> Option<Vec<RunFact<'a>>> {
        (0..self.u16()?).map(|_| Some(RunFact { name: self.text()?.into(), value: self.bytes()?.into() })).collect()
    }

    /// Those of so many items.
    pub(super) fn hashes(&mut self, count: u32) -> Option<&'a [ItemHash]> {
        let bytes = (count as usize).checked_mul(size_of::<ItemHash>())?;
        Some(self.take(bytes)?.as_chunks().0)
    }

    pub(super) fn attempt(&mut self) -> Option<Attempt> {
        self.u32().filter(|attempt| *attempt > 0).map(Attempt)
    }

    pub(super) fn duration(&mut self) -> Option<Duration> {
        self.u64().map(Duration)
    }

    pub(super) fn worker(&mut self) -> Option<WorkerId> {
        self.u32()?.try_into().ok()
    }

    pub(super) fn exit(&mut self) -> Option<ExitStatus> {
        Some(match self.array()? {
            [0, code] => ExitStatus::Code(code),
            [1, signal] => ExitStatus::Signal { signal: Signal(signal), core_dumped: false },
            [2, signal] => ExitStatus::Signal { signal: Signal(signal), core_dumped: true },
            [3, 0] => ExitStatus::Unknown,
            _ => return None,
        })
    }

    pub(super) fn causes(&mut self) -> Option<Vec<Cause>> {
        match self.u8()? {
            0 => Some(Vec::new()),
            causes => (0..causes).map(|_| self.cause()).collect(),
        }
    }

    pub(super) fn cause(&mut self) -> Option<Cause> {
        Some(Cause {
            attempt: self.attempt()?,
            worker: self.option(Self::worker)?,
            pid: self.option(Self::u32)?,
            kind: self.cause_kind()?,
        })
    }

    pub(super) fn cause_kind(&mut self) -> Option<CauseKind> {
        Some(match self.u8()? {
            0 => CauseKind::Crashed(self.exit()?),
            1 => CauseKind::Killed(Signal(self.u8()?)),
            2 => CauseKind::Interrupted(self.exit()?),
            3 => CauseKind::Failed(FailReason::Exited(self.u8()?)),
            4 => CauseKind::Failed(FailReason::TimedOut { limit: Duration(self.u64()?) }),
            5 => CauseKind::Failed(FailReason::Message(self.text()?.to_owned())),
            6 => CauseKind::Failed(FailReason::Panicked(self.text()?.to_owned())),
            7 => CauseKind::Failed(FailReason::NotStarted(self.text()?.to_owned())),
            8 => CauseKind::Failed(FailReason::Rejected(self.text()?.to_owned())),
            9 => CauseKind::Chaos(self.exit()?),
            _ => return None,
        })
    }
}
