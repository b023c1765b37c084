//! Simulated worker processes: what they do with their items, and how they fail.

use crate::agenda::{DeathStatus, Effect, ProcessId};
use crate::channel::SimChannel;
use crate::chaos;
use crate::marks::Mark;
use crate::scenario::Fault;
use crate::world::World;
use std::collections::VecDeque;
use supervisor::model::chaos::{ItemChaos, TORN_CODE};
use supervisor::model::ids::{Batch, ItemId, WorkerId};
use supervisor::model::signal::Signal;
use supervisor::model::spec::Blame;

/// How long the shell awaits the end of the output of a process that has ended.
pub const OUTPUT_HELD_NS_MAX: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Asked for; the shell does not know yet if it could be started.
    #[default]
    Asked,
    Running,
    /// Dead, but the shell does not know yet.
    Zombie(DeathStatus),
    /// Reaped, or never started.
    Gone,
}

/// What an item does to its worker; the same in each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Fine,
    /// Its first attempts fail.
    Fails(u32),
    /// Ends every worker that touches it.
    Poison,
    /// Never ends.
    Hangs,
}

#[derive(Default)]
pub struct SimProcess {
    pub slot: usize,
    pub incarnation: u32,
    pub pid: u32,
    pub life: Lifetime,
    pub channel: SimChannel,
    pub end_of_file_seen: bool,
    /// It is dead, and another process holds its output open.
    pub output_held: bool,
    /// The shell ignores its bytes, since they broke the protocol.
    pub deaf_shell: bool,
    pub fault: Option<Fault>,
    /// Items it finishes before its fault strikes.
    pub fault_after: u64,
    /// Batches that it was sent and did not finish.
    pub inbox: VecDeque<Batch>,
    /// How many of the oldest batch are finished, and how many of those were reported.
    done_in_front: u32,
    sent_in_front: u32,
    busy_ns: u64,
    /// The progress page: the item it names, and since when that item really runs.
    pub progress: Option<ItemId>,
    pub since: u64,
    /// When the shell last excluded time, because the worker may be waiting for the shell.
    pub excluded_at: u64,
    pub working: bool,
    /// A signal has stopped it, and what it would have done since then.
    is_stopped: bool,
    waiting: Vec<Effect>,
    /// It will never do anything again by itself.
    pub stuck: bool,
    begun: bool,
    leaving: bool,
    pub input_closed: bool,
    pub recalled: bool,
    finished: u64,
    /// The item and attempt of a message that may arrive too late.
    pub last_words: Option<(ItemId, u32)>,
}

impl SimProcess {
    pub fn reset(&mut self, slot: usize, incarnation: u32, pid: u32, hello: bool) {
        let (mut channel, mut inbox) = (std::mem::take(&mut self.channel), std::mem::take(&mut self.inbox));
        channel.reset(hello);
        inbox.clear();
        *self = Self { slot, incarnation, pid, channel, inbox, ..Self::default() };
    }

    pub const fn worker(&self) -> WorkerId {
        WorkerId::from_index(self.slot)
    }

    pub fn is_alive(&self) -> bool {
        self.life == Lifetime::Running
    }

    /// The item that it really runs, whatever its progress page says.
    pub fn truly_running(&self) -> Option<ItemId> {
        let front = self.inbox.front()?;
        (self.working && self.done_in_front < front.count).then(|| front.first.plus(u64::from(self.done_in_front)))
    }

    fn strikes(&self, fault: Fault) -> bool {
        self.fault == Some(fault) && self.finished >= self.fault_after
    }
}

impl World {
    fn behaviour(&self, item: ItemId) -> Behaviour {
        self.behaviours[(item.0 - self.policy().first_item.0) as usize]
    }

    /// What the shell reads of a process's progress page; without one, the item that a process named last which may
    /// answer in any order.
    pub fn progress_of(&self, process: &SimProcess) -> Option<ItemId> {
        let contract = &self.policy().worker;
        process.progress.filter(|_| contract.blame == Blame::ProgressPage || !contract.in_order)
    }

    /// The process starts: it sends a hello, or begins its only item, or fails at once.
    pub fn begins(&mut self, id: ProcessId) {
        if !self.processes[id].is_alive() {
            return;
        }
        self.processes[id].begun = true;
        if self.policy().worker.starts_with_item() {
            return self.starts_item(id);
        }
        let hello = self.policy().worker.hello;
        match self.processes[id].fault {
            Some(Fault::DiesBeforeHello) => {
                self.marks.hit(Mark::DiedBeforeHello);
                return self.dies_somehow(id, 0);
            }
            Some(Fault::NoHello) if hello => {
                self.marks.hit(Mark::NoHello);
                self.processes[id].stuck = true;
                return;
            }
            _ => {}
        }
        if hello {
            let process = &mut self.processes[id];
            let right = process.fault != Some(Fault::BadHello);
            process.channel.write_hello(process.pid, right);
            if !right {
                self.marks.hit(Mark::BadHello);
            }
            self.soon(Effect::Read(id));
        } else {
            self.marks.hit(Mark::StartedWithoutHello);
        }
        if self.processes[id].fault == Some(Fault::DiesIdle) {
            let after = self.rng.below(3 * self.scenario.item_ns_max + 2);
            let status = self.some_status();
            self.after(after, Effect::Dies(id, status));
        }
        self.wakes(id);
    }

    /// The process reads its input.
    pub fn wakes(&mut self, id: ProcessId) {
        let process = &self.processes[id];
        if !process.is_alive() || !process.begun || process.working || process.stuck || process.leaving {
            return;
        }
        if process.recalled || (process.input_closed && process.inbox.is_empty()) {
            self.sends_what_is_done(id);
            let process = &mut self.processes[id];
            process.leaving = true;
            process.progress = None;
            if process.fault == Some(Fault::IgnoresEndOfInput) {
                self.marks.hit(Mark::IgnoredEndOfInput);
                self.processes[id].stuck = true;
            } else {
                self.soon(Effect::Dies(id, DeathStatus::Code(0)));
            }
        } else if !process.inbox.is_empty() {
            self.starts_item(id);
        }
    }

    fn starts_item(&mut self, id: ProcessId) {
        let takes = self.rng.below(self.scenario.item_ns_max + 1);
        let now = self.run_now().0;
        if !self.policy().worker.in_order {
            self.picks_a_batch(id);
        }
        let process = &mut self.processes[id];
        let Some(front) = process.inbox.front() else { return };
        let item = front.first.plus(u64::from(process.done_in_front));
        let attempt = front.attempt;
        (process.working, process.since) = (true, now);
        process.progress = Some(item);
        process.last_words = Some((item, attempt.0));
        process.busy_ns += takes;
        if process.fault == Some(Fault::ForeignPage) {
            process.progress = Some(ItemId(u64::MAX - 1));
            self.marks.hit(Mark::ForeignPage);
        }
        let chaos = chaos::of_item(&self.scenario.policy, Batch::of_one(item, attempt));
        let takes = if let Some(ItemChaos::Slow(time)) = chaos { takes + time.0 } else { takes };
        if self.strikes_in_item(id, takes) || self.strikes_itself(id, chaos, item) {
            return;
        }
        match self.behaviour(item) {
            Behaviour::Poison => {
                self.marks.hit(Mark::PoisonItem);
                self.dies_somehow(id, takes);
            }
            Behaviour::Hangs => {
                self.marks.hit(Mark::Hung);
                self.processes[id].stuck = true;
            }
            Behaviour::Fine | Behaviour::Fails(_) => self.after(takes, Effect::ItemEnds(id)),
        }
    }

    /// What a worker on our SDK does to its item by the plan of chaos; true if the item never ends by itself.
    fn strikes_itself(&mut self, id: ProcessId, chaos: Option<ItemChaos>, item: ItemId) -> bool {
        match chaos {
            Some(ItemChaos::Hang) => {
                let process = &mut self.processes[id];
                process.stuck = true;
                process.fault = process.fault.or(Some(Fault::IgnoresTerm));
                true
            }
            Some(ItemChaos::Torn) => {
                self.sends_what_is_done(id);
                let process = &mut self.processes[id];
                process.progress = process.progress.or(Some(item));
                let attempt = process.last_words.map_or(1, |(_, attempt)| attempt);
                process.channel.write_done(item.0, 1, attempt, 1);
                process.channel.tear(3);
                self.dies(id, DeathStatus::Code(TORN_CODE));
                true
            }
            Some(ItemChaos::Slow(_)) | None => false,
        }
    }

    /// A process that may answer in any order begins with any of its batches.
    fn picks_a_batch(&mut self, id: ProcessId) {
        let process = &self.processes[id];
        if process.done_in_front == 0 && process.inbox.len() > 1 {
            let chosen = self.rng.below(process.inbox.len() as u64) as usize;
            self.processes[id].inbox.swap(0, chosen);
        }
    }

    /// The process's own fault, if it strikes now; true if the item never ends by itself.
    fn strikes_in_item(&mut self, id: ProcessId, takes: u64) -> bool {
        let process = &mut self.processes[id];
        if process.strikes(Fault::DiesMidItem) || process.strikes(Fault::ForeignPage) {
            self.marks.hit(Mark::DiedMidItem);
            self.dies_somehow(id, takes);
            return true;
        }
        if process.strikes(Fault::Hangs) {
            process.stuck = true;
            self.marks.hit(Mark::Hung);
            return true;
        }
        if self.scenario.policy.worker.starts_with_item() {
            return false;
        }
        if process.strikes(Fault::ClosesChannel) {
            process.stuck = true;
            self.marks.hit(Mark::ChannelClosedWithoutExit);
            self.after(takes, Effect::EndOfFile(id));
            return true;
        }
        if process.strikes(Fault::BadFrame) {
            process.fault = None;
            process.channel.write_garbage();
            self.marks.hit(Mark::BadFrame);
            self.soon(Effect::Read(id));
        } else if process.strikes(Fault::WrongItem) {
            process.fault = None;
            let (item, attempt) = process.last_words.unwrap_or((ItemId(0), 1));
            let (wrong_item, wrong_attempt, count) = match self.rng.below(4) {
                0 => (item.0 + 1, attempt, 1),
                1 => (item.0, attempt + 1, 1),
                2 => (item.0, attempt, 1_000_000),
                _ => (u64::MAX, attempt, u32::MAX),
            };
            let process = &mut self.processes[id];
            // Items that are finished and not reported stay so: their answer would be a second wrong one.
            process.channel.write_done(wrong_item, count, wrong_attempt, 1);
            self.marks.hit(Mark::WrongItem);
            self.soon(Effect::Read(id));
        }
        false
    }

    /// The item that it runs is finished.
    pub fn item_ends(&mut self, id: ProcessId) {
        let process = &mut self.processes[id];
        if !process.is_alive() || !process.working || process.stuck {
            return;
        }
        let Some(&front) = process.inbox.front() else { return };
        let item = front.first.plus(u64::from(process.done_in_front));
        let behaviour = self.behaviour(item);
        let fails = matches!(behaviour, Behaviour::Fails(times) if front.attempt.0 <= times);
        let process = &mut self.processes[id];
        process.working = false;
        process.finished += 1;
        if self.scenario.policy.worker.starts_with_item() {
            let code = if fails { self.rng.between(1, 4) as u8 } else { 0 };
            return self.dies(id, DeathStatus::Code(code));
        }
        if fails {
            self.marks.hit(Mark::ItemFailed);
            self.sends_what_is_done(id);
            let process = &mut self.processes[id];
            process.progress = None;
            process.channel.write_failed(item.0, front.attempt.0);
            process.done_in_front += 1;
            process.sent_in_front += 1;
            self.soon(Effect::Read(id));
        } else {
            process.done_in_front += 1;
            if process.done_in_front == front.count || self.either() {
                self.sends_what_is_done(id);
                if self.dies_with_its_result(id) {
                    return;
                }
            }
        }
        let process = &mut self.processes[id];
        if process.done_in_front == front.count {
            process.inbox.pop_front();
            (process.done_in_front, process.sent_in_front) = (0, 0);
            process.progress = None;
        }
        self.wakes(id);
    }

    /// Writes the results that were held back, after the progress page was cleared.
    fn sends_what_is_done(&mut self, id: ProcessId) {
        let process = &mut self.processes[id];
        let Some(&front) = process.inbox.front() else { return };
        let count = process.done_in_front - process.sent_in_front;
        if count == 0 {
            return;
        }
        process.progress = None;
        let first = front.first.plus(u64::from(process.sent_in_front));
        if self.scenario.policy.worker.in_order {
            process.channel.write_done(first.0, count, front.attempt.0, process.busy_ns);
        } else {
            // One by one, the last one first.
            let busy_ns = process.busy_ns / u64::from(count);
            (0..u64::from(count)).rev().for_each(|offset| {
                process.channel.write_done(first.0 + offset, 1, front.attempt.0, busy_ns);
            });
        }
        process.sent_in_front = process.done_in_front;
        process.busy_ns = 0;
        self.soon(Effect::Read(id));
    }

    fn dies_with_its_result(&mut self, id: ProcessId) -> bool {
        let process = &self.processes[id];
        // `finished` counts the item that has just ended.
        let struck = process.finished > process.fault_after;
        let status = match process.fault {
            Some(Fault::DiesMidResult) if struck => {
                let bytes = self.rng.between(1, 6) as usize;
                self.processes[id].channel.tear(bytes);
                self.marks.hit(Mark::DiedMidResult);
                self.some_status()
            }
            Some(Fault::DiesAfterResult) if struck => {
                self.marks.hit(Mark::DiedAfterResult);
                self.some_status()
            }
            _ => return false,
        };
        self.dies(id, status);
        true
    }

    /// A death with a random status, after `within_ns` at most.
    fn dies_somehow(&mut self, id: ProcessId, within_ns: u64) {
        let after = self.rng.below(within_ns + 1);
        let status = self.some_status();
        self.after(after, Effect::Dies(id, status));
    }

    fn some_status(&mut self) -> DeathStatus {
        self.rng.pick(&[
            DeathStatus::Signal(9),
            DeathStatus::Signal(11),
            DeathStatus::Signal(15),
            DeathStatus::Code(3),
            DeathStatus::Code(0),
        ])
    }

    /// A signal reaches it: KILL always ends it, another one unless it ignores signals.
    pub fn hit(&mut self, id: ProcessId, signal: Signal) {
        let process = &self.processes[id];
        if signal == Signal::KILL && process.output_held {
            // It ends the process that holds the output of this one.
            return self.soon(Effect::Reaped(id));
        }
        if !process.is_alive() {
            return;
        }
        if signal == Signal::KILL {
            return self.dies(id, DeathStatus::Signal(signal.0));
        }
        if process.fault == Some(Fault::IgnoresTerm) {
            self.marks.hit(Mark::IgnoredTerm);
            return;
        }
        let after = if self.rng.below(4) == 0 { self.rng.below(30_000_000) } else { 0 };
        let status = if self.rng.below(4) == 0 { DeathStatus::Code(0) } else { DeathStatus::Signal(signal.0) };
        self.after(after, Effect::Dies(id, status));
    }

    /// Whether what happens has to wait until the process goes on. KILL ends one that is stopped.
    pub fn waits_to_go_on(&mut self, effect: Effect) -> bool {
        let id = match effect {
            Effect::Hit(_, Signal::KILL) | Effect::Dies(_, DeathStatus::Signal(9)) => return false,
            Effect::Begins(id)
            | Effect::Wakes(id)
            | Effect::ItemEnds(id)
            | Effect::EndOfFile(id)
            | Effect::Hit(id, _)
            | Effect::Dies(id, _) => id,
            _ => return false,
        };
        let process = &mut self.processes[id];
        let waits = process.is_alive() && process.is_stopped;
        if waits {
            process.waiting.push(effect);
        }
        waits
    }

    /// STOP reaches it, or CONT.
    pub fn stops(&mut self, id: ProcessId, signal: Signal) {
        let process = &mut self.processes[id];
        process.is_stopped = signal == Signal::STOP;
        if !process.is_stopped {
            for effect in std::mem::take(&mut process.waiting) {
                self.soon(effect);
            }
        }
    }

    /// It dies; the shell learns of that later.
    pub fn dies(&mut self, id: ProcessId, status: DeathStatus) {
        if !self.processes[id].is_alive() {
            return;
        }
        self.processes[id].life = Lifetime::Zombie(status);
        if self.policy().worker.starts_with_item() && self.rng.per_mille(self.scenario.output_held) {
            self.marks.hit(Mark::OutputHeld);
            self.processes[id].output_held = true;
            let held = self.rng.below(OUTPUT_HELD_NS_MAX);
            self.soon(Effect::OutputHeld(id));
            return self.after(held, Effect::Reaped(id));
        }
        let held_open = self.rng.per_mille(self.scenario.held_open);
        if !held_open && !self.policy().worker.starts_with_item() && self.rng.below(2) == 0 {
            self.soon(Effect::EndOfFile(id));
        } else if held_open {
            self.marks.hit(Mark::ExitedWithoutClose);
        }
        self.soon(Effect::Reaped(id));
    }
}
