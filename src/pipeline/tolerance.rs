//! When a step has failed as a whole: more failures than are tolerated, or its time is up.

use crate::model::{Failure, FailureKind, Stats};
use crate::spec::MaxFailures;
use std::time::Duration;

/// Whether more items failed than `max_failures` tolerates. A percentage of a total that is not known yet is taken of what
/// is done, once that is enough to tell.
pub(super) fn too_many_so_far(most: MaxFailures, total: Option<u64>, stats: &Stats) -> Option<Failure> {
    const ENOUGH: u64 = 100;
    let done = stats.succeeded + stats.failed;
    let of = match (most, total) {
        (MaxFailures::Percent(_), None) if done < ENOUGH => return None,
        (_, total) => total.unwrap_or(done),
    };
    most.is_passed(stats.failed, of).then(|| too_many(most, stats))
}

/// The failure of a step of which more items failed than are tolerated.
pub(super) fn too_many(most: MaxFailures, stats: &Stats) -> Failure {
    let message = format!("{} items failed; `max_failures` is {most}", stats.failed);
    Failure::new(FailureKind::Limit, "TooManyFailures", message)
}

/// The failure of a step that has used up its time.
pub fn step_timeout(limit: Duration) -> Failure {
    let message = format!("took longer than {limit:?}, the step's `timeout`");
    Failure::new(FailureKind::Limit, "StepTimeout", message)
}
