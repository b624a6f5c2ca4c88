//! The units of a frame that are still to run, in order.
//!
//! Attempts settle units from the front. The cost depends on the number of units settled, not on the number left, so a large
//! frame takes linear time even if its units run one by one.

use super::work_unit::WorkUnit;

/// What is left of a frame.
pub(super) struct WorkList {
    units: Vec<WorkUnit>,
    /// The number of units at the front that are settled.
    settled: usize,
}

impl WorkList {
    /// A list of these units.
    pub(super) fn new(units: Vec<WorkUnit>) -> Self {
        Self { units, settled: 0 }
    }

    /// The units that are left.
    pub(super) fn left(&self) -> &[WorkUnit] {
        &self.units[self.settled..]
    }

    /// Settles the first units.
    pub(super) fn settle(&mut self, count: usize) {
        self.settled += count.min(self.left().len());
    }

    /// Settles the first `count` units, and the later one at `position`, which it returns.
    pub(super) fn settle_with(&mut self, count: usize, position: usize) -> WorkUnit {
        let (first, position) = (self.settled + count, self.settled + position);
        let unit = self.units[position];
        // Moves the units in between. There are few of them, because workers report their results every 10 ms.
        self.units.copy_within(first..position, first + 1);
        self.settled = first + 1;
        unit
    }

    /// Settles the units that are left for which a condition holds, and returns them.
    pub(super) fn settle_where(&mut self, mut condition: impl FnMut(&WorkUnit) -> bool) -> Vec<WorkUnit> {
        self.units.extract_if(self.settled.., |unit| condition(unit)).collect()
    }

    /// Settles all units after the first `count`, and returns them.
    pub(super) fn settle_behind(&mut self, count: usize) -> Vec<WorkUnit> {
        self.units.split_off(self.units.len().min(self.settled + count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(units: usize) -> WorkList {
        WorkList::new((0..units).map(|position| WorkUnit { batch: 0, position, input: 0 }).collect())
    }

    fn positions(units: &[WorkUnit]) -> Vec<usize> {
        units.iter().map(|unit| unit.position).collect()
    }

    #[test]
    fn a_unit_is_settled_from_the_middle_and_the_others_keep_their_order() {
        let mut list = list(7);
        list.settle(1);
        assert_eq!(list.settle_with(1, 4).position, 5);
        assert_eq!(positions(list.left()), [2, 3, 4, 6]);
        assert_eq!(list.settle_with(0, 0).position, 2);
        assert_eq!(positions(list.left()), [3, 4, 6]);
    }

    #[test]
    fn units_are_settled_behind_others_and_never_beyond_the_end() {
        let mut list = list(5);
        list.settle(1);
        assert_eq!(positions(&list.settle_behind(2)), [3, 4]);
        assert_eq!(positions(list.left()), [1, 2]);
        list.settle(9);
        assert!(list.left().is_empty() && list.settle_behind(0).is_empty());
    }
}
