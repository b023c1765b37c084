//! `--dry-run`: prints the commands, or the items, to stdout and starts nothing.

use super::arrangement;
use super::error::EngineError;
use super::feed::EarlierItems;
use super::own_files;
use crate::command::exec::Commander;
use crate::command::line::quote;
use crate::model::arrangement::ColumnNames;
use crate::model::config::{Config, WorkerSpec};
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::{RunOutcome, StopReason, Totals};
use crate::model::text::escaped;
use crate::source::{self, Delivery, Payload, Source};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, BufWriter, Write};

/// Items that are demanded from the source at once.
const ITEMS_AT_ONCE: u64 = 1 << 12;

/// Prints the command of each item, or the item itself where workers are resident. `source` replaces the one of the
/// configuration.
pub fn run(config: &Config, source: Option<Box<dyn Source + Send>>) -> Result<RunOutcome, EngineError> {
    let (facts, names) = arrangement::facts(config);
    let source: Box<dyn Source> = match source {
        Some(source) => source::replace(source, &config.source, facts)?,
        None => source::open(&config.source, false, facts)?,
    };
    print(config, source, names, BufWriter::new(io::stdout().lock()))
}

fn print(
    config: &Config,
    mut source: Box<dyn Source>,
    names: ColumnNames,
    out: impl Write,
) -> Result<RunOutcome, EngineError> {
    let earlier = own_files::earlier_items(config, &names);
    let commander = match &config.worker {
        WorkerSpec::Exec(spec) => Some(Commander::new(spec, &config.surroundings, &config.run_id)?.with_names(names)),
        WorkerSpec::BuiltIn { .. } | WorkerSpec::Thread { .. } | WorkerSpec::Frames { .. } | WorkerSpec::Foreign(_) => {
            None
        }
    };
    let (workers, delimiter) = (config.policy.workers, source.delimiter());
    let mut printer = Printer { out, commander, earlier, workers, delimiter, next: ItemId(0) };
    // Each slot has one command, whatever follows its first block.
    let items_max = if config.round_robin { u64::from(workers) } else { u64::MAX };
    let reason = loop {
        if printer.next.0 >= items_max {
            break printer.out.flush().map_or_else(sink_reason, |()| StopReason::SourceEnded);
        }
        let printed = match source.next(ITEMS_AT_ONCE)? {
            Delivery::Items(payload) => printer.payload(&payload),
            Delivery::Rejected(reason) => printer.rejected(&reason.to_string()),
            Delivery::Idle => {
                wait(source.as_ref())?;
                printer.out.flush()
            }
            Delivery::Ended => break printer.out.flush().map_or_else(sink_reason, |()| StopReason::SourceEnded),
        };
        if let Err(error) = printed {
            break sink_reason(error);
        }
    };
    Ok(RunOutcome { reason, totals: Totals::default(), halted: None })
}

struct Printer<W> {
    out: W,
    commander: Option<Commander>,
    earlier: Option<EarlierItems>,
    workers: u32,
    delimiter: u8,
    next: ItemId,
}

impl<W: Write> Printer<W> {
    fn payload(&mut self, payload: &Payload) -> io::Result<()> {
        let bytes = &payload.block[payload.range.clone()];
        if payload.count == 1 {
            return self.item(bytes);
        }
        let delimiter = self.delimiter;
        let items = bytes.strip_suffix(&[delimiter]).unwrap_or(bytes);
        items.split(|byte| *byte == delimiter).try_for_each(|item| self.item(item))
    }

    fn item(&mut self, item: &[u8]) -> io::Result<()> {
        if self.earlier.as_mut().is_some_and(|earlier| earlier.has(self.next, item)) {
            self.next = self.next.plus(1);
            return Ok(());
        }
        let slot = (self.next.0 % u64::from(self.workers.max(1))) as usize;
        match &mut self.commander {
            Some(commander) => {
                self.out.write_all(&commander.quoted_line(item, self.next, WorkerId::from_index(slot), quote))?;
            }
            None => self.out.write_all(item)?,
        }
        self.next = self.next.plus(1);
        self.out.write_all(b"\n")
    }

    fn rejected(&mut self, reason: &str) -> io::Result<()> {
        self.out.flush()?;
        // A stderr that is closed is no reason to stop.
        let _ = writeln!(io::stderr(), "supervisor: item {}: {}", self.next, escaped(reason));
        self.next = self.next.plus(1);
        Ok(())
    }
}

/// Waits until the source has something. A signal that interrupts the wait has no other effect.
fn wait(source: &dyn Source) -> Result<(), EngineError> {
    let Some(fd) = source.fd() else { return Ok(()) };
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(EngineError::system("wait for the source")(error.into())),
    }
}

fn sink_reason(error: io::Error) -> StopReason {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StopReason::SinkClosed,
        _ => StopReason::SinkLost(format!("write to stdout: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::iterator::IteratorSource;

    #[test]
    fn the_items_of_an_iterator_replace_the_source_of_the_configuration() {
        let config = Config::builder().items(["configured"]).command(["echo", "{}"]).dry_run(true).build().unwrap();
        let items = IteratorSource::start(["a b", "c"].into_iter().map(Vec::from)).unwrap();
        let mut out = Vec::new();
        let outcome = print(&config, Box::new(items), ColumnNames::default(), &mut out).unwrap();
        assert_eq!(outcome.reason, StopReason::SourceEnded);
        assert_eq!(String::from_utf8_lossy(&out), "echo a\\ b\necho c\n");
    }
}
