//! A line of the run: the answer to a request.
//!
//! Invariant: pure. A field that does not apply is left out.

use super::PROTOCOL_VERSION;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer to a request. `ok` says whether the run does what was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlAnswer {
    pub version: u64,
    /// The id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    pub ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ControlError>,
    /// Of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<RunView>>,
    /// Of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Vec<WorkerView>>,
    /// Of `signal`: the slot and the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Of `scale`: the numbers of workers before and from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// Of `wait`: what a shell sees as the exit code of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
}

impl ControlAnswer {
    /// The answer that it is done.
    #[must_use]
    pub fn done(id: Option<Value>) -> Self {
        Self { version: PROTOCOL_VERSION, id, ok: true, ..Self::default() }
    }

    #[must_use]
    pub fn refused(id: Option<Value>, error: ControlError) -> Self {
        Self { version: PROTOCOL_VERSION, id, error: Some(error), ..Self::default() }
    }

    /// Appends it as a line.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Text and numbers become JSON in every case.
        if let Ok(line) = serde_json::to_vec(self) {
            out.extend_from_slice(&line);
            out.push(b'\n');
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlError {
    pub code: ErrorCode,
    /// The field of the request that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// For people.
    pub text: String,
}

impl ControlError {
    #[must_use]
    pub const fn new(code: ErrorCode, text: String) -> Self {
        Self { code, field: None, text }
    }

    #[must_use]
    pub fn of_field(code: ErrorCode, field: &str, text: String) -> Self {
        Self { code, field: Some(field.to_owned()), text }
    }
}

/// Why a request is refused, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    NotJson,
    TooLong,
    Version,
    UnknownRequest,
    MissingField,
    UnknownField,
    WrongField,
    /// There is no such worker, or it has no process.
    NoWorker,
    /// The item has its outcome.
    Settled,
    /// So many items that are still to come were given up that no further one is taken.
    TooMany,
    /// The run stops, or has nothing left to do.
    Ending,
    /// It makes no sense at the moment, or for this run.
    NotPossible,
    TooManyClients,
    /// The client belongs to another user.
    OtherUser,
    /// The client does not read what it is sent.
    TooSlow,
}

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    pub pid: u32,
    /// The name of the run in `SUPERVISOR_RUN`.
    pub run_id: String,
    /// The command of the workers, or the task of the built-in worker.
    pub work: String,
    /// When it started, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Since then.
    pub seconds: f64,
    /// `running`, `draining`, `terminating`, `killing`.
    pub stage: String,
    /// Why it stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// It was paused, and not continued.
    pub paused: bool,
    /// Worker slots.
    pub workers: u32,
    /// Items that have arrived.
    pub accepted: u64,
    pub done: u64,
    pub failed: u64,
    pub dead: u64,
    pub skipped: u64,
    pub at_workers: u64,
    pub waiting: u64,
    /// Items that wait for the delay of their next attempt.
    pub delayed: u64,
    /// Processes that died under an item, or as idle workers.
    pub deaths: u64,
    /// No further item will come.
    pub source_ended: bool,
    /// The journal, as an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<String>,
    /// The same, where the path is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_base64: Option<String>,
    /// It takes the items of the queue of its journal.
    pub keep_open: bool,
    /// Workers that the answer leaves out.
    pub workers_left_out: u64,
}

/// A worker slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerView {
    pub worker: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Which process of the slot it is, or was last.
    pub incarnation: u32,
    pub state: String,
    /// The signal that has stopped its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The item that it is at, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// How long the oldest batch that it holds has been the oldest, without the time of pauses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The share of its item that is done, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// Items that it holds in all.
    pub held: u64,
    /// Items that its process has settled; of commands, those that the slot has begun and ended.
    pub items: u64,
    /// Processes of the slot before this one; not of commands, which are one for each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Processor time so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_lines_without_what_does_not_apply() {
        let mut out = Vec::new();
        ControlAnswer::done(Some(7.into())).write(&mut out);
        let error = ControlError::of_field(ErrorCode::NoWorker, "worker", "no".to_owned());
        ControlAnswer::refused(None, error).write(&mut out);
        ControlAnswer { from: Some(2), to: Some(3), ..ControlAnswer::done(Some("x".into())) }.write(&mut out);
        let expected = concat!(
            "{\"version\":1,\"id\":7,\"ok\":true}\n",
            "{\"version\":1,\"ok\":false,\"error\":{\"code\":\"no_worker\",\"field\":\"worker\",\"text\":\"no\"}}\n",
            "{\"version\":1,\"id\":\"x\",\"ok\":true,\"from\":2,\"to\":3}\n",
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_state_comes_back_from_its_line() {
        let run = RunView { pid: 7, work: "gzip {}".to_owned(), keep_open: true, ..RunView::default() };
        let worker = WorkerView { worker: 1, item: Some(3), seconds: Some(0.5), ..WorkerView::default() };
        let answer =
            ControlAnswer { run: Some(Box::new(run)), workers: Some(vec![worker]), ..ControlAnswer::done(None) };
        let mut out = Vec::new();
        answer.write(&mut out);
        assert_eq!(serde_json::from_slice::<ControlAnswer>(&out).unwrap(), answer);
    }
}
