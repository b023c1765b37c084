//! Runs of the library inside a lesson: quiet, and told by their notifications alone.

use super::error::TourError;
use crate::config::OutputMode;
use crate::events::{ItemReport, Notification, RunEvent};
use crate::outcomes::RunOutcome;
use crate::{Config, ConfigBuilder, Run};

/// The settings of a run that writes nothing itself.
pub fn quiet() -> ConfigBuilder {
    Config::builder().output(OutputMode::None).quiet(true)
}

/// A run that has ended.
#[derive(Debug)]
pub struct EndedRun {
    /// What it reported apart from items, with nanoseconds since its start.
    pub events: Vec<(u64, RunEvent)>,
    /// In the order in which they were settled.
    pub items: Vec<ItemReport>,
    pub outcome: RunOutcome,
}

/// Takes everything that a run reports, until it ends. `on_event` sees it as it comes.
///
/// # Errors
/// The run fails, or `on_event` does.
pub fn follow(
    mut run: Run,
    mut on_event: impl FnMut(&Run, &Notification) -> Result<(), TourError>,
) -> Result<EndedRun, TourError> {
    let (mut events, mut items) = (Vec::new(), Vec::new());
    while let Some(notification) = run.next() {
        on_event(&run, &notification)?;
        match notification {
            Notification::Event { at, event } => events.push((at.0, event)),
            Notification::Item(report) => items.push(report),
        }
    }
    Ok(EndedRun { events, items, outcome: run.join()? })
}

/// A result as text, without its newline.
#[must_use]
pub fn result_of(report: &ItemReport) -> String {
    String::from_utf8_lossy(&report.result).trim_end().to_owned()
}
