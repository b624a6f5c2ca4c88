//! The settings of a step, resolved once when it starts, as one type from the plan to the slot.

use crate::model::{LaneSettings, Span};
use crate::sources::{SourceError, resolve};
use crate::spec::{
    BatchSize, BatchSpec, MOST_PARALLEL, MaxFailures, MaxParallel, OnBadRow, RetryPolicy, Setting, Single, Step,
};
use crate::template::ItemScope;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// How to run a step.
#[derive(Debug, Clone)]
pub struct StepSettings {
    /// The part that its lanes need.
    pub lane: Arc<LaneSettings>,
    /// The number of items, if it is known before they are read.
    pub total: Option<u64>,
    /// Items per batch.
    pub batch_size: BatchSize,
    /// With how many slots the step begins if it finds its width itself (`max_parallel: auto`).
    pub first_width: Option<usize>,
    /// Why `item` is the batch, or is not, as the end of a sentence that begins with "because".
    pub batched_because: &'static str,
    /// `queue_size`, if given.
    pub queue_size: Option<usize>,
    /// `timeout` of the whole step, waits and retries included.
    pub step_timeout: Option<Duration>,
    /// What happens when items fail.
    pub failures: FailurePolicy,
    /// `retry`
    pub retry: RetryPolicy,
}

/// What happens when items fail.
#[derive(Debug, Clone, Copy)]
pub struct FailurePolicy {
    /// `continue_on_error`
    pub continue_on_error: bool,
    /// `max_failures`
    pub max_failures: Option<MaxFailures>,
    /// `bisect_on_error`: whether a failed batch of a batched task is halved.
    pub bisect: bool,
    /// `on_bad_row`
    pub on_bad_row: OnBadRow,
}

impl StepSettings {
    /// Those of a step that runs its task once.
    ///
    /// # Errors
    /// If a time limit does not fit.
    pub(super) fn of_single(step: &Step, single: &Single, scope: &Arc<ItemScope>) -> Result<Self, StartError> {
        let place = single.timeout.as_ref().and_then(Setting::template).map_or(single.task.span, |text| text.span);
        let item = timeout("timeout", single.timeout.as_ref(), scope)
            .map_err(|message| StartError::Setting(message, place))?;
        Ok(Self {
            lane: Arc::new(LaneSettings { item_timeout: item, seed: seed_of(step, scope)?, ..LaneSettings::once() }),
            total: Some(1),
            batch_size: BatchSize::Exactly(NonZeroUsize::MIN),
            first_width: None,
            batched_because: "the step has no items",
            queue_size: None,
            step_timeout: timeout_of(step, scope)?,
            failures: FailurePolicy {
                continue_on_error: false,
                max_failures: None,
                bisect: false,
                on_bad_row: OnBadRow::Fail,
            },
            retry: single.retry.clone(),
        })
    }
}

/// The number of batches of so many items.
pub(super) fn batches(total: Option<u64>, size: BatchSize) -> Option<u64> {
    let BatchSize::Exactly(size) = size else { return None };
    total.map(|total| total.div_ceil(size.get() as u64))
}

/// Why a step cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its items cannot be read.
    #[error("{0}")]
    Items(#[source] SourceError, Span),
    /// A setting does not fit.
    #[error("{0}")]
    Setting(String, Span),
    /// Another run is writing to its output.
    #[error("{0}")]
    Busy(String, Span),
    /// It cannot run with the executor; and what to do about it.
    #[error("{0}")]
    Executor(String, Option<String>, Span),
    /// Its table cannot be written; and what to do about it.
    #[error("{0}")]
    Table(String, Option<String>, Span),
}

pub(super) fn timeout(
    key: &str,
    setting: Option<&Setting<Duration>>,
    scope: &Arc<ItemScope>,
) -> Result<Option<Duration>, String> {
    setting.map(|setting| resolve(key, setting, scope)).transpose()
}

/// `timeout` of a whole step.
///
/// # Errors
/// If it is not a time.
pub fn timeout_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<Duration>, StartError> {
    let span = step.timeout.as_ref().and_then(Setting::template).map_or(step.span, |text| text.span);
    timeout("timeout", step.timeout.as_ref(), scope).map_err(|message| StartError::Setting(message, span))
}

/// `seed` of the Python code of a step.
///
/// # Errors
/// If it is not an integer.
pub fn seed_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<i64>, StartError> {
    let Some(seed) = step.kind.python_tasks().find_map(|task| task.seed.as_ref()) else { return Ok(None) };
    let span = seed.template().map_or(step.span, |text| text.span);
    resolve("seed", seed, scope).map(Some).map_err(|message| StartError::Setting(message, span))
}

/// How often `max_parallel: auto` may outnumber the cores. Not if they are counted by what batches need.
const AUTO_TIMES: usize = 16;

/// How many batches can run side by side.
#[derive(Debug, Clone, Copy)]
pub(super) enum Room {
    /// One for each core; more do no harm.
    Cores(usize),
    /// As many as there are resources for, and no more.
    Resources(usize),
}

/// The slots of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    /// The most that it may have.
    pub(super) most: usize,
    /// With how many it begins, if it finds their number itself.
    pub(super) first: Option<usize>,
}

/// The number of slots: one unless asked otherwise. `parallel: true` uses every core, here or of the executor, `max_parallel` alone implies it,
/// `parallel: false` wins over it. `--jobs` lowers a number that the workflow gives, and replaces "every core".
pub(super) fn slots(
    batch: &BatchSpec,
    (jobs, room): (Option<NonZeroUsize>, Room),
    scope: &Arc<ItemScope>,
) -> Result<Slots, String> {
    let parallel = batch.parallel.as_ref().map(|setting| resolve("parallel", setting, scope)).transpose()?;
    let most = batch.max_parallel.as_ref().map(|setting| resolve("max_parallel", setting, scope)).transpose()?;
    let (cores, auto) = match room {
        Room::Cores(cores) => (cores.min(MOST_PARALLEL), AUTO_TIMES * cores.min(MOST_PARALLEL)),
        Room::Resources(batches) => (batches.min(MOST_PARALLEL), batches),
    };
    let fixed = |most| Slots { most, first: None };
    Ok(match (parallel, most) {
        (Some(false), _) | (None, None) => fixed(1),
        (_, Some(MaxParallel::Exactly(most))) => fixed(jobs.map_or(most, |jobs| most.min(jobs)).get()),
        (Some(true), None) => fixed(jobs.map_or(cores, Into::into).min(MOST_PARALLEL)),
        (_, Some(MaxParallel::Auto)) => {
            let most = auto.min(MOST_PARALLEL);
            let most = jobs.map_or(most, |jobs| most.min(jobs.get()));
            Slots { most, first: Some(cores.min(most)) }
        }
    })
}

/// Cores that this process may use: affinity and cgroup quota counted in.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}
