//! The options of GNU parallel, and what each is here.
//!
//! The names are those of version 20221122. Invariant: no option is ignored silently: what has no counterpart is refused by
//! its name.

use super::resume::Resumption;

/// If a value follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    Value,
}

/// What an option of GNU parallel is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// This flag, with the same value.
    Flag(&'static str),
    /// Always so.
    AlwaysSo,
    /// It changes what is done with the other words.
    Own(Own),
    /// It is not here; the text completes "... is not here: ".
    Refused(&'static str),
}

/// An option that is more than a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Help,
    Version,
    /// Words of the command are read by no shell.
    Quote,
    Jobs,
    Halt,
    Retries,
    /// Commands are printed to stderr.
    Verbose,
    /// The state of the run is shown on stderr.
    Progress,
    Plain,
    Profile,
    KeepOrder,
    NoKeepOrder,
    ArgSep,
    /// All inputs go together one by one.
    Link,
    SlotVariable,
    /// A script is printed as a quoted word.
    ShellQuote,
    JobLog,
    Resume(Resumption),
}

/// An option by its names, without dashes, separated by `|`.
pub struct ParallelOption {
    pub names: &'static str,
    pub takes: Takes,
    pub meaning: Meaning,
}

impl ParallelOption {
    /// Its first name as it is typed.
    pub fn shown(&self) -> String {
        let name = self.names.split('|').next().unwrap_or_default();
        if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") }
    }
}

use Meaning::{AlwaysSo, Flag, Refused};
use Takes::{Nothing, Value};

const fn row(names: &'static str, takes: Takes, meaning: Meaning) -> ParallelOption {
    ParallelOption { names, takes, meaning }
}

const REMOTE: &str = "commands run on this machine";
const SEMAPHORE: &str = "a counting semaphore is supervisor sem";
const PERL: &str = "there is no Perl in it";

/// Every option.
pub const OPTIONS: &[ParallelOption] = &[
    // Items and their arguments.
    row("arg-file|argfile|a", Value, Flag("--arg-file")),
    row("null|0", Nothing, Flag("--null")),
    row("delimiter|d", Value, Flag("--delimiter")),
    row("col-sep|colsep|C", Value, Flag("--colsep")),
    row("csv", Nothing, Flag("--csv")),
    row("header", Value, Flag("--header")),
    row("max-args|maxargs|n", Value, Flag("--max-args")),
    row("max-replace-args|maxreplaceargs|N", Value, Flag("--max-args")),
    row("L", Value, Flag("-L")),
    row("X", Nothing, Flag("-X")),
    row("m", Nothing, Flag("-m")),
    row("max-chars|maxchars|s", Value, Flag("--max-chars")),
    row("I", Value, Flag("-I")),
    row("E", Value, Flag("-E")),
    row("no-run-if-empty|norunifempty|r", Nothing, Flag("--no-run-if-empty")),
    row("shuf", Nothing, Flag("--shuf")),
    row("arg-sep|argsep", Value, Meaning::Own(Own::ArgSep)),
    row("quote|q", Nothing, Meaning::Own(Own::Quote)),
    row("xargs", Nothing, Refused("-m and -X fill command lines, and supervisor xargs is xargs")),
    row("link|xapply", Nothing, Meaning::Own(Own::Link)),
    row("replace|i", Nothing, Refused("use -I")),
    row("eof|e", Nothing, Refused("use -E")),
    row("max-lines|maxlines|l", Nothing, Refused("use -L")),
    row("arg-file-sep|argfilesep", Value, Refused("files are behind :::: or -a")),
    row("trim", Value, Refused("blanks stay, except around columns")),
    row("exit|x", Nothing, Refused("an item that is too long fails alone")),
    row("skip-first-line|skipfirstline", Nothing, Refused("use tail -n +2, or --header :")),
    row("filter", Value, Refused(PERL)),
    row("rpl", Value, Refused(PERL)),
    row("parens", Value, Refused(PERL)),
    row("plus", Nothing, Refused("{} {.} {/} {//} {/.} {#} {%} and their kin are here")),
    row("extensionreplace|er", Value, Refused("use {.}")),
    row("basenamereplace|bnr", Value, Refused("use {/}")),
    row("dirnamereplace|dnr", Value, Refused("use {//}")),
    row("basenameextensionreplace|bner", Value, Refused("use {/.}")),
    row("seqreplace", Value, Refused("use {#}")),
    row("slotreplace", Value, Refused("use {%}")),
    row("template|tmpl", Value, Refused("files are no templates here")),
    row("total-jobs|totaljobs|total", Value, Refused("the total is counted")),
    // Slots and pace.
    row("jobs|j", Value, Meaning::Own(Own::Jobs)),
    row("max-procs|maxprocs|P", Value, Meaning::Own(Own::Jobs)),
    row("delay", Value, Flag("--start-delay")),
    row("load", Value, Flag("--load")),
    row("memfree", Value, Flag("--memfree")),
    row("memsuspend", Value, Flag("--memsuspend")),
    row("limit", Value, Flag("--limit")),
    row("nice", Value, Flag("--nice")),
    // Failures.
    row("halt-on-error|haltonerror|halt", Value, Meaning::Own(Own::Halt)),
    row("retries", Value, Meaning::Own(Own::Retries)),
    row("timeout", Value, Flag("--timeout")),
    row("term-seq|termseq", Value, Flag("--term-seq")),
    // Output.
    row("keep-order|keeporder|k", Nothing, Meaning::Own(Own::KeepOrder)),
    row("no-keep-order|nokeeporder|nok|no-k", Nothing, Meaning::Own(Own::NoKeepOrder)),
    row("tag", Nothing, Flag("--tag")),
    row("tag-string|tagstring", Value, Flag("--tagstring")),
    row("group", Nothing, AlwaysSo),
    row("ungroup|u", Nothing, Flag("--ungroup")),
    row("line-buffer|line-buffered|linebuffer|linebuffered|lb", Nothing, Flag("--line-buffer")),
    row("results|result|res", Value, Flag("--results")),
    row("progress", Nothing, Meaning::Own(Own::Progress)),
    row("eta", Nothing, Meaning::Own(Own::Progress)),
    row("bar", Nothing, Meaning::Own(Own::Progress)),
    row("joblog|jl", Value, Meaning::Own(Own::JobLog)),
    row("dry-run|dryrun|dr", Nothing, Flag("--dry-run")),
    row("verbose|t", Nothing, Meaning::Own(Own::Verbose)),
    row("v", Nothing, Refused("-t prints each command, on stderr")),
    row("silent", Nothing, AlwaysSo),
    row("latest-line|latestline|ll", Nothing, Refused("USR1 shows what runs")),
    row("ctag", Nothing, Refused("use --tag")),
    row("ctag-string|ctagstring", Value, Refused("use --tagstring")),
    row("color|colour", Nothing, Refused("results have no colours")),
    row(
        "color-failed|colour-failed|colorfailed|colourfailed|color-fail|colour-fail|cf",
        Nothing,
        Refused("results have no colours"),
    ),
    row("output-as-files|outputasfiles|files", Nothing, Refused("--results DIR keeps the output in files")),
    row("compress", Nothing, Refused("temporary files are not compressed")),
    row("use-compress-program|compress-program|compressprogram", Value, Refused("temporary files are not compressed")),
    row(
        "use-decompress-program|decompress-program|decompressprogram",
        Value,
        Refused("temporary files are not compressed"),
    ),
    row("tmux", Nothing, Refused("there are no windows")),
    row("tmux-pane|tmuxpane", Nothing, Refused("there are no windows")),
    row("resume", Nothing, Meaning::Own(Own::Resume(Resumption::Unfinished))),
    row("resume-failed|resumefailed", Nothing, Meaning::Own(Own::Resume(Resumption::Failed))),
    row("retry-failed|retryfailed", Nothing, Meaning::Own(Own::Resume(Resumption::CommandsOfLog))),
    // Commands.
    row("work-dir|workdir|wd", Value, Flag("--workdir")),
    row("tmpdir|tempdir", Value, Flag("--tmpdir")),
    row("interactive|p", Nothing, Flag("--interactive")),
    row("process-slot-var|processslotvar", Value, Meaning::Own(Own::SlotVariable)),
    row("tty", Nothing, Flag("--tty")),
    row("open-tty|o", Nothing, Flag("--tty")),
    row("env", Value, AlwaysSo),
    row("record-env|recordenv", Nothing, Refused("every exported variable is inherited")),
    row("session", Nothing, Refused("every exported variable is inherited")),
    // Itself.
    row("will-cite|willcite|nn|nonotice|no-notice", Nothing, AlwaysSo),
    row("gnu", Nothing, AlwaysSo),
    row("tollef", Nothing, Refused("it is not in GNU parallel any more")),
    row("plain", Nothing, Meaning::Own(Own::Plain)),
    row("profile|J", Value, Meaning::Own(Own::Profile)),
    row("help|h", Nothing, Meaning::Own(Own::Help)),
    row("version|V", Nothing, Meaning::Own(Own::Version)),
    row("min-version|minversion", Value, Refused("it is no version of GNU parallel")),
    row("shell-quote|shellquote|shell_quote", Nothing, Meaning::Own(Own::ShellQuote)),
    row("embed", Nothing, Refused("it is a program of its own")),
    row("shell-completion|shellcompletion", Value, Refused("it writes no completions for parallel")),
    row("shebang|hashbang", Nothing, Refused("a script cannot begin with it")),
    row("show-limits|showlimits", Nothing, Refused("supervisor xargs --show-limits shows them")),
    row("max-line-length-allowed|maxlinelengthallowed", Nothing, Refused("supervisor xargs --show-limits shows it")),
    row("number-of-cpus|numberofcpus", Nothing, Refused("nproc counts them")),
    row("number-of-sockets|numberofsockets", Nothing, Refused("lscpu counts them")),
    row("number-of-cores|numberofcores", Nothing, Refused("nproc counts them")),
    row("number-of-threads|numberofthreads", Nothing, Refused("nproc counts them")),
    row("use-sockets-instead-of-threads", Nothing, Refused("slots are counted by threads; use -j")),
    row("use-cores-instead-of-threads", Nothing, Refused("slots are counted by threads; use -j")),
    row("use-cpus-instead-of-cores", Nothing, Refused("slots are counted by threads; use -j")),
    row("semaphore", Nothing, Refused(SEMAPHORE)),
    row("semaphore-timeout|semaphoretimeout|st", Value, Refused(SEMAPHORE)),
    row("semaphore-name|semaphorename|id", Value, Refused(SEMAPHORE)),
    row("fg", Nothing, Refused(SEMAPHORE)),
    row("bg", Nothing, Refused(SEMAPHORE)),
    row("wait", Nothing, Refused(SEMAPHORE)),
    row("noswap", Nothing, Refused("use --memfree")),
    row("debug|D", Value, Refused("--trace records a run")),
    row("bug", Nothing, Refused("--trace records a run")),
    // Blocks.
    row("pipe|spreadstdin", Nothing, Flag("--pipe")),
    row("block-size|blocksize|block", Value, Flag("--block")),
    row("recstart", Value, Flag("--recstart")),
    row("recend", Value, Flag("--recend")),
    row("round-robin|roundrobin|round", Nothing, Flag("--round-robin")),
    row("regexp|regex", Nothing, Refused("--recstart and --recend are texts")),
    row("remove-rec-sep|removerecsep|rrs", Nothing, Refused("records keep their ends")),
    row("block-timeout|blocktimeout|bt", Value, Refused("a block is handed out when it is full")),
    row("cat", Nothing, Refused("--pipe gives a block to stdin")),
    row("fifo", Nothing, Refused("--pipe gives a block to stdin")),
    row("pipe-part|pipepart", Nothing, Refused("--pipe with -a FILE reads the file")),
    row("tee", Nothing, Refused("each block goes to one command")),
    row("shard", Value, Refused("each block goes to one command")),
    row("bin", Value, Refused("each block goes to one command")),
    row("group-by|groupby", Value, Refused("use --recstart or --recend")),
    // Other machines.
    row("sshlogin|S", Value, Refused(REMOTE)),
    row("sshloginfile|slf", Value, Refused(REMOTE)),
    row("controlmaster|M", Nothing, Refused(REMOTE)),
    row("ssh", Value, Refused(REMOTE)),
    row("ssh-delay|sshdelay", Value, Refused(REMOTE)),
    row("transfer-file|transferfile|transfer-files|transferfiles|tf", Value, Refused(REMOTE)),
    row("transfer", Nothing, Refused(REMOTE)),
    row("return", Value, Refused(REMOTE)),
    row("trc", Value, Refused(REMOTE)),
    row("cleanup", Nothing, Refused(REMOTE)),
    row("basefile|bf", Value, Refused(REMOTE)),
    row("rsync-opts|rsyncopts", Value, Refused(REMOTE)),
    row("onall", Nothing, Refused(REMOTE)),
    row("nonall", Nothing, Refused(REMOTE)),
    row("filter-hosts|filterhosts|filter-host", Nothing, Refused(REMOTE)),
    row("hgrp|hostgrp|hostgroup|hostgroups", Nothing, Refused(REMOTE)),
    row("sql-master|sqlmaster", Value, Refused("results go to no database")),
    row("sql-worker|sqlworker", Value, Refused("results go to no database")),
    row("sql-and-worker|sqlandworker", Value, Refused("results go to no database")),
    row("sql", Value, Refused("results go to no database")),
];
