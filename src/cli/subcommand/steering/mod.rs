//! The subcommands that speak to a run over its control socket: a module reads the words of each that has some.
//!
//! Invariant: what was typed, checked, and nothing of the run.

pub mod add;
pub mod cancel;
pub mod events;
pub mod kill;
pub mod restart;
pub mod scale;
pub mod stop;
pub mod whole_run;

use crate::cli::run_choice::RunChoice;
use crate::model::signal::Signal;
use std::ffi::OsString;

/// The end of the help of those that the run is told of.
const EXIT_CODES: &str = "\
Exit codes:
  0  the run was told
  2  wrong usage, or it cannot be asked of this run; several runs and no --run
  5  the run does not answer
  6  there is no such run, or it ends";

/// What is asked of a run, and of which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteeringCommand {
    pub choice: RunChoice,
    pub what: Steering,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steering {
    Ps,
    Kill {
        /// The number of a slot, or a pid.
        worker: u32,
        signal: Signal,
    },
    Cancel {
        item: u64,
    },
    Scale(ScaleTo),
    Pause,
    Continue,
    Drain,
    Stop,
    Terminate,
    KillAll,
    Restart {
        /// The number of a slot, or a pid; `None`: all of them.
        worker: Option<u32>,
    },
    Add {
        /// Empty: those of stdin.
        items: Vec<OsString>,
        /// A NUL ends an item of stdin.
        null: bool,
    },
    Wait,
    Events,
}

/// A number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleTo {
    /// At least 1.
    Exactly(u32),
    /// So many more, or fewer.
    By(i64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parser::Typed;
    use crate::cli::subcommand::{Subcommand, named};

    fn typed(line: &str) -> Result<(Option<u32>, Steering), String> {
        let mut words = line.split_whitespace().map(OsString::from);
        let row = named(&words.next().unwrap()).unwrap();
        match (row.read)(&words.collect::<Vec<_>>()) {
            Ok(Typed::Flags(Subcommand::Steer(command))) => Ok((command.choice.run, command.what)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_subcommand_has_its_words() {
        for (line, what) in [
            ("ps", Steering::Ps),
            ("kill 3", Steering::Kill { worker: 3, signal: Signal::TERM }),
            ("kill 3 --signal KILL", Steering::Kill { worker: 3, signal: Signal::KILL }),
            ("kill -s 9 4123", Steering::Kill { worker: 4123, signal: Signal::KILL }),
            ("cancel 17", Steering::Cancel { item: 17 }),
            ("scale 4", Steering::Scale(ScaleTo::Exactly(4))),
            ("scale +2", Steering::Scale(ScaleTo::By(2))),
            ("scale -1", Steering::Scale(ScaleTo::By(-1))),
            ("pause", Steering::Pause),
            ("continue", Steering::Continue),
            ("drain", Steering::Drain),
            ("stop", Steering::Stop),
            ("stop --now", Steering::Terminate),
            ("stop --kill", Steering::KillAll),
            ("restart", Steering::Restart { worker: None }),
            ("restart 2", Steering::Restart { worker: Some(2) }),
            ("add a -- -b", Steering::Add { items: vec!["a".into(), "-b".into()], null: false }),
            ("add -0", Steering::Add { items: vec![], null: true }),
            ("wait", Steering::Wait),
            ("events --follow", Steering::Events),
        ] {
            assert_eq!(typed(line), Ok((None, what.clone())), "{line}");
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            assert_eq!(typed(&format!("{name} --run 7 {rest}")), Ok((Some(7), what)), "{line}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_does() {
        for (line, expected) in [
            ("kill", "WORKER"),
            ("kill x", "'x'"),
            ("kill 3 --signal NO", "NO"),
            ("kill 3 --signal 0", "\"0\""),
            ("cancel -- -1", "-1"),
            ("scale 0", "at least 1"),
            ("scale many", "+2"),
            ("scale +", "+2"),
            ("scale 99999999999", "+2"),
            ("stop --now --kill", "--kill"),
            ("events", "--follow"),
            ("pause 3", "3"),
            ("add -0 x", "--null"),
            ("ps --run x", "--run"),
        ] {
            let error = typed(line).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{line}: {error}");
        }
    }
}
