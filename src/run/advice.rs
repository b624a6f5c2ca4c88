//! What to change in a workflow, told once when it shows.

use crate::compile::PreparedStep;
use crate::model::Stats;
use crate::spec::StepKind;
use std::thread::available_parallelism;
use std::time::Duration;

/// Below this, more workers would hardly be noticed.
const LONG: Duration = Duration::from_secs(10);

/// That a step ran on one worker while other cores were free, if the workflow does not say how many workers it has.
pub(super) fn one_worker(step: &PreparedStep, stats: &Stats) -> Option<String> {
    let StepKind::Batch(batch) = &step.step.kind else { return None };
    let says_nothing = batch.parallel.is_none() && batch.max_parallel.is_none();
    (says_nothing && stats.ran() > 1)
        .then(|| free_cores(stats.duration, available_parallelism().map_or(1, Into::into)))?
}

fn free_cores(took: Duration, cores: usize) -> Option<String> {
    let free = cores.saturating_sub(1);
    let were = if free == 1 { "core was" } else { "cores were" };
    (took > LONG && free > 0).then(|| format!("1 worker; {free} {were} free: add `parallel: true`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_cores_are_told_after_a_long_step() {
        let long = Duration::from_secs(11);
        assert_eq!(free_cores(long, 8).as_deref(), Some("1 worker; 7 cores were free: add `parallel: true`"));
        assert_eq!(free_cores(long, 2).as_deref(), Some("1 worker; 1 core was free: add `parallel: true`"));
        assert_eq!(free_cores(long, 1), None);
        assert_eq!(free_cores(Duration::from_secs(9), 8), None);
    }
}
