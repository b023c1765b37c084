//! What was shown, and up to where it has left.

use crate::journal::record::GivenAway;
use crate::model::ids::ItemId;
use crate::sys::durable_file::DurableFile;
use crate::sys::outbox::Outbox;
use std::collections::VecDeque;
use std::io;

/// Marks that wait. If nobody takes the output for long, the last ones tell enough.
const MARKS_MAX: usize = 4096;

/// The item behind the last one that was shown in keep-order, and whether that may go on.
#[derive(Clone, Copy, Debug)]
pub struct ShownInOrder {
    pub next: ItemId,
    /// An item before it waits for the next session, and with it all that follow.
    pub is_closed: bool,
}

/// What was shown, and has to be recorded once it has left.
#[derive(Default)]
pub struct ShownMarks {
    /// What is shown up to here, and how many bytes of stdout there are before it; `None`: that cannot be told, so all that
    /// waits for stdout has to leave.
    marks: VecDeque<(GivenAway, Option<u64>)>,
}

impl ShownMarks {
    /// Whether some mark waits.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    pub fn push(&mut self, shown: GivenAway, end: Option<u64>) {
        if self.marks.len() >= MARKS_MAX {
            self.marks.pop_back();
        }
        self.marks.push_back((shown, end));
    }

    /// The last mark whose bytes have left. `sent`: bytes of stdout that have; `all`: none waits.
    pub fn left(&mut self, sent: u64, all: bool) -> Option<GivenAway> {
        let mut last = None;
        while let Some((shown, end)) = self.marks.front().copied() {
            if !all && end.is_none_or(|end| end > sent) {
                break;
            }
            last = Some(shown);
            self.marks.pop_front();
        }
        last
    }
}

/// So many bytes of an output file are synced at once, at the end of the run fewer.
const SYNCED_BYTES: u64 = 4 << 20;

/// Where the results of a session go.
#[derive(Default)]
pub struct SessionOutput {
    /// A file that has to be safe before it is recorded that results are in it.
    file: Option<DurableFile>,
    syncs: bool,
    /// Bytes that it had before.
    begins_at: u64,
    /// Bytes of this session that are safe.
    safe: u64,
}

impl SessionOutput {
    /// A file, and where the session begins to write to it. `syncs`: results have to survive the end of the machine.
    pub fn of_file((file, begins_at): (DurableFile, u64), syncs: bool) -> Self {
        Self { file: Some(file), syncs, begins_at, safe: 0 }
    }

    /// The last mark whose bytes have left, with how many bytes there are now. `is_last`: nothing follows.
    ///
    /// # Errors
    /// They cannot be made safe.
    pub fn left(
        &mut self,
        marks: &mut ShownMarks,
        out: &Outbox,
        is_last: bool,
    ) -> io::Result<Option<(GivenAway, u64)>> {
        let sent = out.sent();
        if let Some(file) = self.file.as_mut().filter(|_| self.syncs && !marks.is_empty()) {
            if !is_last && sent < self.safe + SYNCED_BYTES {
                return Ok(None);
            }
            file.sync()?;
            self.safe = sent;
        }
        Ok(marks.left(sent, out.has_sent_all()).map(|shown| (shown, self.begins_at + sent)))
    }
}
