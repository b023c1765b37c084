//! What is lost at a kill: a run in which the worker is ended by KILL in the middle of a batch of tiny items.
//!
//! The worker keeps a tally in memory that outlives it, and halts at a given item that it has begun. Then it is killed,
//! another one takes its place, and the tally shows which items ran a second time although they were finished.

use super::conversation::{Dialogue, Flow};
use super::{Amounts, CompareError};
use crate::config::Signal;
use crate::outcomes::Outcome;
use crate::start;
use crate::sys::fd;
use crate::sys::memfd::SharedWords;
use crate::sys::pidfd::Process;
use crate::worker::tally::{self, TallySpec};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::Relaxed;

/// As many items as the memory of a tally holds.
const ITEMS_MAX: u64 = 1_000_000;

/// The halts of different rounds are this far apart, so that they meet different places in a batch.
const HALT_STEP: u64 = 1_237;

/// What one kill did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Killed {
    pub items: u64,
    pub lost: u64,
    pub twice: u64,
    pub ran_again: u64,
}

/// A run with one kill, in the `round`th round.
///
/// # Errors
/// The mechanism cannot be used here, or the worker never came to its halt.
pub(super) fn kill(conversation: &Dialogue<'_>, amounts: &Amounts, round: u32) -> Result<Killed, CompareError> {
    let items = amounts.kill_items.clamp(2, ITEMS_MAX);
    let halt_at = (items / 2 + u64::from(round) * HALT_STEP) % items;
    let count = usize::try_from(items).unwrap_or(usize::MAX);
    let failed = CompareError::system;
    let (words, memory) = SharedWords::create(count).map_err(failed("share a tally with a worker"))?;
    let (heard, bell) = fd::pipe().map_err(failed("open a pipe"))?;
    let spec = TallySpec { words: memory.as_raw_fd(), bell: bell.as_raw_fd(), halt_at };
    let more = ["--tally".to_owned(), spec.text()].map(OsString::from);
    let builder = conversation.builder(items, Flow::Batches, &more).pass_fds(vec![spec.words, spec.bell]);
    let killer = std::thread::Builder::new().name("killer".to_owned()).spawn(move || kill_when_halted(heard.into()));
    let killer = killer.map_err(failed("start a thread"))?;
    let mut answers = vec![0_u8; count];
    let outcome = start(builder.build()?).map_err(CompareError::from).and_then(|mut run| {
        for report in run.items() {
            let number = report.item.0;
            let is_right = report.outcome == Outcome::Done && report.result == square(number);
            if let Some(answer) = answers.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) {
                *answer = answer.saturating_add(u8::from(is_right));
            }
        }
        Ok(run.join()?)
    });
    // The last writer: a killer that still waits reads the end.
    drop(bell);
    let killed = killer.join().unwrap_or_else(|_| Err(io::Error::other("the killer panicked")));
    outcome?;
    if !killed.map_err(failed("kill a worker"))? {
        return Err(CompareError::NotReached { item: halt_at });
    }
    let tally: Vec<u64> = (0..count).map(|index| words.word(index).load(Relaxed)).collect();
    Ok(found(&answers, &tally))
}

/// Waits for the pid of a worker that halts, and kills it. `false`: no worker has halted.
fn kill_when_halted(mut heard: File) -> io::Result<bool> {
    let mut pid = [0; 4];
    match heard.read_exact(&mut pid) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    // The pid is its own: it waits for this signal.
    Process::open(u32::from_le_bytes(pid))?.signal(Signal::KILL)?;
    Ok(true)
}

fn square(number: u64) -> Vec<u8> {
    format!("{}\n", u128::from(number) * u128::from(number)).into_bytes()
}

/// From the number of right results of each item, and its word in the tally.
fn found(answers: &[u8], tally: &[u64]) -> Killed {
    let count = |matches: &mut dyn Iterator<Item = bool>| matches.filter(|is| *is).count() as u64;
    Killed {
        items: answers.len() as u64,
        lost: count(&mut answers.iter().map(|answers| *answers == 0)),
        twice: count(&mut answers.iter().map(|answers| *answers > 1)),
        ran_again: count(&mut tally.iter().map(|word| {
            let (begun, finished) = tally::counts(*word);
            begun > 1 && finished > 1
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_doubled_and_repeated_items_are_counted() {
        let word = |begun: u64, finished: u64| begun + (finished << 32);
        let tally = [word(1, 1), word(2, 2), word(2, 1), word(3, 2), word(1, 0)];
        assert_eq!(found(&[1, 1, 2, 1, 0], &tally), Killed { items: 5, lost: 1, twice: 1, ran_again: 2 });
        assert_eq!(found(&[], &[]), Killed::default());
    }

    #[test]
    fn a_killer_that_hears_nothing_kills_nothing() {
        let (heard, bell) = fd::pipe().unwrap();
        drop(bell);
        assert!(!kill_when_halted(heard.into()).unwrap());
    }
}
