//! The steps of a run as lines, while it lasts.
//!
//! Eyes follow some tens of lines a second. A bucket of tokens lets a short run through whole; of a fast one, lines are left
//! out and counted. Ends of processes, signals and failures have a share of the bucket of their own.

use super::lines::{self, LineStyle};
use super::narrator::Narrator;
use super::record::TraceRecord;
use super::step::{Step, StepKind};
use crate::model::time::{Duration, Instant};

/// So many lines may come at once.
const LINES_AT_ONCE: u64 = 250;
/// The part of them that is kept for what a person looks for.
const LINES_KEPT: u64 = 50;
/// One more line may come after this time: 25 a second.
const LINE_INTERVAL: Duration = Duration::from_millis(40);

/// Makes lines of records, as they come.
pub struct LiveFlow {
    narrator: Narrator,
    style: LineStyle,
    lines: Vec<u8>,
    /// Lines that may come now.
    tokens: u64,
    /// When the last token was added.
    refilled: Instant,
    left_out: u64,
}

impl LiveFlow {
    #[must_use]
    pub fn new(style: LineStyle) -> Self {
        Self {
            narrator: Narrator::default(),
            style,
            lines: Vec::new(),
            tokens: LINES_AT_ONCE,
            refilled: Instant::ZERO,
            left_out: 0,
        }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &TraceRecord<'_>) {
        let Self { narrator, style, lines, tokens, refilled, left_out } = self;
        narrator.take(record, |step| {
            if !step.is_main {
                return;
            }
            let earned = step.at.since(*refilled).0 / LINE_INTERVAL.0;
            *tokens = tokens.saturating_add(earned).min(LINES_AT_ONCE);
            *refilled = *refilled + Duration(earned * LINE_INTERVAL.0);
            let kept = if is_wanted_first(&step) { 0 } else { LINES_KEPT };
            if *tokens <= kept {
                *left_out += 1;
                return;
            }
            *tokens -= 1;
            if *left_out > 0 {
                lines::push_gap(lines, std::mem::take(left_out), *style);
            }
            lines::push_step(lines, &step, *style);
        });
        if matches!(record, TraceRecord::End { .. }) && self.left_out > 0 {
            lines::push_gap(&mut self.lines, std::mem::take(&mut self.left_out), self.style);
        }
    }

    /// The lines since the last call, to be taken.
    pub const fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }
}

fn is_wanted_first(step: &Step) -> bool {
    step.is_bad || matches!(step.kind, StepKind::Process | StepKind::Signal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::input::Input;
    use crate::model::ids::ItemId;
    use std::borrow::Cow;

    fn arrived(flow: &mut LiveFlow, at: Instant, first: u64) {
        let input = Input::BatchArrived { first: ItemId(first), count: 1, priority: 0 };
        flow.take(&TraceRecord::Fact { at, input: Cow::Owned(input) });
    }

    #[test]
    fn what_is_too_fast_for_eyes_is_left_out_and_counted() {
        let mut flow = LiveFlow::new(LineStyle { digits: 3, ..LineStyle::default() });
        for item in 0..1000 {
            arrived(&mut flow, Instant(item), item);
        }
        let shown = String::from_utf8(std::mem::take(flow.lines())).unwrap();
        assert_eq!(shown.lines().count() as u64, LINES_AT_ONCE - LINES_KEPT);
        let lost = Input::SinkLost { error: "write".to_owned() };
        flow.take(&TraceRecord::Fact { at: Instant(1000), input: Cow::Owned(lost) });
        let shown = String::from_utf8(std::mem::take(flow.lines())).unwrap();
        let [gap, loss] = shown.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert!(gap.ends_with("... 800 steps are left out") && loss.ends_with("failed to write"), "{shown}");
        arrived(&mut flow, Instant::ZERO + Duration::from_secs(1), 1000);
        arrived(&mut flow, Instant::ZERO + Duration::from_secs(3), 1001);
        assert_eq!(String::from_utf8_lossy(flow.lines()).lines().count(), 2, "after a pause lines come again");
    }

    #[test]
    fn the_end_tells_what_was_left_out() {
        let mut flow = LiveFlow::new(LineStyle { digits: 3, ..LineStyle::default() });
        for item in 0..202 {
            arrived(&mut flow, Instant(item), item);
        }
        flow.take(&TraceRecord::End { at: Instant(300) });
        assert!(String::from_utf8_lossy(flow.lines()).ends_with("... 2 steps are left out\n"));
    }
}
