//! Floor 5: the program `supervisor`. It reads its command line, carries out what that asks for, and says how to exit:
//! a run itself here, each subcommand in a module of its own.
//!
//! Invariant: a user of the library like any other. It knows the command line, which no other module but `cli` does.

mod answer;
mod audit;
mod check_worker;
mod compact;
mod compare;
mod control_client;
mod dead;
mod export;
mod flow;
mod job_log;
mod journal_export;
mod journal_file;
mod parallel;
#[cfg(feature = "plot")]
mod plot_target;
mod queue;
mod repair;
mod replay;
mod run;
mod run_table;
mod sem;
mod show;
mod signals;
mod sink;
mod stats;
#[cfg(feature = "plot")]
mod stats_plot;
mod status;
mod steer;
mod tour;
mod trace_file;
mod why;
mod xargs;

use crate::cli::subcommand::Subcommand;
use crate::cli::{self, Invocation, Parsed};
use crate::exit_code;
use crate::model::builder::Host;
use crate::{engine, worker};
use answer::{exit, fail, show};
use std::ffi::OsString;
use std::process::ExitCode;

/// [`main`] with the program's name as the first of the words, which may be that of a program whose place this one takes.
pub fn main_by_name(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let stands_for = words.next().and_then(|name| cli::subcommand::of_program(&name));
    main(stands_for.map(OsString::from).into_iter().chain(words))
}

/// Does what the arguments ask for; they come without the program's name. Does not return if a signal ended the work:
/// then that signal ends the program too.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().peekable();
    if arguments.next_if(|first| first == worker::WORKER_ROLE).is_some() {
        return worker::builtin_main(arguments);
    }
    if arguments.next_if(|first| first == crate::tour::PART_ROLE).is_some() {
        return crate::tour::part_main(arguments);
    }
    engine::hold_status_requests();
    let arguments: Vec<OsString> = arguments.collect();
    let log = cli::resumed_file(&arguments).and_then(|file| job_log::read(&file));
    match cli::parse_with_log(arguments, &Host::of_this_process(), log.as_deref()) {
        Ok(Parsed::Run(invocation)) => items(*invocation),
        Ok(Parsed::Subcommand(subcommand)) => carry_out(subcommand),
        Ok(Parsed::Show(text)) => show(&text),
        Err(error) => fail(&error, exit_code::USAGE),
    }
}

fn items(Invocation { config, exit_codes }: Invocation) -> ExitCode {
    match engine::run_as_program(config, exit_codes) {
        Ok(outcome) => exit(exit_code::of(&outcome, exit_codes)),
        Err(error) => fail(&format_args!("failed to {error}"), exit_code::of_class(error.class())),
    }
}

/// One arm per subcommand.
fn carry_out(subcommand: Subcommand) -> ExitCode {
    match subcommand {
        Subcommand::Flow(command) => flow::run(&command),
        Subcommand::Replay(command) => replay::run(&command),
        Subcommand::Run(command) => run::run(command),
        Subcommand::Sem(command) => sem::run(command),
        Subcommand::Compare(options) => compare::main(options),
        Subcommand::Tour(flags) => tour::run(&flags),
        Subcommand::Why(flags) => why::run(&flags),
        Subcommand::Stats(command) => stats::run(&command),
        Subcommand::Export(flags) => export::run(&flags),
        Subcommand::Audit(flags) => audit::run(&flags),
        Subcommand::Compact(flags) => compact::run(&flags),
        Subcommand::Status(flags) => status::run(&flags),
        Subcommand::Show(flags) => show::run(&flags),
        Subcommand::Signals(flags) => signals::run(&flags),
        Subcommand::Queue(command) => queue::run(&command),
        Subcommand::Dead(flags) => dead::run(&flags),
        Subcommand::Steer(command) => steer::run(command),
        Subcommand::CheckWorker(check) => check_worker::run(&check),
        Subcommand::Xargs(command) => xargs::run(*command),
        Subcommand::Parallel(command) => parallel::run(&command),
    }
}
