//! Which earlier steps a task reads.
//!
//! Found by the [words](super::words) of the task's text, so it errs on the safe side: a word that only looks like the name of
//! an output makes the step depend on it, and code that walks through `steps` depends on all of them.

use super::canonical::{Value, task_values};
use super::prepared::{aggregate_of, task_of};
use super::upstream::Upstream;
use super::words::{Uses, Words};
use crate::model::{Span, Text};
use crate::spec::{Aggregate, ItemsSpec, PythonTask, Setting, Step, StepKind, Task, TaskKind};
use std::path::Path;
use std::sync::Arc;

/// The earlier steps that the task of a step reads, apart from its list of items.
pub(super) fn upstream_of(step: &Step, earlier: &[Arc<Step>], folder: &Path) -> Vec<Upstream> {
    upstream(task_of(step), earlier, folder)
}

/// The earlier steps that the code of a step's aggregate reads.
pub(super) fn upstream_of_aggregate(step: &Step, earlier: &[Arc<Step>], folder: &Path) -> Vec<Upstream> {
    match aggregate_of(step) {
        Some(Aggregate::Code(task)) => upstream(&python_task(task), earlier, folder),
        _ => Vec::new(),
    }
}

/// The earlier steps that the list of items of a step reads.
pub(super) fn upstream_of_items(step: &Step, earlier: &[Arc<Step>]) -> Vec<Upstream> {
    match &step.kind {
        StepKind::Batch(batch) => upstream_in(&items_text(&batch.items), earlier),
        StepKind::Single(_) => Vec::new(),
    }
}

fn upstream(task: &Task, earlier: &[Arc<Step>], folder: &Path) -> Vec<Upstream> {
    upstream_in(&task_text(task, folder), earlier)
}

fn upstream_in(text: &str, earlier: &[Arc<Step>]) -> Vec<Upstream> {
    let words = Words::of(text);
    let (uses, dynamic, aggregates) = (words.uses("steps"), words.is_dynamic(), words.has("aggregate"));
    let all = dynamic || uses == Uses::Any;
    // The values and methods of the mapping itself: `steps.values()`, `steps.items()`.
    let members = match &uses {
        Uses::Members(members) => members.as_slice(),
        Uses::Any => &[],
    };
    let is_step = |member: &&str| earlier.iter().any(|step| step.name.as_str() == *member);
    let all = all || members.iter().any(|member| !is_step(member));
    let reads = |step: &&Arc<Step>| {
        all || step.outputs.name.as_ref().is_some_and(|output| words.has(&output.raw))
            || members.contains(&step.name.as_str())
    };
    let upstream = |step: &Arc<Step>| Upstream {
        name: step.name.clone(),
        aggregate: (aggregates || all) && aggregate_of(step).is_some(),
    };
    earlier.iter().filter(reads).map(upstream).collect()
}

/// Whether the task of a step mentions the directory for files of an item.
pub(super) fn mentions_item_dir(step: &Step, folder: &Path) -> bool {
    let text = task_text(task_of(step), folder);
    text.contains("item_dir") || text.contains("BATCHMILL_ITEM_DIR")
}

/// A python task as a task of any type.
pub(super) fn python_task(task: &PythonTask) -> Task {
    Task { span: Span::default(), kind: TaskKind::Python(task.clone()) }
}

/// All strings of a list of items, a line each.
fn items_text(items: &ItemsSpec) -> String {
    let setting = |text: Option<&Text>| Value::Text(text.map(|text| text.raw.clone()).unwrap_or_default());
    let value = match items {
        ItemsSpec::List(list) => Value::List(list.iter().map(Value::from).collect()),
        ItemsSpec::Template(text) | ItemsSpec::Command(text) | ItemsSpec::Lines(text) => Value::Text(text.raw.clone()),
        ItemsSpec::Glob(patterns) => texts(patterns),
        ItemsSpec::Range { start, stop, step } => {
            Value::List([start, stop, step].map(|bound| setting(bound.template())).into())
        }
        ItemsSpec::Rows(rows) => Value::List(vec![
            texts(&rows.paths),
            setting(rows.limit.as_ref().and_then(Setting::template)),
            setting(rows.skip.as_ref().and_then(Setting::template)),
        ]),
        ItemsSpec::Sql(sql) => Value::List(vec![
            texts([&sql.sql, &sql.url]),
            Value::List(sql.params.iter().map(Value::from).collect()),
            setting(sql.limit.as_ref().and_then(Setting::template)),
        ]),
    };
    strings_of([&value])
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a Text>) -> Value {
    Value::List(texts.into_iter().map(|text| Value::Text(text.raw.clone())).collect())
}

/// All strings of some values, a line each.
fn strings_of<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let mut text = String::new();
    for value in values {
        value.strings(&mut |string| {
            text.push_str(string);
            text.push('\n');
        });
    }
    text
}

/// All strings of a task, a line each; its script is read from `folder`.
pub(super) fn task_text(task: &Task, folder: &Path) -> String {
    strings_of(task_values(task, folder).iter().map(|(_, value)| value))
}

impl Value {
    /// Calls `visit` with every string in it, keys of mappings included.
    fn strings(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Null | Self::Bool(_) => {}
            Self::Number(text) | Self::Text(text) => visit(text),
            Self::List(list) => list.iter().for_each(|value| value.strings(visit)),
            Self::Map(map) => map.iter().for_each(|(key, value)| {
                visit(key);
                value.strings(visit);
            }),
        }
    }
}
