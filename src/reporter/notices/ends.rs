//! What is said of a process that has ended.

use super::state::{Deaths, Notices, push_notice};
use crate::model::event::{EndReason, ItemFate};
use crate::model::exit::ExitStatus;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::signal::Signal;
use crate::model::text;
use crate::model::words::{self, counted, escaped, seconds};
use crate::sys::outbox::Outbox;

/// Of the last line that a worker wrote to stderr.
const LAST_LINE_CHARS_MAX: usize = 200;

/// The end of a process.
pub(super) struct ProcessEnd<'a> {
    pub worker: WorkerId,
    pub pid: u32,
    pub exit: ExitStatus,
    pub reason: &'a EndReason,
    pub item: Option<(ItemId, ItemFate)>,
    /// Items that it held and had not begun.
    pub waiting: u64,
}

impl ProcessEnd<'_> {
    /// Of ends of the same kind the first few are told; `None`: each is told.
    fn kind(&self) -> Option<String> {
        match (self.item, self.reason) {
            (Some((_, ItemFate::Settled)), _) => None,
            (Some((_, ItemFate::Again(_))), reason) => Some(format!("{}, tried again", words::exit(self.exit, reason))),
            (None, EndReason::Own) => Some(format!("{}, with no item", self.exit)),
            (None, _) => None,
        }
    }

    /// Whether KILL or TERM, which the supervisor did not send, has ended it.
    fn is_kill(&self) -> bool {
        let killed = matches!(self.exit, ExitStatus::Signal { signal: Signal::KILL | Signal::TERM, .. });
        killed && *self.reason == EndReason::Own
    }
}

impl Notices {
    /// What the process that has ended wrote to stderr at the end, if that is shown nowhere else.
    pub(super) fn note_stderr(&mut self, worker: WorkerId, stderr: Option<&str>) {
        self.last_stderr = stderr.filter(|_| self.tells_stderr).map(|text| (worker, text.into()));
    }

    /// A process has ended.
    pub(super) fn exited(&mut self, end: &ProcessEnd<'_>, err: &mut Outbox) {
        let was_ready = std::mem::replace(self.ready_of(end.worker), false);
        if self.per_item && !matches!(end.reason, EndReason::Relief | EndReason::GivenUp) {
            // It is reported by the retry, or by the settlement of its item.
            return;
        }
        if let (EndReason::Own | EndReason::Protocol(_) | EndReason::NoHello, Some((item, _))) = (end.reason, end.item)
        {
            let deaths = self.deaths.entry(item).or_default();
            *(if end.is_kill() { &mut deaths.kills } else { &mut deaths.crashes }) += 1;
        }
        if !self.any_was_ready && matches!(end.reason, EndReason::Own) {
            // The notice that the run gives up says it all; if a worker comes up after all, this one is reported then.
            self.early_deaths += 1;
            let line = self.end_line(end, was_ready);
            self.first_early_death = self.first_early_death.take().or(line);
            return;
        }
        if !self.quiet
            && let Some(line) = self.end_line(end, was_ready)
            && self.repeats.is_told(end.kind())
        {
            let last = self.last_stderr.as_ref().filter(|(worker, _)| *worker == end.worker);
            let last = last.and_then(|(_, text)| text.lines().next_back());
            let last = last
                .map(|last| {
                    format!("; its stderr ends with {}", text::quoted_start(last.as_bytes(), LAST_LINE_CHARS_MAX))
                })
                .unwrap_or_default();
            push_notice(err, &format!("{line}{last}"));
        }
    }

    /// The notice about the end of a resident worker; `None` if it left when asked.
    fn end_line(&self, end: &ProcessEnd<'_>, was_ready: bool) -> Option<String> {
        let ProcessEnd { worker, pid, exit, reason, item, waiting } = end;
        let name = format!("worker {worker} (pid {pid})");
        let at = match item {
            Some((item, _)) => format!(" while at item {item}"),
            None if *waiting > 0 => {
                format!(" between items; {} handed out again", counted(*waiting, "item is", "items are"))
            }
            None if was_ready => " while idle".to_owned(),
            None => " before its hello".to_owned(),
        };
        let mut line = match reason {
            EndReason::Own => format!("{name} died: {exit}{at}{}", self.advice.of_end(*exit, item.is_some())),
            EndReason::Asked if exit.is_success() => return None,
            EndReason::Asked => format!("{name} died: {exit} when asked to leave"),
            EndReason::TimedOut => {
                let limit = self.timeout.map(|limit| format!(" after {}", seconds(limit))).unwrap_or_default();
                match item {
                    Some((item, _)) => format!("{name} was ended: item {item} timed out{limit} ({exit})"),
                    None => format!("{name} was ended: timed out{limit} ({exit})"),
                }
            }
            EndReason::NoHello => {
                format!("{name} was ended: it said no hello within {} ({exit})", seconds(self.hello_timeout))
            }
            EndReason::Protocol(error) => {
                format!("{name} was ended: it broke the protocol: {} ({exit}){at}", escaped(error))
            }
            EndReason::Strategy if self.narrate => format!("{name} was ended, to be restarted with another ({exit})"),
            EndReason::Stopped if self.narrate => format!("{name} was ended: the run stops ({exit})"),
            // One that ended by itself before has a result.
            EndReason::Relief if matches!(item, Some((_, ItemFate::Settled))) => return None,
            EndReason::GivenUp if exit.is_success() => return None,
            EndReason::GivenUp => format!("{name} was ended{at}, since an item that it held was given up ({exit})"),
            EndReason::Relief => format!("{name} was ended to make room ({exit})"),
            EndReason::Chaos => format!("{name} was ended by chaos: {exit}{at}"),
            EndReason::Strategy | EndReason::Stopped => return None,
        };
        if let Some((item, fate)) = item {
            line.push_str(&self.fate(*item, *fate, end));
        }
        Some(line)
    }

    fn fate(&self, item: ItemId, fate: ItemFate, end: &ProcessEnd<'_>) -> String {
        let Deaths { crashes, kills } = self.deaths.get(&item).copied().unwrap_or_default();
        match (fate, end.reason) {
            (ItemFate::Again(_), EndReason::Relief | EndReason::GivenUp) => format!("; item {item} runs again"),
            (ItemFate::Again(attempt), _) => format!("; item {item} will be tried again (attempt {attempt})"),
            (ItemFate::Settled, EndReason::Own)
                if end.is_kill() && self.kill_limit.is_some_and(|limit| kills >= limit) =>
            {
                let times = counted(u64::from(kills), "time", "times");
                format!("; item {item} was at a worker that was killed from outside {times}: dead")
            }
            // The settlement reports the rest.
            (ItemFate::Settled, EndReason::TimedOut) => String::new(),
            (ItemFate::Settled, EndReason::Own | EndReason::NoHello | EndReason::Protocol(_))
                if crashes >= self.crash_limit =>
            {
                format!("; item {item} has ended {}: dead", counted(u64::from(crashes), "worker", "workers"))
            }
            (ItemFate::Settled, _) => format!("; item {item} is not run again"),
        }
    }
}
