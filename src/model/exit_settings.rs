//! The rules for the ends of commands, from the setting to the policy.
//!
//! Invariant: pure.

use super::builder::ConfigBuilder;
use super::config_error::ConfigError;
use super::exit_rule::{self, ExitMatch, ExitRule};
use super::setting_values::is_set;

impl ConfigBuilder {
    /// An end of a command has one rule, and it is no success.
    pub(super) fn check_exit_rules(&self) -> Result<(), ConfigError> {
        let rules = self.exit_rules.as_deref().unwrap_or_default();
        let is_possible = |status: ExitMatch| match status {
            ExitMatch::Code(code) => code > 0,
            ExitMatch::Signal(signal) => signal.is_known(),
        };
        if let Some((status, _)) = rules.iter().find(|(status, _)| !is_possible(*status)) {
            return Err(ConfigError::NoExitRule { status: *status });
        }
        match exit_rule::contradiction(rules) {
            Some((status, rules)) => Err(ConfigError::TwoExitRules { status, rules }),
            None => Ok(()),
        }
    }

    /// Those that were set, then the ordinary ones: the first rule for an end counts.
    pub(super) fn rules_of_exits(&self) -> Vec<(ExitMatch, ExitRule)> {
        if !self.is_per_item() {
            return Vec::new();
        }
        let mut rules = self.exit_rules.clone().unwrap_or_default();
        if !is_set(self.no_ordinary_exits) {
            rules.extend(exit_rule::ORDINARY);
        }
        rules
    }
}
