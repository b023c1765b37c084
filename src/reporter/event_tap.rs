//! The lines of `--events`, for those who watch the run at the moment.
//!
//! Invariant: while nobody watches, an event costs a look at a flag.

use super::events::push_event;
use super::own_file::OwnFile;
use super::{Reporter, ReporterError, Settled};
use crate::model::event::RunEvent;
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Where the lines of a turn wait. Shared by the reporter and by who passes them on.
#[derive(Debug, Default)]
pub struct EventTap {
    is_open: Cell<bool>,
    lines: RefCell<Vec<u8>>,
    /// Beyond so many bytes in a turn, further events are left out.
    bytes_max: usize,
    has_overflowed: Cell<bool>,
}

impl EventTap {
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// Lines are made from now on, or are not.
    pub fn set_open(&self, is_open: bool) {
        self.is_open.set(is_open);
    }

    /// The lines since the last call; `None`: there were too many.
    pub fn take(&self) -> Option<Vec<u8>> {
        let lines = self.lines.take();
        (!self.has_overflowed.replace(false)).then_some(lines)
    }
}

/// The reporter that fills a tap.
pub struct TapReporter(pub Rc<EventTap>);

impl Reporter for TapReporter {
    fn event(&mut self, now: Instant, event: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        let tap = &self.0;
        if tap.is_open() {
            let mut lines = tap.lines.borrow_mut();
            if lines.len() <= tap.bytes_max {
                push_event(&mut lines, now, event);
            } else {
                tap.has_overflowed.set(true);
            }
        }
        Ok(())
    }

    /// Shows no results.
    fn settled(
        &mut self,
        _: Instant,
        _: &mut Settled<'_>,
        _: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        Ok(())
    }

    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}
