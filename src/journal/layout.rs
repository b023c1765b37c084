//! The bytes of a journal.
//!
//! The head is 22 bytes: [`MAGIC`], [`FORMAT_VERSION`] (u16), the mark of the journal (u64), and the checksum of these
//! (CRC-32C, u32). Behind it, records of `wire/record.rs`, whose payload begins with the mark and with the offset of the
//! record in the file (u64 each). So a block of another journal, or of another place in this one, is no record here.
//!
//! Numbers are little-endian. A text or a list of bytes is its length (u32) and its bytes; a list is its length (u16 for
//! facts, u8 for causes) and its members; what may be missing is a byte, 0 or 1, and itself.
//!
//! Invariant: pure. No length is trusted, and a record is taken whole or not at all: a payload that has a byte too many is
//! damage as one that has a byte too few.

use super::fields::Fields;
use super::record::{
    Accepted, AttemptTime, ContentKind, ContentPiece, FORMAT_VERSION, GivenAway, ItemRequest, JournalHead, JournalMark,
    JournalRecord, MAGIC, RunFact, SettledItems,
};
use crate::model::exit::ExitStatus;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome};
use crate::mutant::mutant;
use crate::wire::record;

/// Bytes before the first record.
pub const HEAD_BYTES: usize = 22;

/// Bytes of a payload before the fields of its kind.
pub const PLACE_BYTES: usize = 16;

/// Most bytes of the causes' texts; a longer text is cut.
const CAUSE_TEXT_BYTES_MAX: usize = 16 * 1024;

/// The most causes that a record holds.
pub const CAUSES_MAX: usize = 255;

/// Why a record cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error("a record of {bytes} bytes is longer than {} bytes", record::PAYLOAD_BYTES_MAX)]
    Long { bytes: usize },
    #[error("a list of {members} members is longer than its length tells")]
    Members { members: usize },
}

/// The kinds of records, as their bytes in the file.
mod kind {
    pub const OPENED: u8 = 1;
    pub const SESSION: u8 = 2;
    pub const ACCEPTED: u8 = 3;
    pub const BEGUN: u8 = 4;
    pub const RETRIED: u8 = 5;
    pub const SETTLED: u8 = 6;
    pub const REOPENED: u8 = 7;
    pub const CONTENT: u8 = 8;
    pub const EMITTED: u8 = 9;
    pub const CLOSED: u8 = 10;
    pub const RETURNED: u8 = 11;
    pub const SAFE: u8 = 12;
    pub const ASKED: u8 = 19;
    pub const HEEDED: u8 = 20;
    pub const DROPPED: u8 = 13;
    pub const HASHES: u8 = 14;
    pub const ANEW: u8 = 15;
    pub const RESULTS_KEPT: u8 = 16;
    pub const RECOVERED: u8 = 17;
    pub const COMPACTED: u8 = 18;
}

/// The head of a file.
#[must_use]
pub fn head(head: JournalHead) -> [u8; HEAD_BYTES] {
    let mut bytes = [0; HEAD_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[10..18].copy_from_slice(&head.mark.0.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..18]);
    bytes[18..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What the first bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundHead {
    Journal(JournalHead),
    /// A journal of another version.
    Version(u16),
    /// It begins as a journal does, and ends before the head does, or the head is damaged.
    Damaged,
    /// Something else.
    Foreign,
}

/// Looks at the first bytes of a file, [`HEAD_BYTES`] of them if it has so many.
#[must_use]
pub fn find_head(bytes: &[u8]) -> FoundHead {
    let common = bytes.len().min(MAGIC.len());
    if bytes[..common] != MAGIC[..common] || bytes.is_empty() {
        return FoundHead::Foreign;
    }
    let Some(bytes) = bytes.first_chunk::<HEAD_BYTES>() else { return FoundHead::Damaged };
    let (text, checksum) = bytes.split_at(18);
    if crc32c::crc32c(text).to_le_bytes() != checksum {
        return FoundHead::Damaged;
    }
    let mut fields = Fields(&text[8..]);
    match (fields.u16(), fields.u64()) {
        (Some(FORMAT_VERSION), Some(mark)) => FoundHead::Journal(JournalHead { mark: JournalMark(mark) }),
        (Some(version), _) => FoundHead::Version(version),
        _ => FoundHead::Damaged,
    }
}

/// Appends a record that lies `offset` bytes behind the start of the file.
///
/// # Errors
/// It is too long; nothing was appended.
pub fn append(
    out: &mut Vec<u8>,
    mark: JournalMark,
    offset: u64,
    record: &JournalRecord<'_>,
) -> Result<(), LayoutError> {
    record::append(out, kind_of(record), |out| {
        let start = out.len();
        out.extend(mark.0.to_le_bytes());
        out.extend(offset.to_le_bytes());
        put_fields(out, record)?;
        match out.len() - start {
            bytes if bytes > record::PAYLOAD_BYTES_MAX => Err(LayoutError::Long { bytes }),
            _ => Ok(()),
        }
    })
}

/// The record in a payload; `None` if it is none, or is not of this place.
#[must_use]
pub fn parse(kind: u8, payload: &[u8], mark: JournalMark, offset: u64) -> Option<JournalRecord<'_>> {
    let mut fields = Fields(payload);
    let place = (fields.u64()?, fields.u64()?);
    if !mutant!(StaleBelieved, place == (mark.0, offset), true) {
        return None;
    }
    let record = get_fields(kind, &mut fields)?;
    fields.0.is_empty().then_some(record)
}

const fn kind_of(record: &JournalRecord<'_>) -> u8 {
    match record {
        JournalRecord::Opened { .. } => kind::OPENED,
        JournalRecord::Session { .. } => kind::SESSION,
        JournalRecord::Accepted(_) => kind::ACCEPTED,
        JournalRecord::Begun { .. } => kind::BEGUN,
        JournalRecord::Retried { .. } => kind::RETRIED,
        JournalRecord::Settled(_) => kind::SETTLED,
        JournalRecord::Reopened { .. } => kind::REOPENED,
        JournalRecord::Content(_) => kind::CONTENT,
        JournalRecord::Emitted { .. } => kind::EMITTED,
        JournalRecord::Closed { .. } => kind::CLOSED,
        JournalRecord::Returned { .. } => kind::RETURNED,
        JournalRecord::Safe { .. } => kind::SAFE,
        JournalRecord::Asked { .. } => kind::ASKED,
        JournalRecord::Heeded { .. } => kind::HEEDED,
        JournalRecord::Dropped { .. } => kind::DROPPED,
        JournalRecord::Hashes { .. } => kind::HASHES,
        JournalRecord::Anew { .. } => kind::ANEW,
        JournalRecord::ResultsKept => kind::RESULTS_KEPT,
        JournalRecord::Recovered { .. } => kind::RECOVERED,
        JournalRecord::Compacted { .. } => kind::COMPACTED,
    }
}

fn put_fields(out: &mut Vec<u8>, record: &JournalRecord<'_>) -> Result<(), LayoutError> {
    match record {
        JournalRecord::Opened { run_id, facts } => {
            put_bytes(out, run_id.as_bytes());
            put_facts(out, facts)?;
        }
        JournalRecord::Anew { facts } => put_facts(out, facts)?,
        JournalRecord::Hashes { first, hashes } => {
            let members = hashes.len();
            put_items(out, *first, u32::try_from(members).map_err(|_| LayoutError::Members { members })?);
            out.extend_from_slice(hashes.as_flattened());
        }
        JournalRecord::Session { started_unix_ns, pid } => {
            out.extend(started_unix_ns.to_le_bytes());
            out.extend(pid.to_le_bytes());
        }
        JournalRecord::Accepted(accepted) => {
            put_items(out, accepted.first, accepted.count);
            [accepted.offset, accepted.bytes, accepted.hash].iter().for_each(|field| out.extend(field.to_le_bytes()));
        }
        JournalRecord::Begun { first, count, attempt, at } | JournalRecord::Returned { first, count, attempt, at } => {
            put_items(out, *first, *count);
            out.extend(attempt.0.to_le_bytes());
            out.extend(at.0.to_le_bytes());
        }
        JournalRecord::Retried { item, after, at, causes } => {
            [item.0, after.0, at.0].iter().for_each(|field| out.extend(field.to_le_bytes()));
            put_causes(out, causes)?;
        }
        JournalRecord::Settled(settled) => put_settled(out, settled)?,
        JournalRecord::Safe { until: own }
        | JournalRecord::Heeded { until: own }
        | JournalRecord::Compacted { sessions: own } => out.extend(own.to_le_bytes()),
        JournalRecord::Asked { item, request } => {
            out.extend(item.0.to_le_bytes());
            out.push(match request {
                ItemRequest::GiveUp => 0,
                ItemRequest::Again => 1,
            });
        }
        JournalRecord::Reopened { first, count } | JournalRecord::Dropped { first, count } => {
            put_items(out, *first, *count);
        }
        JournalRecord::ResultsKept => {}
        JournalRecord::Recovered { first, count, offset, bytes } => {
            put_items(out, *first, *count);
            [*offset, *bytes].iter().for_each(|field| out.extend(field.to_le_bytes()));
        }
        JournalRecord::Content(piece) => {
            put_items(out, piece.first, piece.count);
            out.push(content_code(piece.kind));
            out.extend(piece.at.to_le_bytes());
            out.push(u8::from(piece.is_last));
            put_bytes(out, &piece.bytes);
        }
        JournalRecord::Emitted { shown, output_bytes } => {
            put_given_away(out, *shown);
            out.extend(output_bytes.to_le_bytes());
        }
        JournalRecord::Closed { exit_code, all } => out.extend([*exit_code, u8::from(*all)]),
    }
    Ok(())
}

fn put_settled(out: &mut Vec<u8>, settled: &SettledItems<'_>) -> Result<(), LayoutError> {
    put_items(out, settled.first, settled.count);
    out.push(outcome_code(&settled.outcome));
    out.extend(settled.attempts.to_le_bytes());
    put_holder(out, settled.worker, settled.pid);
    out.extend(settled.at.0.to_le_bytes());
    put_option(out, settled.time, |out, time| {
        out.extend(time.started.0.to_le_bytes());
        out.extend(time.runtime.0.to_le_bytes());
    });
    put_option(out, settled.exit, put_exit);
    put_causes(out, &settled.causes)?;
    out.extend(settled.causes_omitted.to_le_bytes());
    Ok(())
}

fn get_fields<'a>(kind: u8, fields: &mut Fields<'a>) -> Option<JournalRecord<'a>> {
    Some(match kind {
        kind::OPENED => JournalRecord::Opened { run_id: fields.text()?.into(), facts: fields.facts()? },
        kind::ANEW => JournalRecord::Anew { facts: fields.facts()? },
        kind::HASHES => {
            let (first, count) = fields.items()?;
            JournalRecord::Hashes { first, hashes: fields.hashes(count)?.into() }
        }
        kind::SESSION => JournalRecord::Session { started_unix_ns: fields.u64()?, pid: fields.u32()? },
        kind::ACCEPTED => {
            let (first, count) = fields.items()?;
            let (offset, bytes, hash) = (fields.u64()?, fields.u64()?, fields.u64()?);
            JournalRecord::Accepted(Accepted { first, count, offset, bytes, hash })
        }
        kind::BEGUN => {
            let (first, count) = fields.items()?;
            JournalRecord::Begun { first, count, attempt: fields.attempt()?, at: fields.duration()? }
        }
        kind::RETURNED => {
            let (first, count) = fields.items()?;
            JournalRecord::Returned { first, count, attempt: fields.attempt()?, at: fields.duration()? }
        }
        kind::RETRIED => JournalRecord::Retried {
            item: ItemId(fields.u64()?),
            after: fields.duration()?,
            at: fields.duration()?,
            causes: fields.causes()?.into(),
        },
        kind::SETTLED => JournalRecord::Settled(get_settled(fields)?),
        kind::REOPENED => {
            let (first, count) = fields.items()?;
            JournalRecord::Reopened { first, count }
        }
        kind::DROPPED => {
            let (first, count) = fields.items()?;
            JournalRecord::Dropped { first, count }
        }
        kind::CONTENT => JournalRecord::Content(get_piece(fields)?),
        kind::EMITTED => {
            let shown = match (fields.u8()?, fields.u64()?) {
                (0, item) => GivenAway::Before(ItemId(item)),
                (1, offset) => GivenAway::RecordedBefore(offset),
                _ => return None,
            };
            JournalRecord::Emitted { shown, output_bytes: fields.u64()? }
        }
        kind::SAFE => JournalRecord::Safe { until: fields.u64()? },
        kind::HEEDED => JournalRecord::Heeded { until: fields.u64()? },
        kind::ASKED => {
            let (item, request) = (ItemId(fields.u64()?), fields.u8()?);
            let request = match request {
                0 => ItemRequest::GiveUp,
                1 => ItemRequest::Again,
                _ => return None,
            };
            JournalRecord::Asked { item, request }
        }
        kind::RESULTS_KEPT => JournalRecord::ResultsKept,
        kind::RECOVERED => {
            let (first, count) = fields.items()?;
            JournalRecord::Recovered { first, count, offset: fields.u64()?, bytes: fields.u64()? }
        }
        kind::COMPACTED => JournalRecord::Compacted { sessions: fields.u64()? },
        kind::CLOSED => JournalRecord::Closed { exit_code: fields.u8()?, all: fields.truth()? },
        _ => return None,
    })
}

fn get_piece<'a>(fields: &mut Fields<'a>) -> Option<ContentPiece<'a>> {
    let (first, count) = fields.items()?;
    Some(ContentPiece {
        first,
        count,
        kind: content_kind_of(fields.u8()?)?,
        at: fields.u64()?,
        is_last: fields.truth()?,
        bytes: fields.bytes()?.into(),
    })
}

fn get_settled<'a>(fields: &mut Fields<'a>) -> Option<SettledItems<'a>> {
    let (first, count) = fields.items()?;
    Some(SettledItems {
        first,
        count,
        outcome: outcome_of(fields.u8()?)?,
        attempts: fields.u32()?,
        worker: fields.option(Fields::worker)?,
        pid: fields.option(Fields::u32)?,
        at: fields.duration()?,
        time: fields.option(|own| Some(AttemptTime { started: own.duration()?, runtime: own.duration()? }))?,
        exit: fields.option(Fields::exit)?,
        causes: fields.causes()?.into(),
        causes_omitted: fields.u64()?,
    })
}

const fn outcome_code(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::Failed => 1,
        Outcome::Dead => 2,
        Outcome::Skipped => 3,
    }
}

const fn outcome_of(code: u8) -> Option<Outcome> {
    Some(match code {
        0 => Outcome::Done,
        1 => Outcome::Failed,
        2 => Outcome::Dead,
        3 => Outcome::Skipped,
        _ => return None,
    })
}

const fn content_code(kind: ContentKind) -> u8 {
    match kind {
        ContentKind::Output => 0,
        ContentKind::Errors => 1,
        ContentKind::Item => 2,
    }
}

const fn content_kind_of(code: u8) -> Option<ContentKind> {
    Some(match code {
        0 => ContentKind::Output,
        1 => ContentKind::Errors,
        2 => ContentKind::Item,
        _ => return None,
    })
}

fn put_given_away(out: &mut Vec<u8>, shown: GivenAway) {
    let (code, until) = match shown {
        GivenAway::Before(item) => (0, item.0),
        GivenAway::RecordedBefore(offset) => (1, offset),
    };
    out.push(code);
    out.extend(until.to_le_bytes());
}

fn put_holder(out: &mut Vec<u8>, worker: Option<WorkerId>, pid: Option<u32>) {
    put_option(out, worker, |out, worker| out.extend(worker.number().to_le_bytes()));
    put_option(out, pid, |out, pid| out.extend(pid.to_le_bytes()));
}

fn put_facts(out: &mut Vec<u8>, facts: &[RunFact<'_>]) -> Result<(), LayoutError> {
    let members = facts.len();
    out.extend(u16::try_from(members).map_err(|_| LayoutError::Members { members })?.to_le_bytes());
    for fact in facts {
        put_bytes(out, fact.name.as_bytes());
        put_bytes(out, &fact.value);
    }
    Ok(())
}

fn put_items(out: &mut Vec<u8>, first: ItemId, count: u32) {
    out.extend(first.0.to_le_bytes());
    out.extend(count.to_le_bytes());
}

/// The record as a whole is limited, so the length has room.
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn put_exit(out: &mut Vec<u8>, exit: ExitStatus) {
    out.extend(match exit {
        ExitStatus::Code(code) => [0, code],
        ExitStatus::Signal { signal, core_dumped: false } => [1, signal.0],
        ExitStatus::Signal { signal, core_dumped: true } => [2, signal.0],
        ExitStatus::Unknown => [3, 0],
    });
}

fn put_causes(out: &mut Vec<u8>, causes: &[Cause]) -> Result<(), LayoutError> {
    let members = causes.len();
    out.push(u8::try_from(members).map_err(|_| LayoutError::Members { members })?);
    for cause in causes {
        out.extend(cause.attempt.0.to_le_bytes());
        put_holder(out, cause.worker, cause.pid);
        put_cause_kind(out, &cause.kind);
    }
    Ok(())
}

fn put_cause_kind(out: &mut Vec<u8>, kind: &CauseKind) {
    let put_text = |out: &mut Vec<u8>, code, text: &str| {
        out.push(code);
        let end = text.floor_char_boundary(CAUSE_TEXT_BYTES_MAX);
        put_bytes(out, &text.as_bytes()[..end]);
    };
    match kind {
        CauseKind::Crashed(exit) => {
            out.push(0);
            put_exit(out, *exit);
        }
        CauseKind::Killed(signal) => out.extend([1, signal.0]),
        CauseKind::Interrupted(exit) => {
            out.push(2);
            put_exit(out, *exit);
        }
        CauseKind::Chaos(exit) => {
            out.push(9);
            put_exit(out, *exit);
        }
        CauseKind::Failed(FailReason::Exited(code)) => out.extend([3, *code]),
        CauseKind::Failed(FailReason::TimedOut { limit }) => {
            out.push(4);
            out.extend(limit.0.to_le_bytes());
        }
        CauseKind::Failed(FailReason::Message(text)) => put_text(out, 5, text),
        CauseKind::Failed(FailReason::Panicked(text)) => put_text(out, 6, text),
        CauseKind::Failed(FailReason::NotStarted(text)) => put_text(out, 7, text),
        CauseKind::Failed(FailReason::Rejected(text)) => put_text(out, 8, text),
    }
}
