//! The true state of each item: its bytes, what its attempts lead to, what workers did with it, and what the shell
//! reported about it.

use crate::check::hold;
use crate::choice::Rng;
use crate::scenario::Scenario;
use crate::world::World;
use std::collections::BTreeMap;
use std::ops::Range;
use supervisor::journal::books::ItemStage;
use supervisor::model::ids::ItemId;
use supervisor::wire::message::SMALL_BODY_BYTES_MAX;

/// What a result looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Line,
    TwoLines,
    NoNewline,
    Empty,
    /// Several KiB.
    Big,
    /// So large that it goes to a file.
    Huge,
}

/// What an attempt leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Done,
    Fails,
    Kills,
    Hangs,
}

#[derive(Clone, Copy, Debug)]
pub struct Item {
    shape: Shape,
    fails: u32,
    kills: u32,
    hangs: bool,
    pub rejected: bool,
    /// An earlier run has finished it.
    pub restored: bool,
    /// Executions that began, and those that gave reason for another one: failures, and deaths of its holder.
    pub executions: u32,
    pub returns: u32,
    /// A complete result is on its way, and its worker kept to the protocol.
    pub completed: bool,
    /// That result has to count, whatever the shell has decided meanwhile.
    pub counts: bool,
    /// Failures that are on their way.
    pub failures: u32,
    /// The process that holds it.
    pub holder: Option<usize>,
    /// The holder answered for it, and lied about another item afterwards.
    pub answered: bool,
    /// Deaths that have to be charged to it, without any doubt.
    pub charges: u32,
    pub settled: bool,
    pub done: bool,
    pub shown: bool,
    /// All of its result has left stdout, in whichever session.
    pub delivered: bool,
    /// The journal was told so before a barrier that held.
    pub told: bool,
    /// An attempt is recorded, and that is safe.
    pub begun: bool,
    pub begun_safe: bool,
    /// Attempts that are recorded to have begun, and the fewest since the last barrier.
    pub attempts: u32,
    pub attempts_min: u32,
    /// Attempts that earlier sessions have begun.
    pub attempts_before: u32,
    /// A durable record of its outcome was added, and is safe.
    pub recorded: bool,
    pub recorded_stage: Option<ItemStage>,
    pub safe: bool,
    /// It waits for the next session, as the run is stopped.
    pub left_open: bool,
    /// Its outcome is of an earlier session, and its result is to be shown again.
    pub pending: bool,
    /// The item behind those that share that outcome.
    pub pending_until: u64,
}

/// What the disk says of an item.
pub struct OnDisk {
    /// The outcome that was recorded, and whether that is safe.
    pub expected: Option<ItemStage>,
    pub is_safe: bool,
    /// It is safe that an attempt was begun.
    pub is_begun: bool,
    /// So many attempts are known at least.
    pub attempts: u32,
}

/// All items that the source delivered, by id.
pub struct Items {
    first: u64,
    /// Also those that this session has not been given yet.
    all: Vec<Item>,
    accepted: u64,
    pub settled: u64,
    pub shown: u64,
    /// In keep-order, the item whose turn it is.
    pub turn: u64,
    /// The results that were recorded, by first item, with the number of items that share them.
    pub recorded_results: BTreeMap<u64, (u32, Vec<u8>)>,
}

impl Item {
    /// Another session finds the item so. `pending_until`: its outcome is to be shown with those before this one. `crashes`:
    /// recorded causes of that kind.
    pub fn go_on(&mut self, stage: ItemStage, attempts: u32, pending_until: Option<u64>, crashes: u32) {
        let is_pending = pending_until.is_some();
        self.pending_until = pending_until.unwrap_or(0);
        let is_settled = stage.is_settled();
        (self.settled, self.recorded, self.safe) = (is_settled, is_settled, is_settled);
        (self.restored, self.shown) = (is_settled && !is_pending, is_settled && !is_pending);
        self.recorded_stage = is_settled.then_some(stage);
        (self.done, self.pending) = (stage == ItemStage::Done, is_settled && is_pending);
        (self.begun, self.begun_safe, self.left_open) = (false, false, false);
        (self.attempts, self.attempts_min, self.attempts_before) = (attempts, attempts, attempts);
        (self.completed, self.counts, self.answered, self.holder) = (self.done, false, false, None);
        self.charges = self.charges.min(crashes);
        // Whoever was at it has ended.
        self.returns = self.executions;
    }

    pub fn on_disk(&self) -> OnDisk {
        OnDisk {
            expected: self.recorded_stage,
            is_safe: self.safe,
            is_begun: self.begun_safe,
            attempts: self.attempts_min,
        }
    }
}

impl Items {
    /// Whether the record has these results for the item. Items that share an outcome have none if they are of commands; they
    /// are shown in pieces where the source delivers them so.
    pub fn has_recorded(&self, first: u64, results: &[u8]) -> bool {
        let recorded = self.recorded_results.range(..=first).next_back();
        recorded.is_some_and(|(own, (count, recorded))| {
            let is_later_piece = *own < first && first < own + u64::from(*count) && recorded.is_empty();
            (*own == first || is_later_piece) && recorded == results
        })
    }

    pub fn new(scenario: &Scenario) -> Self {
        let first = scenario.policy.first_item.0;
        let all = Vec::with_capacity(scenario.items as usize);
        Self { first, all, accepted: 0, settled: 0, shown: 0, turn: first, recorded_results: BTreeMap::new() }
    }

    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Those that were accepted in this session or an earlier one.
    pub const fn known(&self) -> u64 {
        self.all.len() as u64
    }

    pub fn known_items(&self) -> impl Iterator<Item = (u64, &Item)> {
        (self.first..).zip(&self.all)
    }

    pub fn all(&self) -> impl Iterator<Item = (u64, &Item)> {
        self.known_items().take(self.accepted as usize)
    }

    /// Another session begins: the source delivers from the first item on.
    pub const fn begin_session(&mut self) {
        (self.accepted, self.settled, self.shown, self.turn) = (0, 0, 0, self.first);
    }

    /// How many of the next items are known not to be rejected; `None`: the next one is. Further ones are not known.
    pub fn acceptable(&self) -> Option<u64> {
        let known = &self.all[self.accepted as usize..];
        match known.iter().position(|item| item.rejected) {
            Some(0) => None,
            Some(before) => Some(before as u64),
            None => Some(u64::MAX),
        }
    }

    /// Whether an earlier session has been given the next item.
    pub const fn is_next_known(&self) -> bool {
        self.accepted < self.known()
    }

    pub fn get(&mut self, id: u64) -> Option<&mut Item> {
        self.all.get_mut(id.checked_sub(self.first)? as usize)
    }

    pub fn each(&mut self, change: impl FnMut(&mut Item)) {
        self.all.iter_mut().for_each(change);
    }

    /// The id of the next item that the source delivers.
    pub fn next(&self) -> u64 {
        self.first + self.accepted()
    }

    /// The source delivers an item: its result and its faults are drawn now.
    pub fn add(&mut self, scenario: &Scenario, rng: &mut Rng, rejected: bool) {
        if self.is_next_known() {
            let item = &self.all[self.accepted as usize];
            self.settled += u64::from(item.settled);
            self.shown += u64::from(item.shown);
            self.accepted += 1;
            return;
        }
        self.accepted += 1;
        let mut some = |chance: u32, values: &[u32]| {
            if chance > 0 && rng.per_mille(chance) { rng.pick(values) } else { 0 }
        };
        let fails = some(scenario.failing, &[1, 1, 2, u32::MAX]);
        let kills = some(scenario.poisoned, &[1, 1, 2, u32::MAX]);
        let hangs = some(scenario.hanging, &[1]) > 0;
        let odd = some(scenario.odd_results, &[1]) > 0;
        let shape = if scenario.huge_result && self.all.is_empty() {
            Shape::Huge
        } else if scenario.big_results {
            Shape::Big
        } else if odd {
            rng.pick(&[Shape::TwoLines, Shape::NoNewline, Shape::Empty])
        } else {
            Shape::Line
        };
        self.all.push(Item {
            shape,
            fails,
            kills,
            hangs,
            rejected,
            restored: false,
            executions: 0,
            returns: 0,
            completed: false,
            counts: false,
            failures: 0,
            holder: None,
            answered: false,
            charges: 0,
            settled: false,
            done: false,
            shown: false,
            delivered: false,
            told: false,
            begun: false,
            begun_safe: false,
            attempts: 0,
            attempts_min: 0,
            attempts_before: 0,
            recorded: false,
            recorded_stage: None,
            safe: false,
            left_open: false,
            pending: false,
            pending_until: 0,
        });
    }

    /// The source delivers an item that an earlier run has finished.
    pub fn add_restored(&mut self, scenario: &Scenario, rng: &mut Rng) {
        self.add(scenario, rng, false);
        if let Some(item) = self.all.last_mut() {
            (item.restored, item.settled, item.done, item.shown) = (true, true, true, true);
        }
        self.settled += 1;
        self.shown += 1;
    }

    /// The item whose turn it is: none that an earlier run has finished.
    pub fn pass_restored(&mut self) {
        while self.get(self.turn).is_some_and(|item| item.restored) {
            self.turn += 1;
        }
    }

    /// What the present execution of an item leads to.
    pub fn fate(&mut self, id: u64) -> Fate {
        let Some(item) = self.get(id) else { return Fate::Done };
        if item.executions <= item.kills {
            Fate::Kills
        } else if item.hangs {
            Fate::Hangs
        } else if item.failures < item.fails {
            Fate::Fails
        } else {
            Fate::Done
        }
    }

    /// Whether the result of an item may be sent together with others: it is a line, and not long.
    pub fn is_line(&self, id: u64) -> bool {
        let at = id.saturating_sub(self.first) as usize;
        self.all.get(at).is_none_or(|item| matches!(item.shape, Shape::Line | Shape::Big))
    }

    pub fn push_result(&self, id: u64, out: &mut Vec<u8>) {
        let at = id.saturating_sub(self.first) as usize;
        let number = id.to_string();
        out.push(b'r');
        out.extend_from_slice(number.as_bytes());
        let filled = |out: &mut Vec<u8>, bytes: usize| out.resize(out.len() + bytes, b'.');
        match self.all.get(at).map_or(Shape::Line, |item| item.shape) {
            Shape::Line => out.push(b'\n'),
            Shape::TwoLines => out.extend_from_slice(b"\nand more\n"),
            Shape::NoNewline => {}
            Shape::Empty => out.truncate(out.len() - number.len() - 1),
            Shape::Big => {
                filled(out, 8000);
                out.push(b'\n');
            }
            Shape::Huge => filled(out, SMALL_BODY_BYTES_MAX + 1),
        }
    }
}

/// The bytes of an item.
pub fn push_payload(id: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"item ");
    out.extend_from_slice(id.to_string().as_bytes());
}

pub fn ids(first: ItemId, count: u32) -> Range<u64> {
    first.0..first.0 + u64::from(count)
}

impl World {
    /// The shell sends an item to a process.
    pub fn dispatched(&mut self, id: u64, process: usize) {
        let is_gone = !self.processes[process].is_alive();
        let Some(item) = self.items.get(id) else {
            return self.violate(crate::check::Check::Executions, format!("item {id} never arrived"));
        };
        let (holder, settled) = (item.holder.filter(|_| !item.answered), item.settled);
        item.answered = false;
        item.holder = Some(process);
        item.returns += u32::from(is_gone);
        hold!(self, !settled, Executions, "item {id} is sent to a worker although it has its outcome");
        let other = holder.filter(|&holder| !self.processes[holder].reaped);
        hold!(self, other.is_none(), Executions, "item {id} is sent to {process} while {other:?} still holds it");
    }

    /// It is recorded that attempts at these items begin, or that they have come back.
    /// `attempts`: so many count now, if that changes.
    pub fn recorded_begin(&mut self, items: Range<u64>, begun: bool, attempts: Option<u32>) {
        for id in items {
            if let Some(item) = self.items.get(id) {
                (item.begun, item.begun_safe) = (begun, false);
                item.attempts = attempts.unwrap_or(item.attempts);
                item.attempts_min = item.attempts_min.min(item.attempts);
            }
        }
    }

    /// What starts an attempt at an item leaves the supervisor.
    pub fn leaves(&mut self, id: u64) {
        let is_recorded = self.scenario.record.is_some();
        let is_safe = self.items.get(id).is_some_and(|item| item.begun_safe);
        hold!(self, is_safe || !is_recorded, Barrier, "item {id} leaves before its attempt is recorded");
    }

    /// An execution of an item begins.
    pub fn begins(&mut self, id: u64, attempt: u32) {
        let Some(item) = self.items.get(id) else { return };
        item.executions += 1;
        let Item { executions, returns, counts, attempts_before, .. } = *item;
        hold!(
            self,
            attempt > attempts_before,
            Executions,
            "item {id} is executed as attempt {attempt}, and earlier sessions have begun {attempts_before}"
        );
        hold!(self, !counts, ResultOfTheDead, "item {id} is executed again although its result was complete");
        hold!(
            self,
            executions <= 1 + returns,
            Executions,
            "item {id} is executed {executions} times, with {returns} reasons to repeat it"
        );
    }
}
