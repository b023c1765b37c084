//! A broken shell: any fact at any time, about workers that do not exist, items that never arrived and
//! processes that were never ordered. No order of facts is an error for the core.

use crate::choice::Rng;
use crate::scenario::draw_policy;
use supervisor::core::Core;
use supervisor::core::input::{Input, Relief, SpawnFailure};
use supervisor::model::command::{Command, Origin};
use supervisor::model::exit::ExitStatus;
use supervisor::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use supervisor::model::outcome::{FailReason, Outcome, RetryHint};
use supervisor::model::signal::Signal;
use supervisor::model::time::Instant;

/// The most orders that one fact may cause: a few for each slot and each item.
const ORDERS_MAX: usize = 20_000;

/// Feeds a core `facts` facts of the seed.
pub fn feed(seed: u64, facts: u32) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let policy = draw_policy(&mut rng);
    let (mut now, mut next_item) = (0u64, policy.first_item.0);
    let mut core = Core::new(policy);
    for _ in 0..facts {
        now += rng.pick(&[0, 0, 1, 100_000, 20_000_000, 3_000_000_000]);
        let fact = if rng.below(8) == 0 {
            core.handle_timeout(Instant(now));
            String::from("handle_timeout")
        } else {
            let input = any_input(&mut rng, &mut next_item);
            let text = format!("{input:?}");
            core.handle(input, Instant(now));
            text
        };
        let mut orders = 0;
        while core.poll_action().is_some() {
            orders += 1;
            if orders > ORDERS_MAX {
                return Err(format!("{fact} causes more than {ORDERS_MAX} orders"));
            }
        }
        core.check_deep().map_err(|broken| format!("{broken}, after {fact}"))?;
    }
    Ok(())
}

fn any_input(rng: &mut Rng, next_item: &mut u64) -> Input {
    let worker = WorkerId::from_index(rng.pick(&[0, 0, 0, 1, 1, 2, 4, 7, 4_000_000]));
    let incarnation = Incarnation(rng.pick(&[0, 1, 1, 1, 1, 2, 2, 3, u32::MAX]));
    let item = ItemId(rng.pick(&[0, 0, 1, 2, 3, 5, 8, 13, u64::MAX - 1]));
    let attempt = Attempt(rng.pick(&[0, 1, 1, 1, 1, 2, 3, u32::MAX]));
    let count = rng.pick(&[0, 1, 1, 1, 2, 3, 10, u32::MAX]);
    let running = (rng.below(2) == 0).then_some(item);
    let error = || String::from("garbage");
    match rng.below(24) {
        0 => Input::Start,
        1..=4 => {
            let first = ItemId(if rng.below(8) == 0 { rng.below(9) } else { *next_item });
            let count = count.min(40);
            *next_item = (*next_item).max(first.0.saturating_add(count.into()));
            Input::BatchArrived { first, count, priority: rng.pick(&[0, i64::MIN, i64::MAX, 3]) }
        }
        5 => {
            *next_item += 1;
            Input::ItemRejected { item: ItemId(*next_item - 1), reason: FailReason::Rejected(error()) }
        }
        6 if rng.below(3) == 0 => {
            let (first, count) = (ItemId(*next_item), count.min(1_000));
            *next_item += u64::from(count);
            Input::Restored { first, count, outcome: if count > 2 { Outcome::Done } else { Outcome::Dead } }
        }
        6 => Input::SourceIdle,
        7 if rng.below(8) == 0 => Input::SourceEnded,
        8 if rng.below(8) == 0 => Input::SourceLost { error: error() },
        7..=10 => Input::Spawned { worker, incarnation, pid: rng.pick(&[0, 1, 4000, u32::MAX]) },
        11 => Input::SpawnFailed {
            worker,
            incarnation,
            error: match rng.below(16) {
                0 => SpawnFailure::Program(error()),
                1..4 => SpawnFailure::Item(error()),
                4..6 => SpawnFailure::Unfit(error()),
                8 => SpawnFailure::Declined,
                6..8 => SpawnFailure::Lost { error: error(), missing: false },
                _ => SpawnFailure::Shortage(error()),
            },
        },
        12..=14 => Input::Hello { worker, incarnation },
        15 | 16 => {
            let busy_ns = rng.pick(&[0, 1, 1_000_000, u64::MAX]);
            Input::Settled { worker, incarnation, first: item, count, attempt, busy_ns }
        }
        17 if rng.below(2) == 0 => Input::ResultBegins { worker, incarnation, item, attempt },
        17 => {
            let (reason, hint) =
                (FailReason::Message(error()), rng.pick(&[RetryHint::Default, RetryHint::Always, RetryHint::Never]));
            Input::Failed { worker, incarnation, item, attempt, reason, hint }
        }
        18 if rng.below(4) == 0 => Input::TakenBack { worker, item },
        18 if rng.below(4) == 0 => Input::TimeExcluded { worker, incarnation },
        18 if rng.below(2) == 0 => Input::OutputHeld { worker, incarnation },
        18 => Input::ProbeResult { worker, incarnation, running },
        19 if rng.below(2) == 0 => {
            let by = rng.pick(&[None, Some(Signal(0)), Some(Signal::STOP), Some(Signal(21))]);
            Input::Stopped { worker, incarnation, by }
        }
        19 => Input::ChannelClosed { worker, incarnation },
        20 => Input::ProtocolError { worker, incarnation, error: error() },
        21 | 22 => {
            let signal = Signal(rng.pick(&[0, 9, 11, 200]));
            let status = match rng.below(2) {
                0 => ExitStatus::Code(rng.pick(&[0, 1, 255])),
                _ => ExitStatus::Signal { signal, core_dumped: true },
            };
            Input::Exited { worker, incarnation, status, usage: Default::default(), running }
        }
        _ => match rng.below(40) {
            0 => {
                let steered = [Command::Pause, Command::Continue, Command::AddWorker, Command::RemoveWorker];
                let worker = if rng.below(2) == 0 { None } else { Some(WorkerId::from_index(rng.below(9) as usize)) };
                let steered = rng.pick(&steered);
                let steered = if rng.below(2) == 0 { steered } else { Command::Restart { worker } };
                let commands =
                    [Command::Stop, Command::Drain, Command::Terminate, Command::Kill, steered, steered, steered];
                let signal = Origin::Signal { signal: Signal::HUP, sender_pid: Some(1) };
                Input::Command { command: rng.pick(&commands), origin: rng.pick(&[Origin::Caller, signal]) }
            }
            4 => Input::Command { command: Command::Status, origin: Origin::Caller },
            5..12 => {
                let workers = rng.pick(&[0, 1, 1, 2, 3, 5, 9]);
                Input::Command { command: Command::Scale { workers }, origin: Origin::Caller }
            }
            1 => Input::SinkClosed,
            2 => Input::SinkLost { error: error() },
            3 => Input::StorageLost { error: error() },
            12..14 => Input::Congested { congested: rng.below(2) == 0 },
            16..20 => {
                let reliefs = [Relief::Run { count: 0 }, Relief::Run { count: 1 }, Relief::GoOn, Relief::EndYoungest];
                Input::Relief(rng.pick(&reliefs))
            }
            23..25 => {
                let command =
                    Command::SignalWorker { worker, signal: rng.pick(&[Signal(0), Signal::KILL, Signal(200)]) };
                Input::Command { command, origin: Origin::Caller }
            }
            25 => {
                Input::Command { command: Command::ReportStarts { wanted: rng.below(2) == 0 }, origin: Origin::Caller }
            }
            22 => Input::SignalNoted { signal: Signal::WINCH, sender_pid: None },
            20..22 => Input::GivenUp { item: ItemId(rng.below(40)) },
            14..16 => Input::StartsPermitted { count: rng.pick(&[None, Some(0), Some(1), Some(u32::MAX)]) },
            _ => Input::SourceIdle,
        },
    }
}
