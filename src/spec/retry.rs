//! The retry policy: a value, and the pure rule that turns it into delays.

use std::num::NonZeroU32;
use std::time::Duration;

/// How often, and after what time, a failed item is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// `max_attempts`: runs in all, the first included. Default 1 without `retry`, 3 with it.
    pub max_attempts: NonZeroU32,
    /// `delay` before the second run. Default 1 s.
    pub delay: Duration,
    /// `backoff`: how the delay grows.
    pub backoff: Backoff,
}

/// How the delay grows from one run to the next.
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

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: NonZeroU32::MIN, delay: Duration::from_secs(1), backoff: Backoff::Fixed }
    }
}

impl RetryPolicy {
    /// The longest delay: a day. Exponential growth stops there.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// The time between the end of run `attempt` (from 1) and the next run; `None` when it was the last one.
    pub fn delay_after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.max_attempts.get() {
            return None;
        }
        let factor = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Linear => attempt,
            Backoff::Exponential => 2_u32.saturating_pow(attempt.saturating_sub(1)),
        };
        Some(self.delay.saturating_mul(factor).min(Self::LONGEST.max(self.delay)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: Backoff) -> Vec<Option<u64>> {
        let policy = RetryPolicy { max_attempts: NonZeroU32::new(4).unwrap(), delay: Duration::from_secs(2), backoff };
        (1..=4).map(|attempt| policy.delay_after(attempt).map(|delay| delay.as_secs())).collect()
    }

    #[test]
    fn delays_follow_the_backoff_and_end_with_the_last_attempt() {
        assert_eq!(delays(Backoff::Fixed), [Some(2), Some(2), Some(2), None]);
        assert_eq!(delays(Backoff::Linear), [Some(2), Some(4), Some(6), None]);
        assert_eq!(delays(Backoff::Exponential), [Some(2), Some(4), Some(8), None]);
    }

    #[test]
    fn without_retry_there_is_one_attempt() {
        assert_eq!(RetryPolicy::default().delay_after(1), None);
    }

    #[test]
    fn exponential_growth_does_not_overflow() {
        let policy =
            RetryPolicy { max_attempts: NonZeroU32::MAX, delay: Duration::from_secs(5), backoff: Backoff::Exponential };
        assert_eq!(policy.delay_after(1000), Some(RetryPolicy::LONGEST));
    }
}
