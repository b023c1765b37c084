//! The settings of the builder that an error can name.

#![deny(missing_docs)]

use std::fmt;

/// The settings, each with the name that errors show: that of its method of
/// [`ConfigBuilder`](super::builder::ConfigBuilder), where it has one.
macro_rules! settings {
    ($($setting:ident => $name:literal,)*) => {
        /// A setting of [`ConfigBuilder`](super::builder::ConfigBuilder), as an error names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Setting {
            $(
                #[doc = concat!("`", $name, "`.")]
                $setting,
            )*
        }

        impl fmt::Display for Setting {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$setting => $name,)*
                })
            }
        }
    };
}

settings! {
    Task => "task",
    Delay => "delay",
    Threads => "threads",
    Transport => "transport",
    Spin => "spin",
    Spool => "spool",
    WaitReady => "wait_ready",
    JsonFd => "json_fd",
    Credit => "credit",
    BatchMax => "batch_max",
    Restart => "restart",
    Strategy => "strategy",
    Shell => "shell",
    QuotingShell => "quoting_shell",
    Stdin => "stdin",
    Merge => "merge",
    ItemTmp => "item_tmp",
    PassFds => "pass_fds",
    Workdir => "workdir",
    Variables => "variables",
    Nice => "nice",
    Leftovers => "leftovers",
    ExitRules => "exit_rules",
    Terminal => "terminal",
    Pty => "pty",
    Interactive => "interactive",
    Timeout => "timeout",
    TimeoutPercent => "timeout_percent",
    WorkersMax => "workers_max",
    LoadMax => "load_max",
    SuspendFreeBytes => "suspend_free_bytes",
    CrashLimit => "crash_limit",
    KillLimit => "kill_limit",
    Delimiter => "delimiter",
    Block => "block",
    Pipe => "pipe",
    RoundRobin => "round_robin",
    Retries => "retries",
    WorkersFile => "workers_file",
    RecordStart => "record_start",
    RecordEnd => "record_end",
    PriorityQueue => "queue",
    Grouping => "grouping",
    Tag => "tag",
    SuccessOutput => "success_output",
    FailureOutput => "failure_output",
    Results => "results",
    Journal => "journal",
    KeepOrder => "keep_order",
    Output => "output",
    Workers => "workers",
    ThreadsPerWorker => "threads_per_worker",
    QueueItemsMax => "queue_items_max",
    DeadMax => "dead_max",
    RunTimeout => "run_timeout",
    Intensity => "intensity",
    Halt => "halt",
    Inputs => "several inputs",
    Columns => "columns",
    Names => "names",
    RecordsMax => "records_max",
    LinesMax => "lines_max",
    LineFill => "fill",
    LineBytesMax => "line_bytes_max",
    Replace => "replace",
    EndOfFile => "end_of_file",
    SkipsBlank => "skips_blank",
    Shuffles => "shuffles",
}
