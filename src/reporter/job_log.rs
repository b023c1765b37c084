//! `--joblog FILE`: a line for each item that has ended, in the columns and number formats of GNU parallel's log.
//!
//! The lines are in the order in which items end, also where results wait for their turn. An item that the run skipped
//! has no line, as a job that GNU parallel did not run to its end has none: what has to be run yet is what is missing.
//!
//! Invariant: no text of an item adds a line or a column before the last one.

use super::object::exit_of;
use super::own_file::OwnFile;
use super::{ItemText, Reporter, ReporterError, Settled};
use crate::model::config::JobLogSpec;
use crate::model::event::RunEvent;
use crate::model::exit::ExitStatus;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome};
use crate::model::time::{Duration, Instant};
use crate::model::words::push_number;
use crate::sys::outbox::Outbox;
use std::collections::HashMap;
use std::io::Write;
use std::iter;

/// As GNU parallel writes it.
pub const HEADER: &[u8] = b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

/// How wide the seconds before the point of a runtime are at least.
const RUNTIME_SECONDS_WIDTH: usize = 6;

/// Exitval of an attempt that passed its time limit and did not end with a code, as in GNU parallel.
const TIMED_OUT: i32 = -1;
/// Exitval of a command that could not be started, as a shell tells it.
const NOT_STARTED: i32 = 127;
/// Exitval of an item that failed without the exit of a process.
const FAILED: i32 = 1;

/// The reporter of `--joblog`.
pub struct JobLog {
    file: OwnFile,
    /// What the last column has of an item.
    command: ItemText,
    /// The time of day at the start of the run, in nanoseconds since 1970.
    unix_start_ns: u64,
    /// When running items were seen to begin, of workers that report no times. As many as run, or wait for a retry.
    started: HashMap<ItemId, Instant>,
    /// The last column of a line.
    text: Vec<u8>,
}

/// One line, apart from the command.
#[derive(Clone, Copy, Debug)]
pub struct LogLine {
    pub item: ItemId,
    /// Since the start of the run.
    pub started: Instant,
    pub runtime: Duration,
    /// Bytes of the result.
    pub received: u64,
    /// Exitval and Signal.
    pub exit: (i32, i32),
}

impl LogLine {
    /// Appends the line. `unix_start_ns`: the time of day at the start of the run, in nanoseconds since 1970.
    pub fn push(&self, unix_start_ns: u64, command: &[u8], out: &mut Vec<u8>) {
        let started_ms = unix_start_ns.saturating_add(self.started.0).saturating_add(500_000) / 1_000_000;
        let runtime_ms = self.runtime.0 / 1_000_000;
        push_number(out, self.item.0.saturating_add(1));
        out.extend_from_slice(b"\t:\t");
        push_milliseconds(started_ms, out);
        out.push(b'\t');
        let seconds_digits = (runtime_ms / 1000).checked_ilog10().unwrap_or(0) as usize + 1;
        out.extend(iter::repeat_n(b' ', RUNTIME_SECONDS_WIDTH.saturating_sub(seconds_digits)));
        push_milliseconds(runtime_ms, out);
        out.extend_from_slice(b"\t0\t");
        push_number(out, self.received);
        // A vector takes everything.
        let _ = write!(out, "\t{}\t{}\t", self.exit.0, self.exit.1);
        out.extend(command.iter().map(|byte| if *byte == b'\n' { 0 } else { *byte }));
        out.push(b'\n');
    }
}

impl JobLog {
    /// Opens the file, and begins it with the header unless the log is appended to.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(spec: &JobLogSpec, command: ItemText) -> Result<Self, ReporterError> {
        let mut file = if spec.appends { OwnFile::append(&spec.file)? } else { OwnFile::create(&spec.file)? };
        if let Some(buffer) = file.buffer().filter(|_| !spec.appends) {
            buffer.extend_from_slice(HEADER);
        }
        Ok(Self { file, command, unix_start_ns: 0, started: HashMap::new(), text: Vec::new() })
    }

    /// `unix_start_ns`: the time of day at the start of the run, in nanoseconds since 1970.
    #[must_use]
    pub fn starting_at(self, unix_start_ns: u64) -> Self {
        Self { unix_start_ns, ..self }
    }

    fn push_item(&mut self, now: Instant, settled: &Settled<'_>, index: usize, item: (ItemId, &[u8]), received: u64) {
        let (item, bytes) = item;
        let seen = if self.started.is_empty() { None } else { self.started.remove(&item) };
        let (started, runtime) = match (settled.times.and_then(|times| times.get(index)), seen) {
            (Some(time), _) => (time.started, time.runtime),
            (None, Some(started)) => (started, now.since(started)),
            (None, None) => (now, Duration::ZERO),
        };
        self.text.clear();
        match settled.settlement.causes.last() {
            // Its bytes were never kept.
            Some(Cause { kind: CauseKind::Failed(reason @ FailReason::Rejected(_)), .. }) => {
                self.text.extend_from_slice(format!("# {reason}").as_bytes());
            }
            _ => {
                let worker = settled.settlement.worker.unwrap_or(WorkerId::from_index(0));
                (self.command)(bytes, item, worker, &mut self.text);
            }
        }
        let Some(out) = self.file.buffer() else { return };
        let row = LogLine { item, started, runtime, received, exit: exit_columns(settled) };
        row.push(self.unix_start_ns, &self.text, out);
    }
}

impl Reporter for JobLog {
    /// Notes when items begin; a line has only what has ended.
    fn event(&mut self, now: Instant, event: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        match event {
            RunEvent::ItemStarted { item, .. } => {
                self.started.insert(*item, now);
            }
            // They begin again, at another worker.
            RunEvent::ItemsReturned { first, count, .. } => {
                let end = first.plus(u64::from(*count));
                self.started.retain(|item, _| !(*first..end).contains(item));
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(
        &mut self,
        now: Instant,
        settled: &mut Settled<'_>,
        _: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        let (first, count) = (settled.settlement.first, settled.settlement.count);
        if settled.settlement.outcome == Outcome::Skipped {
            let end = first.plus(u64::from(count));
            self.started.retain(|item, _| !(first..end).contains(item));
        } else if count == 1 {
            let item = (first, settled.arguments.unwrap_or(settled.inputs));
            let received = settled.results.total_bytes();
            self.push_item(now, settled, 0, item, received);
        } else {
            for (index, (item, input, result)) in settled.each().enumerate() {
                self.push_item(now, settled, index, (item, input), result.len() as u64 + 1);
            }
        }
        Ok(())
    }

    fn file(&mut self) -> Option<&mut OwnFile> {
        Some(&mut self.file)
    }

    /// The engine writes the file.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

/// Appends seconds with three digits behind the point; what is less than a millisecond is cut off.
pub(super) fn push_seconds(ns: u64, out: &mut Vec<u8>) {
    push_milliseconds(ns / 1_000_000, out);
}

fn push_milliseconds(ms: u64, out: &mut Vec<u8>) {
    push_number(out, ms / 1000);
    let digit = |unit: u64| b'0' + (ms / unit % 10) as u8;
    out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

/// [`exit_values`] of settled items.
pub(super) fn exit_columns(settled: &Settled<'_>) -> (i32, i32) {
    exit_values(&settled.settlement.outcome, settled.exit, settled.settlement.causes.last())
}

/// Exitval and Signal. Both are 0 only of an item that is done. `exit`: how its command ended; `last`: why the last attempt
/// did not succeed.
#[must_use]
pub fn exit_values(outcome: &Outcome, exit: Option<ExitStatus>, last: Option<&Cause>) -> (i32, i32) {
    let is_done = *outcome == Outcome::Done;
    let exit = exit.or_else(|| last.filter(|_| !is_done).and_then(exit_of));
    let (code, signal) = match exit {
        Some(ExitStatus::Code(code)) => (i32::from(code), 0),
        Some(ExitStatus::Signal { signal, .. }) => (0, i32::from(signal.0)),
        Some(ExitStatus::Unknown) | None => (0, 0),
    };
    match last.map(|cause| &cause.kind) {
        _ if is_done || code != 0 => (code, signal),
        Some(CauseKind::Failed(FailReason::TimedOut { .. })) => (TIMED_OUT, signal),
        _ if signal != 0 => (0, signal),
        Some(CauseKind::Failed(FailReason::NotStarted(_))) => (NOT_STARTED, 0),
        _ => (FAILED, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{CRASHED, KILLED, cause, settlement};
    use super::super::{Content, ItemTime};
    use super::*;
    use crate::model::ids::{Attempt, Incarnation};
    use crate::model::outcome::Settlement;
    use crate::sys::spill::{SpillFile, SpilledContent};
    use std::sync::Arc;

    /// The time of day at which the run starts: 999.6 us before a second ends.
    const UNIX_START_NS: u64 = 1_700_000_000_999_000_400;

    struct Recorded {
        log: JobLog,
        folder: tempfile::TempDir,
    }

    impl Recorded {
        fn new(appends: bool, content: &[u8]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let spec = JobLogSpec { file: folder.path().join("log"), appends };
            std::fs::write(&spec.file, content).unwrap();
            let command: ItemText = Box::new(|bytes, item, worker, out| {
                out.extend_from_slice(&[b"run ", bytes, format!(" {item} in {worker}").as_bytes()].concat());
            });
            Self { log: JobLog::create(&spec, command).unwrap().starting_at(UNIX_START_NS), folder }
        }

        fn settle(&mut self, at_ms: u64, settled: &mut Settled<'_>) {
            let now = Instant::ZERO + Duration::from_millis(at_ms);
            self.log.settled(now, settled, &mut Outbox::default(), &mut Outbox::default()).unwrap();
        }

        fn event(&mut self, at_ms: u64, event: &RunEvent) {
            let now = Instant::ZERO + Duration::from_millis(at_ms);
            self.log.event(now, event, &mut Outbox::default(), &mut Outbox::default()).unwrap();
        }

        /// The lines of the file, with tabs and zeros as text.
        fn lines(mut self) -> Vec<String> {
            self.log.file.outbox.flush().unwrap();
            let text = std::fs::read(self.folder.path().join("log")).unwrap();
            let text = String::from_utf8(text).unwrap().replace('\t', "|").replace('\0', "<0>");
            text.lines().map(str::to_owned).collect()
        }
    }

    fn settled<'a>(settlement: &'a Settlement, inputs: &'a [u8], results: &'a [u8]) -> Settled<'a> {
        let (results, errors) = (Content::in_memory(results), Content::default());
        Settled { settlement, inputs, arguments: None, delimiter: b'\n', results, errors, times: None, exit: None }
    }

    fn started(item: u64) -> RunEvent {
        let (attempt, worker, incarnation) = (Attempt(1), WorkerId::from_index(0), Incarnation(1));
        RunEvent::ItemStarted { item: ItemId(item), attempt, worker, incarnation, pid: 101 }
    }

    #[test]
    fn the_lines_of_a_recorded_run() {
        let mut run = Recorded::new(false, b"of an earlier run\n");
        let time = |started_ns, runtime_ns| ItemTime { started: Instant(started_ns), runtime: Duration(runtime_ns) };
        // A command: the start is rounded to a millisecond, the runtime cut, as by GNU parallel.
        let (done, times) = (settlement(2, 1, Outcome::Done, 2, vec![]), [time(100, 1_234_999_999)]);
        let ok = Some(ExitStatus::Code(0));
        run.settle(9, &mut Settled { times: Some(&times), exit: ok, ..settled(&done, b"a\nb", b"out\n") });
        let long = [time(500_000, 1_234_567_890_000_000)];
        run.settle(9, &mut Settled { times: Some(&long), arguments: Some(b"x\0y\0"), ..settled(&done, b"x y", b"") });
        // Several answers of a worker that stays, with their times.
        let (both, times) = (settlement(0, 2, Outcome::Done, 1, vec![]), [time(0, 1), time(2_000_000, 3_000_000)]);
        run.settle(10, &mut Settled { times: Some(&times), ..settled(&both, b"7\nlonger\n", b"49\n\n") });
        // Without times: from when it was seen to begin, or at its end.
        run.event(11, &started(4));
        run.event(11, &started(5));
        let crashed = settlement(4, 1, Outcome::Dead, 1, vec![cause(1, 1, CauseKind::Crashed(CRASHED))]);
        run.settle(13, &mut settled(&crashed, b"4", b""));
        let returned = ItemId(5);
        let (worker, incarnation) = (WorkerId::from_index(0), Incarnation(1));
        run.event(
            13,
            &RunEvent::ItemsReturned {
                first: returned,
                count: 1,
                attempt: Attempt(1),
                worker,
                incarnation,
                pid: 101,
                running: None,
            },
        );
        run.settle(14, &mut settled(&settlement(5, 1, Outcome::Done, 1, vec![]), b"5", b"25\n"));
        assert_eq!(
            run.lines(),
            [
                "Seq|Host|Starttime|JobRuntime|Send|Receive|Exitval|Signal|Command",
                "3|:|1700000000.999|     1.234|0|4|0|0|run a<0>b 2 in 2",
                "3|:|1700000001.000|1234567.890|0|0|0|0|run x<0>y<0> 2 in 2",
                "1|:|1700000000.999|     0.000|0|3|0|0|run 7 0 in 1",
                "2|:|1700000001.001|     0.003|0|1|0|0|run longer 1 in 1",
                "5|:|1700000001.010|     0.002|0|0|0|11|run 4 4 in 1",
                "6|:|1700000001.013|     0.000|0|3|0|0|run 5 5 in 1",
            ]
        );
    }

    #[test]
    fn exitval_and_signal_are_0_only_of_what_is_done() {
        let limit = Duration::from_secs(1);
        let failed = |reason| CauseKind::Failed(reason);
        let table = [
            (failed(FailReason::Exited(3)), Some(ExitStatus::Code(3)), (3, 0)),
            (failed(FailReason::Exited(3)), None, (3, 0)),
            (CauseKind::Crashed(KILLED), Some(KILLED), (0, 9)),
            (CauseKind::Killed(crate::model::signal::Signal::TERM), None, (0, 15)),
            // As GNU parallel: -1, unless the command ended with a code of its own.
            (failed(FailReason::TimedOut { limit }), Some(KILLED), (-1, 9)),
            (failed(FailReason::TimedOut { limit }), Some(ExitStatus::Code(0)), (-1, 0)),
            (failed(FailReason::TimedOut { limit }), Some(ExitStatus::Code(7)), (7, 0)),
            (failed(FailReason::TimedOut { limit }), None, (-1, 0)),
            (failed(FailReason::NotStarted("run x".into())), None, (127, 0)),
            (failed(FailReason::Message("no integer".into())), None, (1, 0)),
            // A worker that left under its item with code 0.
            (CauseKind::Crashed(ExitStatus::Code(0)), None, (1, 0)),
            (CauseKind::Crashed(ExitStatus::Unknown), None, (1, 0)),
        ];
        for (kind, exit, expected) in table {
            let told = format!("{kind:?} {exit:?}");
            let failed = settlement(0, 1, Outcome::Failed, 1, vec![cause(1, 1, kind.clone())]);
            assert_eq!(exit_columns(&Settled { exit, ..settled(&failed, b"", b"") }), expected, "{told}");
            // The causes of earlier attempts do not count.
            let done = settlement(0, 1, Outcome::Done, 1, vec![cause(1, 1, kind)]);
            assert_eq!(exit_columns(&settled(&done, b"", b"")), (0, 0), "{told}");
        }
    }

    #[test]
    fn a_log_that_is_appended_to_gets_no_header_and_skipped_items_no_line() {
        let mut run = Recorded::new(true, b"earlier\n");
        run.event(0, &started(1));
        run.settle(1, &mut settled(&settlement(0, 3, Outcome::Skipped, 1, vec![]), b"a\nb\nc\n", b""));
        assert!(run.log.started.is_empty(), "nothing of it is kept");
        let rejected = CauseKind::Failed(FailReason::Rejected("too\nlong".into()));
        let rejected = settlement(3, 1, Outcome::Failed, 1, vec![cause(1, 1, rejected)]);
        run.settle(1, &mut settled(&rejected, b"", b""));
        assert_eq!(run.lines(), ["earlier", "4|:|1700000001.000|     0.000|0|0|1|0|# too<0>long"]);
    }

    #[test]
    fn the_length_of_a_result_in_the_temporary_file_counts_and_it_stays_there() {
        let (mut run, spill) = (Recorded::new(true, b""), Arc::new(SpillFile::new()));
        let mut spilled = SpilledContent::default();
        spilled.push(&spill, b"12345").unwrap();
        let done = settlement(0, 1, Outcome::Done, 1, vec![]);
        let mut settled =
            Settled { results: Content { spilled, memory: b"678\n", before: 0 }, ..settled(&done, b"a", b"") };
        run.settle(0, &mut settled);
        assert_eq!((settled.results.spilled.bytes(), spill.live_bytes()), (5, 5));
        assert_eq!(run.lines(), ["1|:|1700000000.999|     0.000|0|9|0|0|run a 0 in 1"]);
    }
}
