//! What a run writes, from the settings to the checked specification.
//!
//! Invariant: pure.

use super::builder::{ConfigBuilder, WorkerChoice};
use super::config::{Advice, Grouping, OutputMode, OutputSpec, ShowOutput, ShowWhen, SummaryMode};
use super::config_error::{ConfigError, Setting};
use super::setting_values::{first_set, is_set};
use super::spec::ProtocolKind;

impl ConfigBuilder {
    /// `demonstration`: the built-in worker runs on generated items.
    pub(super) fn output_spec(&self, demonstration: bool) -> Result<OutputSpec, ConfigError> {
        let mode = self.output.unwrap_or(if demonstration { OutputMode::Narrate } else { OutputMode::Results });
        // Without a text there is no tag, as in GNU parallel.
        let tag_text = self.tag_text.clone().filter(|text| !text.is_empty());
        let tag = is_set(self.tag) || tag_text.is_some();
        match mode {
            _ if tag && is_set(self.pipe) => return Err(ConfigError::PipeOfLines { setting: Setting::Tag }),
            _ if tag && self.block.is_some() => return Err(ConfigError::TagOfBlocks),
            OutputMode::Narrate | OutputMode::Json if tag => return Err(ConfigError::TagOfMode { mode }),
            _ => {}
        }
        if is_set(self.quiet) && self.shows_progress() {
            return Err(ConfigError::QuietProgress);
        }
        self.check_grouping(mode, tag)?;
        self.check_show(mode)?;
        Ok(OutputSpec {
            mode,
            tag,
            tag_text,
            grouping: self.grouping.unwrap_or_default(),
            verbose: is_set(self.verbose),
            dry_run: is_set(self.dry_run),
            events: self.events.clone(),
            joblog: self.joblog.clone(),
            dead_letters: self.dead_letters.clone(),
            show: self.show_output(),
            results: self.results.clone(),
            summary: self.summary.unwrap_or(if is_set(self.quiet) { SummaryMode::Never } else { SummaryMode::Auto }),
            progress: self.progress.unwrap_or_default(),
            quiet: is_set(self.quiet),
            worker_log: self.worker_log.clone().unwrap_or_default(),
            workers_why: self.host.cores_why.clone().filter(|_| self.workers == Some(self.host.cores)),
            advice: Advice {
                speaks_frames: matches!(self.worker, WorkerChoice::Program(_)) && self.text_protocol().is_none(),
                speaks_lines: self.text_protocol() == Some(ProtocolKind::Lines),
                task_by_default: self.is_built_in() && self.task.is_none() && !demonstration,
                has_terminal: is_set(self.terminal),
            },
        })
    }

    /// What is stored is shown only if that was asked for, as by GNU parallel.
    fn show_output(&self) -> ShowOutput {
        let is_stored = self.results.is_some() && self.output.is_none();
        let default = if is_stored { ShowWhen::Never } else { ShowWhen::Immediate };
        ShowOutput { success: self.success_output.unwrap_or(default), failure: self.failure_output.unwrap_or(default) }
    }

    fn check_show(&self, mode: OutputMode) -> Result<(), ConfigError> {
        let asked = first_set(&[
            (Setting::SuccessOutput, self.success_output.is_some()),
            (Setting::FailureOutput, self.failure_output.is_some()),
        ]);
        if let Some(setting) = asked.filter(|_| mode != OutputMode::Results) {
            return Err(ConfigError::ShowOfMode { setting, mode });
        }
        let Some(results) = &self.results else { return Ok(()) };
        if results.name.is_empty() {
            return Err(ConfigError::NoResultsName);
        }
        let (show, is_raw) = (self.show_output(), mode == OutputMode::Results);
        let on_stdout = first_set(&[
            (Setting::SuccessOutput, self.success_output.is_some() && is_raw && show.success.is_immediate()),
            (Setting::FailureOutput, self.failure_output.is_some() && is_raw && show.failure.is_immediate()),
            (Setting::Output, self.output.is_some() && mode != OutputMode::None),
        ]);
        let setting = on_stdout.filter(|_| results.is_on_stdout());
        setting.map_or(Ok(()), |setting| Err(ConfigError::ResultsOnStdout { setting }))
    }

    /// Refuses what needs the whole output of a command, where that leaves earlier.
    fn check_grouping(&self, mode: OutputMode, tag: bool) -> Result<(), ConfigError> {
        let needs_whole = match self.grouping.unwrap_or_default() {
            Grouping::Item => None,
            Grouping::Line => first_set(&[
                (Setting::Output, matches!(mode, OutputMode::Narrate | OutputMode::Json)),
                (Setting::SuccessOutput, self.success_output.is_some_and(|when| when != ShowWhen::Immediate)),
                (Setting::FailureOutput, self.failure_output.is_some_and(|when| when != ShowWhen::Immediate)),
                (Setting::Results, self.results.is_some()),
            ]),
            Grouping::None => first_set(&[
                (Setting::Output, mode != OutputMode::Results),
                (Setting::Tag, tag),
                (Setting::KeepOrder, is_set(self.keep_order)),
                (Setting::SuccessOutput, self.success_output.is_some_and(|when| when != ShowWhen::Immediate)),
                (Setting::FailureOutput, self.failure_output.is_some_and(|when| when != ShowWhen::Immediate)),
                (Setting::Results, self.results.is_some()),
            ]),
        };
        needs_whole.map_or(Ok(()), |setting| Err(ConfigError::EarlyOutput { setting }))
    }
}
