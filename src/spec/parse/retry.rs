//! `retry` and `timeout` of a task or batch, and `retry` of a step.

use super::section::{Field, Section};
use crate::spec::diagnostic::ErrorList;
use crate::spec::keys::{self, BACKOFFS};
use crate::spec::node::NodeKind;
use crate::spec::retry::{Backoff, RetryOn, RetryPolicy};
use crate::spec::setting::{Readable, Setting, ValueError, duration, too_large};
use std::num::NonZeroU32;
use std::time::Duration;

/// `retry` and `timeout` at one place.
#[derive(Debug, Clone, Default)]
pub(super) struct RetryAndTimeout {
    pub retry: Option<RetryPolicy>,
    pub timeout: Option<Setting<Duration>>,
}

impl RetryAndTimeout {
    pub fn take(section: &mut Section<'_>, errors: &mut ErrorList) -> Self {
        let timeout = section.take("timeout").and_then(|field| field.setting(errors));
        Self { timeout, ..Self::take_retry(section, errors) }
    }

    /// `retry` of a step. Its `timeout` is for the whole step and not a default for items.
    pub fn take_retry(section: &mut Section<'_>, errors: &mut ErrorList) -> Self {
        Self { retry: section.take("retry").and_then(|field| retry(&field, errors)), timeout: None }
    }

    /// These settings, or else those of the `outer` place.
    pub fn or(self, outer: Self) -> Self {
        Self { retry: self.retry.or(outer.retry), timeout: self.timeout.or(outer.timeout) }
    }
}

/// The default of `max_attempts` in a `retry` mapping.
const ATTEMPTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

fn retry(field: &Field<'_>, errors: &mut ErrorList) -> Option<RetryPolicy> {
    let mut policy = RetryPolicy { max_attempts: ATTEMPTS, ..RetryPolicy::default() };
    if matches!(field.node.kind, NodeKind::Number(_)) {
        policy.max_attempts = field.with(attempts, errors)?;
        return Some(policy);
    }
    if !matches!(field.node.kind, NodeKind::Map(_)) {
        errors.push(field.expected("a number of attempts or a mapping"));
        return None;
    }
    let mut section = field.section(errors);
    if let Some(attempts) = section.take("max_attempts").and_then(|field| field.with(attempts, errors)) {
        policy.max_attempts = attempts;
    }
    if let Some(delay) = section.take("delay").and_then(|field| field.with(duration, errors)) {
        policy.delay = delay;
    }
    if let Some(backoff) = section.take("backoff").and_then(|field| field.one_of(BACKOFFS, errors)) {
        policy.backoff = match backoff {
            "linear" => Backoff::Linear,
            "exponential" => Backoff::Exponential,
            _ => Backoff::Fixed,
        };
    }
    if let Some(longest) = section.take("max_delay").and_then(|field| field.with(duration, errors)) {
        policy.max_delay = longest;
    }
    if let Some(jitter) = section.take("jitter").and_then(|field| field.with(share, errors)) {
        policy.jitter = jitter;
    }
    if let Some(on) = section.take("on").and_then(|field| field.with(retry_on, errors)) {
        policy.on = on;
    }
    section.reject_unknown(&[&keys::RETRY], errors);
    Some(policy)
}

/// A number from 0 to 1; `true` is 1.
fn share(value: &serde_json::Value) -> Result<f64, ValueError> {
    match value {
        serde_json::Value::Bool(all) => Ok(if *all { 1.0 } else { 0.0 }),
        _ => match value.as_f64() {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(ValueError::expected("a number from 0 to 1", value)),
        },
    }
}

/// A list of codes and names, or a single one.
fn retry_on(value: &serde_json::Value) -> Result<Vec<RetryOn>, ValueError> {
    const WANTED: &str = "a list of exception names, exit codes, HTTP statuses, `timeout` and `crash`";
    let one = |value: &serde_json::Value| match value {
        serde_json::Value::String(name) if name == "timeout" => Ok(RetryOn::Timeout),
        serde_json::Value::String(name) if name == "crash" => Ok(RetryOn::Crash),
        serde_json::Value::String(name) if !name.trim().is_empty() => Ok(RetryOn::Class(name.clone())),
        serde_json::Value::Number(number) => {
            let code = number.as_i64().and_then(|code| i32::try_from(code).ok());
            code.map(RetryOn::Code).ok_or_else(|| ValueError::expected(WANTED, value))
        }
        other => Err(ValueError::expected(WANTED, other)),
    };
    match value {
        serde_json::Value::Array(list) if list.is_empty() => {
            Err(ValueError::new("is empty").help("remove it to let the task decide"))
        }
        serde_json::Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}

fn attempts(value: &serde_json::Value) -> Result<NonZeroU32, ValueError> {
    let count = std::num::NonZeroUsize::read(value)?;
    NonZeroU32::try_from(count).map_err(|_| too_large(u32::MAX.into(), value))
}
