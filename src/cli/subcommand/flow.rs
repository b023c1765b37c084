//! `supervisor flow FILE`: the messages of a run, from its trace.

use super::super::choices::{COLORS, choice};
use super::super::error::UsageError;
use super::super::parser::{self, Typed};
use super::super::values;
use crate::model::config::ColorMode;
use crate::model::time::Duration;
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "flow";
pub const ABOUT: &str = "The messages of a run as a diagram, from its trace.";

const AFTER: &str = "\
A trace is written by supervisor --trace FILE ... Times are since the start of the run. Without
--kind, the steps that carry the run are shown; with it, all of that kind, also the reasoning.

Formats: text (a sequence diagram for the terminal), lines (a line for each step), json (an object
a line), mermaid, svg, html (one page that works offline).";

/// What a person wants to see of a run.
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(about = ABOUT, after_help = AFTER)]
pub struct FlowCommand {
    /// The trace
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only what happened to item N, from 0
    #[arg(long, value_name = "N", value_parser = values::count_u64, allow_hyphen_values = true)]
    pub item: Option<u64>,
    /// Only what happened at worker N, from 1
    #[arg(long, value_name = "N", value_parser = values::count_u32, allow_hyphen_values = true)]
    pub worker: Option<u32>,
    /// From this time of the run on
    #[arg(long, value_name = "D", value_parser = values::duration, allow_hyphen_values = true)]
    pub from: Option<Duration>,
    /// Up to this time
    #[arg(long, value_name = "D", value_parser = values::duration, allow_hyphen_values = true)]
    pub to: Option<Duration>,
    /// Steps of this kind: frame, process, signal, fact, order, output; may be given several times
    #[arg(long, value_name = "KIND", value_parser = choice(&KINDS), hide_possible_values = true)]
    pub kind: Vec<FlowKind>,
    /// Columns for the source and the output, too
    #[arg(long)]
    pub io: bool,
    /// time: a pause takes empty rows; else a row for each step
    #[arg(long, value_name = "SCALE", value_parser = choice(&SCALES), hide_possible_values = true)]
    pub scale: Option<Scale>,
    /// Go on while the run lasts
    #[arg(long)]
    pub follow: bool,
    /// Draw with the letters that every terminal has [where it is not UTF-8]
    #[arg(long)]
    pub ascii: bool,
    /// text, lines, json, mermaid, svg or html [text]
    #[arg(long, value_name = "FORMAT", value_parser = choice(&FORMATS), hide_possible_values = true)]
    pub format: Option<FlowFormat>,
    /// Write to FILE instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Colors: auto (on a terminal), always, never [auto]
    #[arg(long, value_name = "WHEN", value_parser = choice(&COLORS), hide_possible_values = true)]
    pub color: Option<ColorMode>,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    Frame,
    Process,
    Signal,
    Fact,
    Order,
    Output,
}

/// How far apart rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Step,
    Time,
}

/// The form of the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowFormat {
    #[default]
    Text,
    Lines,
    Json,
    Mermaid,
    Svg,
    Html,
}

const KINDS: [(&str, FlowKind); 6] = [
    ("frame", FlowKind::Frame),
    ("process", FlowKind::Process),
    ("signal", FlowKind::Signal),
    ("fact", FlowKind::Fact),
    ("order", FlowKind::Order),
    ("output", FlowKind::Output),
];
const SCALES: [(&str, Scale); 2] = [("step", Scale::Step), ("time", Scale::Time)];
const FORMATS: [(&str, FlowFormat); 6] = [
    ("text", FlowFormat::Text),
    ("lines", FlowFormat::Lines),
    ("json", FlowFormat::Json),
    ("mermaid", FlowFormat::Mermaid),
    ("svg", FlowFormat::Svg),
    ("html", FlowFormat::Html),
];

/// Reads the words behind `flow`.
///
/// # Errors
/// They are wrong, or do not fit together.
pub fn read(words: &[OsString]) -> Result<Typed<FlowCommand>, UsageError> {
    let typed = parser::read_subcommand::<FlowCommand>(NAME, words)?;
    if let Typed::Flags(flow) = &typed {
        if flow.worker == Some(0) {
            return Err(UsageError::WorkerZero);
        }
        if flow.follow
            && !matches!(flow.format.unwrap_or_default(), FlowFormat::Text | FlowFormat::Lines | FlowFormat::Json)
        {
            return Err(UsageError::FollowFormat);
        }
    }
    Ok(typed)
}
