//! The retry policy: a value, and pure functions that compute delays from it.

use crate::model::{Failure, FailureKind};
use std::num::NonZeroU32;
use std::time::Duration;

/// How often, after which delay and after which failures an item is retried.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// `max_attempts`: the total number of attempts. Default: 3 with `retry`, else 1.
    pub max_attempts: NonZeroU32,
    /// `delay` before the second attempt. Default: 1 s.
    pub delay: Duration,
    /// `backoff`: how the delay grows.
    pub backoff: Backoff,
    /// `max_delay`: where the delay stops growing. Default: a day.
    pub max_delay: Duration,
    /// `jitter`: the random share of the delay, from 0 to 1. Default: 0.
    pub jitter: f64,
    /// `on`: which failures to retry. Empty leaves it to the task.
    pub on: Vec<RetryOn>,
}

/// How the delay grows from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backoff {
    /// `fixed`: d, d, d
    #[default]
    Fixed,
    /// `linear`: d, 2d, 3d
    Linear,
    /// `exponential`: d, 2d, 4d
    Exponential,
}

/// One entry of `on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryOn {
    /// The exit status of a command, or the status of an HTTP response.
    Code(i32),
    /// `timeout`
    Timeout,
    /// `crash`: the worker process died.
    Crash,
    /// The class of an exception, or another type of failure as `failures` shows it. The last part of a dotted name is enough.
    Class(String),
}

impl RetryOn {
    fn matches(&self, failure: &Failure) -> bool {
        match self {
            Self::Code(code) => failure.code == Some(*code),
            Self::Timeout => failure.kind == FailureKind::Timeout,
            Self::Crash => failure.kind == FailureKind::Crash,
            Self::Class(name) => failure.class == *name || failure.class.rsplit('.').next() == Some(name),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: NonZeroU32::MIN,
            delay: Duration::from_secs(1),
            backoff: Backoff::Fixed,
            max_delay: Self::LONGEST,
            jitter: 0.0,
            on: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// The default of `max_delay`: a day.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// The delay after attempt `attempt` (from 1), before jitter. `None` after the last attempt.
    pub fn delay_after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.max_attempts.get() {
            return None;
        }
        let factor = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Linear => attempt,
            Backoff::Exponential => 2_u32.saturating_pow(attempt.saturating_sub(1)),
        };
        Some(self.delay.saturating_mul(factor).min(self.max_delay))
    }

    /// The delay with jitter: `chance`, from 0 to 1, picks a value between `(1 - jitter) * delay` and `delay`. With a jitter
    /// of 1 this is the "full jitter" of Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    pub fn with_jitter(&self, delay: Duration, chance: f64) -> Duration {
        delay.mul_f64(1.0 - self.jitter * chance.clamp(0.0, 1.0))
    }

    /// Whether this failure may be retried, whatever the number of attempts. Errors of the workflow itself and cancelled
    /// items are never retried.
    pub fn covers(&self, failure: &Failure) -> bool {
        match failure.kind {
            FailureKind::Template | FailureKind::Interrupted | FailureKind::Limit | FailureKind::BadRow => false,
            FailureKind::Cancelled | FailureKind::Skipped | FailureKind::Shortage => false,
            _ if self.on.is_empty() => failure.retryable,
            _ => self.on.iter().any(|on| on.matches(failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(backoff: Backoff) -> RetryPolicy {
        let (max_attempts, delay) = (NonZeroU32::new(4).unwrap(), Duration::from_secs(2));
        RetryPolicy { max_attempts, delay, backoff, ..RetryPolicy::default() }
    }

    fn delays(policy: &RetryPolicy) -> Vec<Option<u64>> {
        (1..=4).map(|attempt| policy.delay_after(attempt).map(|delay| delay.as_secs())).collect()
    }

    #[test]
    fn delays_follow_the_backoff_and_end_with_the_last_attempt() {
        assert_eq!(delays(&policy(Backoff::Fixed)), [Some(2), Some(2), Some(2), None]);
        assert_eq!(delays(&policy(Backoff::Linear)), [Some(2), Some(4), Some(6), None]);
        assert_eq!(delays(&policy(Backoff::Exponential)), [Some(2), Some(4), Some(8), None]);
        let short = RetryPolicy { max_delay: Duration::from_secs(5), ..policy(Backoff::Exponential) };
        assert_eq!(delays(&short), [Some(2), Some(4), Some(5), None]);
    }

    #[test]
    fn without_retry_there_is_one_attempt() {
        assert_eq!(RetryPolicy::default().delay_after(1), None);
    }

    #[test]
    fn exponential_growth_does_not_overflow() {
        let policy = RetryPolicy { max_attempts: NonZeroU32::MAX, ..policy(Backoff::Exponential) };
        assert_eq!(policy.delay_after(1000), Some(RetryPolicy::LONGEST));
    }

    #[test]
    fn jitter_takes_away_up_to_its_share() {
        let policy = RetryPolicy { jitter: 0.5, ..RetryPolicy::default() };
        let delay = |chance| policy.with_jitter(Duration::from_secs(8), chance).as_secs();
        assert_eq!([delay(0.0), delay(0.5), delay(1.0)], [8, 6, 4]);
    }

    #[test]
    fn on_names_codes_classes_and_kinds() {
        let on = |on| RetryPolicy { on: vec![on], ..RetryPolicy::default() };
        let mut failure = Failure::new(FailureKind::HttpStatus, "HttpStatus", "404").permanent();
        failure.code = Some(404);
        assert!(on(RetryOn::Code(404)).covers(&failure) && !on(RetryOn::Code(500)).covers(&failure));
        assert!(!RetryPolicy::default().covers(&failure));
        let failure = Failure::new(FailureKind::Exception, "sqlalchemy.exc.OperationalError", "gone");
        assert!(on(RetryOn::Class("OperationalError".to_owned())).covers(&failure));
        assert!(!on(RetryOn::Class("Error".to_owned())).covers(&failure) && !on(RetryOn::Timeout).covers(&failure));
        let failure = Failure::new(FailureKind::Template, "TemplateError", "no");
        assert!(!on(RetryOn::Class("TemplateError".to_owned())).covers(&failure));
    }
}
