//! `supervisor replay FILE`.

use super::answer::{fail, say};
use super::sink::AnswerSink;
use crate::cli::subcommand::replay::ReplayCommand;
use crate::engine::replay::{Difference, Replay};
use crate::exit_code;
use crate::model::ids::ItemId;
use crate::model::time::Instant;
use crate::trace::lines::{self, LineStyle};
use crate::trace::narrator::Narrator;
use crate::trace::phrases;
use crate::trace::reader::{TraceReadError, TraceReader};
use crate::trace::record::TraceRecord;
use crate::trace::selection::StepFilter;
use crate::trace::step::StepKind;
use std::io::{self, Write};
use std::process::ExitCode;

/// Carries it out.
pub fn run(command: &ReplayCommand) -> ExitCode {
    let mut sink = match AnswerSink::open(None, &command.file, true) {
        Ok(sink) => sink,
        Err(code) => return code,
    };
    match replay(command, &mut sink) {
        Ok((written, differs)) => {
            let code = sink.finish(written);
            if differs { ExitCode::from(exit_code::ITEMS_NOT_DONE) } else { code }
        }
        Err(error) => fail(&format_args!("failed to {error}"), exit_code::USAGE),
    }
}

/// Whether the output was written, and whether an order differs.
fn replay(command: &ReplayCommand, sink: &mut AnswerSink) -> Result<(io::Result<()>, bool), TraceReadError> {
    let mut reader = TraceReader::open(&command.file)?;
    let shows = command.item.is_some() || command.from.is_some() || command.to.is_some();
    let filter = StepFilter {
        item: command.item.map(ItemId),
        from: command.from.map(|from| Instant::ZERO + from),
        to: command.to.map(|to| Instant::ZERO + to),
        kinds: StepKind::ALL.to_vec(),
        worker: None,
    };
    let (mut narrator, mut replay) = (Narrator::default(), Replay::new(reader.header().policy.clone()));
    let (mut written, mut orders) = (Ok(()), 0_u64);
    while let Some(record) = reader.next()? {
        if let TraceRecord::Dropped { records } = record {
            say(&format_args!(
                "{records} records are missing behind step {}: what follows cannot be run again",
                replay.step()
            ));
            return Ok((written.and_then(|()| tell_end(sink, &replay, orders)), false));
        }
        orders += u64::from(matches!(record, TraceRecord::Order(_)));
        if shows {
            narrator.take(&record, |step| {
                // Frames are no decisions.
                if written.is_ok() && step.kind != StepKind::Frame && filter.accepts(&step) {
                    let mut line = Vec::new();
                    lines::push_step(&mut line, &step, LineStyle { color: false, digits: 6 });
                    written = sink.write_all(&line);
                }
            });
        }
        if let Err(difference) = replay.take(&record) {
            return Ok((written.and_then(|()| tell_difference(sink, &difference)), true));
        }
    }
    // The last step of a trace that is cut may lack orders.
    match reader.cut() {
        Some(cut) => say(&cut),
        None => {
            if let Err(difference) = replay.finish() {
                return Ok((written.and_then(|()| tell_difference(sink, &difference)), true));
            }
        }
    }
    Ok((written.and_then(|()| tell_end(sink, &replay, orders)), false))
}

fn tell_end(sink: &mut AnswerSink, replay: &Replay, orders: u64) -> io::Result<()> {
    writeln!(sink, "{} steps, {orders} orders: all of them are the same", replay.step())
}

fn tell_difference(sink: &mut AnswerSink, difference: &Difference) -> io::Result<()> {
    let Difference { step, at, recorded, replayed } = difference;
    let words = |action: &Option<Box<_>>| match action {
        Some(action) => format!("{} {action:?}", phrases::order(action)),
        None => "no further order".to_owned(),
    };
    writeln!(sink, "step {step}, at {:.6} s: the orders differ", at.as_secs_f64())?;
    writeln!(sink, "  recorded: {}", crate::model::text::escaped(&words(recorded)))?;
    writeln!(sink, "  replayed: {}", crate::model::text::escaped(&words(replayed)))
}
