//! When a step fails as a whole: too many failures, or its time is up.

use crate::model::{Failure, FailureKind, Stats};
use crate::spec::MaxFailures;
use std::time::Duration;

/// Whether more items failed than `max_failures` tolerates. If the total is not known yet, a percentage applies to the
/// finished items, once there are enough.
pub(super) fn too_many_so_far(most: MaxFailures, total: Option<u64>, stats: &Stats) -> Option<Failure> {
    const ENOUGH: u64 = 100;
    let done = stats.succeeded + stats.failed;
    let of = match (most, total) {
        (MaxFailures::Percent(_), None) if done < ENOUGH => return None,
        (_, total) => total.unwrap_or(done),
    };
    most.is_passed(stats.failed, of).then(|| too_many(most, stats))
}

/// The failure of a step with more failed items than it tolerates.
pub(super) fn too_many(most: MaxFailures, stats: &Stats) -> Failure {
    let message = format!("{} items failed; `max_failures` is {most}", stats.failed);
    Failure::new(FailureKind::Limit, "TooManyFailures", message)
}

/// The failure of a step that exceeded its `timeout`.
pub fn step_timeout(limit: Duration) -> Failure {
    let message = format!("took longer than {limit:?}, the step's `timeout`");
    Failure::new(FailureKind::Limit, "StepTimeout", message)
}
