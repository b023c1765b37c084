//! What a slice stands for, and how it is named.

use super::args::EventArgs;
use super::flows::FlowLink;
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::text::escaped;
use crate::trace::history::{History, ProcessLife};
use crate::trace::phrases;
use crate::trace::step::Step;
use std::borrow::Cow;

/// A slice of a row. Its level breaks a tie: of two with the same times, the first one in the order of the variants of
/// [`SliceBody`] holds the other.
pub struct RowSlice<'a> {
    /// In nanoseconds.
    pub from: u64,
    pub to: u64,
    pub body: SliceBody<'a>,
    /// Arrows that are at its beginning.
    pub flows: Vec<(FlowPhase, u64)>,
}

/// Which part of an arrow is at a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowPhase {
    Start,
    Step,
    End,
}

/// What a slice stands for.
#[derive(Clone, Copy)]
pub enum SliceBody<'a> {
    /// The whole run.
    Run,
    /// A process that stays, or a thread.
    Life(&'a ProcessLife),
    /// A process that was started for items.
    Command(&'a ProcessLife, Option<Batch>),
    /// Items to a worker.
    Message(&'a Step),
    /// A message has not been written.
    InSupervisor,
    /// A message was written and not read.
    OnTheWay,
    /// An answer from a worker.
    Answer(&'a Step),
    /// A worker has read items and not begun them.
    Waiting(&'a Step),
    /// Work on items that was answered in several messages.
    Work(Batch, u64),
    /// Work on the items of an answer.
    Part(&'a Step),
    /// Work that the end of the process cut off.
    Unfinished(Batch, &'a Step),
    Item(ItemId, Attempt),
}

impl<'a> RowSlice<'a> {
    pub const fn new((from, to): (u64, u64), body: SliceBody<'a>) -> Self {
        Self { from, to, body, flows: Vec::new() }
    }

    /// The slice, with a part of each of these arrows.
    pub fn with(mut self, phase: FlowPhase, links: impl Iterator<Item = &'a FlowLink>) -> Self {
        self.flows.extend(links.map(|link| (phase, link.id)));
        self
    }

    /// The place among those with the same times: the outer one comes first.
    pub const fn level(&self) -> u8 {
        match self.body {
            SliceBody::Run | SliceBody::Life(_) | SliceBody::Command(..) => 0,
            SliceBody::Message(_) | SliceBody::Answer(_) | SliceBody::Waiting(_) | SliceBody::Work(..) => 1,
            SliceBody::InSupervisor | SliceBody::OnTheWay | SliceBody::Part(_) | SliceBody::Unfinished(..) => 2,
            SliceBody::Item(..) => 3,
        }
    }

    pub const fn category(&self) -> &'static str {
        match self.body {
            SliceBody::Run => "run",
            SliceBody::Life(_) | SliceBody::Command(..) => "process",
            SliceBody::Message(_) | SliceBody::InSupervisor | SliceBody::OnTheWay | SliceBody::Answer(_) => "message",
            SliceBody::Waiting(_) => "waiting",
            SliceBody::Work(..) | SliceBody::Part(_) | SliceBody::Unfinished(..) => "work",
            SliceBody::Item(..) => "item",
        }
    }

    pub fn name(&self) -> Cow<'static, str> {
        match self.body {
            SliceBody::Run => "run".into(),
            SliceBody::Life(life) => format!("pid {}", life.pid).into(),
            SliceBody::Command(life, batch) => batch.map_or_else(|| format!("pid {}", life.pid), phrases::batch).into(),
            SliceBody::Message(step) => format!("{} to {}", escaped(&step.label), step.to).into(),
            SliceBody::InSupervisor => "in the supervisor".into(),
            SliceBody::OnTheWay => "on the way".into(),
            SliceBody::Answer(step) => format!("{} from {}", escaped(&step.label), step.from).into(),
            SliceBody::Waiting(step) => {
                let wait = if step.batch.is_some_and(|batch| batch.count > 1) { "wait" } else { "waits" };
                format!("{} {wait}", escaped(&step.label)).into()
            }
            SliceBody::Work(batch, count) if u64::from(batch.count) == count => phrases::batch(batch).into(),
            SliceBody::Work(_, count) => format!("{count} items").into(),
            SliceBody::Part(step) => step.batch.map_or_else(|| "work".to_owned(), phrases::batch).into(),
            SliceBody::Unfinished(batch, _) => format!("{}, not finished", phrases::batch(batch)).into(),
            SliceBody::Item(item, attempt) => phrases::batch(Batch::of_one(item, attempt)).into(),
        }
    }

    pub fn args(&self, history: &'a History) -> EventArgs<'a> {
        match self.body {
            SliceBody::Run => EventArgs { pid: Some(history.header.pid), ..EventArgs::default() },
            SliceBody::Life(life) => EventArgs::of_life(life),
            SliceBody::Command(life, batch) => {
                EventArgs { items: None, ..EventArgs::of_life(life).with_items(history, batch) }
            }
            SliceBody::Message(step) | SliceBody::Answer(step) | SliceBody::Waiting(step) | SliceBody::Part(step) => {
                EventArgs::of_step(history, step)
            }
            SliceBody::InSupervisor | SliceBody::OnTheWay => EventArgs::default(),
            SliceBody::Work(batch, count) => {
                let args = EventArgs::default().with_items(history, Some(batch));
                EventArgs { count: None, items: Some(count), ..args }
            }
            SliceBody::Unfinished(batch, died) => {
                let exit = Some(escaped(&died.label));
                EventArgs { exit, ..EventArgs::default() }.with_items(history, Some(batch))
            }
            SliceBody::Item(item, attempt) => {
                EventArgs::default().with_items(history, Some(Batch::of_one(item, attempt)))
            }
        }
    }
}
