//! A batch step: its items, its task, and how batches run.

use super::aggregate::Aggregate;
use super::items::ItemsSpec;
use super::retry::RetryPolicy;
use super::setting::{Readable, Setting, ValueError, integer};
use super::task::Task;
use crate::model::{BatchFormat, Span};
use serde_json::Value;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A batch step. One field for each key of the file, so it has more than a dozen.
#[derive(Debug, Clone)]
// More than 12 fields: one for each key of a batch step.
pub struct BatchSpec {
    /// `items` (or `for_each`).
    pub items: ItemsSpec,
    /// Where `items` stands.
    pub items_span: Span,
    /// `batch_size`, default 1.
    pub batch_size: Setting<BatchSize>,
    /// `batched`: whether `item` is the batch; `None` lets the rule decide.
    pub batched: Option<bool>,
    /// `batch_format`, and where it stands if it is given.
    pub batch_format: (BatchFormat, Span),
    /// `parallel`, if given.
    pub parallel: Option<Setting<bool>>,
    /// `max_parallel`, if given.
    pub max_parallel: Option<Setting<MaxParallel>>,
    /// `queue_size`: batches waiting in the channel; default twice the slots.
    pub queue_size: Option<Setting<NonZeroUsize>>,
    /// `continue_on_error`, default false; true where `max_failures` is given.
    pub continue_on_error: Setting<bool>,
    /// `max_failures`: more stop the step.
    pub max_failures: Option<Setting<MaxFailures>>,
    /// `bisect_on_error`: whether a failed batch of a batched task is halved.
    pub bisect_on_error: bool,
    /// `on_item_error`: run after the last attempt of an item, with `item` and `error`.
    pub on_item_error: Option<Task>,
    /// `aggregate`: what is made of all results.
    pub aggregate: Option<Aggregate>,
    /// `retry` of the task, else of the step's inputs, else of the step.
    pub retry: RetryPolicy,
    /// `timeout` per item.
    pub timeout: Option<Setting<Duration>>,
    /// `batch_timeout`
    pub batch_timeout: Option<Setting<Duration>>,
    /// What is run for each item.
    pub task: Task,
}

/// `batch_size`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// `auto`: learnt from the time that items take.
    Auto,
    /// A number, at least 1.
    Exactly(NonZeroUsize),
}

impl Readable for BatchSize {
    fn read(value: &Value) -> Result<Self, ValueError> {
        Ok(count_or_auto(value)?.map_or(Self::Auto, Self::Exactly))
    }
}

/// `max_parallel`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxParallel {
    /// `auto`: every core that this process may use.
    Auto,
    /// A number, at least 1.
    Exactly(NonZeroUsize),
}

impl Readable for MaxParallel {
    fn read(value: &Value) -> Result<Self, ValueError> {
        let count = count_or_auto(value).map_err(|error| match integer(value) {
            Some(_) => error.help("leave it out to use every core"),
            None => error,
        });
        Ok(count?.map_or(Self::Auto, Self::Exactly))
    }
}

/// A number, or none for `auto`.
fn count_or_auto(value: &Value) -> Result<Option<NonZeroUsize>, ValueError> {
    if value.as_str() == Some("auto") {
        return Ok(None);
    }
    if integer(value).is_none() {
        return Err(ValueError::expected("an integer, at least 1, or `auto`", value));
    }
    NonZeroUsize::read(value).map(Some)
}

/// `max_failures`: how many failed items are tolerated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFailures {
    /// So many.
    Count(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl MaxFailures {
    /// Whether `failed` of `of` items are too many.
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
        const WANTED: &str = "a number of items, or a share such as `5%`";
        if let Some(share) = value.as_str().and_then(|text| text.trim().strip_suffix('%')) {
            return match share.trim().parse() {
                Ok(share) if (0.0..=100.0).contains(&share) => Ok(Self::Percent(share)),
                Ok(_) => Err(ValueError::new("must be between `0%` and `100%`")),
                Err(_) => Err(ValueError::expected(WANTED, value)),
            };
        }
        let count = integer(value).ok_or_else(|| {
            let error = ValueError::expected(WANTED, value);
            if value.is_f64() { error.help("a share has a `%` behind it") } else { error }
        })?;
        u64::try_from(count).map(Self::Count).map_err(|_| ValueError::new("must not be negative"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_batches_at_a_time_are_too_few() {
        let zero = MaxParallel::read(&json!(0)).unwrap_err();
        assert_eq!(zero.help, Some("leave it out to use every core"));
    }

    #[test]
    fn failures_are_tolerated_by_number_or_by_share() {
        assert_eq!(MaxFailures::read(&json!(0)), Ok(MaxFailures::Count(0)));
        assert_eq!(MaxFailures::read(&json!("12")), Ok(MaxFailures::Count(12)));
        assert_eq!(MaxFailures::read(&json!(" 2.5 % ")), Ok(MaxFailures::Percent(2.5)));
        for wrong in [json!(-1), json!("101%"), json!("x%"), json!("few"), json!(true)] {
            assert!(MaxFailures::read(&wrong).is_err(), "{wrong}");
        }
        assert_eq!(MaxFailures::read(&json!(0.5)).unwrap_err().help, Some("a share has a `%` behind it"));
    }
}
