//! `retry` and `timeout`, which may stand at the task and among the batch's inputs; `retry` at the step too.

use super::choice;
use super::section::{Given, Section, Sink};
use crate::spec::keys::{self, BACKOFFS};
use crate::spec::setting::{Readable, ValueError, duration};
use crate::spec::tree::NodeKind;
use crate::spec::{Backoff, RetryOn, RetryPolicy, Setting};
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
        let timeout = section.take("timeout").and_then(|given| given.setting(sink));
        Self { timeout, ..Self::take_retry(section, sink) }
    }

    /// What a step says: its `timeout` is for the whole step, and is no default for its items.
    pub fn take_retry(section: &mut Section<'_>, sink: &mut Sink) -> Self {
        Self { retry: section.take("retry").and_then(|given| retry(&given, sink)), timeout: None }
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
    if let Some(longest) = section.take("max_delay").and_then(|given| given.with(duration, sink)) {
        policy.max_delay = longest;
    }
    if let Some(jitter) = section.take("jitter").and_then(|given| given.with(share, sink)) {
        policy.jitter = jitter;
    }
    if let Some(on) = section.take("on").and_then(|given| given.with(retry_on, sink)) {
        policy.on = on;
    }
    section.finish(&[&keys::RETRY], sink);
    Some(policy)
}

/// A number from 0 to 1; `true` is 1.
fn share(value: &serde_json::Value) -> Result<f64, ValueError> {
    match value {
        serde_json::Value::Bool(all) => Ok(if *all { 1.0 } else { 0.0 }),
        _ => match value.as_f64() {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(ValueError::wrong("a number from 0 to 1", value)),
        },
    }
}

/// A list of codes and names, or one of them.
fn retry_on(value: &serde_json::Value) -> Result<Vec<RetryOn>, ValueError> {
    const WANTED: &str = "a list of exception names, exit codes, HTTP statuses, `timeout` and `crash`";
    let one = |value: &serde_json::Value| match value {
        serde_json::Value::String(name) if name == "timeout" => Ok(RetryOn::Timeout),
        serde_json::Value::String(name) if name == "crash" => Ok(RetryOn::Crash),
        serde_json::Value::String(name) if !name.trim().is_empty() => Ok(RetryOn::Class(name.clone())),
        serde_json::Value::Number(number) => {
            let code = number.as_i64().and_then(|code| i32::try_from(code).ok());
            code.map(RetryOn::Code).ok_or_else(|| ValueError::wrong(WANTED, value))
        }
        other => Err(ValueError::wrong(WANTED, other)),
    };
    match value {
        serde_json::Value::Array(list) if list.is_empty() => {
            Err(ValueError::new("is empty").help("leave it out to leave it to the task"))
        }
        serde_json::Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}

fn attempts(value: &serde_json::Value) -> Result<NonZeroU32, ValueError> {
    let count = std::num::NonZeroUsize::read(value)?;
    NonZeroU32::try_from(count).map_err(|_| ValueError::new("is too large"))
}
