//! How a person runs one item of a run alone.

#![deny(missing_docs)]

/// An item, as a command line has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemAlone {
    /// The arguments, if the item is a list of them.
    pub arguments: Option<Vec<Vec<u8>>>,
    /// The command line, for a shell; or why there is none.
    pub line: Result<Vec<u8>, String>,
}
