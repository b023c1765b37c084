//! Exactly what was typed: one field per flag, `None` for a flag that was not given.
//!
//! Invariant: no defaults, no checks across flags, no question to the system. `resolve` does the rest.

use super::choices::{
    COLORS, DURABILITIES, EXIT_CODES, ISOLATIONS, Isolation, LEFTOVERS, NAMES, OUTPUTS, PROGRESS, PROTOCOLS,
    ProtocolChoice, QUEUES, RESTARTS, RESUMED_BY, SHOW_WHEN, SHOWN, STRATEGIES, SUMMARIES, ShownOutput, TRANSPORTS,
    choice,
};
use super::error::UsageError;
use super::habits;
use super::help;
use super::parser::{self, Typed};
use super::start_limit::{self, StartLimit};
use super::subcommand;
use super::values::{self, Delimiter, ExitRules, HaltChoice, Limit, LoadMax, TermSequence, TimeLimit, Workers};
use crate::model::arrangement::NameSource;
use crate::model::chaos::ChaosPlan;
use crate::model::config::{ColorMode, OutputMode, ProgressMode, ShowWhen, SummaryMode};
use crate::model::journal_spec::{Durability, ResumeBy};
use crate::model::spec::{
    Backoff, Credit, ExitCodeStyle, Intensity, Leftovers, QueueOrder, RestartStrategy, RestartType, StartDelay,
    TransportKind,
};
use crate::model::time::Duration;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, CommandFactory, Parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// Every flag. The help of each is one line of at most 100 columns, with its default in brackets.
// These comments are the help text; rustdoc would read a default as a link and `<TAB>` as HTML.
#[allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]
#[derive(Clone, Debug, Parser)]
#[command(
    name = "supervisor",
    version,
    about = help::ABOUT,
    override_usage = help::USAGE,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true,
    max_term_width = 100,
    next_help_heading = "Items, workers, protocol"
)]
pub struct Flags {
    /// Slots: N, auto, 200%, +2, -1, FILE; also -j, -P, --jobs [auto]
    #[arg(short, long, short_aliases = ['j', 'P'], alias = "jobs", value_name = "N", value_parser = OsStringValueParser::new().try_map(values::workers))]
    pub workers: Option<Workers>,
    /// Search for the number of slots that gets most done, from -j up to N
    #[arg(long, value_name = "N", value_parser = values::positive_u32)]
    pub jobs_max: Option<u32>,
    /// Generate the items 0 to N-1 [20, with no command and no input]
    #[arg(long, value_name = "N", value_parser = values::count_u64)]
    pub items: Option<u64>,
    /// One item a line of FILE, - is stdin; may be repeated [stdin]
    #[arg(short, long, value_name = "FILE")]
    pub arg_file: Vec<PathBuf>,
    /// Items end with a NUL instead of a newline
    #[arg(short = '0', long, conflicts_with = "delimiter")]
    pub null: bool,
    /// Items end with byte C: a character, \n \t \0 \xHH; '' with --block
    #[arg(short, long, value_name = "C", value_parser = OsStringValueParser::new().try_map(values::delimiter))]
    pub delimiter: Option<Delimiter>,
    /// Items are blocks of about SIZE, cut behind a delimiter [--pipe: 1M]
    #[arg(long, aliases = ["block-size", "blocksize"], value_name = "SIZE", value_parser = values::block)]
    pub block: Option<u64>,
    /// Blocks to the stdin of commands, cut as GNU parallel cuts them
    #[arg(long, aliases = ["spreadstdin"])]
    pub pipe: bool,
    /// With --pipe: a command per slot, which gets one block after another
    #[arg(long, aliases = ["roundrobin", "round"])]
    pub round_robin: bool,
    /// With --pipe: records begin with TEXT, with \n \t \0 as escapes
    #[arg(long, value_name = "TEXT", value_parser = OsStringValueParser::new())]
    pub recstart: Option<OsString>,
    /// With --pipe: records end with TEXT [\n]
    #[arg(long, value_name = "TEXT", value_parser = OsStringValueParser::new())]
    pub recend: Option<OsString>,
    /// Cut lines into the columns {1} {2} ... at a regular expression
    #[arg(short = 'C', long, alias = "col-sep", value_name = "REGEX", value_parser = OsStringValueParser::new())]
    pub colsep: Option<OsString>,
    /// Lines are comma-separated values: "a field", another
    #[arg(long)]
    pub csv: bool,
    /// : takes names for {NAME} from first lines; 0 only from file names
    #[arg(long, value_name = "FROM", value_parser = choice(&NAMES), hide_possible_values = true)]
    pub header: Option<NameSource>,
    /// At most N items to one command, as its arguments [1]
    #[arg(short = 'n', long, alias = "maxargs", value_name = "N", value_parser = values::count_u32)]
    pub max_args: Option<u32>,
    /// As many as a command line holds, each in a copy of its word
    #[arg(short = 'X')]
    pub repeat_words: bool,
    /// As many as a command line holds, all in place of {}
    #[arg(short = 'm', conflicts_with = "repeat_words")]
    pub join_words: bool,
    /// Like -n, in lines: one that ends with a blank goes on in the next
    #[arg(short = 'L', value_name = "N", value_parser = values::positive_u32)]
    pub max_lines: Option<u32>,
    /// At most N bytes in a command line of -n, -L, -m, -X [63664]
    #[arg(short = 's', long, alias = "maxchars", value_name = "N", value_parser = values::size)]
    pub max_chars: Option<u64>,
    /// TEXT stands for the item instead of {}
    #[arg(short = 'I', value_name = "TEXT", value_parser = OsStringValueParser::new())]
    pub replace: Option<OsString>,
    /// Items in an order by chance, which --seed fixes
    #[arg(long)]
    pub shuf: bool,
    /// Leave blank lines out; without items nothing ever runs
    #[arg(short = 'r', long, alias = "norunifempty")]
    pub no_run_if_empty: bool,
    /// The line TEXT ends its input, and is no item
    #[arg(short = 'E', value_name = "TEXT", value_parser = OsStringValueParser::new())]
    pub eof: Option<OsString>,
    /// TEXT stands for ::: between the command and its items
    #[arg(long, alias = "argsep", value_name = "TEXT", value_parser = OsStringValueParser::new())]
    pub arg_sep: Option<OsString>,
    /// What the built-in worker does: square, echo, sleep ... [square]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// The built-in worker spends D on each item [0]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    pub delay: Option<Duration>,
    /// exec: a process per item; lines, json, frames: one that stays [exec]
    #[arg(long, value_name = "PROTOCOL", value_parser = choice(&PROTOCOLS), hide_possible_values = true)]
    pub protocol: Option<ProtocolChoice>,
    /// With json: a worker says {"ready":true} first, within D [60s]
    #[arg(long, value_name = "D", value_parser = values::limit, num_args = 0..=1, require_equals = true, default_missing_value = "60s")]
    pub wait_ready: Option<Duration>,
    /// A worker is ready within D, or its start has failed [10s]
    #[arg(long, value_name = "D", value_parser = values::limit)]
    pub start_timeout: Option<Duration>,
    /// With json: on the fds in SUPERVISOR_FD_IN and SUPERVISOR_FD_OUT
    #[arg(long)]
    pub json_fd: bool,
    /// How frames travel: pipe, socket, shm, file, mqueue, channel [shm]
    #[arg(long, value_name = "KIND", value_parser = choice(&TRANSPORTS), hide_possible_values = true)]
    pub transport: Option<TransportKind>,
    /// With shm: look for more for D before sleeping, at either end [0]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    pub spin: Option<Duration>,
    /// With file: its files lie in DIR, by name, and stay there
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
    /// Where workers live: process; thread, if built in [process]
    #[arg(long, value_name = "KIND", value_parser = choice(&ISOLATIONS), hide_possible_values = true)]
    pub isolation: Option<Isolation>,
    /// Set OMP_NUM_THREADS and its kin to N in each worker [left alone]
    #[arg(long, value_name = "N", value_parser = values::positive_u32)]
    pub threads_per_worker: Option<u32>,
    /// fifo, lifo, or priority: NUMBER<TAB>ITEM, smallest first [fifo]
    #[arg(long, value_name = "ORDER", value_parser = choice(&QUEUES), hide_possible_values = true)]
    pub queue: Option<QueueOrder>,
    /// How far to read ahead [enough; 1000000 for lifo and priority]
    #[arg(long, value_name = "N", value_parser = values::positive_u64)]
    pub queue_items_max: Option<u64>,
    /// Items in flight per worker: a number, or auto, which measures [auto]
    #[arg(long, value_name = "N", value_parser = values::credit)]
    pub credit: Option<Credit>,
    /// Most items in one message [no limit of its own]
    #[arg(long, alias = "run-max", value_name = "N", value_parser = values::positive_u32)]
    pub batch_max: Option<u32>,
    /// Run the command as a script of /bin/sh; items stay literal in it
    #[arg(long)]
    pub shell: bool,
    /// Give the item to the command's stdin, not to its arguments
    #[arg(long)]
    pub stdin: bool,
    /// A command's stderr goes into its stdout, in order
    #[arg(long)]
    pub merge: bool,
    /// An empty folder as TMPDIR of each attempt, removed after it
    #[arg(long)]
    pub item_tmp: bool,
    /// Temporary files lie in DIR; also TMPDIR of workers [TMPDIR, /tmp]
    #[arg(long, value_name = "DIR")]
    pub tmpdir: Option<PathBuf>,
    /// Lend the terminal to the command that runs, one at a time [-j 1]
    #[arg(long)]
    pub tty: bool,
    /// Each command has a terminal of its own; workers of lines, json too
    #[arg(long)]
    pub pty: bool,
    /// Ask at the terminal before each command starts; y starts it
    #[arg(short = 'p', long)]
    pub interactive: bool,
    /// Workers inherit our descriptor N, from 3 on; may be repeated [none]
    #[arg(long, value_name = "N", value_parser = values::count_u32)]
    pub pass_fd: Vec<u32>,
    /// Folder that a worker starts in; {} {//} {1} for commands [ours]
    #[arg(long, alias = "wd", value_name = "DIR", value_parser = OsStringValueParser::new())]
    pub workdir: Option<OsString>,
    /// A variable in each worker's environment; may be repeated [none]
    #[arg(long, value_name = "NAME=VALUE", value_parser = OsStringValueParser::new().try_map(values::variable))]
    pub env: Vec<(OsString, OsString)>,
    /// Added to the nice value of each worker, -20 to 19 [0]
    #[arg(long, value_name = "N", value_parser = values::nice)]
    pub nice: Option<i32>,
    /// Processes that a worker leaves in its group: kill, leave [kill]
    #[arg(long, value_name = "WHAT", value_parser = choice(&LEFTOVERS), hide_possible_values = true)]
    pub leftovers: Option<Leftovers>,

    /// Further attempts of an item that failed [0]
    #[arg(long, value_name = "N", value_parser = values::count_u32, help_heading = FAILURE)]
    pub retries: Option<u32>,
    /// Exit CODE[,CODE]=retry, fail, dead or halt [75=retry, 65=fail]
    #[arg(long, value_name = "RULE", value_parser = values::exit_rules, help_heading = FAILURE)]
    pub on: Vec<ExitRules>,
    /// Workers that one item may kill before it is dead [3; exec: retries + 1]
    #[arg(long, value_name = "N", value_parser = values::positive_u32, help_heading = FAILURE)]
    pub crash_limit: Option<u32>,
    /// The same for KILL and TERM from outside, or never [the crash limit]
    #[arg(long, value_name = "N", value_parser = values::limit_or_never, help_heading = FAILURE)]
    pub kill_limit: Option<Limit>,
    /// Wait before the next attempt, doubling, with jitter [0]
    #[arg(long, value_name = "D", value_parser = values::duration, help_heading = FAILURE)]
    pub retry_delay: Option<Duration>,
    /// Give up after N items in a row dead or not started, or never [20]
    #[arg(long, value_name = "N", value_parser = values::limit_or_never, help_heading = FAILURE)]
    pub max_dead: Option<Limit>,
    /// Wait D, or MIN..MAX by chance, between starts of processes [0]
    #[arg(long, value_name = "D", value_parser = values::start_delay, help_heading = FAILURE)]
    pub start_delay: Option<StartDelay>,
    /// Start only while fewer than N threads run: 4, 100%, -1 (of the cores)
    #[arg(long, value_name = "N", value_parser = values::load, help_heading = FAILURE)]
    pub load: Option<LoadMax>,
    /// Start only while SIZE of memory is free [0]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = FAILURE)]
    pub memfree: Option<u64>,
    /// Likewise; the youngest stop while less than twice SIZE is free [0]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = FAILURE)]
    pub memsuspend: Option<u64>,
    /// At most -j processes run under NAME, in all runs of yours together
    #[arg(long, value_name = "NAME", value_parser = OsStringValueParser::new(), help_heading = FAILURE)]
    pub sem: Option<OsString>,
    /// Start only when COMMAND, run by /bin/sh each time, exits with 0
    #[arg(long, value_name = "COMMAND", value_parser = OsStringValueParser::new().try_map(start_limit::parse), help_heading = FAILURE)]
    pub limit: Option<StartLimit>,
    /// Hard limit for an attempt; of commands also N% of the median [none]
    #[arg(long, value_name = "D", value_parser = values::time_limit, help_heading = FAILURE)]
    pub timeout: Option<TimeLimit>,
    /// What ends a process, ms [TERM,200,TERM,100,TERM,50,KILL,25]
    #[arg(long, value_name = "SEQUENCE", value_parser = values::term_sequence, help_heading = FAILURE)]
    pub term_seq: Option<TermSequence>,
    /// How long a stop by a signal waits for running items [10s]
    #[arg(long, value_name = "D", value_parser = values::duration, help_heading = FAILURE)]
    pub grace: Option<Duration>,
    /// permanent, transient (not after exit 0) or temporary [permanent]
    #[arg(long, value_name = "TYPE", value_parser = choice(&RESTARTS), hide_possible_values = true, help_heading = FAILURE)]
    pub restart: Option<RestartType>,
    /// Who starts again: one-for-one, one-for-all, rest-for-one [one-for-one]
    #[arg(long, value_name = "WHO", value_parser = choice(&STRATEGIES), hide_possible_values = true, help_heading = FAILURE)]
    pub strategy: Option<RestartStrategy>,
    /// Give up if a slot's worker dies more often with no item [5/10s]
    #[arg(long, value_name = "N/D", value_parser = values::intensity, help_heading = FAILURE)]
    pub max_restarts: Option<Intensity>,
    /// Wait before such a restart, doubling [100ms..10s]
    #[arg(long, value_name = "MIN..MAX", value_parser = values::backoff, help_heading = FAILURE)]
    pub backoff: Option<Backoff>,
    /// never, soon,fail=N or now,fail=N; also success, done, N% [never]
    #[arg(long, value_name = "WHEN", value_parser = values::halt, conflicts_with = "fail_fast", help_heading = FAILURE)]
    pub halt: Option<HaltChoice>,
    /// Stop at the first failed item: --halt now,fail=1
    #[arg(long, help_heading = FAILURE)]
    pub fail_fast: bool,
    /// Harm workers: kill=2/s,stop=1/s,segv=6/m,slow=9%..1s,hang=1%,torn=1%
    #[arg(long, value_name = "PLAN", value_parser = str::parse::<ChaosPlan>, help_heading = FAILURE)]
    pub chaos: Option<ChaosPlan>,
    /// Deadline of the whole run: exit 124 [none]
    #[arg(long, value_name = "D", value_parser = values::limit, help_heading = FAILURE)]
    pub run_timeout: Option<Duration>,
    /// Where the jitter of delays is drawn from [the system]
    #[arg(long, value_name = "N", value_parser = values::count_u64, help_heading = FAILURE)]
    pub seed: Option<u64>,

    /// Record in FILE what becomes of each item, so that it survives a crash
    #[arg(long, value_name = "FILE", help_heading = JOURNAL)]
    pub journal: Option<PathBuf>,
    /// Go on with a journal [that of --journal], or by a joblog
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", value_parser = OsStringValueParser::new(), help_heading = JOURNAL)]
    pub resume: Option<OsString>,
    /// What is done is recognised by: position, item [position]
    #[arg(long, value_name = "WHAT", value_parser = choice(&RESUMED_BY), hide_possible_values = true, help_heading = JOURNAL)]
    pub resume_by: Option<ResumeBy>,
    /// With --resume: try items again that failed or are dead
    #[arg(long, help_heading = JOURNAL)]
    pub retry_failed: bool,
    /// With --resume: try items again that are dead
    #[arg(long, help_heading = JOURNAL)]
    pub retry_dead: bool,
    /// Resume another run or input, too; write a file without a lock
    #[arg(long, help_heading = JOURNAL)]
    pub force: bool,
    /// Take the items of `supervisor queue JOURNAL add` until a signal stops it
    #[arg(long, help_heading = JOURNAL)]
    pub keep_open: bool,
    /// What the journal survives: process (every death), power [process]
    #[arg(long, value_name = "WHAT", value_parser = choice(&DURABILITIES), hide_possible_values = true, help_heading = JOURNAL)]
    pub durability: Option<Durability>,
    /// Results go to FILE, which a resumed run continues byte for byte
    #[arg(long, value_name = "FILE", help_heading = JOURNAL)]
    pub output_file: Option<PathBuf>,
    /// Keep results in the journal, also those that are not shown
    #[arg(long, help_heading = JOURNAL)]
    pub journal_results: bool,

    /// narrate, results, json or none [results]
    #[arg(long, value_name = "MODE", value_parser = choice(&OUTPUTS), hide_possible_values = true, help_heading = OUTPUT)]
    pub output: Option<OutputMode>,
    /// Results in the order of the items
    #[arg(short, long, help_heading = OUTPUT)]
    pub keep_order: bool,
    /// Each line of a result begins with its item and a tab
    #[arg(long, help_heading = OUTPUT)]
    pub tag: bool,
    /// The same with TEXT, in which {} and its kin stand for the item
    #[arg(long, alias = "tag-string", value_name = "TEXT", value_parser = OsStringValueParser::new(), help_heading = OUTPUT)]
    pub tagstring: Option<OsString>,
    /// The output of an item stays together [so]
    #[arg(long, help_heading = OUTPUT)]
    pub group: bool,
    /// Whole lines at once, while their command runs; also --lb
    #[arg(long, aliases = ["lb", "linebuffer", "line-buffered", "linebuffered"], conflicts_with = "group", help_heading = OUTPUT)]
    pub line_buffer: bool,
    /// Commands write to stdout and stderr themselves, as they come
    #[arg(short, long, conflicts_with_all = ["group", "line_buffer"], help_heading = OUTPUT)]
    pub ungroup: bool,
    /// Output of: all, failed, never; final: of failed at the end again [all]
    #[arg(long, value_name = "WHAT", value_parser = choice(&SHOWN), hide_possible_values = true, help_heading = OUTPUT)]
    pub show: Option<ShownOutput>,
    /// Of items that are done: immediate, immediate-final, final, never
    #[arg(long, value_name = "W", value_parser = choice(&SHOW_WHEN), hide_possible_values = true, help_heading = OUTPUT)]
    pub success_output: Option<ShowWhen>,
    /// The same of items that failed or are dead [immediate]
    #[arg(long, value_name = "W", value_parser = choice(&SHOW_WHEN), hide_possible_values = true, help_heading = OUTPUT)]
    pub failure_output: Option<ShowWhen>,
    /// Write every event to FILE, one JSON object a line
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub events: Option<PathBuf>,
    /// Log items in FILE as they end, as GNU parallel does; +FILE appends
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub joblog: Option<PathBuf>,
    /// Write dead items to FILE, with causes and a command for each alone
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub dead_letters: Option<PathBuf>,
    /// stderr of workers that stay: prefix, raw, or files in DIR [lines]
    #[arg(long, value_name = "DIR", value_parser = OsStringValueParser::new(), help_heading = OUTPUT)]
    pub worker_log: Option<OsString>,
    /// A file of --worker-log DIR begins anew above N bytes [8M]
    #[arg(long, value_name = "N", value_parser = values::size, help_heading = OUTPUT)]
    pub worker_log_max: Option<u64>,
    /// Output in files below DIR, or in a .csv, .tsv or .json; not shown
    #[arg(long, alias = "res", value_name = "DIR", value_parser = OsStringValueParser::new(), help_heading = OUTPUT)]
    pub results: Option<OsString>,
    /// Record every message and decision in FILE, for flow, why, stats, export
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub trace: Option<PathBuf>,
    /// Record the times and the text of each item in the trace, too
    #[arg(long, help_heading = OUTPUT)]
    pub trace_items: bool,
    /// A line on stderr for each message and decision, as it happens
    #[arg(long, help_heading = OUTPUT)]
    pub flow: bool,
    /// Colors of those lines: auto (on a terminal), always, never [auto]
    #[arg(long, value_name = "WHEN", value_parser = choice(&COLORS), hide_possible_values = true, help_heading = OUTPUT)]
    pub color: Option<ColorMode>,
    /// Workers and totals at the end, on stderr: auto, always or never [auto]
    #[arg(long, value_name = "WHEN", value_parser = choice(&SUMMARIES), hide_possible_values = true, help_heading = OUTPUT)]
    pub summary: Option<SummaryMode>,
    /// The state of the run on stderr: auto, bar, plain, json, none [none]
    #[arg(long, value_name = "HOW", value_parser = choice(&PROGRESS), hide_possible_values = true, num_args = 0..=1, default_missing_value = "auto", help_heading = OUTPUT)]
    pub progress: Option<ProgressMode>,
    /// Nothing on stderr but errors that end the run
    #[arg(short, long, conflicts_with = "verbose", help_heading = OUTPUT)]
    pub quiet: bool,
    /// Print what would run, and run nothing
    #[arg(long, help_heading = OUTPUT)]
    pub dry_run: bool,
    /// Tell every failed attempt, and print each command; also -t
    #[arg(short, long, short_alias = 't', help_heading = OUTPUT)]
    pub verbose: bool,
    /// No socket for `supervisor ps` and its kin
    #[arg(long, help_heading = OUTPUT)]
    pub no_control: bool,
    /// Whose exit codes: own, count (GNU parallel's), xargs [own]
    #[arg(long, value_name = "STYLE", value_parser = choice(&EXIT_CODES), hide_possible_values = true, help_heading = OUTPUT)]
    pub exit_code: Option<ExitCodeStyle>,

    /// This list; --help adds placeholders, tasks, examples and exit codes
    #[arg(short, long, action = ArgAction::HelpShort, help_heading = HELP)]
    help: Option<bool>,
    /// The version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = HELP)]
    version: Option<bool>,
}

const FAILURE: &str = "Failure, time, restarts";
const JOURNAL: &str = "Journal";
const OUTPUT: &str = "Output";
const HELP: &str = "Help";

/// Reads the words in front of `--`, `:::` and `::::`.
///
/// # Errors
/// The words are no flags; the text is the parser's, on one line.
pub fn parse(words: &[OsString]) -> Result<Typed<Box<Flags>>, UsageError> {
    let mut command = Flags::command().mut_args(|arg| {
        // `--items -3` is a bad number, not an unknown flag 3.
        let takes_text = [
            "arg_file",
            "dead_letters",
            "delimiter",
            "env",
            "events",
            "joblog",
            "journal",
            "output_file",
            "progress",
            "resume",
            "spool",
            "task",
            "tmpdir",
            "trace",
            "workdir",
            "worker_log",
        ]
        .contains(&arg.get_id().as_str());
        let takes_number = arg.get_action().takes_values() && !takes_text;
        arg.allow_hyphen_values(takes_number)
    });
    let is_long = words.iter().any(|word| word == "--help");
    let after = if is_long { help::AFTER_LONG } else { help::AFTER_SHORT };
    command = command.after_help(format!("{}\n{after}", subcommand::list()));
    parser::read(command, words, "--help", habits::answer).map(|typed| typed.map(Box::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_consistent() {
        Flags::command().debug_assert();
    }
}
