//! The numbers of a run as text: what ran, then items over time, percentiles, workers and batches, each as a table.
//!
//! Invariant: no line is wider than it was asked for, if that is at least `COLUMNS_MIN`; text from outside is escaped.

use super::figures::{BatchOf, LifeOf, LifePart, RunFigures, SlotFigures};
use super::percentiles::{Percentiles, SizeClass};
use crate::model::text::escaped;
use crate::model::time::Duration;
use crate::model::words::counted;
use crate::trace::phrases;
use crate::trace::phrases::rfc_3339;
use std::fmt::Write;
use textwrap::{Options, WordSplitter};

/// Into less the tables do not fit; then lines are longer.
const COLUMNS_MIN: usize = 40;

/// Most rows of items over time.
const INTERVALS_MAX: u32 = 16;

/// The longest bar.
const BAR_COLUMNS_MAX: usize = 40;

/// The names of what ran and what came of it.
const NAME_COLUMNS: usize = 10;

/// The figures as text, with a newline at its end, in lines of `columns`.
#[must_use]
pub fn text(figures: &RunFigures, columns: usize) -> String {
    let mut text = StatsText { out: String::new(), columns: columns.max(COLUMNS_MIN) };
    text.head(figures);
    text.throughput(figures);
    text.durations(figures);
    text.workers(figures);
    text.batches(figures);
    text.out
}

struct StatsText {
    out: String,
    columns: usize,
}

/// Rows of a table below their heading.
struct PercentileRows<'a> {
    heading: &'static str,
    rows: Vec<(&'static str, &'a Percentiles)>,
}

impl StatsText {
    /// Appends a line without spaces at its end.
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// An empty line, and a heading.
    fn heading(&mut self, heading: &str) {
        self.line("");
        self.wrapped("", "", heading);
    }

    fn wrapped(&mut self, first: &str, others: &str, text: &str) {
        let options = Options::new(self.columns).initial_indent(first).subsequent_indent(others);
        for line in textwrap::wrap(&escaped(text), options.word_splitter(WordSplitter::NoHyphenation)) {
            self.line(&line);
        }
    }

    fn named(&mut self, name: &str, text: &str) {
        self.wrapped(&format!("{name:<NAME_COLUMNS$}"), &" ".repeat(NAME_COLUMNS), text);
    }

    fn head(&mut self, figures: &RunFigures) {
        let header = &figures.header;
        let over = header.transport.as_ref().map_or_else(String::new, |transport| format!(", over {transport}"));
        let workers = counted(header.policy.workers.into(), "worker", "workers");
        self.named("Ran", &format!("{}: {workers}{over}", header.workers_run));
        let started = rfc_3339(header.started_unix_ns);
        self.named("Started", &format!("{started}, by supervisor {} (pid {})", header.program_version, header.pid));
        self.named("Took", &phrases::length(figures.duration));
        self.named("Items", &items(figures));
        if let Some(messages) = figures.messages {
            let unanswered = match messages.unanswered {
                0 => String::new(),
                some => format!("; {some} not answered to the end"),
            };
            self.named(
                "Messages",
                &format!(
                    "{} to workers ({}), {} ({}){unanswered}",
                    messages.sent,
                    phrases::bytes(messages.sent_bytes),
                    counted(messages.received, "answer", "answers"),
                    phrases::bytes(messages.received_bytes),
                ),
            );
        }
        if figures.dropped > 0 {
            self.named(
                "Missing",
                &format!("{}; all counts are too small", counted(figures.dropped, "record", "records")),
            );
        }
        if let Some(cut) = &figures.cut {
            self.named("Missing", cut);
        }
    }

    fn throughput(&mut self, figures: &RunFigures) {
        let throughput = figures.throughput(INTERVALS_MAX);
        let Some(rate) = figures.items_per_second().filter(|_| figures.items.settled() > 0) else { return };
        let interval = phrases::length(throughput.interval);
        self.heading(&format!("Items over time, in intervals of {interval}; {} a second in all", number(rate)));
        let rows: Vec<_> = throughput.rows().map(|(at, items)| (cell(at.0), items)).collect();
        self.bars(&rows);
    }

    /// Rows of a name, a number, and a bar as long as it.
    fn bars(&mut self, rows: &[(String, u64)]) {
        let most = rows.iter().map(|(_, number)| *number).max().unwrap_or(0).max(1);
        let names = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let numbers = rows.iter().map(|(_, number)| count(*number).len()).max().unwrap_or(0);
        let longest = self.columns.saturating_sub(names + numbers + 6).min(BAR_COLUMNS_MAX);
        for (name, number) in rows {
            let length = (*number as f64 / most as f64 * longest as f64).ceil() as usize;
            let bar = "#".repeat(length.min(longest));
            self.line(&format!("  {name:>names$}  {:>numbers$}  {bar}", count(*number)));
        }
    }

    fn durations(&mut self, figures: &RunFigures) {
        let rows_of = |of: LifeOf| {
            let parts = figures.parts.iter().filter(move |(part, _)| part.whole() == of);
            let rows = parts.filter_map(|(part, found)| Some((part.words(), found.as_ref()?))).collect();
            PercentileRows { heading: of.words(), rows }
        };
        self.heading("How long it took: percentiles");
        self.percentiles(&LifeOf::ALL.map(rows_of), cell);
        self.untold(figures);
    }

    /// What the trace does not tell, and why.
    fn untold(&mut self, figures: &RunFigures) {
        let mut groups = Vec::new();
        for of in LifeOf::ALL {
            let parts: Vec<_> = figures.untold().filter(|part| part.whole() == of).map(LifePart::words).collect();
            if !parts.is_empty() {
                groups.push(format!("{} {}", of.words().to_lowercase(), parts.join(", ")));
            }
        }
        if !groups.is_empty() {
            self.wrapped("", "  ", &format!("Not told by this trace: {}.", groups.join("; ")));
        }
        let messages = figures.messages.unwrap_or_default();
        if messages.without_times > 0 {
            let of = counted(messages.received, "answer has", "answers have");
            let text = format!("{} of {of} no times of the worker's work.", messages.without_times);
            self.wrapped("", "  ", &text);
        }
    }

    /// A table of percentiles, in groups. If it does not fit, the numbers of a row are on a line of their own.
    fn percentiles(&mut self, groups: &[PercentileRows<'_>], shown: fn(u64) -> String) {
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let names = rows().map(|(name, _)| name.len() + 2).chain(groups.iter().map(|group| group.heading.len()));
        let names = names.max().unwrap_or(0);
        let counts = rows().map(|(_, found)| count(found.count).len()).chain(["count".len()]).max().unwrap_or(0) + 2;
        let cells = rows().flat_map(|(_, found)| found.values()).map(|value| shown(value).len());
        let widest = cells.chain(Percentiles::NAMES.map(str::len)).max().unwrap_or(0);
        let fits = names + counts + 5 * (widest + 2) <= self.columns;
        // Between two numbers is at least a space, or two.
        let width = if fits { ((self.columns - names - counts) / 5).min(9).max(widest + 2) } else { widest + 1 };
        let numbers =
            |cells: [String; 5]| cells.iter().fold(String::new(), |line, cell| format!("{line}{cell:>width$}"));
        for PercentileRows { heading, rows } in groups.iter().filter(|group| !group.rows.is_empty()) {
            let head = numbers(Percentiles::NAMES.map(str::to_owned));
            if fits {
                self.line(&format!("{heading:<names$}{:>counts$}{head}", "count"));
            } else {
                self.line(heading);
                self.line(&head);
            }
            for (name, found) in rows {
                let (many, numbers) = (count(found.count), numbers(found.values().map(shown)));
                if fits {
                    self.line(&format!("{:<names$}{many:>counts$}{numbers}", format!("  {name}")));
                } else {
                    self.line(&format!("  {name}: {many}"));
                    self.line(&numbers);
                }
            }
        }
    }

    fn workers(&mut self, figures: &RunFigures) {
        if figures.slots.is_empty() {
            return;
        }
        let per_item = figures.messages.is_none();
        let has_answers = figures.messages.is_some_and(|messages| messages.received > 0);
        let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0));
        let alive = |slot: &SlotFigures| {
            let part = slot.alive.as_secs_f64() / figures.duration.as_secs_f64().max(f64::MIN_POSITIVE);
            share(Some(part.min(1.0)))
        };
        let tells = figures.slots.iter().any(|slot| slot.busy.is_some());
        let mut table = vec![vec!["Worker".to_owned(), "items".to_owned(), "alive".to_owned()]];
        let Some(head) = table.first_mut() else { return };
        head.extend(tells.then(|| "busy".to_owned()));
        head.push(if per_item { "started" } else { "restarts" }.to_owned());
        head.push("died".to_owned());
        for slot in &figures.slots {
            let mut row = vec![slot.worker.number().to_string(), count(slot.items), alive(slot)];
            row.extend(tells.then(|| share(slot.busy_share())));
            row.push(count(if per_item { slot.processes } else { slot.restarts }));
            row.push(count(slot.deaths));
            table.push(row);
        }
        self.line("");
        self.table(&table);
        let mut legend = "alive: of the run, with a process".to_owned();
        if tells {
            legend.push_str("; busy: of that, at work by the worker's own clock");
        } else if has_answers {
            legend.push_str("; how long they worked is not told");
        }
        self.wrapped("", "  ", &legend);
    }

    /// Columns that end at the right, as far apart as there is room.
    fn table(&mut self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let least = widths.iter().sum::<usize>() + columns.saturating_sub(1);
        let apart = if least + 2 * columns <= self.columns { 3 } else { 1 };
        for row in rows {
            let mut line = String::new();
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let apart = if place == 0 { 0 } else { apart };
                let _ = write!(line, "{:apart$}{cell:>width$}", "");
            }
            self.line(&line);
        }
    }

    fn batches(&mut self, figures: &RunFigures) {
        if figures.batches.is_empty() {
            return;
        }
        self.line("");
        let rows: Vec<_> = figures.batches.iter().map(|batches| (batches.of.name(), &batches.sizes)).collect();
        self.percentiles(&[PercentileRows { heading: "Items in each", rows }], count);
        let messages = figures.batches.iter().find(|batches| batches.of == BatchOf::Message);
        // Otherwise there is one class.
        if let Some(messages) = messages.filter(|messages| messages.classes.len() > 1) {
            self.heading("Messages by their number of items");
            let rows: Vec<_> = messages.classes.iter().map(|class| (class_name(class), class.count)).collect();
            self.bars(&rows);
        }
    }
}

/// `9 arrived: 8 done, 1 dead; 2 tried again`.
fn items(figures: &RunFigures) -> String {
    let items = &figures.items;
    let list = |numbers: &[(u64, &str)]| {
        let some = numbers.iter().filter(|(number, _)| *number > 0);
        some.map(|(number, what)| format!("{number} {what}")).collect::<Vec<_>>().join(", ")
    };
    let became = list(&[
        (items.done, "done"),
        (items.failed, "failed"),
        (items.dead, "dead"),
        (items.skipped, "skipped"),
        (items.without_outcome(), "without an outcome in the trace"),
    ]);
    let more = list(&[
        (items.restored, "from an earlier run"),
        (items.retried, "tried again"),
        (items.returned, "back in the queue uncharged"),
    ]);
    let mut text = format!("{} arrived", items.arrived);
    for (mark, list) in [(": ", became), ("; ", more)] {
        if !list.is_empty() {
            text.push_str(mark);
            text.push_str(&list);
        }
    }
    text
}

/// `8-15`.
fn class_name(class: &SizeClass) -> String {
    if class.from == class.to { count(class.from) } else { format!("{}-{}", count(class.from), count(class.to)) }
}

/// A duration of so many nanoseconds, in at most 7 columns.
fn cell(ns: u64) -> String {
    const HOUR: f64 = 3600.0;
    let seconds = Duration(ns).as_secs_f64();
    match seconds {
        _ if ns == 0 => "0".to_owned(),
        ..100.0 => phrases::length(Duration(ns)),
        ..1e4 => format!("{seconds:.0} s"),
        ..3e7 => format!("{:.0} h", seconds / HOUR),
        _ => format!("{:.0} y", seconds / HOUR / 8766.0),
    }
}

/// A number of things, in at most 8 columns: exact below ten millions.
fn count(number: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G")];
    if number < 10_000_000 {
        return number.to_string();
    }
    let exact = number as f64;
    let (unit, letter) = UNITS.into_iter().find(|(unit, _)| exact >= *unit).unwrap_or((1e6, "M"));
    format!("{:.1}{letter}", exact / unit)
}

/// A rate: `0.25`, `17.6`, `1234`.
fn number(rate: f64) -> String {
    match rate {
        ..10.0 => format!("{rate:.2}"),
        ..100.0 => format!("{rate:.1}"),
        _ => count(rate.round() as u64),
    }
}
