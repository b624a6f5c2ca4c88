//! The shape of a step's work, settled when it starts: its items, batches, slots and limits.

use super::incremental::Compare;
use super::prepare::Prepared;
use crate::compile::{Batched, batched_rule};
use crate::model::Span;
use crate::sources::{Items as ItemSource, SourceError, SourceHost, open, resolve};
use crate::spec::{BatchSize, BatchSpec, MaxFailures, MaxParallel, RetryPolicy, Setting, Single, Step};
use crate::task::Program;
use crate::template::ItemScope;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// How a batch step is worked on.
pub struct Shape {
    /// The items.
    pub items: ItemSource,
    /// How many there are, where that is known before they are read.
    pub total: Option<u64>,
    /// Items per batch.
    pub batch_size: BatchSize,
    /// Whether `item` is the batch, and why.
    pub batched: Batched,
    /// Slots that work side by side.
    pub slots: usize,
    /// `queue_size`, where it was given.
    pub queue_size: Option<usize>,
    /// `continue_on_error`
    pub continue_on_error: bool,
    /// `max_failures`
    pub max_failures: Option<MaxFailures>,
    /// `timeout` per item.
    pub timeout: Option<Duration>,
    /// `batch_timeout`
    pub batch_timeout: Option<Duration>,
    /// `retry`
    pub retry: RetryPolicy,
}

impl Shape {
    /// How many batches there are, where that is known.
    pub fn batches(&self) -> Option<u64> {
        batches(self.total, self.batch_size)
    }
}

fn batches(total: Option<u64>, size: BatchSize) -> Option<u64> {
    let BatchSize::Exactly(size) = size else { return None };
    total.map(|total| total.div_ceil(size.get() as u64))
}

/// Why a step cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// Its items cannot be had.
    #[error("{0}")]
    Items(#[source] SourceError, Span),
    /// A setting does not fit.
    #[error("{0}")]
    Setting(String, Span),
}

/// Settles the shape of a batch step.
///
/// # Errors
/// Where its items cannot be had or a setting does not fit.
pub fn shape(
    batch: &BatchSpec,
    program: &Program,
    prepared: &Prepared,
    scope: &Arc<ItemScope>,
    host: SourceHost<'_>,
) -> Result<Shape, ShapeError> {
    let wrong = |message| ShapeError::Setting(message, batch.items_span);
    let batch_size = resolve("batch_size", &batch.batch_size, scope).map_err(wrong)?;
    let items = open(&batch.items, scope, &prepared.own_env, host)
        .map_err(|error| ShapeError::Items(error, batch.items_span))?;
    let mut items = items;
    if prepared.options.incremental == Some(Compare::Content) {
        items.source.compare_content();
    }
    let most = prepared.options.max_items;
    let total = match (items.source.total(), most) {
        (Some(total), Some(most)) => Some(total.min(most)),
        (total, _) => total,
    };
    let batched = {
        let above_one = batch_size != BatchSize::Exactly(NonZeroUsize::MIN);
        batched_rule(batch.batched, program.takes_batches(), above_one, items.first())
    };
    if let (Some(library), Some(first)) = (batch.batch_format.0.library(), items.first())
        && !first.starts_with(b"{")
    {
        let message = format!("`batch_format: {library}` has no use: the items are not records (mappings)");
        return Err(ShapeError::Setting(message, batch.batch_format.1));
    }
    if batch.bisect_on_error && !batched.batched {
        return Err(wrong(format!("`bisect_on_error` has no use: `item` is one item, because {}", batched.why)));
    }
    let slots = slots(batch, prepared, scope).map_err(wrong)?;
    // Of batches whose size is learnt there is at least one an item to begin with.
    let slots = batches(total, batch_size)
        .or(total)
        .and_then(|batches| usize::try_from(batches).ok())
        .map_or(slots, |batches| slots.min(batches.max(1)));
    let queue_size = batch.queue_size.as_ref().map(|setting| resolve("queue_size", setting, scope)).transpose();
    Ok(Shape {
        items,
        total,
        batch_size,
        batched,
        slots,
        queue_size: queue_size.map_err(wrong)?.map(Into::into),
        continue_on_error: resolve("continue_on_error", &batch.continue_on_error, scope).map_err(wrong)?,
        max_failures: batch
            .max_failures
            .as_ref()
            .map(|setting| resolve("max_failures", setting, scope))
            .transpose()
            .map_err(wrong)?,
        timeout: timeout("timeout", batch.timeout.as_ref(), scope).map_err(wrong)?,
        batch_timeout: timeout("batch_timeout", batch.batch_timeout.as_ref(), scope).map_err(wrong)?,
        retry: batch.retry.clone(),
    })
}

fn timeout(key: &str, setting: Option<&Setting<Duration>>, scope: &Arc<ItemScope>) -> Result<Option<Duration>, String> {
    setting.map(|setting| resolve(key, setting, scope)).transpose()
}

/// `timeout` of a whole step.
pub(super) fn step_timeout(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<Duration>, ShapeError> {
    timeout("timeout", step.timeout.as_ref(), scope).map_err(|message| ShapeError::Setting(message, step.span))
}

/// `timeout` of a task that runs once.
pub(super) fn single_timeout(single: &Single, scope: &Arc<ItemScope>) -> Result<Option<Duration>, ShapeError> {
    timeout("timeout", single.timeout.as_ref(), scope).map_err(|message| ShapeError::Setting(message, single.task.span))
}

/// Sequential unless asked otherwise; `parallel: true` uses every core, `max_parallel` alone implies it, `parallel: false`
/// wins over it. `--jobs` lowers a number that the workflow gives, and replaces "every core".
fn slots(batch: &BatchSpec, prepared: &Prepared, scope: &Arc<ItemScope>) -> Result<usize, String> {
    let parallel = batch.parallel.as_ref().map(|setting| resolve("parallel", setting, scope)).transpose()?;
    let most = batch.max_parallel.as_ref().map(|setting| resolve("max_parallel", setting, scope)).transpose()?;
    let jobs = prepared.options.jobs;
    let cores = || jobs.map_or_else(cores, Into::into);
    Ok(match (parallel, most) {
        (Some(false), _) | (None, None) => 1,
        (_, Some(MaxParallel::Exactly(most))) => jobs.map_or(most, |jobs| most.min(jobs)).get(),
        (_, Some(MaxParallel::Auto)) | (Some(true), None) => cores(),
    })
}

/// Cores that this process may use: affinity and cgroup quota counted in.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}
