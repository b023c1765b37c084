//! A command on the terminal that is stopped: Ctrl-Z, `fg` and `bg`.
//!
//! A command leads a group of its own, so the shell knows nothing of it: for the shell, the supervisor's group is the
//! job.

use crate::model::signal::Signal;
use crate::sys::pidfd::Process;
use crate::sys::terminal::{self, Terminal};

/// A command that may use the terminal was stopped: takes the terminal back, and stops the supervisor's own job if the
/// stop came from the terminal. Once the shell has continued the job, so does the command. False: it is still stopped.
pub fn goes_on_at_terminal(terminal: &mut Terminal, signal: Signal, process: &Process) -> bool {
    terminal.take_back();
    match signal {
        // Ctrl-Z.
        Signal::TSTP => terminal::suspend(signal),
        // It was started, or continued, in the background. The loop's thread blocks TTOU.
        Signal::TTIN | Signal::TTOU if !terminal.is_ours() => {
            if !terminal::is_job() {
                return false;
            }
            terminal::suspend(Signal::TTIN);
        }
        Signal::TTIN | Signal::TTOU => {}
        _ => return false,
    }
    if terminal.is_ours() {
        terminal.lend(process.pid);
    }
    // One that has ended needs no signal.
    let _ = process.signal_group(Signal::CONT);
    true
}
