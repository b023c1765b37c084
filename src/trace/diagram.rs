//! Steps as a sequence diagram for a terminal: a column per party, time downwards.
//!
//! ```text
//!            supervisor          worker 1            worker 2
//!  0.007         ├──── pid 4123 ─────▶│
//!  0.008         ├───── item 0 ──────▶│                  │
//!  0.309         │◀── item 0 done ────┤                  │
//! ```
//!
//! A label that does not fit into its arrow stands above it. Rows are made one step at a time, so that a run can be drawn
//! while it lasts.
//!
//! Invariant: no row is wider than the diagram, and text from outside is escaped.

use super::lines;
use super::phrases;
use super::step::{Party, Step, StepKind, Topic};
use crate::model::ids::WorkerId;
use crate::model::text::escaped;
use crate::model::time::{Duration, Instant};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter};

/// Least and most columns between two lifelines.
const SPACING_MIN: usize = 5;
const SPACING_MAX: usize = 30;
/// Columns before the first lifeline, behind the time, and behind the last.
const MARGIN: usize = 6;
/// Below this, names of parties are short.
const NAME_COLUMNS: usize = 12;
/// Text beside or above an arrow is not cut into less.
const TEXT_COLUMNS_MIN: usize = 8;
/// Most empty rows in a row for a pause.
const PAUSE_ROWS_MAX: u64 = 12;

const RESET: &str = "\x1b[0m";

/// How a diagram looks.
#[derive(Clone, Copy, Debug)]
pub struct DiagramStyle {
    /// Columns of the terminal.
    pub columns: usize,
    /// With the letters that every terminal has.
    pub ascii: bool,
    pub color: bool,
    /// Pauses take empty rows, one for each of these.
    pub row: Option<Duration>,
}

/// The characters of a diagram.
struct Letters {
    lifeline: char,
    line: char,
    right: char,
    left: char,
    leave_right: char,
    leave_left: char,
    end: char,
    bad_end: char,
    note: char,
}

const LETTERS: Letters = Letters {
    lifeline: '│',
    line: '─',
    right: '▶',
    left: '◀',
    leave_right: '├',
    leave_left: '┤',
    end: '┴',
    bad_end: '✗',
    note: '●',
};
const ASCII: Letters = Letters {
    lifeline: '|',
    line: '-',
    right: '>',
    left: '<',
    leave_right: '|',
    leave_left: '|',
    end: '+',
    bad_end: 'X',
    note: '*',
};

/// How a cell looks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Look {
    #[default]
    Plain,
    Faint,
    Bad,
    Worker(WorkerId),
}

impl Look {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\x1b[2m",
            Self::Bad => lines::BAD,
            Self::Worker(worker) => lines::worker_color(worker),
        }
    }
}

/// The parties do not fit into the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{parties} columns of a diagram do not fit into {columns}; it is shown line by line (--worker N shows one worker, and \
     --format html all of them)"
)]
pub struct TooNarrow {
    pub parties: usize,
    pub columns: usize,
}

/// A diagram that is being drawn.
pub struct Diagram {
    style: DiagramStyle,
    letters: Letters,
    parties: Vec<Party>,
    /// Columns before the first lifeline, and between two.
    first: usize,
    spacing: usize,
    /// Workers with a process.
    alive: BTreeSet<WorkerId>,
    last: Option<Instant>,
}

impl Diagram {
    /// A diagram of these parties, in their order. A worker's lifeline begins with its process.
    ///
    /// # Errors
    /// They do not fit.
    pub fn new(mut parties: Vec<Party>, style: DiagramStyle) -> Result<Self, TooNarrow> {
        parties.sort_unstable();
        let (first, spacing) = (first_column(style), spacing(parties.len(), style)?);
        let letters = if style.ascii { ASCII } else { LETTERS };
        Ok(Self { style, letters, parties, first, spacing, alive: BTreeSet::new(), last: None })
    }

    /// Before a step of a run that lasts: gives its worker a column if it has none, and what acts from outside if there
    /// is space. Returns the names of the columns if they have changed, else nothing. Lifelines go on in their new
    /// places.
    ///
    /// # Errors
    /// There is no space for the worker.
    pub fn admit(&mut self, step: &Step) -> Result<String, TooNarrow> {
        let mut is_changed = false;
        for party in [step.from, step.to] {
            if self.column(party).is_some() {
                continue;
            }
            let spacing = spacing(self.parties.len() + 1, self.style);
            self.spacing = match (party, spacing) {
                (Party::Worker(_), spacing) => spacing?,
                (Party::Outside, Ok(spacing)) => spacing,
                // Without a column of its own, it is told beside the supervisor's.
                _ => continue,
            };
            let place = self.parties.partition_point(|known| *known < party);
            self.parties.insert(place, party);
            is_changed = true;
        }
        Ok(if is_changed { self.head() } else { String::new() })
    }

    /// The names of the columns.
    #[must_use]
    pub fn head(&self) -> String {
        let mut row = CellRow::new(self.style.columns);
        for (column, party) in self.parties.iter().enumerate() {
            let name = match party {
                _ if self.spacing >= NAME_COLUMNS => party.to_string(),
                Party::Supervisor => "sup".to_owned(),
                Party::Worker(worker) => format!("w{worker}"),
                Party::Source => "in".to_owned(),
                Party::Output => "out".to_owned(),
                Party::Outside => "you".to_owned(),
            };
            let x = self.x(column);
            let look = if let Party::Worker(worker) = party { Look::Worker(*worker) } else { Look::Plain };
            row.put(x.saturating_sub(name.chars().count() / 2), &name, look);
        }
        row.render(self.style.color)
    }

    /// The rows of a step.
    pub fn push(&mut self, step: &Step) -> String {
        let mut rows = self.pause(step.at);
        let text = escaped(&lines::text(step)).into_owned();
        let look = match step.worker {
            _ if step.is_bad => Look::Bad,
            Some(worker) => Look::Worker(worker),
            None => Look::Plain,
        };
        let ends = (self.column(step.from), self.column(step.to));
        if matches!(step.topic, Topic::Spawned) {
            self.pass(step);
        }
        match ends {
            (Some(from), Some(to)) if from != to => self.arrow(&mut rows, step, (from, to), &text, look),
            (Some(at), _) | (None, Some(at)) => self.note(&mut rows, step, at, &text, look),
            (None, None) => {}
        }
        if matches!(step.topic, Topic::Exited(_)) {
            self.pass(step);
        }
        rows
    }

    /// Takes a step that is not drawn: lifelines begin and end with it all the same.
    pub fn pass(&mut self, step: &Step) {
        match (&step.topic, step.worker) {
            (Topic::Spawned, Some(worker)) => drop(self.alive.insert(worker)),
            (Topic::Exited(_), Some(worker)) => drop(self.alive.remove(&worker)),
            _ => {}
        }
    }

    fn column(&self, party: Party) -> Option<usize> {
        self.parties.iter().position(|known| *known == party)
    }

    const fn x(&self, column: usize) -> usize {
        self.first + column * self.spacing
    }

    /// A row with nothing but lifelines.
    fn lifelines(&self) -> CellRow {
        let mut row = CellRow::new(self.style.columns);
        for (column, party) in self.parties.iter().enumerate() {
            let is_alive = if let Party::Worker(worker) = party { self.alive.contains(worker) } else { true };
            if is_alive {
                row.set(self.x(column), self.letters.lifeline, Look::Faint);
            }
        }
        row
    }

    /// Empty rows for the time since the last step.
    fn pause(&mut self, at: Instant) -> String {
        let mut rows = String::new();
        let last = self.last.replace(at).unwrap_or(at);
        if let Some(row) = self.style.row.filter(|row| row.0 > 0) {
            for _ in 0..(at.since(last).0 / row.0).min(PAUSE_ROWS_MAX) {
                rows.push_str(&self.lifelines().render(self.style.color));
            }
        }
        rows
    }

    fn arrow(&self, rows: &mut String, step: &Step, (from, to): (usize, usize), text: &str, look: Look) {
        let (left, right) = (self.x(from.min(to)), self.x(from.max(to)));
        let space = (right - left).saturating_sub(5);
        let short = short(step);
        let inside = [text, &short].into_iter().find(|text| display_width(text) <= space);
        let mut row = self.lifelines();
        if inside.is_none() {
            let mut at = Some(step.at);
            for part in wrapped(text, self.style.columns.saturating_sub(left + 2)) {
                let mut above = self.lifelines();
                if let Some(at) = at.take() {
                    above.put(0, &self.time(at), Look::Faint);
                }
                above.put(left + 2, &part, look);
                rows.push_str(&above.render(self.style.color));
            }
        } else {
            row.put(0, &self.time(step.at), Look::Faint);
        }
        let letters = &self.letters;
        for x in left + 1..right {
            row.set(x, letters.line, look);
        }
        if let Some(text) = inside.filter(|text| !text.is_empty()) {
            let padded = format!(" {text} ");
            let length = display_width(&padded);
            row.put(left + 1 + (right - left - 1 - length) / 2, &padded, look);
        }
        let goes_right = to > from;
        let (start, end) = if goes_right { (left, right) } else { (right, left) };
        row.set(start, if goes_right { letters.leave_right } else { letters.leave_left }, Look::Faint);
        let tip = if goes_right { right - 1 } else { left + 1 };
        row.set(tip, if goes_right { letters.right } else { letters.left }, look);
        row.set(end, letters.lifeline, Look::Faint);
        if matches!(step.topic, Topic::Exited(_)) {
            row.set(start, if step.is_bad { letters.bad_end } else { letters.end }, look);
        }
        rows.push_str(&row.render(self.style.color));
    }

    fn note(&self, rows: &mut String, step: &Step, column: usize, text: &str, look: Look) {
        let x = self.x(column);
        let mut at = Some(step.at);
        for part in wrapped(text, self.style.columns.saturating_sub(x + 2)) {
            let mut row = self.lifelines();
            if let Some(at) = at.take() {
                row.put(0, &self.time(at), Look::Faint);
                row.set(x, self.letters.note, look);
            }
            row.put(x + 2, &part, look);
            rows.push_str(&row.render(self.style.color));
        }
    }

    fn time(&self, at: Instant) -> String {
        let digits = if self.style.columns < 60 { 3 } else { 6 };
        format!("{:.digits$}", at.as_secs_f64())
    }
}

const fn first_column(style: DiagramStyle) -> usize {
    time_columns(style) + MARGIN
}

/// Columns between two lifelines.
fn spacing(parties: usize, style: DiagramStyle) -> Result<usize, TooNarrow> {
    let gaps = parties.saturating_sub(1).max(1);
    let spacing = (style.columns.saturating_sub(first_column(style) + MARGIN) / gaps).min(SPACING_MAX);
    if spacing < SPACING_MIN { Err(TooNarrow { parties, columns: style.columns }) } else { Ok(spacing) }
}

const fn time_columns(style: DiagramStyle) -> usize {
    if style.columns < 60 { 6 } else { 9 }
}

/// What fits into most arrows.
fn short(step: &Step) -> String {
    let items = |suffix: &str| {
        step.batch.map_or_else(String::new, |batch| format!("{}{suffix}", phrases::items(batch.first, batch.count)))
    };
    match (step.kind, step.from, step.to) {
        (StepKind::Frame, Party::Worker(_), _) if step.is_bad => items(" failed"),
        (StepKind::Frame, Party::Worker(_), _) if step.batch.is_some() => items(" done"),
        (StepKind::Frame, ..) if step.batch.is_some() => items(""),
        (StepKind::Process, Party::Supervisor, _) => step.pid.map_or_else(String::new, |pid| format!("pid {pid}")),
        _ => step.label.clone(),
    }
}

/// Text in parts of at most `columns` columns, cut at spaces where there are some. At least one part.
fn wrapped(text: &str, columns: usize) -> Vec<Cow<'_, str>> {
    textwrap::wrap(text, Options::new(columns.max(TEXT_COLUMNS_MIN)).word_splitter(WordSplitter::NoHyphenation))
}

/// A cell that a wide letter before it covers.
const COVERED: char = '\0';

/// One row of cells.
struct CellRow(Vec<(char, Look)>);

impl CellRow {
    fn new(columns: usize) -> Self {
        Self(vec![(' ', Look::Plain); columns])
    }

    fn set(&mut self, x: usize, letter: char, look: Look) {
        if let Some(cell) = self.0.get_mut(x) {
            *cell = (letter, look);
        }
    }

    fn put(&mut self, x: usize, text: &str, look: Look) {
        let mut at = x;
        for letter in text.chars() {
            let width = display_width(letter.encode_utf8(&mut [0; 4]));
            self.set(at, letter, look);
            // The cells behind it that it covers.
            (at + 1..at + width).for_each(|covered| self.set(covered, COVERED, look));
            at += width;
        }
    }

    fn render(&self, color: bool) -> String {
        let length = self.0.iter().rposition(|(letter, _)| *letter != ' ').map_or(0, |last| last + 1);
        let mut text = String::with_capacity(length + 16);
        let mut look = Look::Plain;
        for (letter, of_cell) in &self.0[..length] {
            if *letter == COVERED {
                continue;
            }
            if color && *of_cell != look && *letter != ' ' {
                // To write into a text cannot fail.
                let _ = write!(text, "{RESET}{}", of_cell.code());
                look = *of_cell;
            }
            text.push(*letter);
        }
        if look != Look::Plain {
            text.push_str(RESET);
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exit::ExitStatus;
    use crate::model::ids::{Attempt, Batch, ItemId};

    fn worker(index: usize) -> Party {
        Party::Worker(WorkerId::from_index(index))
    }

    fn step(at_ms: u64, kind: StepKind, from: Party, to: Party, label: &str) -> Step {
        let worker = [from, to].into_iter().find_map(|party| match party {
            Party::Worker(worker) => Some(worker),
            _ => None,
        });
        let topic = match (kind, from) {
            (StepKind::Process, Party::Supervisor) => Topic::Spawned,
            (StepKind::Process, _) => Topic::Exited(ExitStatus::Code(0)),
            _ => Topic::Other,
        };
        Step { from, to, worker, topic, ..Step::new(Instant(at_ms * 1_000_000), kind, label) }
    }

    fn steps() -> Vec<Step> {
        use Party::Supervisor;
        let batch = Some(Batch::of_one(ItemId(0), Attempt::FIRST));
        let ended = "signal 9 (KILL) at item 0, which is tried again, attempt 2";
        vec![
            Step { pid: Some(4123), ..step(7, StepKind::Process, Supervisor, worker(0), "started as pid 4123") },
            Step { pid: Some(4124), ..step(7, StepKind::Process, Supervisor, worker(1), "started as pid 4124") },
            Step { batch, bytes: Some(1), ..step(8, StepKind::Frame, Supervisor, worker(0), "item 0") },
            step(9, StepKind::Order, Supervisor, Supervisor, "waits: no item is left"),
            Step { is_bad: true, ..step(300, StepKind::Process, worker(0), Supervisor, ended) },
            Step { batch, ..step(310, StepKind::Frame, worker(1), Supervisor, "result of item 0") },
            step(320, StepKind::Process, worker(1), Supervisor, "exit 0"),
        ]
    }

    fn drawn(style: DiagramStyle) -> String {
        let parties = vec![Party::Supervisor, worker(0), worker(1)];
        let mut diagram = Diagram::new(parties, style).unwrap();
        let head = diagram.head();
        steps().iter().fold(head, |drawn, step| drawn + &diagram.push(step))
    }

    const STYLE: DiagramStyle = DiagramStyle { columns: 64, ascii: false, color: false, row: None };

    #[test]
    fn a_run_is_drawn_with_its_arrows_starts_and_ends() {
        let expected = [
            "          supervisor            worker 1             worker 2",
            "0.007000       ├───── pid 4123 ────▶│",
            "0.007000       ├────────── started as pid 4124 ─────────▶│",
            "0.008000       ├─── item 0, 1 B ───▶│                    │",
            "0.009000       ● waits: no item is left                  │",
            "0.300000       │ signal 9 (KILL) at item 0, which is tried",
            "               │ again, attempt 2   │                    │",
            "               │◀───────────────────✗                    │",
            "0.310000       │◀────────── result of item 0 ────────────┤",
            "0.320000       │◀─────────────── exit 0 ─────────────────┴",
        ];
        assert_eq!(drawn(STYLE).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_row_is_wider_than_the_terminal_and_ascii_is_ascii() {
        for columns in 34..120 {
            for row in [None, Some(Duration::from_millis(10))] {
                let drawn = drawn(DiagramStyle { columns, ascii: true, color: false, row });
                assert!(drawn.is_ascii() && drawn.lines().all(|line| line.len() <= columns), "{columns}\n{drawn}");
            }
        }
        let narrow = DiagramStyle { columns: 20, ..STYLE };
        let parties = vec![Party::Supervisor, worker(0), worker(1)];
        assert_eq!(Diagram::new(parties, narrow).err(), Some(TooNarrow { parties: 3, columns: 20 }));
    }

    #[test]
    fn steps_that_are_not_drawn_begin_and_end_lifelines_and_wide_letters_take_two_columns() {
        let mut diagram = Diagram::new(vec![Party::Supervisor, worker(0)], STYLE).unwrap();
        diagram.pass(&steps()[0]);
        let fact = step(9, StepKind::Fact, worker(0), Party::Supervisor, "교착 상태");
        assert_eq!(diagram.push(&fact), "0.009000       │◀──────── 교착 상태 ─────────┤\n");
        let ready =
            Step { topic: Topic::Ready, ..step(10, StepKind::Process, worker(0), Party::Supervisor, "is ready") };
        assert!(diagram.push(&ready).ends_with("┤\n"), "to be ready is no end");
        diagram.pass(&steps()[4]);
        let note = step(11, StepKind::Order, Party::Supervisor, Party::Supervisor, "waits");
        assert_eq!(diagram.push(&note), "0.011000       ● waits\n");
    }

    #[test]
    fn parties_that_come_later_get_a_column_in_their_place_and_the_names_are_shown_again() {
        use Party::{Output, Outside, Supervisor};
        let style = DiagramStyle { columns: 80, ..STYLE };
        let mut diagram = Diagram::new(vec![Supervisor, worker(0), Output], style).unwrap();
        let started = |at, index| Step {
            pid: Some(4123),
            ..step(at, StepKind::Process, Supervisor, worker(index), "started as pid 4123")
        };
        let stop = step(30, StepKind::Signal, Outside, Supervisor, "signal 2 (INT)");
        let ended = step(40, StepKind::Process, worker(1), Supervisor, "exit 0");
        let mut drawn = diagram.head();
        for step in [started(7, 0), started(20, 1), stop, ended] {
            drawn += &diagram.admit(&step).unwrap();
            drawn += &diagram.push(&step);
        }
        let expected = [
            "          supervisor                    worker 1                      output",
            "0.007000       ├─── started as pid 4123 ───▶│                            │",
            "          supervisor          worker 1           worker 2            output",
            "0.020000       ├──────── started as pid 4123 ───────▶│                  │",
            "          supervisor     worker 1      worker 2       output        outside",
            "0.030000       │◀────────────────── signal 2 (INT) ────────────────────┤",
            "0.040000       │◀──────── exit 0 ──────────┴             │             │",
        ];
        assert_eq!(drawn.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_space_a_worker_ends_the_diagram_and_the_outside_is_told_beside_the_supervisor() {
        let style = DiagramStyle { columns: 24, ..STYLE };
        let mut diagram = Diagram::new(vec![Party::Supervisor, worker(0)], style).unwrap();
        let stop = step(8, StepKind::Signal, Party::Outside, Party::Supervisor, "INT");
        assert_eq!((diagram.admit(&stop), diagram.push(&stop).as_str()), (Ok(String::new()), "0.008       ● INT\n"));
        let second = step(9, StepKind::Process, Party::Supervisor, worker(1), "started as pid 4124");
        assert_eq!(diagram.admit(&second), Err(TooNarrow { parties: 3, columns: 24 }));
        assert_eq!(diagram.admit(&steps()[0]), Ok(String::new()), "its columns are as they were");
    }

    #[test]
    fn pauses_take_rows_if_time_has_a_scale() {
        let rows = |row| drawn(DiagramStyle { row, ..STYLE }).lines().count();
        assert_eq!(rows(Some(Duration::from_millis(100))), rows(None) + 2);
    }
}
