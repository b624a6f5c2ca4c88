//! `retry` and `timeout`, which may stand at the task, among the batch's inputs and at the step.

use super::choice;
use super::section::{Given, Section, Sink};
use crate::spec::keys::{self, BACKOFFS};
use crate::spec::setting::{Complaint, Readable, duration};
use crate::spec::tree::NodeKind;
use crate::spec::{Backoff, RetryPolicy, Setting};
use std::num::NonZeroU32;
use std::time::Duration;

/// What one place says about `retry` and `timeout`.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub retry: Option<RetryPolicy>,
    pub timeout: Option<Setting<Duration>>,
}

impl Settings {
    pub fn take(section: &mut Section<'_>, sink: &mut Sink) -> Self {
        Self {
            retry: section.take("retry").and_then(|given| retry(&given, sink)),
            timeout: section.take("timeout").and_then(|given| given.setting(sink)),
        }
    }

    /// This place's settings, and where it is silent those of the `outer` one.
    pub fn or(self, outer: Self) -> Self {
        Self { retry: self.retry.or(outer.retry), timeout: self.timeout.or(outer.timeout) }
    }
}

/// The default of `max_attempts` in a `retry` mapping.
const ATTEMPTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

fn retry(given: &Given<'_>, sink: &mut Sink) -> Option<RetryPolicy> {
    let mut policy = RetryPolicy { max_attempts: ATTEMPTS, ..RetryPolicy::default() };
    if matches!(given.node.kind, NodeKind::Number(_)) {
        policy.max_attempts = given.with(attempts, sink)?;
        return Some(policy);
    }
    if !matches!(given.node.kind, NodeKind::Map(_)) {
        sink.push(given.wrong("a number of attempts, or a mapping"));
        return None;
    }
    let mut section = given.section(sink);
    if let Some(attempts) = section.take("max_attempts").and_then(|given| given.with(attempts, sink)) {
        policy.max_attempts = attempts;
    }
    if let Some(delay) = section.take("delay").and_then(|given| given.with(duration, sink)) {
        policy.delay = delay;
    }
    if let Some(backoff) = section.take("backoff").and_then(|given| choice(&given, BACKOFFS, sink)) {
        policy.backoff = match backoff {
            "linear" => Backoff::Linear,
            "exponential" => Backoff::Exponential,
            _ => Backoff::Fixed,
        };
    }
    section.finish(&[&keys::RETRY], sink);
    Some(policy)
}

fn attempts(value: &serde_json::Value) -> Result<NonZeroU32, Complaint> {
    let count = std::num::NonZeroUsize::read(value)?;
    NonZeroU32::try_from(count).map_err(|_| Complaint::new("is too large"))
}
