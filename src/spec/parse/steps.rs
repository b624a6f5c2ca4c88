//! `steps`: a list, or a mapping whose keys are the names.

use super::batch::{ItemsField, Options, batch};
use super::outputs::{self, OutputsParser};
use super::retry::RetryAndTimeout;
use super::section::{Field, Section, describe_node};
use super::task::{inner_task, merge_inputs, task};
use super::task_type::{Level, Runs, TaskHead, TaskType, task_head};
use crate::model::{Span, StepName};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys;
use crate::spec::node::{Node, NodeKind};
use crate::spec::workflow::{Outputs, Single, Step, StepKind};
use std::collections::HashMap;

/// Reads all steps.
pub(super) fn steps(field: &Field<'_>, errors: &mut ErrorList) -> Vec<Step> {
    let mut parser = StepsParser { names: HashMap::new(), outputs: outputs::Seen::default(), errors };
    match &field.node.kind {
        NodeKind::List(list) if !list.is_empty() => {
            list.iter().enumerate().filter_map(|(index, node)| parser.list_element(index, node)).collect()
        }
        NodeKind::List(_) | NodeKind::Null => {
            parser.errors.push(field.error("is empty").help("a workflow needs a step"));
            Vec::new()
        }
        NodeKind::Map(entries) if entries.is_empty() => {
            parser.errors.push(field.error("is empty").help("a workflow needs a step"));
            Vec::new()
        }
        _ => {
            parser.errors.push(field.expected("a list or a mapping of steps"));
            Vec::new()
        }
    }
}

/// The name of a step, and where it stands.
struct NameField {
    name: StepName,
    span: Span,
}

struct StepsParser<'e> {
    /// The names so far, and where each stands.
    names: HashMap<String, Span>,
    outputs: outputs::Seen,
    errors: &'e mut ErrorList,
}

impl StepsParser<'_> {
    fn list_element(&mut self, index: usize, node: &Node) -> Option<Step> {
        let path = format!("steps[{index}]");
        let NodeKind::Map(entries) = &node.kind else {
            let error = Diagnostic::at(node.span, format!("a step must be a mapping; found {}", describe_node(node)));
            self.errors.push(error.within(path).help("write `- name: NAME` and `task: TYPE` below"));
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
                self.errors.push(section.missing("name").help("give the step a name, for instance `name: resize`"));
                None
            }
        };
        self.step(&mut section, name)
    }

    fn name(&mut self, name: &str, span: Span) -> Option<NameField> {
        if let Some(first) = self.names.insert(name.to_owned(), span) {
            let error = Diagnostic::at(span, format!("step `{name}` is given twice")).also(first, "first given here");
            self.errors.push(error.within(format!("steps.{name}")).help("names of steps are unique"));
        }
        let fit = StepName::new(name);
        if fit.is_none() {
            let short: String = name.chars().take(40).collect();
            self.errors.push(
                Diagnostic::at(span, format!("step `{short}` has a name that is not allowed"))
                    .help("use letters, digits, `_`, `-` and `.`, at most 100 bytes, not starting with `.`"),
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
        let kind = match head {
            Some(head) if head.kind == TaskType::Batch => batch_step(section, settings, errors),
            Some(head) => task_step(TaskHead { runs, ..head }, section, settings, errors),
            None => {
                // Without a type nothing can be said about the inputs.
                section.take("for_each");
                section.take("inputs");
                section.reject_unknown(&[&keys::STEP, &keys::BATCH], errors);
                None
            }
        };
        let NameField { name, span } = name?;
        Some(Step { name, span, outputs, timeout, kind: kind? })
    }
}

/// Reads `on_failure` or `finally`: a task, as a plain step of that name.
pub(super) fn closing(field: &Field<'_>, steps: &[Step], errors: &mut ErrorList) -> Option<Step> {
    let (task, settings) = inner_task(field, errors);
    let name = StepName::new(field.key)?;
    if let Some(step) = steps.iter().find(|step| step.name == name) {
        let error =
            Diagnostic::at(step.span, format!("step `{name}` has a name that is taken by `{name}` of the workflow"));
        errors.push(error.also(field.key_span, "here").within(format!("steps.{name}")));
    }
    let single = Single { task: task?, retry: settings.retry.unwrap_or_default(), timeout: settings.timeout };
    Some(Step {
        name,
        span: field.key_span,
        outputs: Outputs::default(),
        timeout: None,
        kind: StepKind::Single(single),
    })
}

fn batch_step(section: &mut Section<'_>, settings: RetryAndTimeout, errors: &mut ErrorList) -> Option<StepKind> {
    if let Some(items) = section.take("for_each") {
        let error = Diagnostic::at(items.key_span, "`for_each` cannot stand at a step with `task: batch`");
        errors.push(error.within(items.path).help("give the items as `items` under `inputs`"));
    }
    let Some(field) = section.take("inputs") else {
        errors.push(section.missing("inputs").help("a batch has `items` and `task` under `inputs`"));
        misplaced(section, &keys::BATCH, errors);
        return None;
    };
    let mut inputs = field.section(errors);
    let batch = batch(&mut inputs, settings, errors);
    misplaced(section, &keys::BATCH, errors);
    batch.map(|batch| StepKind::Batch(Box::new(batch)))
}

fn task_step(
    head: TaskHead,
    section: &mut Section<'_>,
    settings: RetryAndTimeout,
    errors: &mut ErrorList,
) -> Option<StepKind> {
    let mut fields = Section::empty(&section.path, section.span);
    merge_inputs(&mut fields, section.take("inputs"), errors);
    let (task, own) = task(head, &mut fields, errors);
    let settings = own.or(settings);
    let Some(items) = section.take("for_each") else {
        for field in section.rest() {
            errors.push(stray(&field, head.kind));
        }
        return Some(StepKind::Single(Single {
            task: task?,
            retry: settings.retry.unwrap_or_default(),
            timeout: settings.timeout,
        }));
    };
    let items = ItemsField::read(&items, errors);
    let options = Options::take(section, errors);
    misplaced(section, head.kind.keys(), errors);
    options.batch(items, task, settings, errors).map(|batch| StepKind::Batch(Box::new(batch)))
}

/// The error of a key that a step without `for_each` does not take.
fn stray(field: &Field<'_>, kind: TaskType) -> Diagnostic {
    let error =
        Diagnostic::at(field.key_span, format!("`{}` does not stand at a step", field.key)).within(field.path.clone());
    if kind.keys().names().any(|name| name == field.key) {
        return error.help(format!("put it under `inputs`, with the inputs of `{}`", kind.name()));
    }
    if keys::BATCH.names().any(|name| name == field.key) {
        return error.help("it needs `for_each` beside it, or `task: batch`");
    }
    super::section::unknown(field, &[&keys::STEP])
}

/// Reports what is left at the step: known inputs that belong elsewhere, and unknown keys.
fn misplaced(section: &mut Section<'_>, group: &'static keys::KeyGroup, errors: &mut ErrorList) {
    for field in section.rest() {
        let known = group.names().any(|name| name == field.key);
        errors.push(if known {
            Diagnostic::at(field.key_span, format!("`{}` does not stand at a step", field.key))
                .within(field.path.clone())
                .help("put it under `inputs`")
        } else {
            super::section::unknown(&field, &[&keys::STEP, &keys::BATCH])
        });
    }
}
