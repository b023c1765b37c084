//! The command that is asked before each start (`--limit`).
//!
//! Invariant: the loop never waits for it. An answer allows one start.

use super::super::turn::Turn;
use crate::model::exit::ExitStatus;
use crate::model::time::{Duration, Instant};
use crate::sys::asked_command::AskedCommand;
use std::os::fd::{AsFd, BorrowedFd};

/// The wait before it is asked again, after it has said no.
const REFUSED_FOR: Duration = Duration::from_secs(1);
/// "Over the limit", as in GNU parallel.
const OVER_LIMIT: ExitStatus = ExitStatus::Code(1);

/// What is known of the answer.
enum Verdict {
    /// It was not asked since the last start.
    Unknown,
    Awaited,
    Allowed,
    /// It is asked again at this time.
    Refused(Instant),
}

/// The command, and its last answer.
pub struct StartCheck {
    command: AskedCommand,
    verdict: Verdict,
    quiet: bool,
    /// It was told that an answer is odd.
    is_told: bool,
}

impl StartCheck {
    pub const fn new(command: AskedCommand, quiet: bool) -> Self {
        Self { command, verdict: Verdict::Unknown, quiet, is_told: false }
    }

    /// Whether a process may be started now; then the answer is used up. Else it is asked, if it is time.
    pub fn allows(&mut self, now: Instant) -> bool {
        match self.verdict {
            Verdict::Allowed => {
                self.verdict = Verdict::Unknown;
                return true;
            }
            Verdict::Awaited => {}
            Verdict::Refused(until) if now < until => {}
            Verdict::Unknown | Verdict::Refused(_) => {
                self.command.ask();
                self.verdict = Verdict::Awaited;
            }
        }
        false
    }

    /// When it is asked again, if a process waits for that.
    pub const fn next_timeout(&self) -> Option<Instant> {
        match self.verdict {
            Verdict::Refused(until) => Some(until),
            Verdict::Unknown | Verdict::Awaited | Verdict::Allowed => None,
        }
    }

    /// There may be an answer.
    pub fn on_ready(&mut self, turn: &mut Turn) {
        let Some(answer) = self.command.answer() else { return };
        self.verdict = Verdict::Refused(turn.now + REFUSED_FOR);
        let odd = match answer {
            Ok(ExitStatus::Code(0)) => {
                self.verdict = Verdict::Allowed;
                return;
            }
            Ok(OVER_LIMIT) => return,
            Ok(exit) => exit.to_string(),
            Err(error) => error.to_string(),
        };
        if !std::mem::replace(&mut self.is_told, true) && !self.quiet {
            turn.notice(&format!(
                "supervisor: processes wait before they start: the command that is asked first: {odd}"
            ));
        }
    }
}

impl AsFd for StartCheck {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.command.as_fd()
    }
}
