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
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The steps before another one, by the names under which it can read them. What it reads is looked up word by word, so it
/// does not matter how many there are.
#[derive(Default)]
pub(super) struct EarlierSteps<'a> {
    steps: Vec<&'a Step>,
    by_name: HashMap<&'a str, usize>,
    by_output: HashMap<&'a str, Vec<usize>>,
    by_path: Vec<(&'a str, usize)>,
}

impl<'a> EarlierSteps<'a> {
    /// Adds the next step.
    pub(super) fn push(&mut self, step: &'a Step) {
        let place = self.steps.len();
        self.steps.push(step);
        self.by_name.insert(step.name.as_str(), place);
        if let Some(output) = &step.outputs.name {
            self.by_output.entry(&output.raw).or_default().push(place);
        }
        if let Some(path) = step.outputs.file.as_ref().map(|file| &file.path).filter(|path| !path.is_template()) {
            // Not `-`, which means stdout and occurs in many texts.
            self.by_path.extend((path.raw.len() > 2).then_some((path.raw.as_str(), place)));
        }
    }

    /// Those that the task of a step reads, apart from its list of items.
    pub(super) fn upstream_of(&self, step: &Step, folder: &Path) -> Vec<Upstream> {
        self.named_in(&task_text(task_of(step), folder))
    }

    /// Those that the code of a step's aggregate reads.
    pub(super) fn upstream_of_aggregate(&self, step: &Step, folder: &Path) -> Vec<Upstream> {
        match aggregate_of(step) {
            Some(Aggregate::Code(task)) => self.named_in(&task_text(&python_task(task), folder)),
            _ => Vec::new(),
        }
    }

    /// Those that the list of items of a step reads.
    pub(super) fn upstream_of_items(&self, step: &Step) -> Vec<Upstream> {
        match &step.kind {
            StepKind::Batch(batch) => {
                let condition = batch.condition.as_ref().map_or("", |text| &text.raw);
                self.named_in(&format!("{}{condition}", items_text(&batch.items)))
            }
            StepKind::Single(_) => Vec::new(),
        }
    }

    fn named_in(&self, text: &str) -> Vec<Upstream> {
        let words = Words::of(text);
        let (uses, dynamic, aggregates) = (words.uses("steps"), words.is_dynamic(), words.has("aggregate"));
        // Methods of the mapping itself, such as `steps.values()`, are not steps.
        let members: Option<Vec<usize>> = match &uses {
            Uses::Members(members) => members.iter().map(|member| self.by_name.get(member).copied()).collect(),
            Uses::Any => None,
        };
        let members = members.filter(|_| !dynamic);
        let all = members.is_none();
        let upstream = |step: &Step| Upstream {
            name: step.name.clone(),
            aggregate: (aggregates || all) && aggregate_of(step).is_some(),
        };
        let Some(members) = members else { return self.steps.iter().map(|step| upstream(step)).collect() };
        let outputs = words.iter().filter_map(|word| self.by_output.get(word)).flatten().copied();
        // The file of a step's results, read by its path.
        let files = self.by_path.iter().filter(|(path, _)| text.contains(path)).map(|(_, place)| *place);
        let read: BTreeSet<usize> = members.into_iter().chain(outputs).chain(files).collect();
        read.into_iter().map(|place| upstream(self.steps[place])).collect()
    }
}

/// Whether the task of a step mentions the directory for files of an item.
pub(super) fn mentions_item_dir(step: &Step, folder: &Path) -> bool {
    let text = task_text(task_of(step), folder);
    text.contains("item_dir") || text.contains("BATCHMILL_ITEM_DIR")
}

/// Whether the task of a step has this word anywhere in its text.
pub fn mentions(step: &Step, folder: &Path, word: &str) -> bool {
    Words::of(&task_text(task_of(step), folder)).has(word)
}

/// A python task as a task of any type.
pub(super) fn python_task(task: &PythonTask) -> Task {
    Task { span: Span::default(), kind: TaskKind::Python(task.clone()) }
}

/// All strings of a list of items, a line each.
fn items_text(items: &ItemsSpec) -> String {
    strings_of([&items_value(items)])
}

fn items_value(items: &ItemsSpec) -> Value {
    let setting = |text: Option<&Text>| Value::Text(text.map(|text| text.raw.clone()).unwrap_or_default());
    match items {
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
        ItemsSpec::Product(axes) => Value::List(axes.iter().map(|(_, items)| items_value(items)).collect()),
    }
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
