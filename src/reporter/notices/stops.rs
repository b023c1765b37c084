//! What is said of a run that stops.

use super::state::{Notices, push_notice};
use crate::model::event::Stage;
use crate::model::outcome::StopReason;
use crate::model::time::Instant;
use crate::model::words::{self, escaped, seconds};
use crate::sys::outbox::Outbox;

impl Notices {
    /// The run stops, or does so in another way.
    pub(super) fn stopping(&mut self, now: Instant, stage: Stage, reason: &StopReason, err: &mut Outbox) {
        if !matches!(reason, StopReason::RestartLimit { .. }) {
            self.push_early_death(err);
        }
        let is_new = self.reported.as_ref() != Some(reason);
        let signal = self.signal.take();
        self.reported = Some(reason.clone());
        let waits = stage == Stage::Draining && reason.waits_for_running_items();
        let by_time = stage == Stage::Terminating && !is_new && signal.is_none();
        let too_long = by_time && self.draining_since.is_some_and(|since| now.since(since) >= self.grace);
        // `--halt soon` waits for items without a limit, and then for the workers.
        let not_left = by_time && self.draining_since.is_none();
        if !waits {
            self.draining_since.get_or_insert(now);
        }
        let Some(why) = words::why_stopping(reason, signal) else {
            if *reason == StopReason::SourceEnded && stage >= Stage::Terminating && !self.quiet {
                push_notice(
                    err,
                    &format!("the workers have not left within {}: {}", seconds(self.leave_time), self.how(stage)),
                );
            }
            return;
        };
        let why = match reason {
            _ if too_long => format!("the running items have not ended within {}", seconds(self.grace)),
            _ if not_left => format!("the workers have not left within {}", seconds(self.leave_time)),
            StopReason::HaltFailed if self.stops_at_first => "an item failed".to_owned(),
            _ => why,
        };
        let by_signal = matches!(reason, StopReason::Signal(_));
        let again = match stage {
            Stage::Draining if by_signal => "; again to terminate them",
            Stage::Terminating if by_signal => "; again to kill them",
            _ => "",
        };
        if self.quiet && !(is_new && words::ends_the_run(reason)) {
            return;
        }
        let never_ready = matches!(reason, StopReason::RestartLimit { .. }) && !self.any_was_ready && !self.per_item;
        let advice = match never_ready && self.advice.speaks_frames {
            true => {
                "; --protocol frames needs a program that speaks frames, and without it the command runs once per item"
            }
            false => "",
        };
        let how = if waits { "no new items; running ones may finish".to_owned() } else { self.how(stage) };
        push_notice(err, &format!("{why}: {how}{again}{advice}"));
        if let StopReason::RestartLimit { worker, .. } = reason
            && let Some((of, text)) = self.last_stderr.take().filter(|_| is_new)
            && of == *worker
        {
            push_notice(err, &format!("the end of what worker {worker} wrote to stderr:"));
            for line in text.lines() {
                err.push(format!("  {}\n", escaped(line)).as_bytes());
            }
        }
    }

    fn how(&self, stage: Stage) -> String {
        match stage {
            Stage::Running | Stage::Draining => {
                format!("no new items; waiting up to {} for running ones", seconds(self.grace))
            }
            Stage::Terminating => format!("ending the workers ({})", self.term_words),
            Stage::Killing => "killing the workers".to_owned(),
            Stage::Finished => "all items were settled, but not all output is written".to_owned(),
        }
    }
}
