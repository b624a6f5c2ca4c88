//! The keys of a batch step besides its task.

use super::aggregate::aggregate;
use super::items::items;
use super::resources::resources;
use super::retry::RetryAndTimeout;
use super::section::{Field, Section};
use super::task::inner_task;
use crate::model::{BatchFormat, Resources, Span, Text};
use crate::spec::aggregate::Aggregate;
use crate::spec::batch::{BatchSize, BatchSpec, MaxFailures, MaxParallel, QueueSize};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::items::ItemsSpec;
use crate::spec::keys::BATCH_FORMATS;
use crate::spec::node::NodeKind;
use crate::spec::output_file::OutputFile;
use crate::spec::setting::{Readable, Setting};
use crate::spec::task::{Task, TaskKind};
use std::num::NonZeroUsize;
use std::time::Duration;

/// The value of `items` or `for_each`.
pub(super) struct ItemsField {
    pub spec: Option<ItemsSpec>,
    pub span: Span,
}

impl ItemsField {
    pub fn read(field: &Field<'_>, errors: &mut ErrorList) -> Self {
        Self { spec: items(field, errors), span: field.node.span }
    }
}

/// The keys of a batch besides items, task, `retry` and `timeout`.
// More than 12 fields: one for each key.
pub(super) struct Options {
    condition: Option<Text>,
    allow_empty: bool,
    repeatable: bool,
    batch_size: Setting<BatchSize>,
    batched: Option<bool>,
    batch_format: Option<BatchFormatField>,
    parallel: Option<Setting<bool>>,
    max_parallel: Option<Setting<MaxParallel>>,
    resources: (Resources, Option<Span>),
    queue_size: Option<Setting<QueueSize>>,
    continue_on_error: Setting<bool>,
    max_failures: Option<Setting<MaxFailures>>,
    bisect_on_error: Option<(bool, Diagnostic)>,
    batch_timeout: Option<Setting<Duration>>,
    on_item_error: Option<Task>,
    aggregate: Option<(Aggregate, Option<OutputFile>)>,
}

/// `batch_format`, its place, and the error if the task gets items one by one.
struct BatchFormatField {
    format: BatchFormat,
    span: Span,
    one_by_one: Diagnostic,
}

impl BatchFormatField {
    fn read(field: &Field<'_>, errors: &mut ErrorList) -> Option<Self> {
        let format = match field.one_of(BATCH_FORMATS, errors)? {
            "pandas" => BatchFormat::Pandas,
            "polars" => BatchFormat::Polars,
            "pyarrow" => BatchFormat::Pyarrow,
            _ => BatchFormat::Records,
        };
        let one_by_one = field.error("requires a batched Python task");
        Some(Self { format, span: field.node.span, one_by_one })
    }
}

impl Options {
    pub fn take(section: &mut Section<'_>, errors: &mut ErrorList) -> Self {
        let max_failures = section.take("max_failures");
        Self {
            condition: section.take("where").and_then(|field| condition(&field, errors)),
            allow_empty: section
                .take("allow_empty")
                .and_then(|field| field.with(Readable::read, errors))
                .unwrap_or(false),
            repeatable: section
                .take("repeatable")
                .and_then(|field| field.with(Readable::read, errors))
                .unwrap_or(false),
            batch_size: section
                .take("batch_size")
                .and_then(|field| field.setting(errors))
                .unwrap_or(Setting::Fixed(BatchSize::Exactly(NonZeroUsize::MIN))),
            batched: section.take("batched").and_then(|field| field.with(Readable::read, errors)),
            batch_format: section.take("batch_format").and_then(|field| BatchFormatField::read(&field, errors)),
            parallel: section.take("parallel").and_then(|field| parallel(&field, errors)),
            max_parallel: section.take("max_parallel").and_then(|field| field.setting(errors)),
            resources: section
                .take("resources")
                .and_then(|field| Some((resources(&field, errors)?, Some(field.node.span))))
                .unwrap_or_default(),
            queue_size: section.take("queue_size").and_then(|field| field.setting(errors)),
            continue_on_error: continue_on_error(section, max_failures.as_ref(), errors),
            max_failures: max_failures.and_then(|field| field.setting(errors)),
            bisect_on_error: section.take("bisect_on_error").and_then(|field| {
                let one_by_one = field.error("requires a batched Python task");
                Some((field.with(Readable::read, errors)?, one_by_one))
            }),
            batch_timeout: section.take("batch_timeout").and_then(|field| field.setting(errors)),
            on_item_error: section.take("on_item_error").and_then(|field| on_item_error(&field, errors)),
            aggregate: section.take("aggregate").and_then(|field| aggregate(&field, errors)),
        }
    }

    /// The batch step with these options.
    pub fn batch(
        self,
        items: ItemsField,
        task: Option<Task>,
        settings: RetryAndTimeout,
        errors: &mut ErrorList,
    ) -> BatchSpec {
        let always = task.as_ref().is_some_and(Task::always_takes_batches);
        let is_python = task.as_ref().is_none_or(|task| matches!(task.kind, TaskKind::Python(_)));
        let one_by_one = self.batched == Some(false) || !is_python && !always;
        if let Some(span) = task.as_ref().and_then(Task::batch_as_text).filter(|_| self.batched == Some(false)) {
            let error = Diagnostic::at(span, "`stdin: {batch: ..}` cannot be used with `batched: false`");
            errors.push(error.help("remove `batched`"));
        }
        let bisect_on_error = match self.bisect_on_error {
            Some((true, error)) => {
                if one_by_one {
                    errors.push(error.help("only a Python task with `batched: true` can fail as a batch"));
                }
                true
            }
            Some((false, _)) | None => false,
        };
        let (mut batched, mut batch_format) = (self.batched, (BatchFormat::default(), Span::default()));
        if let Some(field) = self.batch_format {
            batched = batched.or(Some(true));
            batch_format = (field.format, field.span);
            if one_by_one || !is_python {
                errors.push(field.one_by_one.help("use a Python task without `batched: false`"));
            }
        }
        let (aggregate, aggregate_file) = self.aggregate.unzip();
        BatchSpec {
            items: items.spec.unwrap_or_else(|| ItemsSpec::List(Vec::new())),
            items_span: items.span,
            condition: self.condition,
            allow_empty: self.allow_empty,
            repeatable: self.repeatable,
            batch_size: self.batch_size,
            batched,
            batch_format,
            parallel: self.parallel,
            max_parallel: self.max_parallel,
            resources: self.resources,
            queue_size: self.queue_size,
            continue_on_error: self.continue_on_error,
            max_failures: self.max_failures,
            bisect_on_error,
            on_item_error: self.on_item_error,
            aggregate,
            aggregate_file: aggregate_file.flatten(),
            retry: settings.retry.unwrap_or_default(),
            timeout: settings.timeout,
            batch_timeout: self.batch_timeout,
            task: task.unwrap_or_else(|| Task::unread(items.span)),
        }
    }
}

/// `where`: an expression, with braces or without.
fn condition(field: &Field<'_>, errors: &mut ErrorList) -> Option<Text> {
    let text = field.non_empty(errors)?;
    if text.is_template() {
        return Some(text);
    }
    Some(Text { raw: format!("{{{{ {} }}}}", text.raw.trim()), ..text })
}

/// `parallel`. A number is what other tools take here, so its error names the key that takes one.
fn parallel(field: &Field<'_>, errors: &mut ErrorList) -> Option<Setting<bool>> {
    if matches!(&field.node.kind, NodeKind::Number(_)) || field.node.as_text().is_some_and(|text| text.raw == "auto") {
        let value = field.node.to_json();
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let error = field.expected("`true` or `false`");
        errors.push(error.help(format!("to set the number of workers, write `max_parallel: {value}`")));
        return None;
    }
    field.setting(errors)
}

/// Failures are tolerated if the file says so, or says how many.
fn continue_on_error(
    section: &mut Section<'_>,
    max_failures: Option<&Field<'_>>,
    errors: &mut ErrorList,
) -> Setting<bool> {
    let Some(field) = section.take("continue_on_error") else { return Setting::Fixed(max_failures.is_some()) };
    let setting = field.setting(errors).unwrap_or(Setting::Fixed(false));
    if let (Some(most), Setting::Fixed(false)) = (max_failures, &setting) {
        let error = Diagnostic::at(most.key_span, "`max_failures` cannot be used with `continue_on_error: false`");
        let error = error.also(field.key_span, "this stops the step at the first failure").within(most.path.clone());
        errors.push(error.help("remove `continue_on_error`"));
    }
    setting
}

fn on_item_error(field: &Field<'_>, errors: &mut ErrorList) -> Option<Task> {
    let (task, settings) = inner_task(field, errors);
    if let Some(span) = task.as_ref().and_then(Task::batch_as_text) {
        let error = Diagnostic::at(span, "`stdin: {batch: ..}` is not supported in `on_item_error`");
        errors.push(error.help("the task gets one item: write `stdin: '{{ item }}'`"));
    }
    for (name, found) in [("retry", settings.retry.is_some()), ("timeout", settings.timeout.is_some())] {
        if found {
            let error = Diagnostic::at(field.key_span, format!("`{name}` is not supported in `on_item_error`"));
            errors.push(error.within(field.path.clone()));
        }
    }
    task
}

/// Reads the `inputs` of a step with `task: batch`. Whether its task could be read comes second.
pub(super) fn batch(inputs: &mut Section<'_>, step: RetryAndTimeout, errors: &mut ErrorList) -> (BatchSpec, bool) {
    let items = inputs.require("items", errors).map(|field| ItemsField::read(&field, errors));
    let items = items.unwrap_or(ItemsField { spec: None, span: inputs.span });
    let task = inputs.require("task", errors).map(|field| inner_task(&field, errors));
    let options = Options::take(inputs, errors);
    let settings = RetryAndTimeout::take(inputs, errors);
    inputs.reject_unknown(&[&crate::spec::keys::BATCH], errors);
    let (task, own) = task.unwrap_or((None, RetryAndTimeout::default()));
    let has_task = task.is_some();
    (options.batch(items, task, own.or(settings).or(step), errors), has_task)
}
