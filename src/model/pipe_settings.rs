//! What `pipe` and its settings make of an input: blocks of records.
//!
//! Invariant: pure, as all of `defaults`.

use super::builder::ConfigBuilder;
use super::config::RecordSplit;
use super::config_error::{ConfigError, Setting};
use super::exit_rule::{ExitMatch, ExitRule};
use super::setting_values::{first_set, is_set};
use super::spec::QueueOrder;

/// GNU parallel's.
const BLOCK_BYTES: u64 = 1 << 20;

impl ConfigBuilder {
    /// How an input is cut with `pipe`; `None` without it.
    ///
    /// # Errors
    /// A setting is for `pipe`, which is not set, or for items that are lines.
    pub(super) fn records(&self) -> Result<Option<RecordSplit>, ConfigError> {
        if !is_set(self.pipe) {
            return Ok(None);
        }
        let of_lines = first_set(&[
            (Setting::Delimiter, self.delimiter.is_some()),
            (Setting::PriorityQueue, self.queue == Some(QueueOrder::Priority)),
        ]);
        if let Some(setting) = of_lines {
            return Err(ConfigError::PipeOfLines { setting });
        }
        let (start, end) = (self.record_start.clone(), self.record_end.clone());
        let end = end.unwrap_or_else(|| if start.is_some() { Vec::new() } else { b"\n".to_vec() });
        let block_bytes = self.block.unwrap_or(BLOCK_BYTES);
        Ok(Some(RecordSplit { block_bytes, start: start.unwrap_or_default(), end }))
    }

    /// Refuses what says how `pipe` cuts, without it.
    pub(super) fn check_records(&self) -> Result<(), ConfigError> {
        let of_records = first_set(&[
            (Setting::RoundRobin, is_set(self.round_robin)),
            (Setting::RecordStart, self.record_start.is_some()),
            (Setting::RecordEnd, self.record_end.is_some()),
        ]);
        match of_records {
            Some(setting) if !is_set(self.pipe) => Err(ConfigError::NeedsPipe { setting }),
            _ if is_set(self.round_robin) => self.check_round_robin(),
            _ => Ok(()),
        }
    }

    /// What a command has got is got by no other one.
    fn check_round_robin(&self) -> Result<(), ConfigError> {
        let again = |(_, rule): &(ExitMatch, ExitRule)| *rule == ExitRule::Retry;
        let second = first_set(&[
            (Setting::Retries, self.retries.is_some_and(|retries| retries > 0)),
            (Setting::CrashLimit, self.crash_limit.is_some_and(|limit| limit > 1)),
            (Setting::KillLimit, self.kill_limit.is_some_and(|limit| limit != Some(1))),
            (Setting::ExitRules, self.exit_rules.iter().flatten().any(again)),
            (Setting::WorkersFile, self.workers_file.is_some()),
            (Setting::WorkersMax, self.workers_max.is_some()),
        ]);
        second.map_or(Ok(()), |setting| Err(ConfigError::OneCommandPerSlot { setting }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::Host;
    use super::super::config::{Config, InputSpec, SourceSpec, Split, WorkerSpec};
    use super::*;

    fn builder() -> ConfigBuilder {
        ConfigBuilder::new(Host { cores: 8, cores_why: None, seed: 7, run_id: "run".into() })
    }

    fn piped() -> ConfigBuilder {
        builder().command(["wc"]).pipe(true)
    }

    fn split(config: &Config) -> &RecordSplit {
        match &config.source {
            SourceSpec::Lines { split: Split::Records(records), .. } => records,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_end_with_a_newline_unless_something_else_is_said() {
        let records = |builder: ConfigBuilder| {
            let config = builder.build().unwrap();
            let found = split(&config);
            (found.block_bytes, String::from_utf8(found.start.clone()), String::from_utf8(found.end.clone()))
        };
        let text = |text: &str| Ok(text.to_owned());
        assert_eq!(records(piped()), (1 << 20, text(""), text("\n")));
        assert_eq!(records(piped().block(7).record_start(">")), (7, text(">"), text("")));
        assert_eq!(records(piped().record_end("--")), (1 << 20, text(""), text("--")));
        assert_eq!(records(piped().record_start("<").record_end(">")), (1 << 20, text("<"), text(">")));
        assert_eq!(records(piped().record_end("")), (1 << 20, text(""), text("")));
    }

    #[test]
    fn a_command_gets_its_block_on_stdin_and_nowhere_else() {
        let config = piped().input(InputSpec::File("in".into())).workers(3).build().unwrap();
        let WorkerSpec::Exec(spec) = &config.worker else { panic!("{:?}", config.worker) };
        assert!(spec.stdin && spec.insertion.hides_item);
        assert_eq!((config.policy.queue_items_max, config.policy.batch_max), (8, 1), "blocks are large");
    }

    #[test]
    fn what_makes_no_sense_with_pipe_is_refused() {
        let check = |builder: ConfigBuilder, expected| assert_eq!(builder.build(), Err(expected));
        check(builder().command(["wc"]).record_end("x"), ConfigError::NeedsPipe { setting: Setting::RecordEnd });
        check(builder().command(["wc"]).record_start("x"), ConfigError::NeedsPipe { setting: Setting::RecordStart });
        let setting = Setting::RoundRobin;
        check(builder().command(["wc"]).round_robin(true), ConfigError::NeedsPipe { setting });
        let shared = || piped().round_robin(true);
        check(shared().retries(1), ConfigError::OneCommandPerSlot { setting: Setting::Retries });
        check(shared().kill_limit(None), ConfigError::OneCommandPerSlot { setting: Setting::KillLimit });
        let rules = vec![(ExitMatch::Code(3), ExitRule::Retry)];
        check(shared().exit_rules(rules), ConfigError::OneCommandPerSlot { setting: Setting::ExitRules });
        let policy = shared().build().unwrap().policy;
        assert_eq!((policy.hinted_retries, policy.crash_limit, policy.kill_limit), (0, 1, Some(1)));
        check(builder().pipe(true), ConfigError::NeedsCommand { setting: Setting::Pipe });
        check(builder().worker_program(["w"]).pipe(true), ConfigError::NeedsCommand { setting: Setting::Pipe });
        check(piped().items(["a"]), ConfigError::NeedsInput { setting: Setting::Pipe });
        check(piped().delimiter(Some(0)), ConfigError::PipeOfLines { setting: Setting::Delimiter });
        check(piped().queue(QueueOrder::Priority), ConfigError::PipeOfLines { setting: Setting::PriorityQueue });
        check(piped().tag(true), ConfigError::PipeOfLines { setting: Setting::Tag });
        check(piped().block(0), ConfigError::BlockBytes);
        let arrangement = super::super::arrangement::Arrangement { records_max: Some(2), ..Default::default() };
        let (setting, other) = (Setting::RecordsMax, Setting::Pipe);
        check(piped().arrangement(arrangement), ConfigError::ArrangedAsRead { setting, other });
    }
}
