//! The command that is asked before each start (`--limit`), and each second while a worker is at an item.
//!
//! Invariant: the loop never waits for it. An answer allows one start.

use super::super::turn::Turn;
use crate::core::input::{Input, Relief};
use crate::model::exit::ExitStatus;
use crate::model::time::{Duration, Instant};
use crate::sys::asked_command::AskedCommand;
use std::os::fd::{AsFd, BorrowedFd};

/// The wait before it is asked again, after it has said no, or if nothing is to be started.
const REFUSED_FOR: Duration = Duration::from_secs(1);
/// "Over the limit", as in GNU parallel.
const OVER_LIMIT: ExitStatus = ExitStatus::Code(1);
/// The same, and the youngest is to end.
const FAR_OVER_LIMIT: ExitStatus = ExitStatus::Code(2);

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
    /// A process waits for the answer.
    is_for_start: bool,
    /// Some worker is at an item, and when it is asked because of that.
    has_work: bool,
    next_look: Instant,
    /// Workers can be ended: exit 2 ends one.
    ends: bool,
    quiet: bool,
    /// It was told that an answer is odd.
    is_told: bool,
}

impl StartCheck {
    /// `ends`: a worker can be ended.
    pub const fn new(command: AskedCommand, ends: bool, quiet: bool) -> Self {
        let verdict = Verdict::Unknown;
        let (is_for_start, has_work, next_look) = (false, false, Instant::ZERO);
        Self { command, verdict, is_for_start, has_work, next_look, ends, quiet, is_told: false }
    }

    /// Whether a process may be started now; then the answer is used up. Else it is asked, if it is time.
    pub fn allows(&mut self, now: Instant) -> bool {
        match self.verdict {
            Verdict::Allowed => {
                self.verdict = Verdict::Unknown;
                return true;
            }
            Verdict::Awaited => self.is_for_start = true,
            Verdict::Refused(until) if now < until => {}
            Verdict::Unknown | Verdict::Refused(_) => {
                self.ask(now);
                self.is_for_start = true;
            }
        }
        false
    }

    /// Asks whether a worker that is at an item has to make room, if some is and it was not asked of late.
    pub fn look(&mut self, has_work: bool, now: Instant) {
        self.has_work = has_work && self.ends;
        if self.next_look().is_some_and(|at| at <= now) {
            self.ask(now);
        }
    }

    /// When it is asked because of a worker that is at an item.
    pub fn next_look(&self) -> Option<Instant> {
        let is_asked = matches!(self.verdict, Verdict::Awaited | Verdict::Allowed);
        (self.has_work && !is_asked).then_some(self.next_look)
    }

    fn ask(&mut self, now: Instant) {
        self.command.ask();
        (self.verdict, self.is_for_start) = (Verdict::Awaited, false);
        self.next_look = now + REFUSED_FOR;
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
                self.verdict = if self.is_for_start { Verdict::Allowed } else { Verdict::Unknown };
                return;
            }
            Ok(OVER_LIMIT) => return,
            Ok(FAR_OVER_LIMIT) if self.ends => return turn.report(Input::Relief(Relief::EndYoungest)),
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
