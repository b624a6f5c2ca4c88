//! A step's plan: the same for a plain step, which has one nameless item, and for a batch step.

use super::output::{item_files_of, target_of};
use super::prepare::Prepared;
use super::shape::{ShapeError, shape, single_timeout, step_timeout};
use crate::export::Target;
use crate::model::{BatchFormat, ItemKey, Items, Keys};
use crate::sources::{Chunk, Reread, Source, SourceError, SourceHost};
use crate::spec::{BatchSize, MaxFailures, RetryPolicy, Step, StepKind};
use crate::task::Program;
use crate::template::ItemScope;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The one "item" of a plain step.
struct Once(bool);

impl Source for Once {
    fn total(&self) -> Option<u64> {
        Some(1)
    }

    fn next(&mut self, _most: usize) -> Result<Option<Chunk>, SourceError> {
        let mut items = Items::default();
        items.push(b"null");
        let keys = Keys::List(vec![ItemKey::of(b"null")]);
        let chunk = Chunk { items, keys, indexes: None, form: 0, origin: None, bytes: 0, file_error: None };
        Ok(std::mem::take(&mut self.0).then_some(chunk))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        self.0 = true;
        Ok(Reread::Ready)
    }
}

/// What a step needs to be run, whatever its kind.
pub(super) struct StepPlan {
    pub(super) source: Box<dyn Source>,
    pub(super) most_items: u64,
    pub(super) total: Option<u64>,
    pub(super) batch_size: BatchSize,
    pub(super) batches: Option<u64>,
    pub(super) slots: usize,
    pub(super) queue_size: Option<usize>,
    pub(super) continue_on_error: bool,
    pub(super) max_failures: Option<MaxFailures>,
    pub(super) bisect: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) batch_timeout: Option<Duration>,
    /// `timeout` of the step.
    pub(super) step_timeout: Option<Duration>,
    pub(super) retry: RetryPolicy,
    pub(super) batched: bool,
    pub(super) batch_format: BatchFormat,
    pub(super) is_batch: bool,
    /// Where its results go.
    pub(super) target: Option<Target>,
    /// Where the files of its items go.
    pub(super) item_files: Option<PathBuf>,
}

/// Plans a step.
pub(super) fn plan_step(
    step: &Step,
    program: &Program,
    prepared: &Prepared,
    scope: &Arc<ItemScope>,
    host: SourceHost<'_>,
) -> Result<StepPlan, ShapeError> {
    let step_timeout = step_timeout(step, scope)?;
    let target = target_of(step, scope)?;
    let item_files = item_files_of(step, prepared, scope)?;
    match &step.kind {
        StepKind::Single(single) => Ok(StepPlan {
            source: Box::new(Once(true)),
            most_items: 1,
            total: Some(1),
            batch_size: BatchSize::Exactly(NonZeroUsize::MIN),
            batches: Some(1),
            slots: 1,
            queue_size: None,
            continue_on_error: false,
            max_failures: None,
            bisect: false,
            timeout: single_timeout(single, scope)?,
            batch_timeout: None,
            step_timeout,
            retry: single.retry.clone(),
            batched: false,
            batch_format: BatchFormat::Records,
            is_batch: false,
            target,
            item_files,
        }),
        StepKind::Batch(batch) => {
            let shape = shape(batch, program, prepared, scope, host)?;
            Ok(StepPlan {
                total: shape.total,
                batch_size: shape.batch_size,
                batches: shape.batches(),
                slots: shape.slots,
                queue_size: shape.queue_size,
                continue_on_error: shape.continue_on_error,
                max_failures: shape.max_failures,
                bisect: batch.bisect_on_error,
                timeout: shape.timeout,
                batch_timeout: shape.batch_timeout,
                step_timeout,
                retry: shape.retry,
                batched: shape.batched.batched,
                batch_format: batch.batch_format.0,
                is_batch: true,
                source: shape.items.source,
                target,
                item_files,
                most_items: prepared.options.max_items.unwrap_or(u64::MAX),
            })
        }
    }
}
