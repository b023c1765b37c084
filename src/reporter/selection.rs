//! Which reporters a run has.

use super::digest::Digest;
use super::results::{RawResults, Tag};
use super::{Reporter, ReporterError, events, json, notices, summary, text};
use crate::model::config::{OutputMode, OutputSpec};
use crate::model::spec::Policy;
use std::cell::RefCell;
use std::rc::Rc;

/// Nothing is reported: whoever began the run says how it ended.
#[must_use]
pub fn silent() -> Vec<Box<dyn Reporter>> {
    vec![Box::new(RawResults::new(Tag::None, false))]
}

/// The reporters that `output` asks for, in the order in which they get each event. `digest`: what the summary says of
/// items; the engine tells it of them.
///
/// # Errors
/// The file of `--events` cannot be created.
pub fn open(
    output: &OutputSpec,
    policy: &Policy,
    tag: Tag,
    digest: Option<&Rc<RefCell<Digest>>>,
) -> Result<Vec<Box<dyn Reporter>>, ReporterError> {
    let mut reporters: Vec<Box<dyn Reporter>> = vec![Box::new(notices::Notices::new(output, policy))];
    reporters.push(match output.mode {
        OutputMode::Narrate => Box::new(text::Narrate::default()),
        OutputMode::Results => Box::new(RawResults::new(tag, true).showing(output.show)),
        OutputMode::None => Box::new(RawResults::new(tag, false).showing(output.show)),
        OutputMode::Json => Box::new(json::Json { answers_are_lines: !policy.worker.starts_with_item() }),
    });
    if let Some(path) = &output.events {
        reporters.push(Box::new(events::Events::create(path)?));
    }
    if let Some(summary) = summary::Summary::new(output, policy, digest) {
        reporters.push(Box::new(summary));
    }
    Ok(reporters)
}
