//! Spans that overlap, in rows in which none do.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Puts each span, in nanoseconds, into the first lane that is free: the numbers of the spans by lane, each lane in the
/// order of time.
pub fn lanes(spans: &[(u64, u64)]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|number| spans[*number]);
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    let mut free = BTreeSet::new();
    let mut taken = BinaryHeap::new();
    for number in order {
        let (from, to) = spans[number];
        while let Some(Reverse((_, lane))) = taken.peek().copied().filter(|Reverse((end, _))| *end <= from) {
            taken.pop();
            free.insert(lane);
        }
        let lane = free.pop_first().unwrap_or_else(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        lanes[lane].push(number);
        taken.push(Reverse((to, lane)));
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_gets_the_first_free_lane() {
        assert_eq!(lanes(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(lanes(&[(5, 9), (0, 4), (4, 5)]), [[1, 2, 0]], "one after the other");
        assert_eq!(lanes(&[(0, 10), (1, 3), (2, 5), (3, 4), (10, 11)]), [vec![0, 4], vec![1, 3], vec![2]]);
    }
}
