//! `supervisor stats FILE`.

use super::answer::{fail, refuse_closed_stdout};
#[cfg(feature = "plot")]
use super::plot_target::PlotTarget;
use super::sink::{self, AnswerSink};
#[cfg(feature = "plot")]
use super::stats_plot;
use super::trace_file;
use crate::cli::subcommand::stats::{StatsCommand, StatsFormat};
use crate::exit_code;
use crate::sys::window;
use crate::trace::stats::builder;
use crate::trace::stats::figures::RunFigures;
use crate::trace::stats::{json, text};
use std::io::Write;
use std::process::ExitCode;

/// Shows the numbers of a run.
pub fn run(command: &StatsCommand) -> ExitCode {
    if let Err(exit) = refuse_closed_stdout() {
        return exit;
    }
    let figures = match builder::read(&command.file) {
        Ok(figures) => figures,
        Err(error) => return fail(&format_args!("failed to {error}"), exit_code::USAGE),
    };
    trace_file::say_missing(figures.cut.as_deref(), figures.dropped);
    let drawn = draw(command, &figures);
    // The numbers are shown all the same.
    let shown = show(command, &figures);
    drawn.err().unwrap_or(shown)
}

fn show(command: &StatsCommand, figures: &RunFigures) -> ExitCode {
    let format = command.format.unwrap_or_default();
    let mut sink = match AnswerSink::open(None, &command.file, format == StatsFormat::Text) {
        Ok(sink) => sink,
        Err(exit) => return exit,
    };
    let written = match format {
        StatsFormat::Text => sink.write_all(text::text(figures, window::text_columns()).as_bytes()),
        StatsFormat::Json => json::write(&mut sink, figures),
    };
    sink.finish(written)
}

/// Draws the plot, if one was asked for. The error is how to exit.
fn draw(command: &StatsCommand, figures: &RunFigures) -> Result<(), ExitCode> {
    let Some(plot) = &command.plot else { return Ok(()) };
    if sink::is_input(&plot.path, &command.file) {
        return Err(sink::refuse_input(&plot.path));
    }
    #[cfg(feature = "plot")]
    return PlotTarget::open(plot.clone())
        .and_then(|target| target.draw(&stats_plot::sheet(figures)))
        .map_err(|error| error.report());
    #[cfg(not(feature = "plot"))]
    {
        // The command line takes no plot then.
        let _ = figures;
        Ok(())
    }
}
