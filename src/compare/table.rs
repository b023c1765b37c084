//! A report for people: a few tables of at most 60 columns, and a line for each column that says what it means. Pure.

use super::{Comparison, ComparisonReport, Figure, Measured};
use std::fmt::Write;
use textwrap::{Options, WordSplitter};

/// No line is longer, so that a narrow terminal and a quoted mail show it whole.
const COLUMNS_MAX: usize = 60;

/// The column of names.
const NAME_COLUMNS: usize = 9;

/// What each column means.
const LEGEND: [(&str, &str); 9] = [
    ("batched", "items a second, as many in a message as come"),
    ("single", "items a second, one in a message"),
    ("round trip", "from result to result, one item in flight"),
    ("p99", "99 of 100 round trips take no longer"),
    ("system calls", "in a round trip; counted under ptrace"),
    ("an item", "system calls of both for an item in batches"),
    ("switches", "of both in a round trip: to wait, or forced"),
    ("copies", "of an item's bytes, there + back; by design"),
    ("ran again", "finished items that ran twice, for each KILL"),
];

/// The report as text, with a newline at its end.
#[must_use]
pub fn text(report: &ComparisonReport) -> String {
    let mut out = head(report);
    speed(report, &mut out);
    cost(report, &mut out);
    kills(report, &mut out);
    out.push('\n');
    for (column, meaning) in LEGEND {
        line(&mut out, &format!("{column:<13} {meaning}"));
    }
    out
}

/// Appends a line without spaces at its end.
fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn head(report: &ComparisonReport) -> String {
    let machine = &report.machine;
    let rounds = if report.rounds == 1 { "1 round".to_owned() } else { format!("medians of {} rounds", report.rounds) };
    let mut facts = vec![
        format!("One supervisor and one worker, {rounds}, {:.0} s.", report.took_s.ceil()),
        format!("{}, {} core{}, Linux {}.", machine.processor, machine.cores, plural(machine.cores), machine.kernel),
    ];
    if let Some(load) = machine.load.filter(|load| *load >= f64::from(machine.cores) / 2.0) {
        facts.push(format!("The machine was busy with other work (load {load:.1}): read the ratios."));
    }
    if machine.is_debug_build {
        facts.push("A build for debugging: slower than a release.".to_owned());
    }
    let mut out = String::new();
    for fact in facts {
        wrap(&mut out, &fact, 2);
    }
    out
}

const fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The measured rows.
fn measured(report: &ComparisonReport) -> impl Iterator<Item = (&Comparison, &Measured)> {
    report.rows.iter().filter_map(|row| Some((row, row.measured.as_ref().ok()?)))
}

fn speed(report: &ComparisonReport, out: &mut String) {
    line(out, "");
    columns(out, "", &["items/s", "items/s", "round trip, us"], [11, 11, 25]);
    columns(out, "Speed", &["batched", "single", "median", "p99"], [11, 11, 15, 10]);
    for row in &report.rows {
        match &row.measured {
            Ok(found) => {
                let figures = [found.items_per_s, found.messages_per_s, found.round_trip_us, found.round_trip_p99_us];
                columns(out, row.mechanism.name(), &figures.map(|figure| figure.shown()), [11, 11, 15, 10]);
            }
            // A mechanism that could not be measured has its row here alone.
            Err(error) => wrap(out, &format!("{:<NAME_COLUMNS$}  {error}", row.mechanism.name()), NAME_COLUMNS + 2),
        }
    }
}

fn cost(report: &ComparisonReport, out: &mut String) {
    const WIDTHS: [usize; 6] = [11, 8, 9, 7, 7, 9];
    if measured(report).next().is_none() {
        return;
    }
    line(out, "");
    columns(out, "", &["system calls of", "", "", "switches", "", "copies"], [17, 2, 9, 9, 5, 9]);
    columns(out, "Cost", &["supervisor", "worker", "an item", "wait", "forced", "batch"], WIDTHS);
    let mut notes: Vec<&str> = Vec::new();
    for (row, found) in measured(report) {
        let calls = found.calls.as_ref();
        let call =
            |of: fn(&super::CallCosts) -> Figure| calls.map_or_else(|_| "-".to_owned(), |calls| of(calls).shown());
        let copies = row
            .copies
            .map_or_else(|| "-".to_owned(), |copies| format!("{} + {}", copies.batch.there, copies.batch.back));
        let cells = [
            call(|calls| calls.supervisor),
            call(|calls| calls.worker),
            call(|calls| calls.per_item),
            found.switches.voluntary.shown(),
            found.switches.involuntary.shown(),
            copies,
        ];
        columns(out, row.mechanism.name(), &cells, WIDTHS);
        if let Err(error) = calls
            && !notes.contains(&error.as_str())
        {
            notes.push(error);
        }
    }
    for note in notes {
        wrap(out, &format!("System calls are not counted: {note}"), 2);
    }
}

fn kills(report: &ComparisonReport, out: &mut String) {
    const WIDTHS: [usize; 4] = [11, 11, 11, 11];
    if measured(report).next().is_none() {
        return;
    }
    line(out, "");
    columns(out, "KILL", &["items", "lost", "twice", "ran again"], WIDTHS);
    for (row, found) in measured(report) {
        match found.kill {
            Some(kill) => {
                let numbers = [kill.items, kill.lost, kill.twice].map(grouped);
                let [items, lost, twice] = numbers;
                let again = kill.ran_again.shown();
                columns(out, row.mechanism.name(), &[items, lost, twice, again], WIDTHS);
            }
            None => {
                line(out, &format!("{:<NAME_COLUMNS$}  not killed: a thread cannot die alone", row.mechanism.name()))
            }
        }
    }
}

/// A row: a name, and cells of these widths that end at the right.
fn columns<const N: usize>(out: &mut String, name: &str, cells: &[impl AsRef<str>; N], widths: [usize; N]) {
    let mut row = format!("{name:<NAME_COLUMNS$}");
    for (cell, width) in cells.iter().zip(widths) {
        // To write into a text cannot fail.
        let _ = write!(row, "{:>width$}", cell.as_ref());
    }
    line(out, &row);
}

/// `12,345`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Appends text in lines of at most [`COLUMNS_MAX`]. The lines behind the first begin with `indent` spaces.
fn wrap(out: &mut String, text: &str, indent: usize) {
    let indent = " ".repeat(indent);
    let options = Options::new(COLUMNS_MAX).subsequent_indent(&indent).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options.break_words(false)).iter().for_each(|row| line(out, row));
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use snapbox::str;

    #[test]
    fn the_tables_of_fixed_numbers() {
        snapbox::assert_data_eq!(
            text(&sample::report()),
            str![[r#"
One supervisor and one worker, medians of 3 rounds, 15 s.
Some CPU @ 2.00GHz, 2 cores, Linux 6.18.44.

             items/s    items/s           round trip, us
Speed        batched     single         median       p99
pipe           21.3M       2.4M             48        70
shm            57.0M       2.4M             48        70
mqueue     failed to open the message queues of 1 worker:
           they need 655,360 bytes, and ulimit -q allows
           4,096; raise it, or give another --transport
thread         21.3M       2.4M             48        70

           system calls of            switches        copies
Cost      supervisor  worker  an item   wait forced    batch
pipe            3.00    2.00  0.00068   2.00  0.002    2 + 2
shm             3.00    2.00  0.00068   2.00  0.002    1 + 3
thread          3.00    2.00  0.00068   2.00  0.002    2 + 2

KILL           items       lost      twice  ran again
pipe         300,000          0          0         1k
shm          300,000          0          0          0
thread     not killed: a thread cannot die alone

batched       items a second, as many in a message as come
single        items a second, one in a message
round trip    from result to result, one item in flight
p99           99 of 100 round trips take no longer
system calls  in a round trip; counted under ptrace
an item       system calls of both for an item in batches
switches      of both in a round trip: to wait, or forced
copies        of an item's bytes, there + back; by design
ran again     finished items that ran twice, for each KILL

"#]]
        );
    }

    #[test]
    fn no_line_is_longer_than_a_narrow_terminal_whatever_went_wrong() {
        let mut report = sample::report();
        for row in &mut report.rows {
            if let Ok(found) = &mut row.measured {
                found.calls =
                    Err("failed to count system calls by ptrace: Operation not permitted (os error 1)".to_owned());
            }
        }
        report.machine.load = Some(12.3);
        report.machine.processor = "A processor with a very long name of its own, at 2.00 GHz, as some have".to_owned();
        let text = text(&report);
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS_MAX, "{line}");
            assert_eq!(line, line.trim_end());
        }
        assert_eq!(text.matches("System calls are not counted").count(), 1, "{text}");
        assert!(text.contains("load 12.3"), "{text}");
    }

    #[test]
    fn a_report_without_a_mechanism_that_works_still_says_why() {
        let mut report = sample::report();
        report.rows.retain(|row| row.measured.is_err());
        let text = text(&report);
        assert!(text.contains("mqueue") && !text.contains("KILL  "), "{text}");
    }

    #[test]
    fn large_numbers_are_grouped() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }
}
