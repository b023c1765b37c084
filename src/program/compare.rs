//! `supervisor compare`: measures, and writes the report down.

use super::answer::{fail, refuse_closed_stdout, show};
#[cfg(feature = "plot")]
use super::plot_target::PlotTarget;
use crate::cli::subcommand::compare::{CompareOptions, CompareOutput};
use crate::compare::{self, CompareSettings, ComparisonReport, MeasuredRound};
use crate::exit_code;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Compares what the options say.
pub(super) fn main(options: CompareOptions) -> ExitCode {
    // What would make the work worthless is checked before it: it takes long.
    if let Err(exit) = refuse_closed_stdout() {
        return exit;
    }
    #[cfg(feature = "plot")]
    let plot = match options.plot.map(PlotTarget::open).transpose() {
        Ok(plot) => plot,
        Err(error) => return error.report(),
    };
    let is_named = options.mechanisms.is_some();
    let mut settings = CompareSettings::of_this_program();
    settings.mechanisms = options.mechanisms.unwrap_or(settings.mechanisms);
    settings.rounds = options.rounds.unwrap_or(settings.rounds);
    let report = measure(&settings);
    #[cfg(feature = "plot")]
    if let Some(Err(error)) = plot.map(|plot| plot.draw(&compare::chart::sheet(&report))) {
        // What was measured is shown all the same.
        show_report(&report, options.output);
        return error.report();
    }
    let shown = show_report(&report, options.output);
    if shown == ExitCode::from(exit_code::DONE) && !is_good(&report, is_named) {
        return ExitCode::from(exit_code::ITEMS_NOT_DONE);
    }
    shown
}

fn show_report(report: &ComparisonReport, output: CompareOutput) -> ExitCode {
    match output {
        CompareOutput::Text => show(&compare::table::text(report)),
        CompareOutput::Json => compare::json::text(report).map_or_else(
            |error| fail(&format_args!("failed to write the report as JSON: {error}"), exit_code::INTERNAL),
            |text| show(&text),
        ),
    }
}

/// Measures, and tells a terminal how far it is.
fn measure(settings: &CompareSettings) -> ComparisonReport {
    let mut stderr = io::stderr();
    let is_shown = stderr.is_terminal();
    let report = compare::measure(settings, |MeasuredRound { mechanism, round, rounds }| {
        if is_shown {
            // A terminal that is gone sees nothing. The line is cleared to its end.
            let _ = write!(stderr, "\rround {round} of {rounds}: {}\x1b[K", mechanism.name());
        }
    });
    if is_shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    report
}

/// Whether no item was lost or doubled, and everything that was named was measured; without names, anything.
fn is_good(report: &ComparisonReport, is_named: bool) -> bool {
    let mut found = report.rows.iter().filter_map(|row| row.measured.as_ref().ok());
    let is_whole = found.clone().filter_map(|found| found.kill).all(|kill| kill.lost == 0 && kill.twice == 0);
    let is_measured =
        if is_named { report.rows.iter().all(|row| row.measured.is_ok()) } else { found.next().is_some() };
    is_whole && is_measured
}
