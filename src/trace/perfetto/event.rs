//! Events, one a line, in an object: `{"traceEvents":[...],"otherData":{...}}`.
//!
//! There is no `displayTimeUnit`: versions of Perfetto up to 2022 took it for the unit of the times.

use super::args::EventArgs;
use super::slice::{FlowPhase, RowSlice};
use crate::model::ids::WorkerId;
use crate::model::text::escaped;
use crate::trace::history::History;
use crate::trace::step::Step;
use serde::Serialize;
use std::io;

/// A row: the numbers that an event names it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Of its party: 1 is the supervisor, 2 the first slot.
    pid: u64,
    /// No other row has this number, and no party.
    tid: u64,
}

/// How far an instant reaches over the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstantScope {
    /// Its row.
    Row,
    /// Every row.
    Run,
}

/// An event. The names are those of the format.
#[derive(Serialize)]
struct EventObject<'a, A: Serialize> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    ph: char,
    /// In microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    pid: u64,
    tid: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    /// `e`: the arrow ends at the slice around it, and not at the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<char>,
    /// The scope of an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<A>,
}

/// The arguments of an event that names a party or a row.
#[derive(Serialize)]
struct NameArgs<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
}

#[derive(Serialize)]
struct SortArgs {
    sort_index: u64,
}

#[derive(Serialize)]
struct LoadArgs {
    queued: u64,
    #[serde(rename = "in flight")]
    in_flight: u64,
}

/// Writes events.
pub struct EventWriter<'a, W> {
    out: &'a mut W,
    history: &'a History,
    is_first: bool,
    /// Of the row that was added last.
    tid: u64,
}

impl<'a, W: io::Write> EventWriter<'a, W> {
    pub fn new(out: &'a mut W, history: &'a History) -> io::Result<Self> {
        out.write_all(b"{\"traceEvents\":[")?;
        let slots = history.steps.iter().filter_map(|step| step.worker);
        let last = slots.chain(history.processes.iter().map(|life| life.worker)).max();
        Ok(Self { out, history, is_first: true, tid: party(last) })
    }

    /// Ends the object. What stands beside the events comes last: a viewer may stop at a key that it does not know.
    pub fn finish(self, other: &impl Serialize) -> io::Result<()> {
        self.out.write_all(b"\n],\n\"otherData\":")?;
        serde_json::to_writer(&mut *self.out, other)?;
        self.out.write_all(b"}\n")
    }

    fn write(&mut self, event: &EventObject<'_, impl Serialize>) -> io::Result<()> {
        self.out.write_all(if std::mem::take(&mut self.is_first) { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *self.out, event).map_err(io::Error::from)
    }

    /// Names a party: the supervisor, or a slot. `pid`: the system's.
    pub fn add_party(&mut self, slot: Option<WorkerId>, name: &str, pid: Option<u32>) -> io::Result<()> {
        let row = EventRow { pid: party(slot), tid: party(slot) };
        self.name(row, "process_name", &NameArgs { name, pid })?;
        self.name(row, "process_sort_index", &SortArgs { sort_index: row.pid })
    }

    /// Adds a row to a party, below those that it has.
    pub fn add_row(&mut self, slot: Option<WorkerId>, name: &str, pid: Option<u32>) -> io::Result<EventRow> {
        self.tid += 1;
        let row = EventRow { pid: party(slot), tid: self.tid };
        self.name(row, "thread_name", &NameArgs { name, pid })?;
        self.name(row, "thread_sort_index", &SortArgs { sort_index: row.tid })?;
        Ok(row)
    }

    fn name(&mut self, row: EventRow, name: &str, args: &impl Serialize) -> io::Result<()> {
        let event = EventObject { name: Some(name), args: Some(args), ..event(row, 'M', None) };
        self.write(&event)
    }

    /// Begins a slice, with the arrows that are at it.
    pub fn begin(&mut self, row: EventRow, slice: &RowSlice<'_>) -> io::Result<()> {
        let (name, ts) = (slice.name(), Some(slice.from));
        let (name, cat, args) = (Some(&*name), Some(slice.category()), Some(slice.args(self.history)));
        self.write(&EventObject { name, cat, args, ..event(row, 'B', ts) })?;
        for (phase, id) in &slice.flows {
            let (phase, bp) = match phase {
                FlowPhase::Start => ('s', None),
                FlowPhase::Step => ('t', Some('e')),
                FlowPhase::End => ('f', Some('e')),
            };
            // The parts of an arrow have the same name and category.
            let (name, cat, id) = (Some("batch"), Some("flow"), Some(*id));
            self.write(&EventObject::<()> { name, cat, id, bp, ..event(row, phase, ts) })?;
        }
        Ok(())
    }

    /// Ends the slice that was begun last.
    pub fn end(&mut self, row: EventRow, at: u64) -> io::Result<()> {
        self.write(&event::<()>(row, 'E', Some(at)))
    }

    /// `at`: in nanoseconds.
    pub fn instant(&mut self, row: EventRow, at: u64, instant: RowInstant<'_>) -> io::Result<()> {
        let RowInstant { step, category, scope } = instant;
        let scope = match scope {
            InstantScope::Row => 't',
            InstantScope::Run => 'g',
        };
        let (name, args) = (escaped(&step.label), Some(EventArgs::of_step(self.history, step)));
        let (name, cat, s) = (Some(&*name), Some(category), Some(scope));
        self.write(&EventObject { name, cat, s, args, ..event(row, 'i', Some(at)) })
    }

    /// How many items are queued and in flight from then on.
    pub fn load(&mut self, row: EventRow, (at, queued, in_flight): (u64, u64, u64)) -> io::Result<()> {
        let args = Some(LoadArgs { queued, in_flight });
        self.write(&EventObject { name: Some("items"), args, ..event(row, 'C', Some(at)) })
    }
}

/// Something that happened at one moment.
#[derive(Clone, Copy)]
pub struct RowInstant<'a> {
    pub step: &'a Step,
    pub category: &'static str,
    pub scope: InstantScope,
}

/// The number of a slot among the parties, or of the supervisor.
fn party(slot: Option<WorkerId>) -> u64 {
    slot.map_or(0, |slot| u64::from(slot.number())) + 1
}

/// `at`: in nanoseconds.
fn event<'a, A: Serialize>(EventRow { pid, tid }: EventRow, ph: char, at: Option<u64>) -> EventObject<'a, A> {
    // Exact to a nanosecond within 104 days.
    let ts = at.map(|ns| ns as f64 / 1e3);
    EventObject { name: None, cat: None, ph, ts, pid, tid, id: None, bp: None, s: None, args: None }
}
