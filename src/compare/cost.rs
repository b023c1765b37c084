//! What a message costs beside time: system calls and context switches, of the program as a child process.
//!
//! System calls are counted under ptrace, which slows both sides; so context switches are counted without it.

use super::conversation::{Dialogue, Flow};
use super::{Amounts, CompareError, Mechanism, NamedCall, Side};
use crate::outcomes::{ExitStatus, Usage};
use crate::sys::tracer::{self, TracedCalls, TracedRole};
use crate::sys::{measured_child, memfd};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::Command;

/// The shorter one of two runs has this part of the items.
const SHORT_PART: u64 = 5;

/// Calls that are rarer in a round trip are not named.
const NAMED_MIN: f64 = 0.005;

/// System calls of one counting.
pub(super) struct CountedCalls {
    pub supervisor: f64,
    pub worker: f64,
    pub per_item: f64,
    pub named: Vec<NamedCall>,
}

/// System calls for a round trip and for an item in batches.
///
/// # Errors
/// The system forbids to trace a process, or the program does not end well.
pub(super) fn calls(conversation: &Dialogue<'_>, amounts: &Amounts) -> Result<CountedCalls, CompareError> {
    let round_trips = PerItem::count(conversation, Flow::OneInFlight, amounts.counted_round_trips)?;
    let batches = PerItem::count(conversation, Flow::Batches, amounts.counted_items)?;
    Ok(CountedCalls {
        supervisor: round_trips.of(Side::Supervisor),
        worker: round_trips.of(Side::Worker),
        per_item: batches.of(Side::Supervisor) + batches.of(Side::Worker),
        named: round_trips.named(),
    })
}

/// How often each side makes each call for one item: the difference of two runs.
struct PerItem(BTreeMap<(Side, u64), f64>);

impl PerItem {
    fn count(conversation: &Dialogue<'_>, flow: Flow, items: u64) -> Result<Self, CompareError> {
        let items = items.max(SHORT_PART);
        let fewer = items / SHORT_PART;
        let short = traced(conversation, flow, fewer)?;
        let long = traced(conversation, flow, items)?;
        Ok(Self::difference(&short, &long, items - fewer, conversation.mechanism))
    }

    fn difference(short: &TracedCalls, long: &TracedCalls, items: u64, mechanism: Mechanism) -> Self {
        let mut counts: BTreeMap<(Side, u64), i64> = BTreeMap::new();
        for (calls, sign) in [(long, 1), (short, -1)] {
            for ((role, number), count) in &calls.calls {
                if let Some(side) = side_of(*role, mechanism) {
                    *counts.entry((side, *number)).or_default() += sign * i64::try_from(*count).unwrap_or(i64::MAX);
                }
            }
        }
        Self(counts.into_iter().map(|(call, count)| (call, count as f64 / items as f64)).collect())
    }

    /// A difference of small counts may fall below 0 by chance.
    fn of(&self, side: Side) -> f64 {
        self.0.iter().filter(|((of, _), _)| *of == side).map(|(_, count)| count).sum::<f64>().max(0.0)
    }

    fn named(&self) -> Vec<NamedCall> {
        let often = self.0.iter().filter(|(_, count)| **count >= NAMED_MIN);
        let mut named: Vec<NamedCall> = often
            .map(|((side, number), count)| NamedCall {
                side: *side,
                name: tracer::name_of_call(*number).unwrap_or("other"),
                per_round_trip: *count,
            })
            .collect();
        named.sort_by(|a, b| a.side.cmp(&b.side).then(b.per_round_trip.total_cmp(&a.per_round_trip)));
        named
    }
}

/// Whose calls these are. The guard, a fork, takes no part in the conversation.
const fn side_of(role: TracedRole, mechanism: Mechanism) -> Option<Side> {
    match (role, mechanism) {
        (TracedRole::ProgramThread, Mechanism::Thread) | (TracedRole::Child, _) => Some(Side::Worker),
        (TracedRole::Program | TracedRole::ProgramThread, _) => Some(Side::Supervisor),
        (TracedRole::Fork, _) => None,
    }
}

fn traced(conversation: &Dialogue<'_>, flow: Flow, items: u64) -> Result<TracedCalls, CompareError> {
    let (command, mut said) = child(conversation, flow, items)?;
    let counted = tracer::count_calls(command).map_err(CompareError::system("count system calls by ptrace"))?;
    succeeded(counted.exit.unwrap_or(ExitStatus::Unknown), &mut said)?;
    Ok(counted)
}

/// Context switches of both sides for a round trip: voluntary and not.
///
/// # Errors
/// The program does not end well.
pub(super) fn switches(conversation: &Dialogue<'_>, amounts: &Amounts) -> Result<(f64, f64), CompareError> {
    let items = amounts.counted_round_trips.max(SHORT_PART);
    let fewer = items / SHORT_PART;
    let (short, long) = (used(conversation, fewer)?, used(conversation, items)?);
    let per_item = |of: fn(&Usage) -> u64| (of(&long) as f64 - of(&short) as f64).max(0.0) / (items - fewer) as f64;
    Ok((per_item(|usage| usage.voluntary_switches), per_item(|usage| usage.involuntary_switches)))
}

fn used(conversation: &Dialogue<'_>, items: u64) -> Result<Usage, CompareError> {
    let (command, mut said) = child(conversation, Flow::OneInFlight, items)?;
    let (exit, usage) = measured_child::run(command).map_err(CompareError::system("start a supervisor as a child"))?;
    succeeded(exit, &mut said)?;
    Ok(usage)
}

/// The program as a child, and the file that its stderr goes to.
fn child(conversation: &Dialogue<'_>, flow: Flow, items: u64) -> Result<(Command, File), CompareError> {
    let said = memfd::memory_file().map_err(CompareError::system("open a file for stderr"))?;
    let mut command = conversation.command(items, flow);
    command.stderr(said.try_clone().map_err(CompareError::system("open a file for stderr"))?);
    Ok((command, said))
}

fn succeeded(exit: ExitStatus, said: &mut File) -> Result<(), CompareError> {
    if exit.is_success() {
        return Ok(());
    }
    let mut text = Vec::new();
    // Without its words the exit is reported alone.
    let _ = said.rewind().and_then(|()| said.read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let stderr = text.lines().last().unwrap_or_default().to_owned();
    Err(CompareError::Child { exit, stderr })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransportKind;

    fn counted(calls: &[(TracedRole, i64, u64)]) -> TracedCalls {
        let calls = calls.iter().map(|(role, number, count)| ((*role, number.unsigned_abs()), *count)).collect();
        TracedCalls { exit: Some(ExitStatus::Code(0)), calls }
    }

    #[test]
    fn starting_and_ending_count_for_nothing_and_neither_does_the_guard() {
        let (read, write) = (libc::SYS_read, libc::SYS_write);
        let of = |items: u64| {
            counted(&[
                (TracedRole::Program, write, 70 + items),
                (TracedRole::Program, read, 30 + 2 * items),
                (TracedRole::ProgramThread, read, 9),
                (TracedRole::Fork, read, 5 + 100 * items),
                (TracedRole::Child, write, 3 + items),
                (TracedRole::Child, read, 50),
            ])
        };
        let process = Mechanism::Process(TransportKind::Pipe);
        let found = PerItem::difference(&of(100), &of(1_100), 1_000, process);
        assert_eq!((found.of(Side::Supervisor), found.of(Side::Worker)), (3.0, 1.0));
        let named: Vec<_> = found.named().into_iter().map(|call| (call.side, call.name, call.per_round_trip)).collect();
        assert_eq!(
            named,
            [(Side::Supervisor, "read", 2.0), (Side::Supervisor, "write", 1.0), (Side::Worker, "write", 1.0)]
        );
    }

    #[test]
    fn the_threads_of_a_supervisor_are_its_workers_if_it_has_no_others() {
        let of = |items: u64| counted(&[(TracedRole::Program, 1, items), (TracedRole::ProgramThread, 2, 3 * items)]);
        let found = PerItem::difference(&of(10), &of(20), 10, Mechanism::Thread);
        assert_eq!((found.of(Side::Supervisor), found.of(Side::Worker)), (1.0, 3.0));
    }

    #[test]
    fn a_difference_by_chance_is_none() {
        let found = PerItem::difference(
            &counted(&[(TracedRole::Child, 1, 9)]),
            &counted(&[(TracedRole::Child, 1, 7)]),
            10,
            Mechanism::Process(TransportKind::Shm),
        );
        assert_eq!(found.of(Side::Worker), 0.0);
        assert!(found.named().is_empty());
    }
}
