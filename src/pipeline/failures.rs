//! What happens to the failed items of a batch: retried, failed for good, or skipped as bad rows.

use crate::compile::StepSettings;
use crate::model::{Batch, Failure, FailureKind};
use crate::spec::RetryPolicy;
use crate::task::Withdrawn;
use std::time::Duration;

/// How long items wait that could not be started for lack of files, processes or memory.
const SHORTAGE: Duration = Duration::from_millis(200);

/// Batches to retry, after which delay, and why.
pub(super) type Retries = Vec<(Batch, Duration, Failure)>;

/// Failures by position in their batch.
type Failures = Vec<(usize, Failure)>;

/// The failed items of a batch, sorted.
pub(super) struct SortedFailures {
    pub(super) retries: Retries,
    /// Items whose last attempt failed, in rising order.
    pub(super) failed: Failures,
    /// Bad rows that the workflow skips, and items that the user has taken out.
    pub(super) left_out: Failures,
}

/// Sorts failures by the settings of a step.
pub(super) struct FailureSorter<'a> {
    pub(super) settings: &'a StepSettings,
    /// Whether a batch that failed as a whole is halved.
    pub(super) may_bisect: bool,
    /// The items that the user has taken out.
    pub(super) withdrawn: &'a Withdrawn,
}

impl FailureSorter<'_> {
    pub(super) fn sort(&self, batch: &Batch, failures: Failures) -> SortedFailures {
        let (bad, failures): (Failures, Failures) =
            failures.into_iter().partition(|(_, failure)| failure.kind == FailureKind::BadRow);
        let (by_hand, failures): (Failures, Failures) =
            failures.into_iter().partition(|(_, failure)| failure.kind.is_by_hand());
        let (short, failures): (Failures, Failures) =
            failures.into_iter().partition(|(_, failure)| failure.kind == FailureKind::Shortage);
        let (mut retries, mut failed) = self.retried_and_failed(batch, failures);
        retries.extend(not_begun(batch, &short));
        let (out, others) = self.taken_out(batch, by_hand);
        retries.extend(others);
        // An unreadable file is more than a row, and is not skipped.
        let skips_bad_rows = self.settings.failures.on_bad_row.skips() && batch.file_error.is_none();
        let mut left_out = out;
        if skips_bad_rows {
            left_out.extend(bad);
        } else {
            failed.extend(bad);
        }
        left_out.sort_by_key(|(position, _)| *position);
        failed.sort_by_key(|(position, _)| *position);
        SortedFailures { retries, failed, left_out }
    }

    /// The items that the user has taken out, and the others of their batch: those run again without them, at once. That is
    /// not another attempt.
    fn taken_out(&self, batch: &Batch, by_hand: Failures) -> (Failures, Retries) {
        let is_out = |(position, _): &(usize, Failure)| self.withdrawn.has(batch.indexes.get(*position));
        let (out, others): (Failures, Failures) = by_hand.into_iter().partition(is_out);
        let positions: Vec<usize> = others.iter().map(|(position, _)| *position).collect();
        let again = others
            .into_iter()
            .next()
            .map(|(_, failure)| (batch.part(&positions, batch.attempt), Duration::ZERO, failure));
        (out, again.into_iter().collect())
    }

    fn retried_and_failed(&self, batch: &Batch, failures: Failures) -> (Retries, Failures) {
        let whole = failures.len() == batch.items.len() && failures.len() > 1;
        if self.may_bisect && whole && may_halve(&failures[0].1) {
            return (halves(batch, failures), Vec::new());
        }
        let retry = &self.settings.retry;
        let may_retry = |failure: &Failure| retry.covers(failure) && retry.delay_after(batch.attempt).is_some();
        let (again, failed): (Failures, Failures) = failures.into_iter().partition(|(_, failure)| may_retry(failure));
        (self.retries(batch, &again), failed)
    }

    /// The failed items of each batch as a new batch, due when the last of them may be retried.
    fn retries(&self, batch: &Batch, failures: &[(usize, Failure)]) -> Retries {
        let of = |(position, _): &(usize, Failure)| batch.of_item(*position).0;
        let retry = &self.settings.retry;
        let again = failures.chunk_by(|left, right| of(left) == of(right)).filter_map(|failures| {
            let asked = failures.iter().filter_map(|(_, failure)| failure.retry_after).max().unwrap_or_default();
            // Whoever asks for more wants no retry, or has a clock that is wrong.
            let asked = asked.min(retry.max_delay);
            let delay = retry.with_jitter(retry.delay_after(batch.attempt)?, random());
            let positions: Vec<usize> = failures.iter().map(|(position, _)| *position).collect();
            Some((batch.part(&positions, batch.attempt + 1), delay.max(asked), failures.first()?.1.clone()))
        });
        again.collect()
    }
}

/// The longest wait that a server has asked for, and what to say about it. Waits up to the policy's own delay don't count.
pub(super) fn longest_wait(retry: &RetryPolicy, attempt: u32, retries: &Retries) -> Option<(Duration, String)> {
    let own = retry.delay_after(attempt)?;
    let asked = retries.iter().filter_map(|(_, delay, failure)| Some((*delay, failure.retry_after?, failure)));
    let (delay, asked, failure) = asked.filter(|(delay, ..)| *delay > own).max_by_key(|(delay, ..)| *delay)?;
    let capped = if asked > delay { ", because `max_delay` allows no more" } else { "" };
    let message = &failure.message;
    let text =
        format!("{message} and asks to wait {asked:?} (`Retry-After`); the next attempt is in {delay:?}{capped}");
    Some((delay, text))
}

/// The items that could not be started, to be tried again with the same attempt number, because none of them has begun.
fn not_begun(batch: &Batch, short: &[(usize, Failure)]) -> Retries {
    let of = |(position, _): &(usize, Failure)| batch.of_item(*position).0;
    let again = short.chunk_by(|left, right| of(left) == of(right)).filter_map(|short| {
        let positions: Vec<usize> = short.iter().map(|(position, _)| *position).collect();
        Some((batch.part(&positions, batch.attempt), SHORTAGE, short.first()?.1.clone()))
    });
    again.collect()
}

/// Whether it can help to halve a batch that failed like this: not if the workflow itself is wrong.
fn may_halve(failure: &Failure) -> bool {
    !matches!(failure.kind, FailureKind::Template | FailureKind::Interrupted | FailureKind::Limit)
}

/// A failed batch as two halves. Halving is not an attempt: attempts count for single items.
fn halves(batch: &Batch, failures: Failures) -> Retries {
    let (size, middle) = (batch.items.len(), batch.items.len() / 2);
    let half = |positions: std::ops::Range<usize>| batch.part(&positions.collect::<Vec<_>>(), batch.attempt);
    let (first, second) = (half(0..middle), half(middle..size));
    let Some((_, failure)) = failures.into_iter().next() else { return Vec::new() };
    vec![(first, Duration::ZERO, failure.clone()), (second, Duration::ZERO, failure)]
}

/// A random number from 0 up to 1.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    // The standard library seeds each `RandomState` differently, which is all the randomness that a delay needs.
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}
