//! `supervisor parallel`: the words of GNU parallel as a run of ours.
//!
//! Its options become flags of ours (`options` has the table), and what stands behind them is the command and its inputs.
//! The words of a command, joined by spaces, are a script of a shell, in which arguments stand quoted. What it prints and how
//! it ends are GNU parallel's.
//!
//! Invariant: pure, as the rest of `cli`; profiles and the shell come in as [`ParallelContext`].

pub mod error;
mod getopt;
pub mod help;
mod options;
mod profile;
pub(super) mod resume;

use super::args::{self, Flags};
use super::error::UsageError;
use super::flag_errors;
use super::parser::Typed;
use super::resolve::{self, Invocation};
use super::separators::{self, Given, GivenInput, Parts};
use crate::model::arrangement::Arrangement;
use crate::model::builder::{ConfigBuilder, Host, WorkerChoice};
use crate::model::config::{EarlierRun, JobLogSpec, ProgressMode, QuotingShell, SummaryMode};
use crate::model::spec::{ExitCodeStyle, Halt, Leftovers, Threshold};
use error::ParallelError;
use getopt::GivenOption;
use options::{Meaning, Own};
use resume::{EarlierLog, Resumption};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What GNU parallel takes `-j 0`, as many as possible, for where nothing else limits it.
const SLOTS_MAX: &str = "252";

/// How many items wait at most where all have to be counted before the first job ends.
const ITEMS_MAX: u64 = 10_000_000;

/// What a run of this kind takes from the process around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParallelContext {
    /// The contents of the profiles that were asked for, or of the ordinary ones.
    pub profiles: Vec<Vec<u8>>,
    /// The variable PARALLEL.
    pub variable: Option<OsString>,
    /// The shell that runs commands.
    pub shell: OsString,
    /// The log of an earlier run that [`log_to_resume`] names, if it can be read.
    pub joblog: Option<Vec<u8>>,
}

/// Which profiles the words ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileChoice {
    /// `--plain`: none, and not the variable PARALLEL either.
    Plain,
    Ordinary,
    /// `-J NAME`, in their order.
    Named(Vec<OsString>),
}

/// Which profiles words ask for.
///
/// # Errors
/// The words do not fit.
pub fn profiles(words: &[OsString]) -> Result<ProfileChoice, ParallelError> {
    let (typed, _) = getopt::split(words)?;
    let is = |own: Own| move |typed: &&GivenOption| typed.option.meaning == Meaning::Own(own);
    if typed.iter().any(|typed| typed.option.meaning == Meaning::Own(Own::Plain)) {
        return Ok(ProfileChoice::Plain);
    }
    let named: Vec<OsString> = typed.iter().filter(is(Own::Profile)).filter_map(|typed| typed.value.clone()).collect();
    Ok(if named.is_empty() { ProfileChoice::Ordinary } else { ProfileChoice::Named(named) })
}

/// The log of an earlier run that words ask for.
///
/// # Errors
/// The words do not fit.
pub fn log_to_resume(words: &[OsString], around: &ParallelContext) -> Result<Option<PathBuf>, ParallelError> {
    let (translation, _) = translate(words, around)?;
    Ok(translation.resumption.and(translation.joblog).map(|name| PathBuf::from(without_plus(&name))))
}

/// All options, those of profiles first, and the words behind.
fn translate<'a>(
    words: &'a [OsString],
    around: &ParallelContext,
) -> Result<(Translation, &'a [OsString]), ParallelError> {
    let (own, rest) = getopt::split(words)?;
    let from_variable = around.variable.as_ref().map(|text| profile::words(text.as_bytes())).unwrap_or_default();
    let from_files = around.profiles.iter().map(|text| profile::words_of_file(text));
    let mut translation = Translation::default();
    for words in from_files.chain([from_variable]) {
        let (typed, stray) = getopt::split(&words)?;
        if let Some(stray) = stray.first() {
            return Err(ParallelError::ProfileWord { word: stray.to_string_lossy().into_owned() });
        }
        typed.into_iter().try_for_each(|typed| translation.add(typed))?;
    }
    own.into_iter().try_for_each(|typed| translation.add(typed))?;
    Ok((translation, rest))
}

/// The name of a log, without the sign that it is appended to.
fn without_plus(name: &OsStr) -> &OsStr {
    name.as_bytes().strip_prefix(b"+").map_or(name, OsStr::from_bytes)
}

/// The run that words ask for.
///
/// # Errors
/// The words do not fit, or name what is not here.
pub fn read(words: &[OsString], around: &ParallelContext, host: &Host) -> Result<Typed<Invocation>, UsageError> {
    let (translation, rest) = translate(words, around)?;
    let log = translation.earlier_log(around)?;
    let mut parts = parts(rest, &translation.arg_sep)?;
    let mut flags = match args::parse(&translation.words)? {
        Typed::Flags(flags) => flags,
        Typed::Show(text) => return Ok(Typed::Show(text)),
    };
    if !log.commands.is_empty() {
        flags.arg_file.clear();
        let what = GivenInput::Items(log.commands.clone());
        parts = Parts { command: Vec::new(), inputs: vec![Given { what, linked: false }], ..parts };
    }
    let flags = without_needless(flags, &parts);
    let has_command = !parts.command.is_empty();
    let quoting_shell = QuotingShell {
        shell: around.shell.clone(),
        quotes_words: translation.quotes,
        slot_variable: translation.slot_variable,
        prints_quoted: translation.prints_quoted,
    };
    let builder = resolve::builder(&flags, parts.command, parts.inputs, host)?;
    let builder = ConfigBuilder {
        worker: if has_command { builder.worker } else { WorkerChoice::Command(Vec::new()) },
        quoting_shell: Some(quoting_shell),
        arrangement: builder.arrangement.map(|own| Arrangement { recycles: translation.links, ..own }),
        no_ordinary_exits: Some(true),
        dead_max: Some(None),
        // What a command leaves in the background goes on.
        leftovers: Some(Leftovers::Leave),
        keep_order: Some(translation.keeps_order),
        verbose: Some(translation.is_verbose),
        quiet: Some(true),
        summary: Some(SummaryMode::Never),
        ..builder
    };
    let appends = |spec: JobLogSpec| JobLogSpec { appends: spec.appends || log.has_header, ..spec };
    let stored = translation.skips_stored;
    let builder = ConfigBuilder {
        halt: builder.halt.map(halt_of_all),
        joblog: builder.joblog.map(appends),
        earlier: Some(EarlierRun { finished: log.finished, stored }),
        ..builder
    };
    let is_of_all = |halt: Halt| matches!(halt.threshold, Threshold::PercentOfAll(_));
    let counts_all = builder.halt.is_some_and(is_of_all) && builder.pipe != Some(true);
    // All items have to be known before the first job may decide.
    let builder = ConfigBuilder {
        queue_items_max: if counts_all { Some(ITEMS_MAX) } else { builder.queue_items_max },
        ..builder
    };
    let exit_codes = ExitCodeStyle::Parallel(builder.halt);
    let mut config = builder.build().map_err(|error| flag_errors::usage_error(error, &flags))?;
    // Asked for by name, so it is shown although nothing else is told.
    config.output.progress = if translation.shows_progress { ProgressMode::Auto } else { ProgressMode::None };
    Ok(Typed::Flags(Invocation { config, exit_codes }))
}

/// The command and its inputs: words up to a separator, and behind it.
fn parts(rest: &[OsString], arg_sep: &OsStr) -> Result<Parts, UsageError> {
    let mut typed = vec![OsString::from("--arg-sep"), arg_sep.to_owned()];
    if rest.first().is_some_and(|first| separators::separator(first, arg_sep).is_none()) {
        typed.push("--".into());
    }
    typed.extend(rest.iter().cloned());
    separators::split(typed)
}

/// Without what says how an input is cut where there is none to cut, which GNU parallel takes.
fn without_needless(mut flags: Box<Flags>, parts: &Parts) -> Box<Flags> {
    let is_items = |given: &Given| matches!(given.what, GivenInput::Items(_));
    if flags.arg_file.is_empty() && !parts.inputs.is_empty() && parts.inputs.iter().all(is_items) {
        flags.delimiter = None;
        flags.null = false;
    }
    flags
}

/// Our words for the options.
struct Translation {
    words: Vec<OsString>,
    arg_sep: OsString,
    quotes: bool,
    keeps_order: bool,
    is_verbose: bool,
    shows_progress: bool,
    links: bool,
    slot_variable: OsString,
    prints_quoted: u32,
    joblog: Option<OsString>,
    stores_results: bool,
    resumption: Option<Resumption>,
    /// `--resume` was given, whatever else.
    skips_stored: bool,
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            arg_sep: ":::".into(),
            quotes: false,
            keeps_order: false,
            is_verbose: false,
            shows_progress: false,
            links: false,
            slot_variable: "PARALLEL_JOBSLOT0".into(),
            prints_quoted: 0,
            joblog: None,
            stores_results: false,
            resumption: None,
            skips_stored: false,
        }
    }
}

impl Translation {
    fn add(&mut self, GivenOption { option, value }: GivenOption) -> Result<(), ParallelError> {
        match option.meaning {
            Meaning::Flag(flag) => {
                self.stores_results |= flag == "--results";
                self.words.push(flag.into());
                self.words.extend(value);
            }
            Meaning::AlwaysSo => {}
            Meaning::Refused(why) => return Err(ParallelError::Refused { option: option.shown(), why }),
            Meaning::Own(Own::SlotVariable) if value.as_deref().is_some_and(is_set_for_jobs) => {
                let why = "that variable is set for each job; give another name";
                return Err(ParallelError::Refused { option: option.shown(), why });
            }
            Meaning::Own(own) => self.add_own(own, value.unwrap_or_default()),
        }
        Ok(())
    }

    /// What the log says of the jobs of an earlier run.
    fn earlier_log(&self, around: &ParallelContext) -> Result<EarlierLog, ParallelError> {
        match (self.resumption, &self.joblog) {
            (None, _) => Ok(EarlierLog::default()),
            (Some(Resumption::CommandsOfLog), None) => Err(ParallelError::RetriesNothing),
            (Some(_), None) if !self.stores_results => Err(ParallelError::ResumesNothing),
            (Some(_), None) => Ok(EarlierLog::default()),
            (Some(resumption), Some(name)) => match &around.joblog {
                Some(text) => resume::read(text, resumption, &without_plus(name).to_string_lossy()),
                None => Ok(EarlierLog::default()),
            },
        }
    }

    fn add_own(&mut self, own: Own, value: OsString) {
        let mut flag = |flag: &str, value: OsString| self.words.extend([flag.into(), value]);
        match own {
            Own::Quote => self.quotes = true,
            Own::Jobs if value == "0" => flag("--workers", SLOTS_MAX.into()),
            Own::Jobs => flag("--workers", value),
            Own::Halt => flag("--halt", halt(value)),
            Own::Retries => flag("--retries", retries(value)),
            Own::Verbose => self.is_verbose = true,
            Own::Progress => self.shows_progress = true,
            Own::KeepOrder => self.keeps_order = true,
            Own::NoKeepOrder => self.keeps_order = false,
            Own::ArgSep => self.arg_sep = value,
            Own::ShellQuote => self.prints_quoted = self.prints_quoted.saturating_add(1),
            Own::Link => self.links = true,
            Own::SlotVariable => self.slot_variable = value,
            Own::JobLog => {
                flag("--joblog", value.clone());
                self.joblog = Some(value);
            }
            Own::Resume(resumption) => {
                self.skips_stored |= resumption == Resumption::Unfinished;
                self.resumption = self.resumption.max(Some(resumption));
            }
            // Heeded before.
            Own::Plain | Own::Profile | Own::Help | Own::Version => {}
        }
    }
}

/// Whether a variable of this name has another meaning in each job.
fn is_set_for_jobs(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"SUPERVISOR_") || [&b"PARALLEL_SEQ"[..], b"PARALLEL_JOBSLOT", b"PARALLEL_PID"].contains(&name)
}

/// All attempts as further ones; 0 is no end of them.
fn retries(value: OsString) -> OsString {
    match value.to_str().map(str::parse::<u32>) {
        Some(Ok(0)) => u32::MAX.to_string().into(),
        Some(Ok(attempts)) => (attempts - 1).to_string().into(),
        _ => value,
    }
}

/// Failures are counted against all jobs.
fn halt_of_all(halt: Halt) -> Halt {
    match halt.threshold {
        Threshold::Percent(percent) => Halt { threshold: Threshold::PercentOfAll(percent), ..halt },
        Threshold::Items(_) | Threshold::PercentOfAll(_) => halt,
    }
}

/// The older values of `--halt` in the newer form.
fn halt(value: OsString) -> OsString {
    match value.to_str() {
        Some("0") => "never".into(),
        Some("1") => "soon,fail=1".into(),
        Some("2") => "now,fail=1".into(),
        Some("-1") => "soon,success=1".into(),
        Some("-2") => "now,success=1".into(),
        Some(percent) if percent.ends_with('%') && !percent.contains(',') => format!("soon,fail={percent}").into(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::options::OPTIONS;
    use super::*;
    use crate::model::config::{Config, WorkerSpec};

    fn host() -> Host {
        Host { cores: 4, cores_why: None, seed: 0, run_id: "run".into() }
    }

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn config(text: &str) -> Result<Config, String> {
        let around = ParallelContext { shell: "/bin/sh".into(), ..ParallelContext::default() };
        match read(&words(text), &around, &host()) {
            Ok(Typed::Flags(invocation)) => Ok(invocation.config),
            Ok(Typed::Show(text)) => Err(text),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn options_become_flags_in_every_form() {
        for text in
            ["-j3 -k --tag echo ::: a", "-kj 3 --keep-order --tag echo ::: a", "--jobs=3 --keep-o --tag -- echo ::: a"]
        {
            let config = config(text).unwrap();
            assert_eq!((config.policy.workers, config.policy.keep_order, config.output.tag), (3, true, true), "{text}");
            let WorkerSpec::Exec(spec) = config.worker else { panic!("{text}") };
            let shell = spec.quoting_shell.unwrap();
            assert_eq!((spec.argv, shell.shell), (words("echo"), "/bin/sh".into()), "{text}");
        }
        assert_eq!(config("--retries 3 -j0 echo ::: a").unwrap().policy.retries, 2);
        let WorkerSpec::Exec(spec) = config("-q echo -k ::: a").unwrap().worker else { panic!() };
        let shell = spec.quoting_shell.unwrap();
        assert_eq!((spec.argv, shell.quotes_words), (words("echo -k"), true));
        assert_eq!(shell.slot_variable, "PARALLEL_JOBSLOT0");
        let WorkerSpec::Exec(spec) = config("--process-slot-var S echo ::: a").unwrap().worker else { panic!() };
        assert_eq!(spec.quoting_shell.unwrap().slot_variable, "S");
        let WorkerSpec::Exec(spec) = config("::: a").unwrap().worker else { panic!() };
        assert!(spec.argv.is_empty() && spec.quoting_shell.is_some());
    }

    #[test]
    fn what_is_not_here_is_refused_by_name() {
        for (text, part) in [
            ("-S host echo", "--sshlogin"),
            ("--sshlogin=host echo", "--sshlogin"),
            ("--re echo", "--re"),
            ("--nowhere echo", "--nowhere"),
            ("-Z echo", "-Z"),
            ("-j", "-j"),
            ("--tag=x echo", "--tag"),
            ("--process-slot-var PARALLEL_SEQ echo", "--process-slot-var"),
        ] {
            let error = config(text).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn profiles_and_the_variable_come_before_what_is_typed() {
        let around = ParallelContext {
            profiles: vec![b"-j 7 -k\n".to_vec()],
            variable: Some("-j 8".into()),
            shell: "/bin/sh".into(),
            joblog: None,
        };
        let Ok(Typed::Flags(run)) = read(&words("--no-k echo ::: a"), &around, &host()) else { panic!() };
        assert_eq!((run.config.policy.workers, run.config.policy.keep_order), (8, false));
        assert_eq!(profiles(&words("-J fast -J slow echo")), Ok(ProfileChoice::Named(words("fast slow"))));
        assert_eq!(profiles(&words("--plain -J fast echo")), Ok(ProfileChoice::Plain));
    }

    #[test]
    fn no_name_means_two_options() {
        let mut names: Vec<&str> = OPTIONS.iter().flat_map(|option| option.names.split('|')).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None);
    }
}
