//! A batch step: what it takes besides its task.

use super::items::items;
use super::section::{Given, Section, Sink};
use super::settings::Settings;
use super::task::inner_task;
use crate::model::Span;
use crate::spec::setting::Readable;
use crate::spec::{BatchSpec, Fault, ItemsSpec, MaxParallel, Setting, Task};
use std::num::NonZeroUsize;

/// What `items` or `for_each` gives.
pub(super) struct ItemsGiven {
    pub spec: Option<ItemsSpec>,
    pub span: Span,
}

impl ItemsGiven {
    pub fn read(given: &Given<'_>, sink: &mut Sink) -> Self {
        Self { spec: items(given, sink), span: given.node.span }
    }
}

/// The keys of a batch besides items, task, `retry` and `timeout`.
pub(super) struct Options {
    batch_size: Setting<NonZeroUsize>,
    batched: Option<bool>,
    parallel: Option<Setting<bool>>,
    max_parallel: Option<Setting<MaxParallel>>,
    queue_size: Option<Setting<NonZeroUsize>>,
    continue_on_error: Setting<bool>,
    on_item_error: Option<Task>,
}

impl Options {
    pub fn take(section: &mut Section<'_>, sink: &mut Sink) -> Self {
        Self {
            batch_size: section
                .take("batch_size")
                .and_then(|given| batch_size(&given, sink))
                .unwrap_or(Setting::Fixed(NonZeroUsize::MIN)),
            batched: section.take("batched").and_then(|given| given.with(Readable::read, sink)),
            parallel: section.take("parallel").and_then(|given| given.setting(sink)),
            max_parallel: section.take("max_parallel").and_then(|given| given.setting(sink)),
            queue_size: section.take("queue_size").and_then(|given| given.setting(sink)),
            continue_on_error: section
                .take("continue_on_error")
                .and_then(|given| given.setting(sink))
                .unwrap_or(Setting::Fixed(false)),
            on_item_error: section.take("on_item_error").and_then(|given| on_item_error(&given, sink)),
        }
    }

    /// The batch step of these options.
    pub fn batch(self, items: ItemsGiven, task: Option<Task>, settings: Settings) -> Option<BatchSpec> {
        Some(BatchSpec {
            items: items.spec?,
            items_span: items.span,
            batch_size: self.batch_size,
            batched: self.batched,
            parallel: self.parallel,
            max_parallel: self.max_parallel,
            queue_size: self.queue_size,
            continue_on_error: self.continue_on_error,
            on_item_error: self.on_item_error,
            retry: settings.retry.unwrap_or_default(),
            timeout: settings.timeout,
            task: task?,
        })
    }
}

fn batch_size(given: &Given<'_>, sink: &mut Sink) -> Option<Setting<NonZeroUsize>> {
    if given.node.as_text().is_some_and(|text| text.raw == "auto") {
        sink.push(given.fault("is not supported yet with `auto`").hint("give a number of items"));
        return None;
    }
    given.setting(sink)
}

fn on_item_error(given: &Given<'_>, sink: &mut Sink) -> Option<Task> {
    let (task, settings) = inner_task(given, sink);
    for (name, found) in [("retry", settings.retry.is_some()), ("timeout", settings.timeout.is_some())] {
        if found {
            let fault = Fault::at(given.key_span, format!("`{name}` is not supported in `on_item_error`"));
            sink.push(fault.within(given.path.clone()));
        }
    }
    task
}

/// Reads the `inputs` of a step with `task: batch`.
pub(super) fn batch(inputs: &mut Section<'_>, step: Settings, sink: &mut Sink) -> Option<BatchSpec> {
    let items = inputs.need("items", sink).map(|given| ItemsGiven::read(&given, sink));
    let task = inputs.need("task", sink).map(|given| inner_task(&given, sink));
    let options = Options::take(inputs, sink);
    let settings = Settings::take(inputs, sink);
    inputs.finish(&[&crate::spec::keys::BATCH], sink);
    let (task, own) = task?;
    options.batch(items?, task, own.or(settings).or(step))
}
