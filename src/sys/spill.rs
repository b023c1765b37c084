//! A temporary file without a name, for bytes that are too many to keep in memory.

/// Where some bytes lie in a spill file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub offset: u64,
    pub bytes: u64,
}
