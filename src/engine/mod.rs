//! Floor 4: the one loop that carries facts to the core and the core's orders out.
//!
//! [`run`] takes a checked [`Config`] and returns how the run ended. The process is the caller's:
//! the engine neither exits nor raises a signal.

mod answer;
mod apply;
mod assembly;
mod commit;
mod dry_run;
mod error;
mod feed;
mod finish;
mod fleet;
mod handle;
mod reactor;
mod requests;
mod status;
mod system;
mod token;
mod turn;

pub use error::EngineError;
pub use handle::{Run, start, start_with};

/// The components, for the simulator that drives them on a fake system.
#[doc(hidden)]
pub mod parts {
    pub use super::answer::CommandReply;
    pub use super::apply::Components;
    pub use super::commit::{Commit, DurableRecord, OutputStreams};
    pub use super::feed::Feed;
    pub use super::fleet::{
        CommandExit, CommandPool, Conversation, Direction, Fleet, FrameKind, Handshake, ItemBytes, LaunchSpec,
        LauncherMailboxes, Order, Program, ProgressSource, Report, Residents, Tap, TappedFrame,
    };
    pub use super::reactor::Reactor;
    pub use super::system::System;
    pub use super::token::{Part, Port};
    pub use super::turn::Turn;
}

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
    let _restored_at_the_end = assembly::change_process()?;
    assembly::open(config, assembly::Attached::default())?.run()
}

/// Ends this process by the signal's default action, so that a shell sees what ended the run.
pub fn end_by(signal: crate::model::signal::Signal) -> ! {
    crate::sys::signals::raise_default(signal)
}
