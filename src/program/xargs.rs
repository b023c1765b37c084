//! `supervisor xargs`: a run in the place of xargs, which says what xargs says, with its exit codes.

use super::answer::exit;
use crate::cli::subcommand::xargs::XargsCommand;
use crate::engine::EngineError;
use crate::engine::xargs::{self, LineRoom, XargsEnd, XargsError};
use crate::exit_code::{self, ProgramExit};
use crate::model::builder::ConfigBuilder;
use crate::model::config::{Config, InputSpec, OutputMode, SummaryMode};
use crate::model::config_error::ConfigError;
use crate::model::exit_rule::{ExitMatch, ExitRule};
use crate::model::outcome::StopReason;
use crate::model::signal::Signal;
use crate::model::spec::{ExitCodeStyle, Leftovers};
use crate::model::text::escaped;
use crate::model::time::Duration;
use crate::model::xargs::XargsSpec;
use crate::sys::stdio;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Wrong usage, a wrong input, and what the supervisor itself cannot do (`xargs(1)`).
const FAILED: u8 = 1;

/// The last signal of Linux.
const SIGNALS_MAX: u8 = 64;

/// An exit code after which a command is tried again, unless it has a rule.
const TRIED_AGAIN: u8 = 75;

/// Carries the command out, and ends as xargs would.
pub fn run(command: XargsCommand) -> ExitCode {
    for line in &command.said {
        // A stderr that is closed is no reason to stop.
        let _ = writeln!(io::stderr(), "{line}");
    }
    command.spec.map_or(ExitCode::from(FAILED), |spec| run_spec(*spec))
}

fn run_spec(mut spec: XargsSpec) -> ExitCode {
    let room = LineRoom::now();
    if let Some(asked) = spec.line_bytes_max.filter(|asked| *asked > room.line_bytes_max()) {
        say(&format_args!("value {asked} for -s option should be <= {}", room.line_bytes_max()));
        spec.line_bytes_max = Some(room.line_bytes_max());
    }
    if spec.shows_limits {
        show_limits(room, &spec);
    }
    let command = spec.command.first().map_or(OsStr::new(""), |word| word);
    let error = match config(&spec) {
        Ok(config) => match xargs::run(config, &spec) {
            Ok(end) => return exit(note_closed_stdin(exit_of(&end, command), &spec)),
            Err(XargsError::Input { name, error }) => {
                format!("Cannot open input file \u{2018}{name}\u{2019}: {}", system_words(&error))
            }
            Err(XargsError::Run(EngineError::Terminal { why })) => {
                format!("failed to lend commands the terminal: {}", why.replace("--tty", "-o"))
            }
            Err(error) => format!("failed to {error}"),
        },
        Err(error) => error.to_string(),
    };
    say(&escaped(&error));
    ExitCode::from(FAILED)
}

/// The settings of such a run: a command fails alone, whatever its exit, unless it stops the run; nothing is tried
/// again, and what a command leaves behind stays.
fn config(spec: &XargsSpec) -> Result<Config, ConfigError> {
    let signals = (1..=SIGNALS_MAX).map(|number| (ExitMatch::Signal(Signal(number)), ExitRule::Fail));
    let rules = [(ExitMatch::Code(TRIED_AGAIN), ExitRule::Fail)].into_iter().chain(signals);
    let settings: ConfigBuilder = Config::builder()
        // The item is the whole command line.
        .command(["{}"])
        .input(spec.input.clone())
        .workers(1)
        .retries(0)
        .exit_rules(rules.collect())
        // The first program that cannot be executed.
        .dead_max(Some(1))
        .stop_at_abort(true)
        .leftovers(Leftovers::Leave)
        .interactive(spec.asks)
        .terminal(spec.opens_terminal && spec.processes_max == 1)
        .handle_signals(true)
        .output(OutputMode::None)
        .summary(SummaryMode::Never)
        .quiet(true);
    // Xargs ends at once by a signal. Commands get it, too, instead of being left behind. One that stops the run gives those
    // beside it the usual grace.
    let settings = if spec.processes_max == 1 { settings.grace(Duration::ZERO) } else { settings };
    settings.build()
}

/// Says how the run ended, where xargs does.
fn exit_of(end: &XargsEnd, command: &OsStr) -> ProgramExit {
    let command = command.to_string_lossy();
    end.warnings.iter().for_each(|warning| say(warning));
    match &end.outcome.reason {
        StopReason::Aborted { signal: None } => {
            say(&format_args!("{}: exited with status 255; aborting", escaped(&command)));
        }
        StopReason::Aborted { signal: Some(signal) } => {
            say(&format_args!("{}: terminated by signal {}", escaped(&command), signal.0));
        }
        StopReason::CommandLost { error, .. } => say(&format_args!("{}: {error}", escaped(&command))),
        StopReason::SourceEnded => {
            if let Some(failure) = &end.failure {
                say(failure);
                let has_failed = end.outcome.totals.failed > 0;
                return ProgramExit::Code(if has_failed { exit_code::XARGS_FAILED } else { FAILED });
            }
        }
        StopReason::SourceLost(error) | StopReason::SourceDiffers(error) | StopReason::StorageLost(error) => {
            say(&format_args!("failed to {}", escaped(error)));
            return ProgramExit::Code(FAILED);
        }
        _ => {}
    }
    let totals = &end.outcome.totals;
    match exit_code::of(&end.outcome, ExitCodeStyle::Xargs) {
        ProgramExit::Code(exit_code::GAVE_UP | exit_code::STORAGE | exit_code::LOST) => ProgramExit::Code(FAILED),
        // Xargs forgets the one that stops it for those that failed before, unless it was the last one.
        ProgramExit::Code(exit_code::XARGS_ABORTED | exit_code::XARGS_SIGNALLED)
            if totals.failed > 1 && totals.skipped > 0 =>
        {
            ProgramExit::Code(exit_code::XARGS_FAILED)
        }
        other => other,
    }
}

/// Xargs closes stdin at its end, and says so if it cannot.
fn note_closed_stdin(code: ProgramExit, spec: &XargsSpec) -> ProgramExit {
    if code != ProgramExit::Code(exit_code::DONE) || spec.input != InputSpec::Stdin || !stdio::was_closed(0) {
        return code;
    }
    say(&"error closing file: Bad file descriptor");
    ProgramExit::Code(FAILED)
}

fn show_limits(room: LineRoom, spec: &XargsSpec) {
    let upper = room.line_bytes_max();
    for line in [
        format!("Your environment variables take up {} bytes", room.environment_bytes),
        format!("POSIX upper limit on argument length (this system): {upper}"),
        "POSIX smallest allowable upper limit on argument length (all systems): 4096".to_owned(),
        format!("Maximum length of command we could actually use: {}", upper.saturating_sub(room.environment_bytes)),
        format!("Size of command buffer we are actually using: {}", room.limits(spec).line_bytes_max),
        "Maximum parallelism (--max-procs must be no greater): 2147483647".to_owned(),
    ] {
        // A stderr that is closed is no reason to stop.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// The system's words for an error, without its number.
fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn say(text: &dyn Display) {
    // A stderr that is closed is no reason to stop.
    let _ = writeln!(io::stderr(), "xargs: {text}");
}
