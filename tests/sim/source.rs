//! The simulated source: it delivers no more than was demanded, now and then is idle, stalls, breaks off,
//! or ends. Some of its items were settled by an earlier run.

use crate::agenda::Effect;
use crate::marks::Mark;
use crate::process::Behaviour;
use crate::violation::BrokenCheck;
use crate::world::World;
use supervisor::core::input::Input;
use supervisor::model::ids::{Attempt, ItemId};
use supervisor::model::outcome::{Cause, CauseKind, FailReason, Outcome};
use supervisor::model::spec::QueueOrder;

#[derive(Default)]
pub struct SimSource {
    pub delivered: u64,
    pub demand: u64,
    /// `SourceSpeaks` is on the agenda.
    pub about_to_speak: bool,
    /// It never delivers again.
    pub stalled: bool,
    pub over: bool,
}

impl World {
    pub fn demanded(&mut self, items: u64) {
        self.source.demand = items;
        if items == 0 {
            self.marks.hit(Mark::DemandStopped);
        } else if !self.source.about_to_speak && !self.source.over && !self.source.stalled {
            self.source.about_to_speak = true;
            self.soon(Effect::SourceSpeaks);
        }
    }

    pub fn source_speaks(&mut self) -> Result<(), BrokenCheck> {
        self.source.about_to_speak = false;
        if self.source.over || self.source.demand == 0 || self.source.stalled {
            return Ok(());
        }
        let left = self.scenario.items - self.source.delivered;
        if left == 0 {
            if self.scenario.source_dies {
                return self.source_lost();
            }
            self.source.over = true;
            return self.input(Input::SourceEnded);
        }
        let most = left.min(self.source.demand).min(20);
        let mut count = if self.agenda.scripted { most } else { self.rng.between(1, most) };
        if self.policy().queue_order == QueueOrder::Priority {
            count = count.min(3);
        }
        self.arrive(count)?;
        if self.finished || self.source.over {
            return Ok(());
        }
        if self.rng.per_mille(self.scenario.idle) {
            if self.rng.below(10) == 0 {
                self.source.stalled = true;
                self.marks.hit(Mark::SourceStalled);
            } else {
                self.source.about_to_speak = true;
                let pause = self.rng.below(20_000_000);
                self.after(pause, Effect::SourceSpeaks);
            }
            return self.input(Input::SourceIdle);
        }
        if self.source.demand > 0 && !self.source.about_to_speak {
            self.source.about_to_speak = true;
            self.soon(Effect::SourceSpeaks);
        }
        Ok(())
    }

    /// `count` items arrive: as one batch, or one by one where each has a priority.
    fn arrive(&mut self, count: u64) -> Result<(), BrokenCheck> {
        let one_by_one = self.policy().queue_order == QueueOrder::Priority;
        let mut left = count;
        while left > 0 && self.source.delivered < self.scenario.items && !self.finished && !self.source.over {
            let first = self.policy().first_item.plus(self.source.delivered);
            left = left.min(self.scenario.items - self.source.delivered);
            if self.rng.per_mille(self.scenario.restored) {
                self.restore(first)?;
                continue;
            }
            if self.rng.per_mille(self.scenario.rejected) {
                self.marks.hit(Mark::ItemRejected);
                self.draw_behaviours(1);
                self.input(Input::ItemRejected {
                    item: first,
                    reason: FailReason::Rejected(String::from("too large")),
                })?;
                left -= 1;
                continue;
            }
            let count = if one_by_one { 1 } else { left };
            self.draw_behaviours(count);
            let priority = if one_by_one { self.rng.below(5) as i64 - 2 } else { 0 };
            if self.rng.per_mille(self.scenario.restored / 2) {
                self.arrive_again(first, count, priority)?;
            } else {
                self.input(Input::BatchArrived { first, count: count as u32, priority })?;
            }
            left -= count;
        }
        Ok(())
    }

    /// An earlier session has begun these items.
    fn arrive_again(&mut self, first: ItemId, count: u64, priority: i64) -> Result<(), BrokenCheck> {
        self.marks.hit(Mark::ArrivedAgain);
        let attempt = Attempt(self.rng.between(2, 4) as u32);
        let fails = count == 1 && self.rng.per_mille(500);
        let kind = CauseKind::Failed(FailReason::Message(String::from("earlier")));
        let cause = Cause { attempt: Attempt::FIRST, worker: None, pid: None, kind };
        let causes = if fails { vec![cause] } else { Vec::new() };
        self.input(Input::ArrivedAgain { first, count: count as u32, priority, attempt, causes })
    }

    /// The next items have an outcome already. They use up no demand.
    fn restore(&mut self, first: ItemId) -> Result<(), BrokenCheck> {
        let count = self.rng.between(1, (self.scenario.items - self.source.delivered).min(6));
        let outcome = self.rng.pick(&[0, 0, 0, 1, 2, 3]);
        let outcome = [Outcome::Done, Outcome::Failed, Outcome::Dead, Outcome::Skipped][outcome].clone();
        self.source.delivered += count;
        self.behaviours.extend((0..count).map(|_| Behaviour::Fine));
        self.input(Input::Restored { first, count: count as u32, outcome })
    }

    fn draw_behaviours(&mut self, count: u64) {
        self.source.delivered += count;
        self.source.demand = self.source.demand.saturating_sub(count);
        for _ in 0..count {
            let behaviour = if self.rng.per_mille(self.scenario.failing) {
                Behaviour::Fails(self.rng.pick(&[1, 1, 2, u32::MAX]))
            } else if self.rng.per_mille(self.scenario.poisoned) {
                Behaviour::Poison
            } else if self.rng.per_mille(self.scenario.hanging) {
                Behaviour::Hangs
            } else {
                Behaviour::Fine
            };
            self.behaviours.push(behaviour);
        }
    }

    pub fn source_lost(&mut self) -> Result<(), BrokenCheck> {
        if self.source.over {
            return Ok(());
        }
        self.source.over = true;
        self.marks.hit(Mark::SourceLost);
        self.input(Input::SourceLost { error: String::from("read stdin: the other end is gone") })
    }
}
