//! A batch step: its items, its task, and how its batches run.

use super::aggregate::Aggregate;
use super::items::ItemsSpec;
use super::output_file::OutputFile;
use super::retry::RetryPolicy;
use super::setting::{Readable, Setting, ValueError, count_up_to, integer, is_huge, too_large};
use super::task::Task;
use crate::model::{BatchFormat, Resources, Span, Text};
use serde_json::Value;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A batch step. One field for each key of the file, so it has more than a dozen.
#[derive(Debug, Clone)]
// More than 12 fields: one for each key of a batch step.
pub struct BatchSpec {
    /// `items` or `for_each`.
    pub items: ItemsSpec,
    /// The place of `items`.
    pub items_span: Span,
    /// `where`: an expression; only items for which it is true run.
    pub condition: Option<Text>,
    /// `allow_empty`: whether a step without items is a success.
    pub allow_empty: bool,
    /// `repeatable`: whether a profile may run the task again and again without asking.
    pub repeatable: bool,
    /// `batch_size`, default 1.
    pub batch_size: Setting<BatchSize>,
    /// `batched`: whether `item` is the batch. `None` leaves it to the rule.
    pub batched: Option<bool>,
    /// `batch_format` and its place, if it is set.
    pub batch_format: (BatchFormat, Span),
    /// `parallel`
    pub parallel: Option<Setting<bool>>,
    /// `max_parallel`
    pub max_parallel: Option<Setting<MaxParallel>>,
    /// `resources`: what each batch that runs needs of its machine; and its place, if it is set.
    pub resources: (Resources, Option<Span>),
    /// `queue_size`: batches that wait in the channel. Default: twice the number of slots.
    pub queue_size: Option<Setting<QueueSize>>,
    /// `continue_on_error`. Default: true with `max_failures`, else false.
    pub continue_on_error: Setting<bool>,
    /// `max_failures`: more failures stop the step.
    pub max_failures: Option<Setting<MaxFailures>>,
    /// `bisect_on_error`: whether to split a failed batch of a batched task in two.
    pub bisect_on_error: bool,
    /// `on_item_error`: the task to run after an item's last attempt has failed.
    pub on_item_error: Option<Task>,
    /// `aggregate`: one value made of all results.
    pub aggregate: Option<Aggregate>,
    /// `path` of `aggregate`: a file for it.
    pub aggregate_file: Option<OutputFile>,
    /// `retry` of the task, or else of the step's inputs, or else of the step.
    pub retry: RetryPolicy,
    /// `timeout` of one item.
    pub timeout: Option<Setting<Duration>>,
    /// `batch_timeout`
    pub batch_timeout: Option<Setting<Duration>>,
    /// The task to run for each item.
    pub task: Task,
}

/// `batch_size`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// `auto`: derived from how long items take.
    Auto,
    /// This many.
    Exactly(NonZeroUsize),
}

impl Readable for BatchSize {
    fn read(value: &Value) -> Result<Self, ValueError> {
        Ok(count_or_auto(value)?.map_or(Self::Auto, Self::Exactly))
    }
}

/// `queue_size`: the room for that many batches is there from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSize(pub NonZeroUsize);

impl Readable for QueueSize {
    fn read(value: &Value) -> Result<Self, ValueError> {
        count_up_to(1_000_000, value).map(Self)
    }
}

/// The most workers of a step. Each is a thread, and mostly a process.
pub const MOST_PARALLEL: usize = 10_000;

/// `max_parallel`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxParallel {
    /// `auto`: every core that batchmill may use.
    Auto,
    /// This many.
    Exactly(NonZeroUsize),
}

impl Readable for MaxParallel {
    fn read(value: &Value) -> Result<Self, ValueError> {
        let count = count_or_auto(value).map_err(|error| match integer(value) {
            Some(_) => error.help("remove it to use every core"),
            None => error,
        });
        let count = count?.map(|_| count_up_to(MOST_PARALLEL, value)).transpose()?;
        Ok(count.map_or(Self::Auto, Self::Exactly))
    }
}

/// A number, or `None` for `auto`.
fn count_or_auto(value: &Value) -> Result<Option<NonZeroUsize>, ValueError> {
    if value.as_str() == Some("auto") {
        return Ok(None);
    }
    if integer(value).is_none() && !is_huge(value) {
        return Err(ValueError::expected("a positive integer or `auto`", value));
    }
    NonZeroUsize::read(value).map(Some)
}

/// `max_failures`: how many items may fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFailures {
    /// A number of items.
    Count(u64),
    /// A percentage of all items.
    Percent(f64),
}

impl MaxFailures {
    /// Whether `failed` of `of` items are more than the limit.
    pub fn is_passed(self, failed: u64, of: u64) -> bool {
        match self {
            Self::Count(most) => failed > most,
            Self::Percent(most) => failed as f64 * 100.0 > most * of as f64,
        }
    }
}

impl std::fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(most) => write!(f, "{most}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

impl Readable for MaxFailures {
    fn read(value: &Value) -> Result<Self, ValueError> {
        const WANTED: &str = "a number of items, or a percentage such as `5%`";
        if let Some(share) = value.as_str().and_then(|text| text.trim().strip_suffix('%')) {
            return match share.trim().parse() {
                Ok(share) if (0.0..=100.0).contains(&share) => Ok(Self::Percent(share)),
                Ok(_) => Err(ValueError::new("must be between `0%` and `100%`")),
                Err(_) => Err(ValueError::expected(WANTED, value)),
            };
        }
        let count = integer(value).ok_or_else(|| {
            if is_huge(value) {
                return too_large(i64::MAX.unsigned_abs(), value);
            }
            let error = ValueError::expected(WANTED, value);
            if value.is_f64() { error.help("add `%` for a percentage") } else { error }
        })?;
        u64::try_from(count).map(Self::Count).map_err(|_| ValueError::new("must not be negative"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zero_slots_are_too_few() {
        let zero = MaxParallel::read(&json!(0)).unwrap_err();
        assert_eq!(zero.help, Some("remove it to use every core"));
        let many = MaxParallel::read(&json!(10_001)).unwrap_err();
        assert_eq!(many.message, "must be at most 10000; found the number 10001");
        assert!(QueueSize::read(&json!(1_000_001)).is_err());
    }

    #[test]
    fn failures_are_limited_by_number_or_by_percentage() {
        assert_eq!(MaxFailures::read(&json!(0)), Ok(MaxFailures::Count(0)));
        assert_eq!(MaxFailures::read(&json!("12")), Ok(MaxFailures::Count(12)));
        assert_eq!(MaxFailures::read(&json!(" 2.5 % ")), Ok(MaxFailures::Percent(2.5)));
        for wrong in [json!(-1), json!("101%"), json!("x%"), json!("few"), json!(true)] {
            assert!(MaxFailures::read(&wrong).is_err(), "{wrong}");
        }
        assert_eq!(MaxFailures::read(&json!(0.5)).unwrap_err().help, Some("add `%` for a percentage"));
    }
}
