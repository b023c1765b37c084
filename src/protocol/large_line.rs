//! A large result of a protocol of text. Its size is known once its line is whole, so it is passed on from the buffer
//! in one piece.

use super::session::Received;
use crate::wire::message::{FromWorker, SMALL_BODY_BYTES_MAX};
use crate::wire::times::PAIR_BYTES;
use std::ops::Range;

/// A result that is passed on as a large one, and how much of that was done.
#[derive(Clone, Debug)]
pub(super) struct LargeLine {
    message: FromWorker,
    place: Range<usize>,
    is_passed: bool,
}

/// What is returned of a result.
pub(super) enum ResultPiece {
    /// It is small, and all of it is here.
    Whole(Range<usize>),
    Begins(u64),
    Bytes(Range<usize>),
    Ends,
}

impl LargeLine {
    /// Begins to return the result at `place`; the rest of a large one is kept in `large`.
    pub fn begin(message: FromWorker, place: Range<usize>, large: &mut Option<Self>) -> ResultPiece {
        if place.len() <= SMALL_BODY_BYTES_MAX {
            return ResultPiece::Whole(place);
        }
        let bytes = place.len() as u64;
        *large = Some(Self { message, place, is_passed: false });
        ResultPiece::Begins(bytes)
    }

    /// The next piece of a large result, if one has begun.
    pub fn go_on(large: &mut Option<Self>) -> Option<(FromWorker, ResultPiece)> {
        let begun = large.as_mut()?;
        let message = begun.message;
        if !std::mem::replace(&mut begun.is_passed, true) {
            return Some((message, ResultPiece::Bytes(begun.place.clone())));
        }
        *large = None;
        Some((message, ResultPiece::Ends))
    }
}

impl ResultPiece {
    /// As it is returned; `arrived` has the bytes of a place.
    pub fn received<'a>(self, message: FromWorker, arrived: impl FnOnce(&Range<usize>) -> &'a [u8]) -> Received<'a> {
        match self {
            Self::Whole(place) => Received::Message(message, arrived(&place)),
            Self::Begins(result_bytes) => Received::LargeBegins { message, result_bytes },
            Self::Bytes(place) => Received::LargeBytes(arrived(&place)),
            Self::Ends => Received::LargeEnds { message, times: [0; PAIR_BYTES] },
        }
    }
}
