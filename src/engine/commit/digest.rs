//! Items as they end, for what the summary says of some of them.

use super::super::answer::Answer;
use super::super::feed::Feed;
use crate::model::outcome::Settlement;
use crate::model::words;
use crate::reporter::digest::{Digest, EndedItem};

/// Tells `digest` of settled items. Only those that it asks for are looked up.
pub fn ended(digest: &mut Digest, settlement: &Settlement, answer: Option<&Answer<'_>>, feed: &Feed) {
    digest.ended(settlement, answer.and_then(|answer| answer.times), &mut |item, take| {
        let (shown, bytes) = feed.peek(item);
        take(EndedItem { shown: words::shown_item(&shown).map(Into::into), bytes });
    });
}
