//! The words after `:::`, one item each.
//!
//! No word of a command line holds a NUL, so NUL is the delimiter; a library's caller may hand in one
//! that does, and it is rejected.

use super::splitter::too_long;
use super::{BATCH_BYTES_MAX, Delivery, FailReason, Payload, Source, SourceError};
use crate::model::spec::ITEM_BYTES_MAX;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

const NUL: u8 = 0;

pub struct Args {
    words: std::iter::Peekable<std::vec::IntoIter<OsString>>,
}

impl Args {
    #[must_use]
    pub fn new(words: Vec<OsString>) -> Self {
        Self { words: words.into_iter().peekable() }
    }
}

/// Why this word cannot be handed out, if it cannot.
fn refuse(word: &[u8]) -> Option<Delivery> {
    if word.len() > ITEM_BYTES_MAX {
        return Some(too_long());
    }
    word.contains(&NUL).then(|| Delivery::Rejected(FailReason::Rejected("item holds a NUL byte".to_owned())))
}

impl Source for Args {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let Some(first) = self.words.next() else { return Ok(Delivery::Ended) };
        let mut block = first.into_vec();
        if let Some(refused) = refuse(&block) {
            return Ok(refused);
        }
        let mut count = 1;
        let mut range = 0..block.len();
        while u64::from(count) < items_max
            && let Some(word) = self.words.next_if(|word| {
                let word = word.as_encoded_bytes();
                block.len() + word.len() + 2 <= BATCH_BYTES_MAX && refuse(word).is_none()
            })
        {
            if count == 1 {
                block.push(NUL);
            }
            block.extend_from_slice(word.as_encoded_bytes());
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_by_nul_and_one_that_holds_it_is_rejected() {
        let words = ["a", "", "b c", "d\0e", "f", "g"];
        let told = |items_max| {
            let mut args = Args::new(words.iter().map(OsString::from).collect());
            std::iter::from_fn(move || match args.next(items_max).unwrap() {
                Delivery::Items(payload) => {
                    Some((payload.count, String::from_utf8(payload.block[payload.range].to_vec()).unwrap()))
                }
                Delivery::Rejected(reason) => Some((0, reason.to_string())),
                _ => None,
            })
            .collect::<Vec<_>>()
        };
        let expect = |told: Vec<(u32, String)>, expected: &[(u32, &str)]| {
            assert_eq!(told.iter().map(|(count, text)| (*count, text.as_str())).collect::<Vec<_>>(), expected);
        };
        let refused = (0, "item holds a NUL byte");
        expect(told(9), &[(3, "a\0\0b c\0"), refused, (2, "f\0g\0")]);
        expect(told(2), &[(2, "a\0\0"), (1, "b c"), refused, (2, "f\0g\0")]);
        expect(told(1), &[(1, "a"), (1, ""), (1, "b c"), refused, (1, "f"), (1, "g")]);
    }
}
