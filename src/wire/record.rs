//! Records of a file that is appended to: the frame around each, whatever it holds.
//!
//! A record is a head of [`HEAD_BYTES`] and a payload. The head: the length of the payload (u32), the checksum of all
//! that follows it (CRC-32C, u32), the kind (u8); numbers are little-endian. A file whose writer was killed, or whose
//! disk was full, ends within a record: everything before that is whole.
//!
//! Invariant: pure, and no length is trusted: a record that is longer than [`PAYLOAD_BYTES_MAX`] is damage.

/// Bytes before the payload.
pub const HEAD_BYTES: usize = 9;

/// A longer record is written by nothing of ours.
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;

/// A record that was found in the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRecord<'a> {
    pub kind: u8,
    pub payload: &'a [u8],
    /// Bytes of the file that it takes.
    pub bytes: usize,
}

/// What is wrong at this place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end within the record: it was not written to its end, or is being written.
    #[error("a record is cut off")]
    Torn,
    #[error("a record announces {bytes} bytes, over the limit of {PAYLOAD_BYTES_MAX}")]
    Length { bytes: u32 },
    #[error("the checksum of a record is wrong")]
    Checksum,
}

/// Appends a record whose payload `fill` appends.
pub fn append<E>(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    if let Err(error) = fill(out) {
        out.truncate(start);
        return Err(error);
    }
    let record = &mut out[start..];
    record[8] = kind;
    let payload_bytes = (record.len() - HEAD_BYTES) as u32;
    let checksum = checksum(payload_bytes, &record[8..]);
    record[..4].copy_from_slice(&payload_bytes.to_le_bytes());
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// The record at the start of `bytes`; `None` if there are none.
///
/// # Errors
/// What begins there is no whole record.
pub fn first(bytes: &[u8]) -> Result<Option<FoundRecord<'_>>, RecordError> {
    let Some(found) = framed(bytes)? else { return Ok(None) };
    let told = bytes.get(4..8).and_then(|field| field.first_chunk().copied()).map(u32::from_le_bytes);
    match told == Some(checksum(found.payload.len() as u32, &bytes[8..found.bytes])) {
        true => Ok(Some(found)),
        false => Err(RecordError::Checksum),
    }
}

/// The same without a look at the checksum: for bytes in which [`first`] has found this record.
///
/// # Errors
/// What begins there is no whole record.
pub fn framed(bytes: &[u8]) -> Result<Option<FoundRecord<'_>>, RecordError> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return if bytes.is_empty() { Ok(None) } else { Err(RecordError::Torn) };
    };
    let payload_bytes = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    if payload_bytes as usize > PAYLOAD_BYTES_MAX {
        return Err(RecordError::Length { bytes: payload_bytes });
    }
    let payload = rest.get(..payload_bytes as usize).ok_or(RecordError::Torn)?;
    Ok(Some(FoundRecord { kind: head[8], payload, bytes: HEAD_BYTES + payload.len() }))
}

/// Of the length, so that a wrong one is seen, and of the bytes behind it.
fn checksum(payload_bytes: u32, kind_and_payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&payload_bytes.to_le_bytes()), kind_and_payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        append::<()>(&mut out, kind, |out| {
            out.extend_from_slice(payload);
            Ok(())
        })
        .unwrap();
        out.split_off(6)
    }

    #[test]
    fn records_come_back_and_their_format_stays() {
        let two = [record(7, b"abc"), record(8, b"")].concat();
        assert_eq!(two[..HEAD_BYTES], [3, 0, 0, 0, 0xe4, 0x11, 0x43, 0x18, 7], "the format of files that exist");
        let one = first(&two).unwrap().unwrap();
        assert_eq!((one.kind, one.payload, one.bytes), (7, &b"abc"[..], HEAD_BYTES + 3));
        let other = first(&two[one.bytes..]).unwrap().unwrap();
        assert_eq!((other.kind, other.payload, other.bytes), (8, &b""[..], HEAD_BYTES));
        assert_eq!(first(b""), Ok(None));
    }

    #[test]
    fn a_failed_payload_leaves_nothing() {
        let mut out = vec![1, 2];
        assert_eq!(append(&mut out, 1, |_| Err("no")), Err("no"));
        assert_eq!(out, [1, 2]);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let whole = record(7, b"abcd");
        for cut in 1..whole.len() {
            assert_eq!(first(&whole[..cut]), Err(RecordError::Torn), "cut at {cut}");
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(first(&bytes).is_err(), "bit {bit}");
        }
        assert!(first(&[0; 64]).is_err(), "zeros are no records");
    }
}
