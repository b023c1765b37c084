//! Lesson `identity`: who each process is, by its own word and by the system's, as a tree.

use super::error::TourError;
use super::processes::ProcessFacts;
use super::report::Unit;
use super::runs::{EndedRun, follow, quiet, result_of};
use super::stage::LessonStage;
use super::text::identity as text;
use crate::config::Duration;
use crate::events::Notification;
use crate::{start, start_with};
use std::collections::BTreeSet;
use std::iter;
use std::sync::mpsc;

const WORKERS: u32 = 3;
/// So that each worker gets an item.
const DELAY: Duration = Duration::from_millis(50);

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::STARTED, &[])?;
    let (run, workers) = of_processes()?;
    let own = ProcessFacts::of(std::process::id());
    show_tree(stage, own.as_ref(), &workers)?;
    stage.pause()?;
    stage.say(&text::SAID, &[])?;
    for report in &run.items {
        stage.line(&result_of(report))?;
    }
    let different = |run: &EndedRun| said_pids(run).len();
    stage.value("process_pids", &text::PIDS, different(&run), Unit::Count)?;
    check(stage, own.as_ref(), &run, &workers);
    stage.pause()?;

    let pid = std::process::id();
    stage.say(&text::SAID_BY_THREADS, &[("pid", &pid)])?;
    let config = quiet().task("identity").threads(true).workers(WORKERS).delay(DELAY).generate(u64::from(WORKERS));
    let of_threads = follow(start(config.build()?)?, |_, _| Ok(()))?;
    for report in &of_threads.items {
        stage.line(&result_of(report))?;
    }
    stage.value("thread_pids", &text::PIDS_OF_THREADS, different(&of_threads), Unit::Count)?;
    stage.claim(&text::THREADS, said_pids(&of_threads) == BTreeSet::from([pid]));
    Ok(())
}

/// Runs worker processes, and asks the system about them while they live.
fn of_processes() -> Result<(EndedRun, Vec<ProcessFacts>), TourError> {
    let config = quiet().task("identity").workers(WORKERS).delay(DELAY).build()?;
    // The source does not end before `release` is dropped, and workers stay as long as it may bring more.
    let (release, held) = mpsc::channel::<()>();
    let end = iter::from_fn(move || held.recv().err().and(None));
    let items = (0..WORKERS).map(|item| item.to_string()).chain(end);
    let (mut release, mut settled) = (Some(release), 0);
    let mut workers: Vec<ProcessFacts> = Vec::new();
    let run = follow(start_with(config, items)?, |_, notification| {
        if let Notification::Item(report) = notification {
            workers.extend(report.pid.and_then(ProcessFacts::of));
            settled += 1;
        }
        if settled == WORKERS {
            release = None;
        }
        Ok(())
    })?;
    workers.sort_by_key(|worker| worker.pid);
    workers.dedup_by_key(|worker| worker.pid);
    Ok((run, workers))
}

fn show_tree(
    stage: &mut LessonStage<'_>,
    own: Option<&ProcessFacts>,
    workers: &[ProcessFacts],
) -> Result<(), TourError> {
    let Some(own) = own else { return stage.show(&text::NO_PROC, &[]) };
    let described = |facts: &ProcessFacts| {
        let ProcessFacts { pid, name, uid, gid, group, cwd, .. } = facts;
        format!("pid {pid} {name}, uid {uid}, gid {gid}, process group {group}, cwd {}", cwd.display())
    };
    let language = stage.language();
    if let Some(parent) = ProcessFacts::of(own.parent) {
        let label = text::PARENT_OF_ALL.in_language(language);
        stage.line(&format!("{} ({label})", described(&parent)))?;
    }
    stage.line(&format!("`- {} ({})", described(own), text::THIS.in_language(language)))?;
    for (at, worker) in workers.iter().enumerate() {
        let label = text::WORKER.filled(language, &[("worker", &(at + 1))]);
        stage.line(&format!("   |- {} ({label})", described(worker)))?;
    }
    Ok(())
}

fn check(stage: &mut LessonStage<'_>, own: Option<&ProcessFacts>, run: &EndedRun, workers: &[ProcessFacts]) {
    let Some(own) = own else {
        for claim in [text::SAYS_THE_TRUTH, text::PARENT, text::INHERITED, text::OWN_GROUP] {
            stage.cannot_check(&claim, &text::NO_PROC);
        }
        return;
    };
    let said: BTreeSet<String> = run.items.iter().map(result_of).collect();
    let shown = |facts: &ProcessFacts| {
        let ProcessFacts { pid, parent, uid, gid, cwd, .. } = facts;
        format!("pid {pid}, parent {parent}, uid {uid}, gid {gid}, cwd {}", cwd.display())
    };
    let shown: BTreeSet<String> = workers.iter().map(shown).collect();
    let all = |holds: fn(&ProcessFacts, &ProcessFacts) -> bool| {
        !workers.is_empty() && workers.iter().all(|worker| holds(worker, own))
    };
    stage.claim(&text::SAYS_THE_TRUTH, !said.is_empty() && said == shown);
    stage.claim(&text::PARENT, all(|worker, own| worker.parent == own.pid));
    let inherited = all(|worker, own| (worker.uid, worker.gid, &worker.cwd) == (own.uid, own.gid, &own.cwd));
    stage.claim(&text::INHERITED, inherited);
    stage.claim(&text::OWN_GROUP, all(|worker, own| worker.group == worker.pid && worker.group != own.group));
}

/// The pids in `pid 12, parent ...`.
fn said_pids(run: &EndedRun) -> BTreeSet<u32> {
    let pid = |text: String| text.strip_prefix("pid ")?.split(',').next()?.parse().ok();
    run.items.iter().map(result_of).filter_map(pid).collect()
}
