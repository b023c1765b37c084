//! When the state of the run is shown, and of what: the driver of `--progress`.
//!
//! It asks the core for its status when something is to be shown, so a turn costs a comparison of counts, and without
//! `--progress` nothing.
//!
//! Invariant: it decides nothing of the run, and looks at most ten times in a second, and when the terminal has changed.

use super::commit::{LiveRegion, OutputStreams, REDRAW_EVERY};
use super::error::EngineError;
use super::feed::Feed;
use super::fleet::Fleet;
use crate::core::Core;
use crate::model::config::{Config, ProgressMode, SourceSpec, WorkerSpec};
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::Totals;
use crate::model::status::{SlotStatus, Status};
use crate::model::time::{Duration, Instant};
use crate::model::words;
use crate::reporter::progress::{BarSize, Glance, LongItem, Rates, bar_lines, json_line, plain_line};
use crate::sys::outbox::Outbox;
use crate::sys::window;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;

/// A bar is drawn again so often although no item has ended: times go on.
const BAR_EVERY: Duration = Duration::from_secs(1);
const JSON_EVERY: Duration = Duration::from_secs(1);
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// If the last look is longer ago, this process was stopped, and the shell has written to the terminal meanwhile.
const SUSPENDED_AFTER: Duration = Duration::from_secs(4);
/// An item that has been running for less is not named.
const LONG_MIN: Duration = Duration::from_secs(1);
/// Names that a bar can show.
const LONG_ITEMS_MAX: usize = 3;
/// What a terminal is that does not say.
const SIZE_DEFAULT: (u16, u16) = (80, 24);

/// What `--progress` shows; `auto` is one of these by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressForm {
    /// `has_rows`: nothing but us writes to the terminal.
    Bar {
        has_rows: bool,
    },
    Plain,
    Json,
}

/// The display that a run asks for, and the place for its bar. `is_attached`: the items are not those of the
/// configuration.
///
/// # Errors
/// The system is short of descriptors.
pub fn open(config: &Config, is_attached: bool) -> Result<(Option<ProgressDisplay>, Option<LiveRegion>), EngineError> {
    let draws = || window::moves_cursor(&io::stderr());
    let form = match config.output.progress {
        ProgressMode::None => return Ok((None, None)),
        ProgressMode::Bar if draws() => bar(config),
        ProgressMode::Bar => return Err(EngineError::NoBar),
        ProgressMode::Auto if draws() => bar(config),
        ProgressMode::Auto | ProgressMode::Plain => ProgressForm::Plain,
        ProgressMode::Json => ProgressForm::Json,
    };
    let total = match &config.source {
        _ if is_attached => None,
        SourceSpec::Generate { count } => Some(*count),
        SourceSpec::Args { items } => Some(items.len() as u64),
        SourceSpec::Lines { .. } | SourceSpec::Queue | SourceSpec::Arranged { .. } => None,
    };
    let display = Some(ProgressDisplay::new(form, total));
    if !matches!(form, ProgressForm::Bar { .. }) {
        return Ok((display, None));
    }
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let terminal = Outbox::new(stderr.as_fd()).map_err(EngineError::system("take the terminal of stderr"))?;
    Ok((display, Some(LiveRegion::new(terminal, window::is_same_terminal(&stdout, &stderr)))))
}

/// Workers that stay write to the terminal themselves; what commands write is taken from them.
const fn bar(config: &Config) -> ProgressForm {
    ProgressForm::Bar { has_rows: matches!(config.worker, WorkerSpec::Exec(_)) }
}

/// The display of a run.
pub struct ProgressDisplay {
    form: ProgressForm,
    /// The number of items, where the source gives it.
    total: Option<u64>,
    rates: Rates,
    /// By slot: the item that it was at when it was looked at last, and since when.
    running: BTreeMap<WorkerId, (ItemId, Instant)>,
    /// Of the last look.
    totals: Totals,
    last_look: Instant,
    /// The next look is due now.
    is_due: bool,
}

impl ProgressDisplay {
    pub fn new(form: ProgressForm, total: Option<u64>) -> Self {
        Self {
            form,
            total,
            rates: Rates::default(),
            running: BTreeMap::new(),
            totals: Totals::default(),
            last_look: Instant::ZERO,
            is_due: false,
        }
    }

    /// When something is to be shown again. `totals`: those of the core at the moment.
    pub fn next_look(&self, totals: &Totals) -> Instant {
        if self.is_due {
            return self.last_look;
        }
        self.last_look
            + match self.form {
                ProgressForm::Bar { .. } if *totals != self.totals => REDRAW_EVERY,
                ProgressForm::Bar { .. } => BAR_EVERY,
                ProgressForm::Plain => PLAIN_EVERY,
                ProgressForm::Json => JSON_EVERY,
            }
    }

    /// The terminal has another size, or was another program's meanwhile: a bar is drawn again at once.
    pub const fn look_now(&mut self) {
        self.is_due = matches!(self.form, ProgressForm::Bar { .. });
    }

    /// Shows the state if that is due.
    pub fn end_turn(&mut self, core: &Core, feed: &Feed, fleet: &mut Fleet, output: &mut OutputStreams, now: Instant) {
        if now < self.next_look(core.totals()) {
            return;
        }
        let status = core.status();
        let glance = Glance::of(&status, self.total, &mut self.rates, now);
        match (self.form, output.live()) {
            (ProgressForm::Bar { has_rows }, Some(live)) => {
                let longest = self.longest(&status, feed, fleet, now);
                self.show_bar(&glance, &longest, has_rows, live, now);
            }
            (ProgressForm::Bar { .. }, None) => {}
            (ProgressForm::Plain, _) => output.err.push(plain_line(&glance).as_bytes()),
            (ProgressForm::Json, _) => output.err.push(json_line(&glance).as_bytes()),
        }
        self.totals = status.totals;
        self.last_look = now;
        self.is_due = false;
    }

    /// The last object; a bar and lines have nothing to say at the end, which the summary is for.
    pub fn finish(&mut self, core: &Core, output: &mut OutputStreams, now: Instant) {
        if self.form == ProgressForm::Json {
            let glance = Glance::of(&core.status(), self.total, &mut self.rates, now);
            output.err.push(json_line(&glance).as_bytes());
        }
    }

    fn show_bar(&self, glance: &Glance, longest: &[LongItem], has_rows: bool, live: &mut LiveRegion, now: Instant) {
        if !live.is_in_foreground() {
            return live.forget();
        }
        if now.since(self.last_look) > SUSPENDED_AFTER {
            live.forget();
        }
        let (columns, lines) = live.size().unwrap_or(SIZE_DEFAULT);
        live.show(bar_lines(glance, longest, BarSize { columns, lines, has_rows }));
    }

    /// The items that have been running longest, the longest first.
    fn longest(&mut self, status: &Status, feed: &Feed, fleet: &mut Fleet, now: Instant) -> Vec<LongItem> {
        let mut running = BTreeMap::new();
        for slot in &status.slots {
            let Some(item) = item_of(slot, fleet) else { continue };
            let known = self.running.get(&slot.worker).filter(|(known, _)| *known == item);
            running.insert(slot.worker, known.copied().unwrap_or((item, now)));
        }
        self.running = running;
        let mut long: Vec<(ItemId, Instant)> = self.running.values().copied().collect();
        long.retain(|(_, since)| now.since(*since) >= LONG_MIN);
        long.sort_unstable_by_key(|(item, since)| (*since, *item));
        long.truncate(LONG_ITEMS_MAX);
        let named = |(item, since)| {
            let (shown, _) = feed.peek(item);
            let name = words::item_of(item, words::shown_item(&shown).as_deref());
            LongItem { name, running: now.since(since) }
        };
        long.into_iter().map(named).collect()
    }
}

/// The item that a worker is at. Of several that one holds it is known only if the worker says so.
pub(super) fn item_of(slot: &SlotStatus, fleet: &mut Fleet) -> Option<ItemId> {
    let lease = slot.lease?;
    let named = fleet.running(slot.worker, slot.incarnation).filter(|item| *item >= lease.first);
    named.or_else(|| (slot.in_flight == 1).then_some(lease.first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_goes_on_by_the_second_and_sooner_if_items_have_ended() {
        let totals = Totals::default();
        let ended = Totals { done: 1, ..totals };
        let next = |form, totals| ProgressDisplay::new(form, None).next_look(totals).since(Instant::ZERO);
        let bar = ProgressForm::Bar { has_rows: true };
        assert_eq!((next(bar, &totals), next(bar, &ended)), (BAR_EVERY, REDRAW_EVERY));
        assert_eq!((next(ProgressForm::Plain, &ended), next(ProgressForm::Json, &ended)), (PLAIN_EVERY, JSON_EVERY));
    }
}
