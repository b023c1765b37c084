//! Which steps of a run are shown.

use super::step::{Step, StepKind};
use crate::model::ids::{ItemId, WorkerId};
use crate::model::time::Instant;

/// What a person wants to see. Nothing set: the main steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFilter {
    /// Steps about this item alone.
    pub item: Option<ItemId>,
    /// Steps about this worker alone.
    pub worker: Option<WorkerId>,
    /// Steps from this moment on.
    pub from: Option<Instant>,
    /// Steps up to this moment.
    pub to: Option<Instant>,
    /// All steps of these kinds, also those that are not main steps.
    pub kinds: Vec<StepKind>,
}

impl StepFilter {
    /// Whether a step is shown.
    #[must_use]
    pub fn accepts(&self, step: &Step) -> bool {
        let of_item = self.item.is_none_or(|item| step.batch.is_some_and(|batch| batch.contains(item)));
        let of_worker = self.worker.is_none_or(|worker| step.worker == Some(worker));
        let in_time = self.from.is_none_or(|from| from <= step.at) && self.to.is_none_or(|to| step.at <= to);
        let of_kind = if self.kinds.is_empty() { step.is_main } else { self.kinds.contains(&step.kind) };
        of_item && of_worker && in_time && of_kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{Attempt, Batch};

    #[test]
    fn each_condition_has_to_hold() {
        let batch = Batch { first: ItemId(4), count: 3, attempt: Attempt::FIRST };
        let worker = Some(WorkerId::from_index(1));
        let step = Step { batch: Some(batch), worker, ..Step::new(Instant(50), StepKind::Frame, "") };
        let accepts = |filter: StepFilter| filter.accepts(&step);
        let none = StepFilter::default;
        assert!(accepts(none()));
        for (item, accepted) in [(3, false), (4, true), (6, true), (7, false)] {
            assert_eq!(accepts(StepFilter { item: Some(ItemId(item)), ..none() }), accepted, "item {item}");
        }
        assert!(accepts(StepFilter { worker, ..none() }));
        assert!(!accepts(StepFilter { worker: Some(WorkerId::from_index(0)), ..none() }));
        assert!(accepts(StepFilter { from: Some(Instant(50)), to: Some(Instant(50)), ..none() }));
        assert!(!accepts(StepFilter { from: Some(Instant(51)), ..none() }));
        assert!(!accepts(StepFilter { to: Some(Instant(49)), ..none() }));
        assert!(!accepts(StepFilter { kinds: vec![StepKind::Order], ..none() }));
        let minor = Step { is_main: false, ..step.clone() };
        assert!(!none().accepts(&minor));
        assert!(StepFilter { kinds: vec![StepKind::Frame], ..none() }.accepts(&minor));
    }
}
