//! What `compare` found of each mechanism, for a lesson: two tables, the values behind them, and what they prove. Pure.
//!
//! Invariant: no row is wider than [`COLUMNS_MAX`], so that behind an indent of two it fits into 40 columns.

use super::language::Language;
use super::layout::{columns, padded};
use super::report::{MeasuredValue, Unit};
use super::text::ipc as text;
use crate::compare::{Comparison, ComparisonReport, Figure, Measured};
use serde_json::Value;

/// Columns of the widest row.
const COLUMNS_MAX: usize = 38;
/// Columns of the names of mechanisms.
const NAME_COLUMNS: usize = 9;
/// Columns of each cell of the two tables.
const TRIP_COLUMNS: [usize; 4] = [6, 7, 9, 7];
const BATCH_COLUMNS: [usize; 3] = [8, 11, 10];
const _: () = {
    let [a, b, c, d] = TRIP_COLUMNS;
    let [e, f, g] = BATCH_COLUMNS;
    assert!(NAME_COLUMNS + a + b + c + d <= COLUMNS_MAX && NAME_COLUMNS + e + f + g <= COLUMNS_MAX);
};

/// In batches an item has to take less than this part of the system calls that it takes alone.
const BATCHED_PART: f64 = 0.1;

/// What stands where nothing was measured.
const NONE: &str = "-";

/// The mechanisms with numbers.
pub fn measured(report: &ComparisonReport) -> impl Iterator<Item = (&Comparison, &Measured)> {
    report.rows.iter().filter_map(|row| Some((row, row.measured.as_ref().ok()?)))
}

/// The table of a round trip, one item in flight: microseconds, system calls and context switches of both sides, and
/// copies of the bytes of an item, there and back.
pub fn trip_rows(report: &ComparisonReport, language: Language) -> Vec<String> {
    let head = table_row("", text::TRIP_HEAD.map(|label| label.in_language(language)), TRIP_COLUMNS);
    let row = |(row, found): (&Comparison, &Measured)| {
        let copies = row.copies.map(|copies| copies.message);
        let cells = [
            found.round_trip_us.shown(),
            shown(trip_calls(found)),
            shown(Some(switches(found))),
            copies.map_or_else(|| NONE.to_owned(), |copies| format!("{}+{}", copies.there, copies.back)),
        ];
        table_row(row.mechanism.name(), cells.each_ref().map(String::as_str), TRIP_COLUMNS)
    };
    std::iter::once(head).chain(measured(report).map(row)).collect()
}

/// The table of batches: items a second, system calls of both sides for an item, and items that a KILL made run again.
pub fn batch_rows(report: &ComparisonReport, language: Language) -> Vec<String> {
    let head = table_row("", text::BATCH_HEAD.map(|label| label.in_language(language)), BATCH_COLUMNS);
    let row = |(row, found): (&Comparison, &Measured)| {
        let calls = found.calls.as_ref().ok().map(|calls| calls.per_item.median);
        // Of a single kill, so exact.
        let again = found.kill.map_or_else(|| NONE.to_owned(), |kill| whole(kill.ran_again.median).to_string());
        let cells = [found.items_per_s.shown(), shown(calls), again];
        table_row(row.mechanism.name(), cells.each_ref().map(String::as_str), BATCH_COLUMNS)
    };
    std::iter::once(head).chain(measured(report).map(row)).collect()
}

/// What was measured of a mechanism. What could not be counted is left out.
pub fn values(row: &Comparison, found: &Measured) -> Vec<MeasuredValue> {
    let kill = found.kill.as_ref();
    let calls_per_item = found.calls.as_ref().ok().map(|calls| calls.per_item.median);
    let values: [(&str, Option<Value>, Unit); 8] = [
        ("round_trip_us", Some(rounded(found.round_trip_us.median, 2).into()), Unit::Microseconds),
        ("round_trip_calls", trip_calls(found).map(|calls| rounded(calls, 4).into()), Unit::Count),
        ("round_trip_switches", Some(rounded(switches(found), 4).into()), Unit::Count),
        ("items_per_second", Some(whole(found.items_per_s.median).into()), Unit::PerSecond),
        ("calls_per_item", calls_per_item.map(|calls| rounded(calls, 6).into()), Unit::Count),
        ("ran_again", kill.map(|kill| whole(kill.ran_again.median).into()), Unit::Count),
        ("lost", kill.map(|kill| kill.lost.into()), Unit::Count),
        ("twice", kill.map(|kill| kill.twice.into()), Unit::Count),
    ];
    let value = |(name, value, unit): (&str, Option<Value>, Unit)| {
        let name = format!("compare_{}_{name}", row.mechanism.name());
        Some(MeasuredValue { name, value: value?, unit })
    };
    values.into_iter().filter_map(value).collect()
}

/// To so many decimals: the others are noise.
fn rounded(number: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (number * unit).round() / unit
}

/// The next whole number. It is not negative.
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// Whether every item came back done, wherever items were sent; `None` if no mechanism could be used.
pub fn all_came_back(report: &ComparisonReport) -> Option<bool> {
    all(report.rows.iter().filter_map(|row| match &row.measured {
        Ok(_) => Some(true),
        Err(why) => why.is_unfinished.then_some(false),
    }))
}

/// Whether no kill lost or doubled a result; `None` without a kill.
pub fn all_survived_kills(report: &ComparisonReport) -> Option<bool> {
    all(measured(report).filter_map(|(_, found)| found.kill).map(|kill| kill.lost == 0 && kill.twice == 0))
}

/// Whether batches save system calls; `None` where they cannot be counted.
pub fn batches_save_calls(report: &ComparisonReport) -> Option<bool> {
    all(measured(report).filter_map(|(_, found)| {
        let batched = found.calls.as_ref().ok()?.per_item.median;
        Some(batched < trip_calls(found)? * BATCHED_PART)
    }))
}

/// Why system calls were not counted, of the first mechanism of which they were not.
pub fn not_counted(report: &ComparisonReport) -> Option<&str> {
    measured(report).find_map(|(_, found)| found.calls.as_ref().err()).map(String::as_str)
}

/// `None` of nothing: nothing was proved.
fn all(mut each: impl Iterator<Item = bool>) -> Option<bool> {
    let first = each.next()?;
    Some(each.fold(first, |all, holds| all && holds))
}

fn trip_calls(found: &Measured) -> Option<f64> {
    found.calls.as_ref().ok().map(|calls| calls.supervisor.median + calls.worker.median)
}

fn switches(found: &Measured) -> f64 {
    found.switches.voluntary.median + found.switches.involuntary.median
}

/// A single number as a comparison shows it.
fn shown(number: Option<f64>) -> String {
    number.and_then(|number| Figure::of(&[number])).map_or_else(|| NONE.to_owned(), |figure| figure.shown())
}

/// A row: a name, and cells that end at the right of their columns.
fn table_row<const N: usize>(name: &str, cells: [&str; N], widths: [usize; N]) -> String {
    let mut row = padded(name, NAME_COLUMNS);
    for (cell, width) in cells.into_iter().zip(widths) {
        row.push_str(&" ".repeat(width.saturating_sub(columns(cell))));
        row.push_str(cell);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{NotMeasured, sample};
    use serde_json::json;

    #[test]
    fn the_tables_have_a_row_for_each_mechanism_with_numbers() {
        let report = sample::report();
        let expected = ["             µs  calls switches copies", "pipe         48   5.00     2.00    3+3"];
        assert_eq!(trip_rows(&report, Language::English)[..2], expected);
        let expected = [
            "          items/s      calls ran again",
            "pipe        21.3M   0.000680      1203",
            "shm         57.0M   0.000680         0",
            "thread      21.3M   0.000680         -",
        ];
        assert_eq!(batch_rows(&report, Language::English), expected);
    }

    #[test]
    fn no_row_is_too_wide_in_any_language_and_every_table_is_aligned() {
        for language in Language::ALL {
            for rows in [trip_rows(&sample::report(), language), batch_rows(&sample::report(), language)] {
                assert_eq!(rows.len(), 4);
                assert!(rows.iter().all(|row| columns(row) == COLUMNS_MAX), "{rows:#?}");
            }
        }
    }

    #[test]
    fn what_was_not_counted_is_a_dash_and_no_value() {
        let mut report = sample::report();
        for row in &mut report.rows {
            if let Ok(found) = &mut row.measured {
                found.calls = Err("failed to count system calls by ptrace: EPERM".to_owned());
            }
        }
        assert!(trip_rows(&report, Language::English)[1].contains("    -     2.00"));
        assert_eq!(not_counted(&report), Some("failed to count system calls by ptrace: EPERM"));
        assert_eq!((batches_save_calls(&report), all_came_back(&report)), (None, Some(true)));
        let (row, found) = measured(&report).next().unwrap();
        let values = values(row, found);
        assert!(values.iter().all(|value| !value.name.contains("calls")), "{values:?}");
        assert_eq!((values[0].name.as_str(), &values[0].value), ("compare_pipe_round_trip_us", &json!(48.13)));
        assert_eq!((values[2].name.as_str(), &values[2].value), ("compare_pipe_items_per_second", &json!(21_300_000)));
    }

    #[test]
    fn a_claim_fails_by_one_mechanism_and_holds_only_if_there_is_one() {
        let mut report = sample::report();
        let holds =
            |report: &ComparisonReport| [all_came_back(report), all_survived_kills(report), batches_save_calls(report)];
        assert_eq!(holds(&report), [Some(true); 3]);
        if let Ok(found) = &mut report.rows[1].measured {
            found.kill = found.kill.map(|kill| crate::compare::KillFindings { lost: 1, ..kill });
            found.calls =
                found.calls.clone().map(|calls| crate::compare::CallCosts { per_item: calls.worker, ..calls });
        }
        assert_eq!(holds(&report), [Some(true), Some(false), Some(false)]);
        report.rows[0].measured = Err(NotMeasured { reason: "failed to finish".to_owned(), is_unfinished: true });
        assert_eq!(all_came_back(&report), Some(false));
        report.rows.retain(|row| row.measured.as_ref().is_err_and(|why| !why.is_unfinished));
        assert_eq!(report.rows.len(), 1, "the message queues that the system refuses");
        assert_eq!(holds(&report), [None; 3]);
    }
}
