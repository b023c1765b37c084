//! `supervisor flow FILE`.

use super::answer::{fail, say};
use super::sink::AnswerSink;
use super::trace_file;
use crate::cli::subcommand::flow::{FlowCommand, FlowFormat, FlowKind, Scale};
use crate::exit_code;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::time::{Duration, Instant};
use crate::sys::{stdio, window};
use crate::trace::diagram::{Diagram, DiagramStyle};
use crate::trace::history::History;
use crate::trace::lines::{self, LineStyle};
use crate::trace::narrator::Narrator;
use crate::trace::reader::{TraceReadError, TraceReader};
use crate::trace::record::TraceRecord;
use crate::trace::selection::StepFilter;
use crate::trace::step::{Party, Step, StepKind};
use crate::trace::{html, json, mermaid, svg};
use std::io::{self, Write};
use std::process::ExitCode;

/// A wider terminal is not filled.
const COLUMNS_MAX: usize = 1000;

/// With a scale of time, the whole run takes about so many rows beside its steps.
const PAUSE_ROWS: u64 = 60;

/// How often a trace that is followed is looked at: as often as it is written.
const LOOK_INTERVAL: std::time::Duration = std::time::Duration::from_millis(20);

/// Carries it out.
pub fn run(command: &FlowCommand) -> ExitCode {
    if command.follow {
        let followed = follow(command);
        return followed.unwrap_or_else(|error| fail(&format_args!("failed to {error}"), exit_code::USAGE));
    }
    show(command).unwrap_or_else(|exit| exit)
}

/// Shows a whole trace. The error is how to exit.
fn show(command: &FlowCommand) -> Result<ExitCode, ExitCode> {
    let history = trace_file::read(&command.file)?;
    let format = command.format.unwrap_or_default();
    let mut filter = filter(command);
    // A page has a filter of its own, and shows the reasoning if asked for.
    if format == FlowFormat::Html && filter.kinds.is_empty() {
        filter.kinds = StepKind::ALL.to_vec();
    }
    let steps: Vec<&Step> = history.steps.iter().filter(|step| filter.accepts(step)).collect();
    if steps.is_empty() {
        say(&"no step of the trace is of that item, worker, kind and time");
    }
    let pages = matches!(format, FlowFormat::Text | FlowFormat::Lines);
    let mut sink = AnswerSink::open(command.output.as_deref(), &command.file, pages)?;
    let parties = columns(&history, &steps, command);
    let written = match format {
        FlowFormat::Text => write_diagram(&mut sink, &history, &filter, parties, command),
        FlowFormat::Lines => write_lines(&mut sink, steps, command),
        FlowFormat::Json => steps.iter().try_for_each(|step| json::write_step(&mut sink, step)),
        FlowFormat::Mermaid => mermaid::write(&mut sink, &parties, steps.into_iter()),
        FlowFormat::Svg => svg::write(&mut sink, &parties, &steps),
        FlowFormat::Html => html::write(&history, &steps, &mut sink),
    };
    Ok(sink.finish(written))
}

/// The parties that get a column: those of the steps; source and output if asked for.
fn columns(history: &History, steps: &[&Step], command: &FlowCommand) -> Vec<Party> {
    let is_of_step = |party: &Party| steps.iter().any(|step| [step.from, step.to].contains(party));
    let is_shown = |party: &Party| match party {
        Party::Supervisor => true,
        Party::Worker(_) | Party::Outside => is_of_step(party),
        Party::Source | Party::Output => command.io && is_of_step(party),
    };
    history.parties().into_iter().filter(is_shown).collect()
}

fn write_diagram(
    sink: &mut AnswerSink,
    history: &History,
    filter: &StepFilter,
    parties: Vec<Party>,
    command: &FlowCommand,
) -> io::Result<()> {
    let shown = || history.steps.iter().filter(|step| filter.accepts(step));
    let row = match (command.scale, shown().next(), shown().next_back()) {
        (Some(Scale::Time), Some(first), Some(last)) => Some(Duration(last.at.since(first.at).0 / PAUSE_ROWS)),
        _ => None,
    };
    let mut diagram = match Diagram::new(parties, style(command, row)) {
        Ok(diagram) => diagram,
        Err(narrow) => {
            say(&narrow);
            return write_lines(sink, shown(), command);
        }
    };
    sink.write_all(diagram.head().as_bytes())?;
    history.steps.iter().try_for_each(|step| draw(sink, &mut diagram, step, filter))
}

/// Draws a step that is shown. Without a column for them, what the source and the output do is told beside the
/// supervisor's.
fn draw(sink: &mut AnswerSink, diagram: &mut Diagram, step: &Step, filter: &StepFilter) -> io::Result<()> {
    if filter.accepts(step) {
        return sink.write_all(diagram.push(step).as_bytes());
    }
    diagram.pass(step);
    Ok(())
}

fn write_lines<'a>(
    sink: &mut AnswerSink,
    steps: impl IntoIterator<Item = &'a Step>,
    command: &FlowCommand,
) -> io::Result<()> {
    let style = LineStyle { color: has_color(command), digits: 6 };
    let mut line = Vec::new();
    for step in steps {
        line.clear();
        lines::push_step(&mut line, step, style);
        sink.write_all(&line)?;
    }
    Ok(())
}

/// Shows the steps of a run while it lasts.
fn follow(command: &FlowCommand) -> Result<ExitCode, TraceReadError> {
    let mut reader = TraceReader::open(&command.file)?;
    let mut sink = match AnswerSink::open(command.output.as_deref(), &command.file, false) {
        Ok(sink) => sink,
        Err(code) => return Ok(code),
    };
    let workers = (0..reader.header().policy.workers as usize).map(|index| Party::Worker(WorkerId::from_index(index)));
    let workers =
        workers.filter(|party| command.worker.is_none_or(|worker| *party == Party::Worker(worker_id(worker))));
    let mut parties: Vec<Party> = std::iter::once(Party::Supervisor).chain(workers).collect();
    if command.io {
        parties.extend([Party::Source, Party::Output]);
    }
    let mut diagram = match (command.format.unwrap_or_default(), Diagram::new(parties, style(command, None))) {
        (FlowFormat::Text, Ok(diagram)) => Some(diagram),
        (FlowFormat::Text, Err(narrow)) => {
            say(&narrow);
            None
        }
        _ => None,
    };
    let mut written = diagram.as_ref().map_or(Ok(()), |diagram| sink.write_all(diagram.head().as_bytes()));
    let (filter, mut narrator) = (filter(command), Narrator::default());
    let header = TraceRecord::Header(Box::new(reader.header().clone()));
    narrator.take(&header, |step| {
        if written.is_ok() {
            written = write_followed(&mut sink, &step, &filter, &mut diagram, command);
        }
    });
    while written.is_ok() {
        let mut record = reader.next()?;
        if record.is_none() {
            written = sink.flush();
            if written.is_err() || reader.cut().is_none() {
                break;
            }
            if reader.is_being_written() {
                std::thread::sleep(LOOK_INTERVAL);
                continue;
            }
            // What was written between the last look and the end of the writer.
            record = reader.next()?;
        }
        let Some(record) = record else {
            reader.cut().iter().for_each(|cut| say(cut));
            break;
        };
        narrator.take(&record, |step| {
            if written.is_ok() {
                written = write_followed(&mut sink, &step, &filter, &mut diagram, command);
            }
        });
    }
    Ok(sink.finish(written))
}

fn write_followed(
    sink: &mut AnswerSink,
    step: &Step,
    filter: &StepFilter,
    diagram: &mut Option<Diagram>,
    command: &FlowCommand,
) -> io::Result<()> {
    // A party that the run did not have at its start.
    match diagram.as_mut().filter(|_| filter.accepts(step)).map(|diagram| diagram.admit(step)) {
        Some(Ok(head)) => sink.write_all(head.as_bytes())?,
        Some(Err(narrow)) => {
            say(&narrow);
            *diagram = None;
        }
        None => {}
    }
    match diagram {
        Some(diagram) => draw(sink, diagram, step, filter),
        None if !filter.accepts(step) => Ok(()),
        None if command.format == Some(FlowFormat::Json) => json::write_step(sink, step),
        None => write_lines(sink, [step], command),
    }
}

fn worker_id(number: u32) -> WorkerId {
    WorkerId::from_index(number.max(1) as usize - 1)
}

fn filter(command: &FlowCommand) -> StepFilter {
    let kind = |kind: &FlowKind| match kind {
        FlowKind::Frame => StepKind::Frame,
        FlowKind::Process => StepKind::Process,
        FlowKind::Signal => StepKind::Signal,
        FlowKind::Fact => StepKind::Fact,
        FlowKind::Order => StepKind::Order,
        FlowKind::Output => StepKind::Output,
    };
    StepFilter {
        item: command.item.map(ItemId),
        worker: command.worker.map(worker_id),
        from: command.from.map(|from| Instant::ZERO + from),
        to: command.to.map(|to| Instant::ZERO + to),
        kinds: command.kind.iter().map(kind).collect(),
    }
}

fn style(command: &FlowCommand, row: Option<Duration>) -> DiagramStyle {
    DiagramStyle {
        columns: window::text_columns().min(COLUMNS_MAX),
        ascii: command.ascii || !is_utf8(),
        color: has_color(command),
        row,
    }
}

/// Whether the locale says that text is UTF-8 (`locale(7)`: the first of these that is set counts).
fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let is_named = |value: &std::ffi::OsString| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    };
    // Nothing is set in most containers, whose terminals are UTF-8 all the same.
    set.as_ref().is_none_or(is_named)
}

fn has_color(command: &FlowCommand) -> bool {
    let auto = || command.output.is_none() && stdio::shows_color(&io::stdout());
    command.color.unwrap_or_default().is_on(auto)
}
