//! Floor 4: the one loop that carries facts to the core and the core's orders out.
//!
//! [`run`] takes a checked [`Config`] and returns how the run ended. The process is the caller's:
//! the engine neither exits nor raises a signal.

mod apply;
mod awake;
mod commands;
mod dry_run;
mod ending;
mod error;
mod event_loop;
mod intake;
mod large;
mod launcher;
mod messages;
mod payloads;
mod ports;
mod residents;
mod resting;
mod slots;
mod spawning;
mod status;
mod telling;
mod threads;
mod token;

pub use error::EngineError;

use crate::model::config::Config;
use crate::model::outcome::RunOutcome;

/// Runs every item of the configuration's source and returns when no worker is left.
///
/// Call it from a thread that lives as long as the program does, before other threads are started:
/// the kernel ends workers with the *thread* that started them, and the guard is forked. Workers that are
/// threads ([`WorkerSpec::Thread`](crate::model::config::WorkerSpec)) and do not leave when the run ends stay until
/// the program exits.
///
/// # Errors
/// What keeps a run from starting, and a failure of the supervisor itself. That items fail, workers
/// die, or the source or stdout is lost is no error: the outcome says so.
pub fn run(config: Config) -> Result<RunOutcome, EngineError> {
    if config.output.dry_run {
        return dry_run::run(&config);
    }
    let _restored_at_the_end = ports::change_process()?;
    ports::open(config)?.run()
}

/// Ends this process by the signal's default action, so that a shell sees what ended the run.
pub fn end_by(signal: crate::model::signal::Signal) -> ! {
    crate::sys::signals::raise_default(signal)
}
