//! `steps`: a list of mappings, one for each step.

use super::batch::{ItemsField, Options, batch};
use super::outputs::{self, OutputsParser};
use super::retry::RetryAndTimeout;
use super::section::{Field, Section, describe_node, unknown};
use super::seed::SeedField;
use super::shell::shell_program;
use super::task::{inner_task, merge_inputs, task};
use super::task_type::{Level, Runs, TaskHead, TaskType, task_head};
use crate::model::{Span, StepName};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::draft::{Doubts, hides_names};
use crate::spec::keys;
use crate::spec::node::{Node, NodeKind, shorten};
use crate::spec::task::Task;
use crate::spec::workflow::{Outputs, Single, Step, StepKind};
use std::collections::HashMap;

/// Reads all steps, and notes what errors may have hidden of them.
pub(super) fn steps(field: &Field<'_>, doubts: &mut Doubts, errors: &mut ErrorList) -> Vec<Step> {
    let mut parser = StepsParser { names: HashMap::new(), outputs: outputs::Seen::default(), doubts, errors };
    match &field.node.kind {
        NodeKind::List(list) if !list.is_empty() => {
            let steps: Vec<Option<Step>> =
                list.iter().enumerate().map(|(index, node)| parser.element(index, node)).collect();
            parser.doubts.lost_steps = steps.iter().any(Option::is_none);
            return steps.into_iter().flatten().collect();
        }
        NodeKind::Map(entries) if !entries.is_empty() => parser.errors.push(field.expected("a list of steps")),
        NodeKind::List(_) | NodeKind::Map(_) | NodeKind::Null => {
            parser.errors.push(field.error("is empty").help("add a step"));
        }
        _ => parser.errors.push(field.expected("a list or mapping of steps")),
    }
    Vec::new()
}

/// The name of a step and its place.
struct NameField {
    name: StepName,
    span: Span,
}

struct StepsParser<'e> {
    /// The names so far and their places.
    names: HashMap<String, Span>,
    outputs: outputs::Seen,
    doubts: &'e mut Doubts,
    errors: &'e mut ErrorList,
}

impl StepsParser<'_> {
    fn element(&mut self, index: usize, node: &Node) -> Option<Step> {
        let path = format!("steps[{index}]");
        let NodeKind::Map(entries) = &node.kind else {
            let error = Diagnostic::at(node.span, format!("a step must be a mapping; found {}", describe_node(node)));
            self.errors.push(error.within(path).help("start a step with `- name: NAME` and `task: TYPE`"));
            return None;
        };
        let named = entries.iter().find(|entry| entry.key == "name").and_then(|entry| entry.value.as_text());
        let path = match &named {
            Some(name) if StepName::new(&name.raw).is_some() => format!("steps.{}", name.raw),
            _ => path,
        };
        let span = entries.first().map_or(node.span, |entry| entry.key_span);
        let mut section = Section::new(node, &path, span);
        let name = match section.take("name") {
            Some(field) => field.literal(self.errors).and_then(|text| self.name(&text.raw, text.span)),
            None => {
                self.errors.push(section.missing("name").help("name the step, for example `name: resize`"));
                None
            }
        };
        let start = self.errors.len();
        let step = self.step(&mut section, name)?;
        if hides_names(self.errors, start, &path) {
            self.doubts.steps.push(step.name.clone());
        }
        Some(step)
    }

    fn name(&mut self, name: &str, span: Span) -> Option<NameField> {
        if let Some(first) = self.names.insert(name.to_owned(), span) {
            let error = Diagnostic::at(span, format!("duplicate step name `{name}`")).also(first, "first used here");
            self.errors.push(error.within(format!("steps.{name}")).help("rename one of the steps"));
        }
        let fit = StepName::new(name);
        if fit.is_none() {
            let name = shorten(name);
            self.errors.push(
                Diagnostic::at(span, format!("invalid step name `{name}`"))
                    .help("use letters, digits, `_`, `-` and `.`; at most 100 bytes, and no `.` at the start"),
            );
        }
        fit.map(|name| NameField { name, span })
    }

    fn step(&mut self, section: &mut Section<'_>, name: Option<NameField>) -> Option<Step> {
        let errors = &mut *self.errors;
        if let Some(NameField { span, .. }) = &name {
            section.span = *span;
        }
        let head = task_head(section, Level::Step, errors);
        let is_batch = head.is_some_and(|head| head.kind == TaskType::Batch) || section.has("for_each");
        let runs = if is_batch || head.is_none() { Runs::PerItem } else { Runs::Once };
        let mut parser = OutputsParser { runs, seen: &mut self.outputs };
        let outputs = section.take("outputs").map(|field| parser.outputs(&field, errors)).unwrap_or_default();
        let settings = RetryAndTimeout::take_retry(section, errors);
        let timeout = section.take("timeout").and_then(|field| field.setting(errors));
        let shell = section.take("shell").and_then(|field| shell_program(&field, errors));
        let seed = section.take("seed").map(|field| SeedField::read(&field, errors));
        let mut kind = match head {
            Some(head) if head.kind == TaskType::Batch => batch_step(section, settings, errors),
            Some(head) => Some(task_step(TaskHead { runs, ..head }, section, settings, errors)),
            None => {
                // Without a type, the inputs cannot be checked.
                section.take("for_each");
                section.take("inputs");
                // Whether a known key belongs here cannot be told either.
                let known =
                    |name: &str| [&keys::STEP, &keys::BATCH].iter().any(|keys| keys.names().any(|key| key == name));
                let fields = section.rest_of_ours().into_iter().filter(|field| !known(field.key));
                fields.for_each(|field| errors.push(unknown(&field, &[&keys::STEP, &keys::BATCH])));
                None
            }
        };
        if let (Some(seed), Some(kind)) = (seed, &mut kind) {
            kind.seed(seed, errors);
        }
        let NameField { name, span } = name?;
        let kind = kind.map_or_else(|| StepKind::Single(Single::unread(span)), |kind| kind.kind);
        let mut step = Step { name, span, outputs, timeout, kind };
        shell.iter().for_each(|shell| step.default_shell(shell));
        Some(step)
    }
}

/// Reads `on_failure` or `finally`: a task that becomes a plain step of that name.
pub(super) fn closing(field: &Field<'_>, steps: &[Step], errors: &mut ErrorList) -> Option<Step> {
    let (task, settings) = inner_task(field, errors);
    let name = StepName::new(field.key)?;
    if let Some(step) = steps.iter().find(|step| step.name == name) {
        let error = Diagnostic::at(step.span, format!("step name `{name}` clashes with `{name}` of the workflow"));
        errors.push(error.also(field.key_span, "defined here").help("rename the step").within(format!("steps.{name}")));
    }
    let task = task.unwrap_or_else(|| Task::unread(field.key_span));
    let single = Single { task, retry: settings.retry.unwrap_or_default(), timeout: settings.timeout };
    Some(Step {
        name,
        span: field.key_span,
        outputs: Outputs::default(),
        timeout: None,
        kind: StepKind::Single(single),
    })
}

/// What a step does, and whether its task could be read.
struct KindField {
    kind: StepKind,
    has_task: bool,
}

impl KindField {
    fn seed(&mut self, seed: SeedField, errors: &mut ErrorList) {
        // A task that could not be read may be one of Python.
        if self.has_task {
            seed.apply(&mut self.kind, errors);
        }
    }
}

fn batch_step(section: &mut Section<'_>, settings: RetryAndTimeout, errors: &mut ErrorList) -> Option<KindField> {
    if let Some(items) = section.take("for_each") {
        let error = Diagnostic::at(items.key_span, "`for_each` cannot be used with `task: batch`");
        errors.push(error.within(items.path).help("move the items to `items` under `inputs`"));
    }
    let Some(field) = section.take("inputs") else {
        errors.push(section.missing("inputs").help("add `inputs` with `items` and `task`"));
        misplaced(section, &keys::BATCH, errors);
        return None;
    };
    let mut inputs = field.section(errors);
    let seed = inputs.take("seed").map(|field| SeedField::read(&field, errors));
    let (batch, has_task) = batch(&mut inputs, settings, errors);
    misplaced(section, &keys::BATCH, errors);
    let mut kind = KindField { kind: StepKind::Batch(Box::new(batch)), has_task };
    if let Some(seed) = seed {
        kind.seed(seed, errors);
    }
    Some(kind)
}

fn task_step(
    head: TaskHead,
    section: &mut Section<'_>,
    settings: RetryAndTimeout,
    errors: &mut ErrorList,
) -> KindField {
    let mut fields = Section::empty(&section.path, section.span);
    merge_inputs(&mut fields, section.take("inputs"), errors);
    let (task, own) = task(head, &mut fields, errors);
    let (settings, has_task) = (own.or(settings), task.is_some());
    let Some(items) = section.take("for_each") else {
        for field in section.rest_of_ours() {
            errors.push(stray(&field, head.kind));
        }
        let kind = StepKind::Single(Single {
            task: task.unwrap_or_else(|| Task::unread(head.span)),
            retry: settings.retry.unwrap_or_default(),
            timeout: settings.timeout,
        });
        return KindField { kind, has_task };
    };
    let items = ItemsField::read(&items, errors);
    let options = Options::take(section, errors);
    misplaced(section, head.kind.keys(), errors);
    KindField { kind: StepKind::Batch(Box::new(options.batch(items, task, settings, errors))), has_task }
}

/// The error for a key that a step without `for_each` does not have.
fn stray(field: &Field<'_>, kind: TaskType) -> Diagnostic {
    if kind.keys().names().any(|name| name == field.key) {
        return misplaced_key(field);
    }
    if keys::BATCH.names().any(|name| name == field.key) {
        let message = format!("`{}` requires a step with items", field.key);
        return Diagnostic::at(field.key_span, message)
            .within(field.path.clone())
            .help("add `for_each`, or use `task: batch`");
    }
    unknown(field, &[&keys::STEP])
}

/// The error for an input that is next to `task` instead of under `inputs`.
fn misplaced_key(field: &Field<'_>) -> Diagnostic {
    Diagnostic::at(field.key_span, format!("misplaced key `{}`", field.key))
        .within(field.path.clone())
        .help("move it under `inputs`")
}

/// Reports the remaining keys of a step: inputs in the wrong place, and unknown keys.
fn misplaced(section: &mut Section<'_>, group: &'static keys::KeyGroup, errors: &mut ErrorList) {
    for field in section.rest_of_ours() {
        errors.push(if group.names().any(|name| name == field.key) {
            misplaced_key(&field)
        } else {
            unknown(&field, &[&keys::STEP, &keys::BATCH])
        });
    }
}
