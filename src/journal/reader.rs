//! Finds the records of a journal in bytes that nobody vouches for.
//!
//! A journal ends where no whole record of this place begins. If whole records follow nevertheless, the journal is damaged
//! in the middle, which no crash does: only its end can be torn.
//!
//! Invariant: pure. No bytes make it panic, and none make it believe a record that was not written at this place.

use super::layout::{self, FoundHead, HEAD_BYTES};
use super::record::{JournalHead, JournalMark, JournalRecord};
use crate::wire::record::{self, RecordError};

/// The search behind damage computes checksums of at most so many times the bytes of the file.
const CHECKED_TIMES_MAX: u64 = 16;

/// Why bytes are no journal. The texts complete "the file ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error("is empty")]
    Empty,
    #[error("is no journal")]
    Foreign,
    #[error(
        "is a journal of version {0}, and this program reads version {version}; use the program that wrote it",
        version = super::record::FORMAT_VERSION
    )]
    Version(u16),
    #[error("begins as a journal does, but its head is damaged")]
    Damaged,
}

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalEnd {
    /// With a whole record.
    Whole,
    /// Behind the whole records lie bytes that are none: what was being written at a crash.
    Torn { at: u64, bytes: u64 },
    /// Behind the whole records lie bytes that are none, and behind them, at `next`, a whole record.
    Damaged { at: u64, next: u64 },
}

/// The records of a journal whose bytes are in memory.
#[derive(Clone, Debug)]
pub struct JournalReader<'a> {
    bytes: &'a [u8],
    head: JournalHead,
    at: usize,
}

impl<'a> JournalReader<'a> {
    /// # Errors
    /// The bytes are no journal.
    pub fn new(bytes: &'a [u8]) -> Result<Self, HeadError> {
        match layout::find_head(&bytes[..bytes.len().min(HEAD_BYTES)]) {
            FoundHead::Journal(head) => Ok(Self { bytes, head, at: HEAD_BYTES }),
            FoundHead::Version(version) => Err(HeadError::Version(version)),
            FoundHead::Damaged => Err(HeadError::Damaged),
            FoundHead::Foreign if bytes.is_empty() => Err(HeadError::Empty),
            FoundHead::Foreign => Err(HeadError::Foreign),
        }
    }

    #[must_use]
    pub const fn head(&self) -> JournalHead {
        self.head
    }

    /// The offset of the next record, which is the number of whole bytes before it.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.at as u64
    }

    /// Goes on at an offset at which a record begins, as [`JournalEnd::Damaged`] tells.
    pub fn go_to(&mut self, offset: u64) {
        self.at = usize::try_from(offset).map_or(self.bytes.len(), |at| at.min(self.bytes.len()));
    }

    /// How the journal ends, behind the last record that [`Iterator::next`] has given.
    #[must_use]
    pub fn end(&self) -> JournalEnd {
        let at = self.at as u64;
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return JournalEnd::Whole;
        }
        let mut search = Search::new(self.head.mark, self.bytes.len() as u64);
        let mut from = self.at + 1;
        while let Some(claim) = search.next_claim(&self.bytes[from.min(self.bytes.len())..], from as u64) {
            let claim = claim as usize;
            if search.holds(&self.bytes[claim..], claim as u64) {
                return JournalEnd::Damaged { at, next: claim as u64 };
            }
            from = claim + 1;
        }
        JournalEnd::Torn { at, bytes: rest.len() as u64 }
    }
}

/// The search for a whole record behind bytes that are none.
pub(super) struct Search {
    mark: JournalMark,
    /// Bytes whose checksum may still be computed: a file may be made so that each of its bytes claims to begin a long
    /// record.
    budget_bytes: u64,
}

impl Search {
    pub const fn new(mark: JournalMark, file_bytes: u64) -> Self {
        Self { mark, budget_bytes: file_bytes.saturating_mul(CHECKED_TIMES_MAX) }
    }

    /// The offset of the first record that tells its mark and its place in these bytes, which lie at `offset`. So each
    /// place is judged by a look at 16 bytes, as a rule.
    pub fn next_claim(&self, bytes: &[u8], offset: u64) -> Option<u64> {
        let mark = self.mark.0.to_le_bytes();
        let tells_place = |at: usize| {
            let place = bytes.get(at + mark.len()..)?.first_chunk::<8>()?;
            let record = (at as u64 + offset).checked_sub(record::HEAD_BYTES as u64)?;
            (u64::from_le_bytes(*place) == record && record >= offset).then_some(record)
        };
        memchr::memmem::find_iter(bytes, &mark).find_map(tells_place)
    }

    /// Whether a whole record begins there. Without a budget each claim is believed: then a journal is refused, and no
    /// byte of it is cut off.
    pub fn holds(&mut self, bytes: &[u8], offset: u64) -> bool {
        let claimed = bytes.first_chunk::<4>().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
        let Some(left) = self.budget_bytes.checked_sub(claimed.min(bytes.len() as u64)) else { return true };
        self.budget_bytes = left;
        record_at(bytes, offset, self.mark).is_ok_and(|found| found.is_some())
    }
}

impl<'a> Iterator for JournalReader<'a> {
    type Item = (u64, JournalRecord<'a>);

    /// The next whole record, with its offset. After `None`, [`JournalReader::end`] says why.
    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.at as u64;
        let (record, bytes) = record_at(self.bytes.get(self.at..)?, offset, self.head.mark).ok()??;
        self.at += bytes;
        Some((offset, record))
    }
}

/// No record begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRecord {
    /// More bytes could make it one.
    pub is_cut: bool,
}

/// The record at the start of bytes that lie at `offset`, and how many bytes it takes; `None`: there are no bytes.
pub(super) fn record_at(
    bytes: &[u8],
    offset: u64,
    mark: JournalMark,
) -> Result<Option<(JournalRecord<'_>, usize)>, NoRecord> {
    let found = match record::first(bytes) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(error) => return Err(NoRecord { is_cut: error == RecordError::Torn }),
    };
    match layout::parse(found.kind, found.payload, mark, offset) {
        Some(record) => Ok(Some((record, found.bytes))),
        None => Err(NoRecord { is_cut: false }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::record::{
        Accepted, AttemptTime, ContentKind, ContentPiece, GivenAway, ItemRequest, RunFact, SettledItems,
    };
    use super::*;
    use crate::model::exit::ExitStatus;
    use crate::model::ids::{Attempt, ItemId, WorkerId};
    use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome};
    use crate::model::signal::Signal;
    use crate::model::time::Duration;

    pub const MARK: JournalMark = JournalMark(0x0123_4567_89ab_cdef);

    fn causes() -> Vec<Cause> {
        let text = || "no ü".to_owned();
        let kinds = [
            CauseKind::Crashed(ExitStatus::Signal { signal: Signal::SEGV, core_dumped: true }),
            CauseKind::Crashed(ExitStatus::Signal { signal: Signal::KILL, core_dumped: false }),
            CauseKind::Killed(Signal::KILL),
            CauseKind::Interrupted(ExitStatus::Unknown),
            CauseKind::Failed(FailReason::Exited(3)),
            CauseKind::Failed(FailReason::TimedOut { limit: Duration(5) }),
            CauseKind::Failed(FailReason::Message(text())),
            CauseKind::Failed(FailReason::Panicked(text())),
            CauseKind::Failed(FailReason::NotStarted(text())),
            CauseKind::Failed(FailReason::Rejected(text())),
        ];
        let cause = |(at, kind): (u32, CauseKind)| Cause {
            attempt: Attempt(at + 1),
            worker: at.is_multiple_of(2).then(|| WorkerId::from_index(at as usize)),
            pid: (at % 3 == 0).then_some(at),
            kind,
        };
        (0..).zip(kinds).map(cause).collect()
    }

    fn piece(kind: ContentKind, bytes: &[u8]) -> ContentPiece<'_> {
        ContentPiece { first: ItemId(0), count: 2, kind, at: 5, is_last: true, bytes: bytes.into() }
    }

    /// One of each kind.
    pub fn records() -> Vec<JournalRecord<'static>> {
        let fact = |name: &'static str, value: &'static [u8]| RunFact { name: name.into(), value: value.into() };
        let accepted = Accepted { first: ItemId(0), count: 4, offset: 0, bytes: 8, hash: 99 };
        let settled = |first, count, outcome, exit: Option<ExitStatus>, causes: Vec<Cause>| {
            JournalRecord::Settled(SettledItems {
                first: ItemId(first),
                count,
                outcome,
                attempts: 2,
                worker: exit.map(|_| WorkerId::from_index(4)),
                pid: exit.map(|_| 77),
                at: Duration(7),
                time: exit.map(|_| AttemptTime { started: Duration(3), runtime: Duration(4) }),
                exit,
                causes: causes.into(),
                causes_omitted: 6,
            })
        };
        vec![
            JournalRecord::Opened {
                run_id: "run-1".into(),
                facts: vec![fact("command", b"true"), fact("input", b"\xff")],
            },
            JournalRecord::Session { started_unix_ns: u64::MAX, pid: 7 },
            JournalRecord::Accepted(accepted),
            JournalRecord::Begun { first: ItemId(0), count: 4, attempt: Attempt::FIRST, at: Duration(1) },
            JournalRecord::Retried { item: ItemId(3), after: Duration(9), at: Duration(2), causes: causes().into() },
            settled(0, 2, Outcome::Done, Some(ExitStatus::Code(0)), Vec::new()),
            settled(2, 1, Outcome::Dead, None, causes()),
            JournalRecord::Reopened { first: ItemId(2), count: 1 },
            JournalRecord::Content(piece(ContentKind::Errors, b"four")),
            JournalRecord::Emitted { shown: GivenAway::Before(ItemId(2)), output_bytes: 40 },
            JournalRecord::Closed { exit_code: 3, all: false },
            JournalRecord::Returned { first: ItemId(1), count: 2, attempt: Attempt(3), at: Duration(8) },
            JournalRecord::Asked { item: ItemId(7), request: ItemRequest::Again },
            JournalRecord::Heeded { until: 98 },
            JournalRecord::Dropped { first: ItemId(1), count: 3 },
            JournalRecord::Hashes { first: ItemId(1), hashes: vec![[7; 16], [8; 16]].into() },
            JournalRecord::Anew { facts: vec![fact("command", b"false")] },
            JournalRecord::ResultsKept,
            JournalRecord::Recovered { first: ItemId(4), count: 6, offset: 8, bytes: 12 },
            JournalRecord::Compacted { sessions: 1 },
            // It says that all before it was safe, and is the last one: what follows it can be torn in any order.
            JournalRecord::Safe { until: 0x9999 },
        ]
    }

    /// Those of [`records`], as their bytes in the file.
    const KINDS: [u8; 21] = [1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 19, 20, 13, 14, 15, 16, 17, 18, 12];

    /// A journal, and where each of its records begins.
    pub fn journal(records: &[JournalRecord<'_>]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = layout::head(JournalHead { mark: MARK }).to_vec();
        let starts = records.iter().map(|record| {
            let at = bytes.len();
            layout::append(&mut bytes, MARK, at as u64, record).unwrap();
            at
        });
        let starts = starts.collect();
        (bytes, starts)
    }

    /// The records, and how the journal ends.
    fn read(bytes: &[u8]) -> (Vec<JournalRecord<'_>>, JournalEnd) {
        let mut reader = JournalReader::new(bytes).unwrap();
        let records = reader.by_ref().map(|(_, record)| record).collect();
        (records, reader.end())
    }

    #[test]
    fn every_kind_of_record_comes_back() {
        let (bytes, starts) = journal(&records());
        assert_eq!(read(&bytes), (records(), JournalEnd::Whole));
        let mut reader = JournalReader::new(&bytes).unwrap();
        assert_eq!(reader.head(), JournalHead { mark: MARK });
        assert_eq!(reader.by_ref().map(|(offset, _)| offset as usize).collect::<Vec<_>>(), starts);
        assert_eq!(reader.offset(), bytes.len() as u64);
    }

    /// Journals exist: their bytes stay what they are.
    #[test]
    fn the_format_stays() {
        assert_eq!(crc32c::crc32c(&journal(&records()).0), 0xce15_f891, "the bytes of a journal; raise FORMAT_VERSION");
    }

    #[test]
    fn an_attempt_that_chaos_has_ended_comes_back() {
        let kind = CauseKind::Chaos(ExitStatus::Signal { signal: Signal::SEGV, core_dumped: false });
        let causes = vec![Cause { attempt: Attempt(7), worker: None, pid: Some(8), kind }].into();
        let records = [JournalRecord::Retried { item: ItemId(3), after: Duration(9), at: Duration(2), causes }];
        let (bytes, _) = journal(&records);
        assert_eq!(read(&bytes).0, records);
    }

    #[test]
    fn what_is_no_journal_is_told() {
        let (bytes, _) = journal(&records());
        let error = |bytes: &[u8]| JournalReader::new(bytes).unwrap_err();
        assert_eq!(error(b""), HeadError::Empty);
        assert_eq!(error(b"hello, world"), HeadError::Foreign);
        for cut in 1..HEAD_BYTES {
            assert_eq!(error(&bytes[..cut]), HeadError::Damaged, "{cut}");
        }
        for bit in 0..HEAD_BYTES * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!([HeadError::Foreign, HeadError::Damaged].contains(&error(&bytes)), "{bit}");
        }
        let mut later = bytes;
        later[8] = 2;
        let checksum = crc32c::crc32c(&later[..18]);
        later[18..22].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(error(&later), HeadError::Version(2));
    }

    #[test]
    fn a_cut_loses_the_record_that_it_cuts_alone() {
        let (bytes, starts) = journal(&records());
        for cut in HEAD_BYTES..bytes.len() {
            let whole = starts.iter().filter(|start| **start <= cut).count() - 1;
            let end = match cut - starts[whole] {
                0 => JournalEnd::Whole,
                torn => JournalEnd::Torn { at: starts[whole] as u64, bytes: torn as u64 },
            };
            assert_eq!(read(&bytes[..cut]), (records()[..whole].to_vec(), end), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_is_seen_and_what_follows_is_found() {
        let (bytes, starts) = journal(&records());
        for bit in HEAD_BYTES * 8..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let damaged = starts.iter().filter(|start| **start <= bit / 8).count() - 1;
            let at = starts[damaged] as u64;
            let end = match starts.get(damaged + 1) {
                Some(next) => JournalEnd::Damaged { at, next: *next as u64 },
                None => JournalEnd::Torn { at, bytes: bytes.len() as u64 - at },
            };
            assert_eq!(read(&bytes), (records()[..damaged].to_vec(), end), "bit {bit}");
            if let JournalEnd::Damaged { next, .. } = end {
                let mut reader = JournalReader::new(&bytes).unwrap();
                reader.go_to(next);
                assert_eq!(reader.map(|(_, record)| record).collect::<Vec<_>>(), records()[damaged + 1..]);
            }
        }
    }

    /// Zeros, ones, rubbish, what lay in the file earlier, and lengths that nobody wrote, behind each record.
    #[test]
    fn nothing_is_invented_behind_a_record() {
        let (bytes, starts) = journal(&records());
        let other_mark = {
            let mut bytes = Vec::new();
            for record in records() {
                let at = (HEAD_BYTES + bytes.len()) as u64;
                layout::append(&mut bytes, JournalMark(77), at, &record).unwrap();
            }
            bytes
        };
        let lengths = [0_u32, 1, 2 << 30, u32::MAX];
        for (whole, cut) in starts.iter().copied().chain([bytes.len()]).enumerate() {
            let mut tails =
                vec![vec![0; 5000], vec![0xff; 5000], (0..5000_u32).map(|n| ((n * 7919) >> 3) as u8).collect()];
            // Each record at another place, and the records of another journal at this place.
            tails.extend(starts.iter().filter(|start| **start != cut).map(|start| bytes[*start..].to_vec()));
            tails.push(other_mark[cut - starts[0]..].to_vec());
            tails.extend(lengths.map(|length| [&length.to_le_bytes()[..], &[0; 300]].concat()));
            for tail in tails.into_iter().filter(|tail| !tail.is_empty()) {
                let end = JournalEnd::Torn { at: cut as u64, bytes: tail.len() as u64 };
                assert_eq!(read(&[&bytes[..cut], &tail].concat()), (records()[..whole].to_vec(), end));
            }
        }
    }

    /// Claims of long records, each of which would have to be read to its end.
    #[test]
    fn a_file_of_claims_is_refused_before_all_of_them_are_checked() {
        let (mut bytes, _) = journal(&records()[..2]);
        bytes.push(0xff);
        let claims: Vec<usize> = (0..2000).map(|claim| bytes.len() + claim * 25).collect();
        for claim in &claims {
            bytes.extend(1_000_000_u32.to_le_bytes());
            bytes.extend([0; 5]);
            bytes.extend(MARK.0.to_le_bytes());
            bytes.extend((*claim as u64).to_le_bytes());
        }
        bytes.resize(bytes.len() + 1_000_000, 0);
        let JournalEnd::Damaged { next, .. } = read(&bytes).1 else { panic!("cut off") };
        let believed = claims.iter().position(|claim| *claim as u64 == next).unwrap();
        assert!(believed as u64 <= CHECKED_TIMES_MAX + 1, "{believed}");
    }

    #[test]
    fn a_payload_with_a_byte_too_many_or_a_wrong_value_is_no_record() {
        let at = HEAD_BYTES as u64;
        for (kind, record) in KINDS.into_iter().zip(records()) {
            let mut framed = Vec::new();
            layout::append(&mut framed, MARK, at, &record).unwrap();
            let payload = &framed[record::HEAD_BYTES..];
            assert_eq!(layout::parse(kind, payload, MARK, at).as_ref(), Some(&record));
            assert_eq!(layout::parse(kind, &[payload, &[0]].concat(), MARK, at), None);
            for cut in 0..payload.len() {
                assert_eq!(layout::parse(kind, &payload[..cut], MARK, at), None, "{record:?} cut at {cut}");
            }
        }
        let none = JournalRecord::Begun { first: ItemId(1), count: 0, attempt: Attempt::FIRST, at: Duration(1) };
        let beyond = JournalRecord::Reopened { first: ItemId(u64::MAX), count: 1 };
        for record in [none, beyond] {
            let (bytes, _) = journal(&[record]);
            assert!(read(&bytes).0.is_empty());
        }
    }

    #[test]
    fn a_record_that_is_too_long_is_not_written() {
        let mut out = b"before".to_vec();
        let bytes = vec![7; record::PAYLOAD_BYTES_MAX];
        let long = JournalRecord::Content(piece(ContentKind::Item, &bytes));
        assert!(matches!(layout::append(&mut out, MARK, 6, &long), Err(layout::LayoutError::Long { .. })));
        let many = vec![causes()[0].clone(); layout::CAUSES_MAX + 1];
        let (after, at) = (Duration::ZERO, Duration::ZERO);
        let many = JournalRecord::Retried { item: ItemId(1), after, at, causes: many.into() };
        let refused = layout::append(&mut out, MARK, 6, &many);
        assert_eq!(refused, Err(layout::LayoutError::Members { members: layout::CAUSES_MAX + 1 }));
        assert_eq!(out, b"before");
    }
}
