//! The arguments after `:::`, one item each.
//!
//! An argument of a command line cannot contain a NUL, so NUL is the delimiter. An argument that a caller of the library
//! passes may contain one, and is rejected.
//!
//! Invariant: an argument is freed once it is in a block.

use super::splitter::too_long;
use super::{BATCH_BYTES_MAX, Delivery, FailReason, Payload, Source, SourceError};
use crate::model::spec::ITEM_BYTES_MAX;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

const NUL: u8 = 0;

/// The source of `:::`.
pub struct ArgumentSource {
    arguments: std::iter::Peekable<std::vec::IntoIter<OsString>>,
}

impl ArgumentSource {
    #[must_use]
    pub fn new(arguments: Vec<OsString>) -> Self {
        Self { arguments: arguments.into_iter().peekable() }
    }
}

/// The answer for an argument that cannot be processed; `None` if it can.
fn rejection(argument: &[u8]) -> Option<Delivery> {
    if argument.len() > ITEM_BYTES_MAX {
        return Some(too_long());
    }
    argument.contains(&NUL).then(|| Delivery::Rejected(FailReason::Rejected("item holds a NUL byte".to_owned())))
}

impl Source for ArgumentSource {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let Some(first) = self.arguments.next() else { return Ok(Delivery::Ended) };
        let mut block = first.into_vec();
        if let Some(rejected) = rejection(&block) {
            return Ok(rejected);
        }
        let mut count = 1;
        let mut range = 0..block.len();
        while u64::from(count) < items_max
            && let Some(argument) = self.arguments.next_if(|argument| {
                let argument = argument.as_encoded_bytes();
                block.len() + argument.len() + 2 <= BATCH_BYTES_MAX && rejection(argument).is_none()
            })
        {
            if count == 1 {
                block.push(NUL);
            }
            block.extend_from_slice(argument.as_encoded_bytes());
            block.push(NUL);
            count += 1;
            range.end = block.len();
        }
        Ok(Delivery::Items(Payload { block: Arc::new(block.into()), range, count, priority: 0 }))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn delimiter(&self) -> u8 {
        NUL
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_joined_by_nul_and_one_that_contains_it_is_rejected() {
        let words = ["a", "", "b c", "d\0e", "f", "g"];
        let deliveries = |items_max| {
            let mut source = ArgumentSource::new(words.iter().map(OsString::from).collect());
            std::iter::from_fn(move || match source.next(items_max).unwrap() {
                Delivery::Items(payload) => {
                    Some((payload.count, String::from_utf8(payload.block[payload.range].to_vec()).unwrap()))
                }
                Delivery::Rejected(reason) => Some((0, reason.to_string())),
                _ => None,
            })
            .collect::<Vec<_>>()
        };
        let expect = |found: Vec<(u32, String)>, expected: &[(u32, &str)]| {
            assert_eq!(found.iter().map(|(count, text)| (*count, text.as_str())).collect::<Vec<_>>(), expected);
        };
        let rejected = (0, "item holds a NUL byte");
        expect(deliveries(9), &[(3, "a\0\0b c\0"), rejected, (2, "f\0g\0")]);
        expect(deliveries(2), &[(2, "a\0\0"), (1, "b c"), rejected, (2, "f\0g\0")]);
        expect(deliveries(1), &[(1, "a"), (1, ""), (1, "b c"), rejected, (1, "f"), (1, "g")]);
    }
}
