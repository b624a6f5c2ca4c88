//! The settings of a call, as those of a step.

use crate::compile::{FailurePolicy, StepSettings};
use crate::model::{BatchFormat, LaneSettings};
use crate::spec::{Backoff, BatchSize, MOST_PARALLEL, OnBadRow, RetryPolicy};
use crate::wire::{CallSettings, Growth, Retry};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

/// The settings of a step that makes this call.
///
/// # Errors
/// If one of them does not fit, with its name.
pub(super) fn step_settings(call: &CallSettings) -> Result<StepSettings, String> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let width = call.workers.unwrap_or(cores);
    if !(1..=MOST_PARALLEL).contains(&width) {
        return Err(format!("`workers` is {width}; it must be from 1 to {MOST_PARALLEL}"));
    }
    let lane = LaneSettings {
        item_timeout: call.timeout.map(|seconds| duration("timeout", seconds)).transpose()?,
        batch_timeout: None,
        has_item: true,
        batched: false,
        batch_format: BatchFormat::Records,
        batches: None,
        width,
        skip_bad_rows: false,
        seed: None,
    };
    Ok(StepSettings {
        lane: Arc::new(lane),
        total: None,
        // The client makes the batches.
        batch_size: BatchSize::Exactly(NonZeroUsize::MAX),
        first_width: None,
        batched_because: "a client calls its function for each item",
        queue_size: Some(2 * width),
        step_timeout: None,
        // The client decides what a failure means for its call.
        failures: FailurePolicy {
            continue_on_error: true,
            max_failures: None,
            bisect: false,
            on_bad_row: OnBadRow::Fail,
        },
        retry: retry_policy(&call.retry)?,
    })
}

fn retry_policy(retry: &Retry) -> Result<RetryPolicy, String> {
    Ok(RetryPolicy {
        max_attempts: NonZeroU32::new(retry.attempts).ok_or("`attempts` of `retry` is 0; it must be 1 or more")?,
        delay: duration("delay", retry.delay)?,
        backoff: match retry.backoff {
            Growth::Fixed => Backoff::Fixed,
            Growth::Linear => Backoff::Linear,
            Growth::Exponential => Backoff::Exponential,
        },
        max_delay: retry.max_delay.map_or(Ok(RetryPolicy::LONGEST), |seconds| duration("max_delay", seconds))?,
        jitter: retry.jitter.clamp(0.0, 1.0),
        // The worker knows which exceptions are worth another attempt.
        on: Vec::new(),
    })
}

fn duration(name: &str, seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("`{name}` is {seconds} s: {error}"))
}
