//! Reads a journal from its first to its last record, also those behind damage.

use super::file_reader::{JournalFileReader, JournalReadError};
use super::read_ahead;
use super::reader::JournalEnd;
use super::record::JournalRecord;
use crate::model::words::counted;
use nix::fcntl::OFlag;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Places of damage behind which the records are read. A journal with more is lost, and to search each place for the next
/// record takes time.
pub const DAMAGE_MAX: usize = 100;

/// Of shorter files, a thread would take longer to start than it saves.
const AHEAD_BYTES_MIN: u64 = 4 << 20;

/// Why a journal cannot be opened. The texts complete "the file ...".
#[derive(Debug, thiserror::Error)]
pub enum JournalOpenError {
    #[error("is a {0}; give the file itself")]
    NoFile(&'static str),
    #[error("cannot be opened: {0}")]
    Open(#[from] io::Error),
}

/// Opens a file that may be a journal, to read it. Waits for nothing, and follows no symbolic link.
///
/// # Errors
/// It is no regular file, or cannot be opened.
pub fn open(path: &Path) -> Result<File, JournalOpenError> {
    let kind = path.symlink_metadata()?.file_type();
    let no_file = |what| Err(JournalOpenError::NoFile(what));
    if kind.is_symlink() {
        return no_file("symbolic link");
    } else if kind.is_dir() {
        return no_file("folder");
    } else if !kind.is_file() {
        return no_file(if kind.is_fifo() { "named pipe" } else { "device" });
    }
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    Ok(OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?)
}

/// A place where bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalDamage {
    /// At the end of the file: what was being written at a crash, or is being written now.
    Torn { at: u64, bytes: u64 },
    /// Before other records, which no crash does.
    Middle { at: u64, next: u64 },
    /// The records from there on were not read: there is too much damage before them.
    NotRead { at: u64 },
}

impl JournalDamage {
    /// Where it begins in the file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Torn { at, .. } | Self::Middle { at, .. } | Self::NotRead { at } => *at,
        }
    }

    /// The record that follows it.
    #[must_use]
    pub const fn next_record(&self) -> Option<u64> {
        match self {
            Self::Middle { next, .. } => Some(*next),
            Self::Torn { .. } | Self::NotRead { .. } => None,
        }
    }

    /// Whether no crash explains it.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::Torn { .. })
    }
}

/// `torn end: 17 bytes that are no whole record, as a crash leaves them`
impl fmt::Display for JournalDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn { bytes, .. } => {
                let bytes = counted(*bytes, "byte", "bytes");
                write!(f, "torn end: {bytes} that are no whole record, as a crash leaves them")
            }
            Self::Middle { at, next } => {
                let bytes = counted(next.saturating_sub(*at), "byte", "bytes");
                write!(f, "damage: {bytes} that are no record; the next record is at offset {next}")
            }
            Self::NotRead { .. } => write!(f, "not read from here on: {DAMAGE_MAX} places before are damaged"),
        }
    }
}

/// What there was to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadExtent {
    /// Bytes of the file.
    pub bytes: u64,
    /// Whole records.
    pub records: u64,
    /// In the order of the file.
    pub damage: Vec<JournalDamage>,
}

/// What is found in a file, in its order.
#[derive(Debug)]
pub enum FoundPart<'a> {
    /// A whole record, with its offset.
    Record(u64, &'a JournalRecord<'a>),
    Damage(JournalDamage),
}

/// Gives each whole record of a file, with its offset, to `take`.
///
/// # Errors
/// The file is no journal, or cannot be read.
pub fn read(file: &File, mut take: impl FnMut(u64, &JournalRecord<'_>)) -> Result<ReadExtent, JournalReadError> {
    read_parts(file, |part| {
        if let FoundPart::Record(offset, record) = part {
            take(offset, record);
        }
    })
}

/// Gives each whole record of a file, and each damage, to `take`.
///
/// # Errors
/// The file is no journal, or cannot be read.
pub fn read_parts(file: &File, mut take: impl FnMut(FoundPart<'_>)) -> Result<ReadExtent, JournalReadError> {
    let mut reader = JournalFileReader::new(file)?;
    let mut extent = ReadExtent::default();
    if reader.file_bytes() >= AHEAD_BYTES_MIN {
        let take = |offset, record: &JournalRecord<'_>| {
            extent.records += 1;
            take(FoundPart::Record(offset, record));
        };
        let end = read_ahead::read(file, reader.head().mark, reader.file_bytes(), read_ahead::BLOCK_BYTES, take);
        // From here on it is the end, or damage, or what cannot be read: the reader says which.
        reader.go_on_from(end.offset, end.is_synced);
    }
    loop {
        while let Some((offset, record)) = reader.next_record()? {
            extent.records += 1;
            take(FoundPart::Record(offset, &record));
        }
        let damage = match reader.end()? {
            JournalEnd::Whole => break,
            JournalEnd::Torn { at, bytes } => JournalDamage::Torn { at, bytes },
            JournalEnd::Damaged { at, .. } if extent.damage.len() >= DAMAGE_MAX => JournalDamage::NotRead { at },
            JournalEnd::Damaged { at, next } => {
                reader.go_to(next);
                JournalDamage::Middle { at, next }
            }
        };
        extent.damage.push(damage);
        take(FoundPart::Damage(damage));
        if !matches!(damage, JournalDamage::Middle { .. }) {
            break;
        }
    }
    extent.bytes = reader.file_bytes();
    Ok(extent)
}
