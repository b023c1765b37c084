//! Floor 4: the shell around the core. One loop hands facts to the core and carries out its orders.
//!
//! [`run`] takes a checked [`Config`] and returns how the run ended; [`start`] does the same in the background. The process
//! belongs to the caller: the engine neither exits nor raises a signal.

mod answer;
mod apply;
mod arrangement;
mod assembly;
mod children;
mod commit;
mod control;
mod dry_run;
mod error;
mod feed;
mod finish;
mod fleet;
mod guard_watch;
mod handle;
mod journal;
mod last_stderr;
mod launching;
mod manners;
mod own_files;
mod own_system;
mod pace;
pub mod parallel;
mod progress;
mod reactor;
pub mod replay;
mod requests;
mod signal_receiver;
mod status;
mod streams;
mod system;
mod token;
mod trace;
mod turn;
pub mod xargs;

pub use error::EngineError;
pub use handle::{Controls, Run, start, start_with};

/// The components, for the simulator that drives them on a fake system.
#[doc(hidden)]
pub mod parts {
    pub use super::answer::Answer;
    pub use super::answer::{CommandReply, EarlyLines};
    pub use super::apply::Components;
    pub use super::commit::{Commit, DurableRecord, EarlyOutput, Journaled, LiveRegion, OutputStreams, Recording};
    pub use super::feed::{EarlierItems, Feed};
    pub use super::fleet::{
        CommandExit, CommandPool, Conversation, Fleet, HandFate, Hands, Handshake, InHand, ItemBytes, LaunchSpec,
        LauncherMailboxes, Order, Program, ProgressSource, Report, Reports, Residents, Stdio, WorkerStreams,
    };
    pub use super::journal::{BegunSession, SessionPlan, SessionRules};
    pub use super::pace::{MemoryRelief, MemoryRules, RunPace, StartPermits};
    pub use super::progress::{ProgressDisplay, ProgressForm};
    pub use super::reactor::Reactor;
    pub use super::system::System;
    pub use super::token::{Part, Port};
    pub use super::turn::Turn;
}

use crate::command::jobserver;
use crate::model::config::Config;
use crate::model::outcome::RunOutcome;
use crate::model::spec::ExitCodeStyle;
use crate::sys::stdio;
use std::io::{self, Write};

/// Runs every item of the configuration's source on this thread and returns when no worker is left.
///
/// The thread must live until then: the kernel ends workers together with the *thread* that started them. The process's
/// signals and limits are restored when the run has ended; see `docs/library.md` for what cannot be restored. Worker
/// threads ([`WorkerSpec::Thread`](crate::model::config::WorkerSpec)) that do not leave when the run ends stay until the
/// program exits.
///
/// # Errors
/// What keeps a run from starting, and a failure of the supervisor itself. Failed items, dead workers, and the loss of
/// the source or of stdout are no errors: the outcome reports them.
pub fn run(config: Config) -> Result<RunOutcome, EngineError> {
    run_with(config, assembly::Attached::default())
}

fn run_with(mut config: Config, attached: assembly::Attached) -> Result<RunOutcome, EngineError> {
    pace::resolve(&mut config)?;
    if config.output.dry_run {
        return dry_run::run(&config, None);
    }
    let process = assembly::change_process(&config)?;
    assembly::open(config, attached, &process)?.run()
}

/// Keeps a request for the status from ending this process before a run can answer it. For the beginning of `main`.
pub fn hold_status_requests() {
    crate::sys::signals::hold(crate::model::signal::Signal::USR1);
}

/// A file that would grow beyond the limit of this process (`ulimit -f`) is an error of its write from here on, and not the
/// end of the process. For a program that writes a journal without a run.
pub fn outlive_size_limit() {
    // The call fails for KILL and STOP alone.
    let _ = crate::sys::signals::ignore(crate::model::signal::Signal::XFSZ);
}

/// [`run`] for a program of its own: workers inherit the descriptors of make's jobserver; orphans are reaped; and if it
/// generates its items and stdin holds input, a notice on stderr says so. `exit_codes`: what clients are told that wait for
/// its end.
///
/// # Errors
/// Those of [`run`].
pub fn run_as_program(mut config: Config, exit_codes: ExitCodeStyle) -> Result<RunOutcome, EngineError> {
    // Before anything of ours is opened. In a run without processes there is nobody to pass them on to.
    config.pass_fds.extend(jobserver::inherited());
    let generates = config.source.is_generated();
    let is_wanted = generates && !config.output.quiet && !config.output.dry_run;
    let is_unread = || is_wanted && stdio::stdin_holds_bytes();
    let is_known = is_unread();
    if is_known {
        note_unread_stdin();
    }
    let ended = run_with(config, assembly::Attached { reaps_orphans: true, exit_codes, ..Default::default() });
    // The program at the other end may be late.
    if !is_known && is_unread() {
        note_unread_stdin();
    }
    ended
}

fn note_unread_stdin() {
    // A stderr that is closed is no reason to stop.
    let _ =
        writeln!(io::stderr(), "supervisor: stdin holds input that is not read; add -a - to take the items from it");
}

/// Ends this process by the signal's default action, so that a shell sees the signal that ended the run.
pub fn end_by(signal: crate::model::signal::Signal) -> ! {
    crate::sys::signals::raise_default(signal)
}
