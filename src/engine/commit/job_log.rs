//! Items as they end, for the one reporter that does not wait for their turn.
//!
//! Invariant: the answer is afterwards as it was before; the stages that follow show it, or keep it.

use super::super::answer::Answer;
use super::super::feed::Feed;
use super::output::OutputStreams;
use crate::model::outcome::Settlement;
use crate::model::time::Instant;
use crate::reporter::{Content, Reporter, ReporterError, Settled};
use std::mem;

/// Gives settled items to `log` with their bytes, those that lie in one piece at a time.
pub fn ended(
    log: &mut dyn Reporter,
    output: &mut OutputStreams,
    now: Instant,
    settlement: &Settlement,
    answer: &mut Option<Answer<'_>>,
    feed: &mut Feed,
) -> Result<(), ReporterError> {
    let Settlement { first, count, .. } = *settlement;
    if feed.contiguous(first, count) == count {
        return piece(log, output, now, settlement, answer, feed);
    }
    for (first, count) in feed.pieces(first, count) {
        let settlement = Settlement { first, count, ..settlement.clone() };
        let mut answer = answer.as_ref().map(|answer| answer.of(first, count));
        piece(log, output, now, &settlement, &mut answer, feed)?;
    }
    Ok(())
}

/// The same content, with the ownership of its spilled part, which has to be given back.
fn lent<'a>(content: &mut Content<'a>) -> Content<'a> {
    Content { spilled: mem::take(&mut content.spilled), ..*content }
}

fn piece(
    log: &mut dyn Reporter,
    output: &mut OutputStreams,
    now: Instant,
    settlement: &Settlement,
    answer: &mut Option<Answer<'_>>,
    feed: &mut Feed,
) -> Result<(), ReporterError> {
    let delimiter = feed.delimiter();
    let (inputs, arguments) = feed.shown(settlement.first, settlement.count);
    let (results, errors, times, exit) = match answer.as_mut() {
        Some(Answer { results, errors, times, exit, .. }) => (lent(results), lent(errors), *times, *exit),
        None => (Content::default(), Content::default(), None, None),
    };
    let mut settled = Settled { settlement, inputs: &inputs, arguments, delimiter, results, errors, times, exit };
    let logged = log.settled(now, &mut settled, &mut output.out, &mut output.err);
    let Settled { results, errors, .. } = settled;
    if let Some(answer) = answer {
        (answer.results.spilled, answer.errors.spilled) = (results.spilled, errors.spilled);
    }
    logged
}
