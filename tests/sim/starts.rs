//! The shadow model's view of starts: which items a worker has begun, as far as anybody can know, and what was reported
//! about it. Attempts must be reported as 1, 2, 3: none left out, none twice.

use crate::items::ids;
use crate::violation::{BrokenCheck, ensure};
use std::collections::{BTreeMap, BTreeSet};
use supervisor::model::ids::{Attempt, Batch, ItemId};
use supervisor::model::outcome::{Cause, CauseKind, FailReason};

type Judgement = Result<(), BrokenCheck>;

/// The last dispatch of an item.
#[derive(Debug)]
struct Dispatch {
    attempt: Attempt,
    /// In a batch of one.
    alone: bool,
    /// A probe, an answer or an end has shown that the worker began it.
    begun: bool,
    reported: bool,
}

#[derive(Debug, Default)]
pub struct Starts {
    wanted: bool,
    items: BTreeMap<ItemId, Dispatch>,
    /// Came back uncharged in this step.
    returning: BTreeSet<ItemId>,
}

impl Starts {
    pub fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    pub fn dispatched(&mut self, batch: Batch) -> Judgement {
        for id in ids(batch.first, batch.count) {
            let unreported = self.returning.contains(&id);
            ensure!(!unreported, Reports, "item {id} is dispatched again, and nothing told that it came back");
            let dispatch = Dispatch { attempt: batch.attempt, alone: batch.count == 1, begun: false, reported: false };
            self.items.insert(id, dispatch);
        }
        Ok(())
    }

    pub fn begun(&mut self, id: ItemId) {
        if let Some(dispatch) = self.items.get_mut(&id) {
            dispatch.begun = true;
        }
    }

    pub fn come_back(&mut self, ids: &[ItemId]) {
        self.returning.extend(ids);
    }

    /// Whether a probe could show that this item has begun, which was not reported yet.
    pub fn is_awaited(&self, id: ItemId) -> bool {
        self.wanted && self.items.get(&id).is_some_and(|dispatch| dispatch.alone && !dispatch.reported)
    }

    pub fn reports_start(&mut self, id: ItemId, attempt: Attempt) -> Judgement {
        ensure!(self.wanted, Reports, "the start of item {id} is reported, and nobody wants that");
        let Some(known) = self.items.get_mut(&id) else {
            ensure!(false, Reports, "item {id} is reported as started, and was never dispatched");
            return Ok(());
        };
        ensure!(known.attempt == attempt, Reports, "item {id} is reported as started at attempt {attempt}: {known:?}");
        ensure!(known.begun, Reports, "item {id} is reported as started, and nobody can know that");
        ensure!(!known.reported, Reports, "the start of item {id}, attempt {attempt}, is reported twice");
        known.reported = true;
        Ok(())
    }

    pub fn reports_return(&mut self, batch: Batch, running: Option<ItemId>) -> Judgement {
        for id in ids(batch.first, batch.count) {
            ensure!(self.returning.remove(&id), Reports, "item {id} is reported as returned, and did not come back");
            let known = self.items.remove(&id);
            ensure!(
                known.as_ref().is_some_and(|known| known.attempt == batch.attempt),
                Reports,
                "{batch:?}: {known:?}"
            );
            if running == Some(id) {
                ensure!(known.is_some_and(|known| known.begun), Reports, "item {id} is reported as running");
            }
        }
        ensure!(running.is_none_or(|id| batch.contains(id)), Reports, "{running:?} is not in {batch:?}");
        Ok(())
    }

    /// An attempt has ended, with this cause unless it succeeded, and that is reported now.
    pub fn reports_end(&self, id: ItemId, cause: Option<&Cause>) -> Judgement {
        let began = !matches!(cause.map(|cause| &cause.kind), Some(CauseKind::Failed(FailReason::NotStarted(_))));
        let Some(known) = self.items.get(&id).filter(|_| self.wanted && began) else { return Ok(()) };
        let told = known.reported || (cause.is_none() && !known.alone);
        ensure!(told, Reports, "the attempt of item {id} is over, and its start was not reported");
        Ok(())
    }

    /// Items that came back and were skipped in the same step, since the run stops, are not reported as returned.
    pub fn after(&mut self, is_settled: impl Fn(ItemId) -> bool) -> Judgement {
        for id in std::mem::take(&mut self.returning) {
            ensure!(is_settled(id), Reports, "item {id} came back, and nothing told that");
        }
        Ok(())
    }
}
