//! The settings of the builder that an error can name.

#![deny(missing_docs)]

use std::fmt;

/// A method of [`ConfigBuilder`](super::builder::ConfigBuilder), as an error names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// [`task`](super::builder::ConfigBuilder::task).
    Task,
    /// [`delay`](super::builder::ConfigBuilder::delay).
    Delay,
    /// [`threads`](super::builder::ConfigBuilder::threads).
    Threads,
    /// [`transport`](super::builder::ConfigBuilder::transport).
    Transport,
    /// [`spin`](super::builder::ConfigBuilder::spin).
    Spin,
    /// [`spool`](super::builder::ConfigBuilder::spool).
    Spool,
    /// [`wait_ready`](super::builder::ConfigBuilder::wait_ready).
    WaitReady,
    /// [`json_fd`](super::builder::ConfigBuilder::json_fd).
    JsonFd,
    /// [`credit`](super::builder::ConfigBuilder::credit).
    Credit,
    /// [`batch_max`](super::builder::ConfigBuilder::batch_max).
    BatchMax,
    /// [`restart`](super::builder::ConfigBuilder::restart).
    Restart,
    /// [`strategy`](super::builder::ConfigBuilder::strategy).
    Strategy,
    /// [`shell`](super::builder::ConfigBuilder::shell).
    Shell,
    /// [`quoting_shell`](super::builder::ConfigBuilder::quoting_shell).
    QuotingShell,
    /// [`stdin`](super::builder::ConfigBuilder::stdin).
    Stdin,
    /// [`merge`](super::builder::ConfigBuilder::merge).
    Merge,
    /// [`item_tmp`](super::builder::ConfigBuilder::item_tmp).
    ItemTmp,
    /// [`pass_fds`](super::builder::ConfigBuilder::pass_fds).
    PassFds,
    /// [`workdir`](super::builder::ConfigBuilder::workdir).
    Workdir,
    /// [`variables`](super::builder::ConfigBuilder::variables).
    Variables,
    /// [`nice`](super::builder::ConfigBuilder::nice).
    Nice,
    /// [`leftovers`](super::builder::ConfigBuilder::leftovers).
    Leftovers,
    /// [`exit_rules`](super::builder::ConfigBuilder::exit_rules).
    ExitRules,
    /// [`terminal`](super::builder::ConfigBuilder::terminal).
    Terminal,
    /// [`pty`](super::builder::ConfigBuilder::pty).
    Pty,
    /// [`interactive`](super::builder::ConfigBuilder::interactive).
    Interactive,
    /// [`timeout`](super::builder::ConfigBuilder::timeout).
    Timeout,
    /// [`timeout_percent`](super::builder::ConfigBuilder::timeout_percent).
    TimeoutPercent,
    /// [`workers_max`](super::builder::ConfigBuilder::workers_max).
    WorkersMax,
    /// [`load_max`](super::builder::ConfigBuilder::load_max).
    LoadMax,
    /// [`suspend_free_bytes`](super::builder::ConfigBuilder::suspend_free_bytes).
    SuspendFreeBytes,
    /// [`crash_limit`](super::builder::ConfigBuilder::crash_limit).
    CrashLimit,
    /// [`kill_limit`](super::builder::ConfigBuilder::kill_limit).
    KillLimit,
    /// [`delimiter`](super::builder::ConfigBuilder::delimiter).
    Delimiter,
    /// [`block`](super::builder::ConfigBuilder::block).
    Block,
    /// [`pipe`](super::builder::ConfigBuilder::pipe).
    Pipe,
    /// [`round_robin`](super::builder::ConfigBuilder::round_robin).
    RoundRobin,
    /// [`retries`](super::builder::ConfigBuilder::retries).
    Retries,
    /// [`workers_file`](super::builder::ConfigBuilder::workers_file).
    WorkersFile,
    /// [`record_start`](super::builder::ConfigBuilder::record_start).
    RecordStart,
    /// [`record_end`](super::builder::ConfigBuilder::record_end).
    RecordEnd,
    /// `queue`, set to priority.
    PriorityQueue,
    /// [`grouping`](super::builder::ConfigBuilder::grouping).
    Grouping,
    /// [`tag`](super::builder::ConfigBuilder::tag).
    Tag,
    /// [`success_output`](super::builder::ConfigBuilder::success_output).
    SuccessOutput,
    /// [`failure_output`](super::builder::ConfigBuilder::failure_output).
    FailureOutput,
    /// [`results`](super::builder::ConfigBuilder::results).
    Results,
    /// [`keep_order`](super::builder::ConfigBuilder::keep_order).
    KeepOrder,
    /// [`output`](super::builder::ConfigBuilder::output).
    Output,
    /// [`workers`](super::builder::ConfigBuilder::workers).
    Workers,
    /// [`threads_per_worker`](super::builder::ConfigBuilder::threads_per_worker).
    ThreadsPerWorker,
    /// [`queue_items_max`](super::builder::ConfigBuilder::queue_items_max).
    QueueItemsMax,
    /// [`dead_max`](super::builder::ConfigBuilder::dead_max).
    DeadMax,
    /// [`run_timeout`](super::builder::ConfigBuilder::run_timeout).
    RunTimeout,
    /// [`intensity`](super::builder::ConfigBuilder::intensity).
    Intensity,
    /// [`halt`](super::builder::ConfigBuilder::halt).
    Halt,
    /// More than one input.
    Inputs,
    /// `columns` of [`arrangement`](super::builder::ConfigBuilder::arrangement).
    Columns,
    /// `names` of the arrangement.
    Names,
    /// `records_max` of the arrangement.
    RecordsMax,
    /// `lines_max` of the arrangement.
    LinesMax,
    /// `fill` of the arrangement.
    LineFill,
    /// `line_bytes_max` of the arrangement.
    LineBytesMax,
    /// `replace` of the arrangement.
    Replace,
    /// `end_of_file` of the arrangement.
    EndOfFile,
    /// `skips_blank` of the arrangement.
    SkipsBlank,
    /// `shuffles` of the arrangement.
    Shuffles,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Delay => "delay",
            Self::Threads => "threads",
            Self::Transport => "transport",
            Self::Spin => "spin",
            Self::Spool => "spool",
            Self::WaitReady => "wait_ready",
            Self::JsonFd => "json_fd",
            Self::Credit => "credit",
            Self::BatchMax => "batch_max",
            Self::Restart => "restart",
            Self::Strategy => "strategy",
            Self::Shell => "shell",
            Self::QuotingShell => "quoting_shell",
            Self::Stdin => "stdin",
            Self::Merge => "merge",
            Self::ItemTmp => "item_tmp",
            Self::PassFds => "pass_fds",
            Self::Workdir => "workdir",
            Self::Variables => "variables",
            Self::Nice => "nice",
            Self::Leftovers => "leftovers",
            Self::ExitRules => "exit_rules",
            Self::Terminal => "terminal",
            Self::Pty => "pty",
            Self::Interactive => "interactive",
            Self::Timeout => "timeout",
            Self::TimeoutPercent => "timeout_percent",
            Self::WorkersMax => "workers_max",
            Self::LoadMax => "load_max",
            Self::SuspendFreeBytes => "suspend_free_bytes",
            Self::CrashLimit => "crash_limit",
            Self::KillLimit => "kill_limit",
            Self::Delimiter => "delimiter",
            Self::Block => "block",
            Self::Pipe => "pipe",
            Self::RoundRobin => "round_robin",
            Self::Retries => "retries",
            Self::WorkersFile => "workers_file",
            Self::RecordStart => "record_start",
            Self::RecordEnd => "record_end",
            Self::PriorityQueue => "queue",
            Self::Grouping => "grouping",
            Self::Tag => "tag",
            Self::SuccessOutput => "success_output",
            Self::FailureOutput => "failure_output",
            Self::Results => "results",
            Self::KeepOrder => "keep_order",
            Self::Output => "output",
            Self::Workers => "workers",
            Self::ThreadsPerWorker => "threads_per_worker",
            Self::QueueItemsMax => "queue_items_max",
            Self::DeadMax => "dead_max",
            Self::RunTimeout => "run_timeout",
            Self::Intensity => "intensity",
            Self::Halt => "halt",
            Self::Inputs => "several inputs",
            Self::Columns => "columns",
            Self::Names => "names",
            Self::RecordsMax => "records_max",
            Self::LinesMax => "lines_max",
            Self::LineFill => "fill",
            Self::LineBytesMax => "line_bytes_max",
            Self::Replace => "replace",
            Self::EndOfFile => "end_of_file",
            Self::SkipsBlank => "skips_blank",
            Self::Shuffles => "shuffles",
        })
    }
}
