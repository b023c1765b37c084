//! How the launchers of commands begin.

use super::error::EngineError;
use super::fleet::{CommandPool, CommandRules, Fleet, LAUNCHERS_MAX, LauncherMailboxes, RunFolder};
use super::system::Os;
use super::token::Port;
use crate::command::exec::Commander;
use crate::model::config::{Config, Grouping, OutputSpec};
use crate::sys::poller::Interest;
use crate::sys::spill::SpillFile;
use crate::sys::terminal::Terminal;
use std::sync::Arc;

/// The launchers of commands, without their threads. Their number follows that of the slots at the start.
pub fn new_pool(
    config: &Config,
    commander: &Commander,
    verbose: bool,
    run_folder: Option<RunFolder>,
) -> Result<CommandPool, EngineError> {
    let failed = || EngineError::system("start the launchers");
    let launchers = LAUNCHERS_MAX.min(config.workers_at_most() as usize).max(1);
    let mailboxes = LauncherMailboxes::new(launchers).map_err(failed())?;
    let mut pool = CommandPool::new(&mailboxes, verbose.then(|| Box::new(commander.clone())));
    run_folder.map_or(Ok(()), |folder| pool.give_folders(folder)).map_err(failed())?;
    Ok(pool)
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
    let rules = CommandRules { leftovers: config.leftovers, quiet, lines: grouping == Grouping::Line };
    pool.start_threads(commander, spill, os.guard.groups(), os.clock, rules, terminal)
        .map_err(EngineError::system("start the launchers"))?;
    os.poller
        .add(&pool, Interest::READ, Port::Launchers.token())
        .map_err(EngineError::system("watch the launchers"))?;
    Ok(Fleet::Commands(pool))
}
