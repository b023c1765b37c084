//! The times of items in the body of a `Done` that is `timed`: pairs of little-endian u64.
//!
//! Invariant: knows only the layout; `message.rs` names the clock.

/// Bytes of one pair.
pub const PAIR_BYTES: usize = 16;

/// When an item was started (CLOCK_MONOTONIC) and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub started_ns: u64,
    pub runtime_ns: u64,
}

/// Appends one pair.
pub fn push(pair: Pair, out: &mut Vec<u8>) {
    out.extend_from_slice(&pair.started_ns.to_le_bytes());
    out.extend_from_slice(&pair.runtime_ns.to_le_bytes());
}

/// Cuts a timed body into the pairs of its `count` items and their results; `None` if it is too short.
#[must_use]
pub fn split(body: &[u8], count: u32) -> Option<(impl ExactSizeIterator<Item = Pair> + '_, &[u8])> {
    let bytes = usize::try_from(count).ok()?.checked_mul(PAIR_BYTES)?;
    let (pairs, results) = body.split_at_checked(bytes)?;
    Some((pairs.chunks_exact(PAIR_BYTES).map(read), results))
}

/// `chunk` has [`PAIR_BYTES`] bytes, since `chunks_exact` makes it.
fn read(chunk: &[u8]) -> Pair {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    Pair { started_ns: word(&chunk[..8]), runtime_ns: word(&chunk[8..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_split_again() {
        let pairs =
            [Pair { started_ns: 1, runtime_ns: u64::MAX }, Pair { started_ns: 0x0102_0304_0506_0708, runtime_ns: 0 }];
        let mut body = Vec::new();
        pairs.iter().for_each(|pair| push(*pair, &mut body));
        body.extend_from_slice(b"4\n9\n");
        let (read, results) = split(&body, 2).unwrap();
        assert_eq!(read.collect::<Vec<_>>(), pairs);
        assert_eq!(results, b"4\n9\n");
        assert!(split(&body, 3).is_none());
        assert!(split(&body, u32::MAX).is_none());
        assert_eq!(split(&body, 0).unwrap().1, &body);
    }
}
