//! A history as the page of `flow --format html` shows it.

use super::history::History;
use super::html;
use super::html::page::{FlowPage, PageKind, PageMark, PageParty, PageProcess, PageRun, PageStep};
use super::step::{Party, Step, StepKind, Topic};
use crate::model::exit::ExitStatus;
use crate::model::time::Instant;
use std::io;

/// Writes the page of a whole trace.
///
/// # Errors
/// Those of `out`.
pub fn write(history: &History, steps: &[&Step], out: &mut impl io::Write) -> io::Result<()> {
    let header = &history.header;
    let run = PageRun {
        version: header.program_version.clone(),
        id: header.run_id.clone(),
        command: header.workers_run.clone(),
        started: rfc_3339(header.started_unix_ns),
        transport: header.transport.clone().unwrap_or_else(|| "none".to_owned()),
        protocol: if header.transport.is_some() { "frames" } else { "exec" }.to_owned(),
        workers: header.policy.workers,
    };
    let processes: Vec<PageProcess> = history
        .processes
        .iter()
        .map(|life| PageProcess {
            worker: life.worker.number(),
            incarnation: life.incarnation.0,
            pid: life.pid,
            spawned: Some(life.spawned.as_secs_f64()),
            ready: life.ready.map(Instant::as_secs_f64),
            ended: life.ended.map(Instant::as_secs_f64),
            exit: life.exit.clone(),
            reason: String::new(),
            items: life.items,
            user_us: life.usage.user_us,
            system_us: life.usage.system_us,
            rss_max_kib: life.usage.rss_max_kib,
        })
        .collect();
    let per_item = header.policy.worker.starts_with_item();
    let steps: Vec<PageStep> = steps.iter().map(|step| page_step(step, per_item)).collect();
    html::write(&FlowPage { run: &run, processes: &processes, steps: &steps, cut: history.cut.as_deref() }, out)
}

fn page_step(step: &Step, per_item: bool) -> PageStep {
    let life = step.life.unwrap_or_default();
    let seconds = |at: Option<Instant>| at.map(Instant::as_secs_f64);
    PageStep {
        t: step.at.as_secs_f64(),
        kind: match step.kind {
            StepKind::Frame => PageKind::Frame,
            StepKind::Process => PageKind::Process,
            StepKind::Signal => PageKind::Signal,
            StepKind::Fact => PageKind::Fact,
            StepKind::Order => PageKind::Order,
            StepKind::Output => PageKind::Output,
        },
        mark: mark(step, per_item),
        is_main: step.is_main,
        from: party(step.from),
        to: party(step.to),
        worker: step.worker.map(|worker| worker.number()),
        incarnation: step.incarnation.map(|incarnation| incarnation.0),
        pid: step.pid,
        item: step.batch.map(|batch| batch.first.0),
        count: step.batch.map(|batch| u64::from(batch.count)),
        attempt: step.batch.map(|batch| batch.attempt.0).filter(|attempt| *attempt > 0),
        bytes: step.bytes,
        label: step.label.clone(),
        because: step.because.clone(),
        queued: seconds(life.queued),
        sent: seconds(life.sent),
        received: seconds(life.received),
        began: seconds(life.began),
        finished: seconds(life.finished),
    }
}

/// `per_item`: an exit code is the result of an item, and no death.
const fn mark(step: &Step, per_item: bool) -> PageMark {
    match step.topic {
        Topic::Spawned => PageMark::Started,
        Topic::Ready => PageMark::Ready,
        Topic::Exited(ExitStatus::Code(_)) if per_item && step.is_bad => PageMark::Bad,
        Topic::Exited(_) if step.is_bad => PageMark::Died,
        Topic::Exited(_) => PageMark::Ended,
        _ if step.is_bad => PageMark::Bad,
        _ => PageMark::Plain,
    }
}

const fn party(party: Party) -> PageParty {
    match party {
        Party::Supervisor => PageParty::Supervisor,
        Party::Worker(worker) => PageParty::Worker(worker.number()),
        Party::Source => PageParty::Source,
        Party::Output => PageParty::Output,
        Party::Outside => PageParty::Outside,
    }
}

/// A moment in UTC, `2026-11-27T10:31:33Z`.
pub(super) fn rfc_3339(unix_ns: u64) -> String {
    let secs = i64::try_from(unix_ns / 1_000_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(secs).map_or_else(|_| "at an unknown time".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(rfc_3339(1_795_775_493_999_999_999), "2026-11-27T10:31:33Z");
        assert_eq!(rfc_3339(u64::MAX), "2554-07-21T23:34:33Z");
    }
}
