//! Signals to this process: what each asks of the run, and a stop of the whole program (TSTP).
//!
//! Invariant: each signal that was received is reported once. TSTP stops this process only when the workers are stopped,
//! and the run goes on with this process, also if the system does not stop it (a group that no shell looks after).

use super::fleet::Fleet;
use super::progress::ProgressDisplay;
use super::turn::Turn;
use crate::core::input::Input;
use crate::model::command::{self, Command, Origin};
use crate::model::config::Config;
use crate::model::signal::Signal;
use crate::sys::signals::ReceivedSignal;

/// How far a stop of this process has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Suspension {
    #[default]
    None,
    /// The workers were ordered to stop.
    Wanted,
    /// The launchers were asked whether they have carried that out.
    Asked,
}

/// What signals mean here.
#[derive(Debug, Default)]
pub struct SignalReceiver {
    /// It is said who sent each signal.
    is_verbose: bool,
    /// This process had a controlling terminal when the run began.
    had_terminal: bool,
    /// HUP is a stop whoever sends it, as for xargs.
    stops_at_hup: bool,
    suspension: Suspension,
}

impl SignalReceiver {
    const fn new(is_verbose: bool, had_terminal: bool) -> Self {
        Self { is_verbose, had_terminal, stops_at_hup: false, suspension: Suspension::None }
    }

    /// `is_plain`: in the place of xargs. Nothing is said.
    pub fn of(config: &Config, is_plain: bool, turn: &Turn) -> Self {
        let had_terminal = config.handles_signals && turn.system.has_terminal();
        Self { stops_at_hup: is_plain, ..Self::new(config.output.verbose && !is_plain, had_terminal) }
    }

    /// Takes the signals since the last call, as facts.
    pub fn receive(&mut self, turn: &mut Turn, mut progress: Option<&mut ProgressDisplay>) {
        let mut is_status_asked = false;
        for received in turn.system.received_signals() {
            let ReceivedSignal { signal, sender_pid } = received;
            if self.is_verbose {
                let name = sender_pid.and_then(|pid| turn.system.program_of(pid));
                turn.notice(&notice(received, name.as_deref()));
            }
            match signal {
                Signal::TSTP if self.suspension == Suspension::None => self.suspension = Suspension::Wanted,
                Signal::WINCH => progress.iter_mut().for_each(|progress| progress.look_now()),
                _ => {}
            }
            // One answer is enough for many that ask at once.
            let is_again = signal == Signal::USR1 && std::mem::replace(&mut is_status_asked, true);
            let commands = command::of_signal(signal, self.is_request(received, turn));
            if commands.is_empty() || is_again {
                turn.report(Input::SignalNoted { signal, sender_pid });
                continue;
            }
            for command in commands {
                turn.report(Input::Command { command: *command, origin: Origin::Signal { signal, sender_pid } });
            }
        }
    }

    /// Whether a process asks for something by this signal. A shell passes HUP on to its jobs when its terminal goes: then
    /// it comes from a process and means the terminal.
    fn is_request(&self, received: ReceivedSignal, turn: &Turn) -> bool {
        let is_lost = || self.stops_at_hup || (self.had_terminal && !turn.system.has_terminal());
        received.sender_pid.is_some() && !(received.signal == Signal::HUP && is_lost())
    }

    /// Whether this process has to stop now, at the end of a turn: the workers are stopped.
    pub fn is_suspension_due(&mut self, fleet: &mut Fleet, turn: &Turn) -> bool {
        match self.suspension {
            Suspension::None => return false,
            Suspension::Wanted if fleet.is_probing() => return false,
            Suspension::Wanted => {
                self.suspension = Suspension::Asked;
                fleet.ask_whether_done(turn.now);
            }
            Suspension::Asked => {}
        }
        let is_due = !fleet.is_probing();
        if is_due {
            self.suspension = Suspension::None;
        }
        is_due
    }

    /// Stops this process. Returns when it goes on.
    pub fn suspend(turn: &mut Turn) {
        turn.system.suspend();
        turn.refresh();
        // The CONT that it goes on by is reported for itself. Perhaps there was none.
        turn.report(Input::Command { command: Command::Continue, origin: Origin::Caller });
    }
}

fn notice(ReceivedSignal { signal, sender_pid }: ReceivedSignal, program: Option<&str>) -> String {
    let sender = match (sender_pid, program) {
        (Some(pid), Some(program)) => format!("pid {pid} ({program})"),
        (Some(pid), None) => format!("pid {pid}"),
        (None, _) => "the terminal or the system".to_owned(),
    };
    format!("supervisor: received signal {signal} from {sender}")
}

#[cfg(test)]
mod tests {
    use super::super::commit::testing::Still;
    use super::*;

    #[test]
    fn hup_means_the_terminal_once_that_is_gone_whoever_sent_it() {
        // This system has no terminal.
        let turn = Turn::new(Box::new(Still));
        let hup = |sender_pid| ReceivedSignal { signal: Signal::HUP, sender_pid };
        let is_request = |had_terminal, sender| SignalReceiver::new(false, had_terminal).is_request(hup(sender), &turn);
        assert_eq!((is_request(true, Some(7)), is_request(true, None)), (false, false));
        assert_eq!((is_request(false, Some(7)), is_request(false, None)), (true, false));
    }

    #[test]
    fn a_notice_says_who_sent_a_signal_as_far_as_that_is_known() {
        let say = |sender_pid, program| notice(ReceivedSignal { signal: Signal::HUP, sender_pid }, program);
        assert_eq!(say(Some(7), Some("sh")), "supervisor: received signal 1 (HUP) from pid 7 (sh)");
        assert_eq!(say(Some(7), None), "supervisor: received signal 1 (HUP) from pid 7");
        assert_eq!(say(None, None), "supervisor: received signal 1 (HUP) from the terminal or the system");
    }
}
