//! What the end of a command by itself means for its item: a table of exit codes and signals.
//!
//! Invariant: exit 0 is always done, and the end of a process that the run itself ended has no rule.

#![deny(missing_docs)]

use super::exit::ExitStatus;
use super::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The ends of commands that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExitMatch {
    /// The command exits with this code, which is not 0.
    Code(u8),
    /// This signal ends it, which the supervisor did not send. A core file makes no difference.
    Signal(Signal),
}

impl ExitMatch {
    /// If `status` is such an end.
    #[must_use]
    pub fn matches(self, status: ExitStatus) -> bool {
        match (self, status) {
            (Self::Code(wanted), ExitStatus::Code(code)) => wanted == code,
            (Self::Signal(wanted), ExitStatus::Signal { signal, .. }) => wanted == signal,
            _ => false,
        }
    }
}

/// `exit 3`, `signal 9 (KILL)`: as [`ExitStatus`] shows such an end.
impl fmt::Display for ExitMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What becomes of the item of such a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitRule {
    /// The cause is temporary: it is tried again, up to `Policy::hinted_retries` times where the run allows fewer.
    Retry,
    /// It fails at once, whatever the run allows.
    Fail,
    /// It is dead at once, whatever the run allows.
    Dead,
    /// It fails at once, and the run stops: no new items, and the running ones are ended.
    Halt,
}

impl ExitRule {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Retry, Self::Fail, Self::Dead, Self::Halt];

    /// The word for it on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Fail => "fail",
            Self::Dead => "dead",
            Self::Halt => "halt",
        }
    }
}

/// The rules of every run with a command per item, unless it has others (`sysexits(3)`): EX_TEMPFAIL is temporary, and
/// EX_DATAERR comes again with the same item.
pub(crate) const ORDINARY: [(ExitMatch, ExitRule); 2] =
    [(ExitMatch::Code(75), ExitRule::Retry), (ExitMatch::Code(65), ExitRule::Fail)];

/// The first rule for `status`.
#[must_use]
pub fn rule_for(rules: &[(ExitMatch, ExitRule)], status: ExitStatus) -> Option<ExitRule> {
    rules.iter().find(|(wanted, _)| wanted.matches(status)).map(|(_, rule)| *rule)
}

/// An end for which `rules` has two different rules, with the first two of them.
pub(crate) fn contradiction(rules: &[(ExitMatch, ExitRule)]) -> Option<(ExitMatch, [ExitRule; 2])> {
    rules.iter().enumerate().find_map(|(index, (wanted, rule))| {
        let other = rules[..index].iter().find(|(earlier, other)| earlier == wanted && other != rule)?;
        Some((*wanted, [other.1, *rule]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_for_an_exit_code_or_a_signal() {
        let rules = [(ExitMatch::Code(9), ExitRule::Dead), (ExitMatch::Signal(Signal::SEGV), ExitRule::Halt)];
        let signal = |signal| ExitStatus::Signal { signal, core_dumped: true };
        assert_eq!(rule_for(&rules, ExitStatus::Code(9)), Some(ExitRule::Dead));
        assert_eq!(rule_for(&rules, signal(Signal::SEGV)), Some(ExitRule::Halt));
        assert_eq!(rule_for(&rules, signal(Signal::KILL)), None, "signal 9 is not exit 9");
        assert_eq!(rule_for(&rules, ExitStatus::Code(11)), None);
        assert_eq!(rule_for(&rules, ExitStatus::Unknown), None);
        assert_eq!(rules[0].0.to_string(), ExitStatus::Code(9).to_string());
    }

    #[test]
    fn one_end_has_one_rule() {
        let (three, four) = (ExitMatch::Code(3), ExitMatch::Code(4));
        let rules = [(three, ExitRule::Fail), (four, ExitRule::Dead), (three, ExitRule::Fail)];
        assert_eq!(contradiction(&rules), None, "the same rule twice is no other one");
        let rules = [rules[0], rules[1], (four, ExitRule::Retry)];
        assert_eq!(contradiction(&rules), Some((four, [ExitRule::Dead, ExitRule::Retry])));
    }
}
