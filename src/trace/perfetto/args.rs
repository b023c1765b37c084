//! What events tell beside their names.

use crate::model::ids::Batch;
use crate::model::text::{escaped, push_escaped};
use crate::trace::history::{History, ProcessLife};
use crate::trace::step::Step;
use serde::Serialize;
use std::borrow::Cow;

/// What an event tells beside its name. Text from outside is escaped.
#[derive(Default, Serialize)]
pub struct EventArgs<'a> {
    /// The system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// The first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// So many items from that one on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<Cow<'a, str>>,
    /// How many were worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_max_kib: Option<u64>,
}

impl<'a> EventArgs<'a> {
    /// About a step.
    pub fn of_step(history: &'a History, step: &'a Step) -> Self {
        let because = step.because.as_deref().map(escaped);
        Self { because, bytes: step.bytes, pid: step.pid, ..Self::default() }.with_items(history, step.batch)
    }

    /// About a process.
    pub fn of_life(life: &'a ProcessLife) -> Self {
        // What it used is known at its end.
        let used = |number: u64| Some(number).filter(|_| life.ended.is_some());
        Self {
            pid: Some(life.pid),
            incarnation: Some(life.incarnation.0),
            exit: life.exit.as_deref().map(escaped),
            items: Some(life.items),
            user_us: used(life.usage.user_us),
            system_us: used(life.usage.system_us),
            rss_max_kib: used(life.usage.rss_max_kib),
            ..Self::default()
        }
    }

    /// With the items that an event is about. The text is that of a single one, as far as it was recorded.
    pub fn with_items(self, history: &History, batch: Option<Batch>) -> Self {
        let Some(batch) = batch else { return self };
        let text = history.texts.get(&batch.first).filter(|_| batch.count == 1).map(|text| {
            let mut shown = Vec::new();
            push_escaped(&mut shown, text);
            String::from_utf8_lossy(&shown).into_owned()
        });
        Self {
            item: Some(batch.first.0),
            count: Some(batch.count).filter(|count| *count > 1),
            // A step that does not tell it has 0.
            attempt: Some(batch.attempt.0).filter(|attempt| *attempt > 0),
            text,
            ..self
        }
    }
}
