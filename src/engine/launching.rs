//! How the launchers of commands begin.

use super::error::EngineError;
use super::fleet::{CommandPool, CommandRules, Fleet, LAUNCHERS_MAX, LauncherMailboxes, Questions, RunFolder, Shares};
use super::system::Os;
use super::token::Port;
use crate::command::exec::Commander;
use crate::model::config::{Config, Grouping, InputSpec, OutputSpec};
use crate::source::Source;
use crate::source::spread::spread;
use crate::sys::poller::Interest;
use crate::sys::spill::SpillFile;
use crate::sys::terminal::Terminal;
use std::io::{self, IsTerminal};
use std::sync::Arc;

/// The launchers of commands, without their threads. Their number follows that of the slots at the start.
pub fn new_pool(
    config: &Config,
    commander: &Commander,
    verbose: bool,
    run_folder: Option<RunFolder>,
    shares: Option<Shares>,
) -> Result<CommandPool, EngineError> {
    let failed = || EngineError::system("start the launchers");
    let launchers = LAUNCHERS_MAX.min(config.workers_at_most() as usize).max(1);
    let mailboxes = LauncherMailboxes::new(launchers).map_err(failed())?;
    let mut pool = CommandPool::new(&mailboxes, verbose.then(|| Box::new(commander.clone())));
    shares.into_iter().for_each(|shares| pool.give_shares(shares));
    open_questions(config, commander)?.into_iter().for_each(|questions| pool.give_questions(questions));
    run_folder.map_or(Ok(()), |folder| pool.give_folders(folder)).map_err(failed())?;
    Ok(pool)
}

/// The input as the source of the first block of each command, and the blocks behind those, where commands stay.
pub fn spread_input(
    config: &Config,
    source: Box<dyn Source>,
) -> Result<(Box<dyn Source>, Option<Shares>), EngineError> {
    if !config.round_robin {
        return Ok((source, None));
    }
    let commands = config.policy.workers;
    let (source, supply) = spread(source, commands).map_err(EngineError::system("share the input out"))?;
    Ok((source, Some(Shares::new(supply, commands, config.output.quiet))))
}

/// What asks before commands start, if that was asked for.
fn open_questions(config: &Config, commander: &Commander) -> Result<Option<Questions>, EngineError> {
    if !config.asks {
        return Ok(None);
    }
    // As xargs, its counterpart takes a terminal that has both.
    if !commander.is_plain()
        && config.source.inputs().any(|input| *input == InputSpec::Stdin)
        && io::stdin().is_terminal()
    {
        let why = "the items are read from the terminal; give them behind :::, or by -a FILE".to_owned();
        return Err(EngineError::NobodyToAsk { why });
    }
    let questions = Questions::open(Box::new(commander.clone()));
    questions.map(Some).map_err(|error| EngineError::NobodyToAsk {
        why: format!("this process has no terminal (open /dev/tty: {error}); start it on one, or leave -p out"),
    })
}

pub fn start_launchers(
    mut pool: CommandPool,
    config: &Config,
    commander: &Commander,
    spill: &Arc<SpillFile>,
    os: &Os,
    terminal: Option<Terminal>,
) -> Result<Fleet, EngineError> {
    let OutputSpec { quiet, grouping, .. } = config.output;
    let (lines, shares) = (grouping == Grouping::Line, config.round_robin);
    let rules = CommandRules { leftovers: config.leftovers, quiet, lines, shares };
    pool.start_threads(commander, spill, os.guard.groups(), os.clock, rules, terminal)
        .map_err(EngineError::system("start the launchers"))?;
    os.poller
        .add(&pool, Interest::READ, Port::Launchers.token())
        .map_err(EngineError::system("watch the launchers"))?;
    Ok(Fleet::Commands(pool))
}
