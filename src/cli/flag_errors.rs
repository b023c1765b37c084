//! What an error of a configuration says of the flags that made it.

use super::args::Flags;
use super::error::UsageError;
use crate::model::config::OutputMode;
use crate::model::config_error::{ConfigError, Setting};
use crate::model::spec::TASKS;

/// The error of the settings, with the flags that were typed.
pub fn usage_error(error: ConfigError, flags: &Flags) -> UsageError {
    let flag = |setting| flag(setting, flags);
    match error {
        ConfigError::NeedsBuiltIn { setting } => UsageError::NeedsBuiltIn { flag: flag(setting) },
        ConfigError::NeedsResident { setting } => UsageError::NeedsFrames { flag: flag(setting) },
        ConfigError::NeedsCommand { setting } => UsageError::NeedsExec { flag: flag(setting) },
        ConfigError::NeedsText { setting } => UsageError::NeedsText { flag: flag(setting) },
        ConfigError::OtherWay { setting } => UsageError::OtherWay { flag: flag(setting) },
        ConfigError::NeedsProcesses { setting } => UsageError::NeedsProcesses { flag: flag(setting) },
        ConfigError::NeedsTransport { setting, transport } => {
            UsageError::NeedsTransport { flag: flag(setting), transport: transport.name() }
        }
        ConfigError::NeedsProtocol { setting, protocol } => {
            UsageError::NeedsProtocol { flag: flag(setting), protocol: protocol.name() }
        }
        ConfigError::FramesOnly { transport, protocol } => {
            UsageError::FramesOnly { transport: transport.name(), protocol: protocol.name() }
        }
        ConfigError::BlockOfLines => UsageError::BlockOfLines,
        ConfigError::NeedsInput { setting } => UsageError::NeedsLines { flag: flag(setting) },
        ConfigError::NoDelimiter => UsageError::NoDelimiter,
        ConfigError::BlockPriority => UsageError::BlockPriority,
        ConfigError::BlockBatchMax => UsageError::BlockBatchMax,
        ConfigError::NeedsPipe { setting } => UsageError::NeedsPipe { flag: flag(setting) },
        ConfigError::OneCommandPerSlot { setting } => UsageError::OneCommandPerSlot { flag: flag(setting) },
        ConfigError::PipeOfLines { setting } => UsageError::PipeOfLines { flag: flag(setting) },
        ConfigError::TagOfBlocks => UsageError::TagOfBlocks,
        ConfigError::ShowOfMode { setting, .. } => UsageError::ShowOfMode { flag: flag(setting) },
        ConfigError::NoResultsName => UsageError::NoResultsName,
        ConfigError::ResultsOnStdout { setting } => UsageError::ResultsOnStdout { flag: flag(setting) },
        ConfigError::EarlyOutput { setting } => {
            UsageError::EarlyOutput { grouping: flag(Setting::Grouping), flag: flag(setting) }
        }
        ConfigError::PassedStandard { fd } => UsageError::PassedStandard { fd },
        ConfigError::OwnVariable { name } => UsageError::OwnVariable { name },
        ConfigError::ArrangedAsRead { setting, other } => {
            UsageError::ArrangedAsRead { flag: flag(setting), other: flag(other) }
        }
        ConfigError::ListToStdin { setting } => UsageError::ListToStdin { flag: flag(setting) },
        ConfigError::StdinTwice => UsageError::StdinTwice,
        ConfigError::TwoExitRules { status, rules } => UsageError::TwoExitRules { status, rules },
        ConfigError::NothingStarted { setting } => UsageError::NothingStarted { flag: flag(setting) },
        ConfigError::TwoTerminals => UsageError::TwoTerminals,
        ConfigError::TerminalWorkers => UsageError::TtyWorkers,
        ConfigError::TagOfMode { mode: OutputMode::Narrate } => UsageError::NeedsResults { mode: "narrate" },
        ConfigError::TagOfMode { mode: OutputMode::Json } => UsageError::NeedsResults { mode: "json" },
        ConfigError::NoWorkdir => UsageError::NoWorkdir,
        ConfigError::QuietSummary => UsageError::QuietSummary,
        error => other_usage_error(error, flag),
    }
}

/// The same of what is left.
fn other_usage_error(error: ConfigError, flag: impl Fn(Setting) -> &'static str) -> UsageError {
    match error {
        ConfigError::QueueAlone { setting } => UsageError::QueueAlone { flag: flag(setting) },
        ConfigError::QueueByItem => UsageError::QueueByItem,
        ConfigError::QueueOfNone => UsageError::NeedsJournal { flag: "--keep-open" },
        ConfigError::WorkersMaxOfFile => UsageError::JobsMaxOfFile,
        ConfigError::WorkersAboveMax { workers, max } => UsageError::JobsAboveMax { workers, max },
        ConfigError::QuietProgress => UsageError::QuietProgress,
        ConfigError::TerminalProgress => UsageError::TtyProgress,
        ConfigError::TraceItems => UsageError::TraceItems,
        ConfigError::UnknownTask { task } => UsageError::NoTask { task, known: TASKS.join(", ") },
        error => UsageError::Settings(error),
    }
}

/// The flag that makes a setting, as typed.
const fn flag(setting: Setting, flags: &Flags) -> &'static str {
    match setting {
        Setting::Delimiter if flags.null => "--null",
        Setting::Grouping if flags.line_buffer => "--line-buffer",
        Setting::Tag if flags.tagstring.is_some() => "--tagstring",
        Setting::SuccessOutput if flags.success_output.is_some() => "--success-output",
        Setting::FailureOutput if flags.failure_output.is_some() => "--failure-output",
        Setting::Columns if flags.csv => "--csv",
        Setting::LineFill if flags.repeat_words => "-X",
        _ => usual_flag(setting),
    }
}

/// The flag that makes a setting, in its first spelling.
const fn usual_flag(setting: Setting) -> &'static str {
    match setting {
        Setting::Task => "--task",
        Setting::Delay => "--delay",
        Setting::Threads => "--isolation thread",
        Setting::Transport => "--transport",
        Setting::Spin => "--spin",
        Setting::Spool => "--spool",
        Setting::WaitReady => "--wait-ready",
        Setting::JsonFd => "--json-fd",
        Setting::Credit => "--credit",
        Setting::BatchMax => "--batch-max",
        Setting::Restart => "--restart",
        Setting::Strategy => "--strategy",
        Setting::Shell | Setting::QuotingShell => "--shell",
        Setting::Stdin => "--stdin",
        Setting::Merge => "--merge",
        Setting::ItemTmp => "--item-tmp",
        Setting::Terminal => "--tty",
        Setting::ExitRules => "--on",
        Setting::PassFds => "--pass-fd",
        Setting::Workdir => "--workdir",
        Setting::Variables => "--env",
        Setting::Nice => "--nice",
        Setting::Leftovers => "--leftovers",
        Setting::Pty => "--pty",
        Setting::Interactive => "--interactive",
        Setting::Timeout => "--timeout",
        Setting::TimeoutPercent => "--timeout N%",
        Setting::WorkersMax => "--jobs-max",
        Setting::LoadMax => "--load",
        Setting::SuspendFreeBytes => "--memsuspend",
        Setting::CrashLimit => "--crash-limit",
        Setting::KillLimit => "--kill-limit",
        Setting::Delimiter => "--delimiter",
        Setting::Block => "--block",
        Setting::Pipe => "--pipe",
        Setting::RoundRobin => "--round-robin",
        Setting::Retries => "--retries",
        Setting::WorkersFile => "--workers FILE",
        Setting::RecordStart => "--recstart",
        Setting::RecordEnd => "--recend",
        Setting::PriorityQueue => "--queue priority",
        Setting::Grouping => "--ungroup",
        Setting::Tag => "--tag",
        Setting::SuccessOutput | Setting::FailureOutput => "--show",
        Setting::Results => "--results",
        Setting::Journal => "--journal",
        Setting::KeepOrder => "--keep-order",
        Setting::Output => "--output",
        Setting::Workers => "--workers",
        Setting::ThreadsPerWorker => "--threads-per-worker",
        Setting::QueueItemsMax => "--queue-items-max",
        Setting::DeadMax => "--max-dead",
        Setting::RunTimeout => "--run-timeout",
        Setting::Intensity => "--max-restarts",
        Setting::Halt => "--halt",
        Setting::Inputs => "a second input",
        Setting::Columns => "--colsep",
        Setting::Names => "--header",
        Setting::RecordsMax => "--max-args",
        Setting::LinesMax => "-L",
        Setting::LineFill => "-m",
        Setting::LineBytesMax => "--max-chars",
        Setting::Replace => "-I",
        Setting::EndOfFile => "-E",
        Setting::SkipsBlank => "--no-run-if-empty",
        Setting::Shuffles => "--shuf",
    }
}
