//! `steps`: a list, or a mapping whose keys are the names.

use super::batch::{ItemsField, Options, batch};
use super::outputs::{self, outputs};
use super::retry::RetryAndTimeout;
use super::section::{Field, Section, describe_node};
use super::task::{TaskType, inner_task, merge_inputs, task, task_type};
use crate::model::{Span, StepName};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys;
use crate::spec::node::{Node, NodeKind};
use crate::spec::workflow::{Outputs, Single, Step, StepKind};
use std::collections::HashMap;

/// Reads all steps.
pub(super) fn steps(field: &Field<'_>, errors: &mut ErrorList) -> Vec<Step> {
    let mut names = HashMap::new();
    let mut outputs = outputs::Seen::default();
    let mut steps = Vec::new();
    match &field.node.kind {
        NodeKind::List(list) if !list.is_empty() => {
            for (index, node) in list.iter().enumerate() {
                steps.extend(listed_step(index, node, &mut names, &mut outputs, errors));
            }
        }
        NodeKind::Map(entries) if !entries.is_empty() => {
            for entry in field.section(errors).rest() {
                let name = step_name(entry.key, entry.key_span, &mut names, errors);
                let mut section = entry.section(errors);
                if entry.node.kind == NodeKind::Null {
                    errors.push(entry.error("is empty").help("a step has a `type`"));
                    continue;
                }
                if let Some(name) = section.take("name") {
                    let error = Diagnostic::at(name.key_span, "`name` is given twice: the key is the name already");
                    errors.push(error.within(name.path));
                }
                if matches!(entry.node.kind, NodeKind::Map(_)) {
                    steps.extend(step(&mut section, name.map(|name| (name, entry.key_span)), &mut outputs, errors));
                }
            }
        }
        NodeKind::List(_) | NodeKind::Map(_) | NodeKind::Null => {
            errors.push(field.error("is empty").help("a workflow needs a step"))
        }
        _ => errors.push(field.expected("a list or a mapping of steps")),
    }
    steps
}

type Seen = HashMap<String, Span>;

fn listed_step(
    index: usize,
    node: &Node,
    names: &mut Seen,
    seen: &mut outputs::Seen,
    errors: &mut ErrorList,
) -> Option<Step> {
    let path = format!("steps[{index}]");
    let NodeKind::Map(entries) = &node.kind else {
        let error = Diagnostic::at(node.span, format!("a step must be a mapping; found {}", describe_node(node)));
        errors.push(error.within(path).help("write `- name: NAME` and `task: TYPE` below"));
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
        Some(field) => {
            let text = field.literal(errors);
            text.and_then(|text| step_name(&text.raw, text.span, names, errors).map(|name| (name, text.span)))
        }
        None => {
            errors.push(section.missing("name").help("give the step a name, for instance `name: resize`"));
            None
        }
    };
    step(&mut section, name, seen, errors)
}

fn step_name(name: &str, span: Span, names: &mut Seen, errors: &mut ErrorList) -> Option<StepName> {
    if let Some(first) = names.insert(name.to_owned(), span) {
        let error = Diagnostic::at(span, format!("step `{name}` is given twice")).also(first, "first given here");
        errors.push(error.within(format!("steps.{name}")).help("names of steps are unique"));
    }
    let fit = StepName::new(name);
    if fit.is_none() {
        let short: String = name.chars().take(40).collect();
        errors.push(
            Diagnostic::at(span, format!("step `{short}` has a name that is not allowed"))
                .help("use letters, digits, `_`, `-` and `.`, at most 100 bytes, not starting with `.`"),
        );
    }
    fit
}

fn step(
    section: &mut Section<'_>,
    name: Option<(StepName, Span)>,
    seen: &mut outputs::Seen,
    errors: &mut ErrorList,
) -> Option<Step> {
    if let Some((_, span)) = &name {
        section.span = *span;
    }
    let kind = task_type(section, true, errors);
    let plain = !matches!(kind, Some((TaskType::Batch, _)) | None) && !section.has("for_each");
    let outputs = section.take("outputs").map(|field| outputs(&field, plain, seen, errors)).unwrap_or_default();
    let settings = RetryAndTimeout::take_retry(section, errors);
    let timeout = section.take("timeout").and_then(|field| field.setting(errors));
    let items = section.take("for_each");
    let kind = match kind {
        Some((TaskType::Batch, _)) => batch_step(section, items, settings, errors),
        Some((kind, span)) => task_step((kind, span), section, items, settings, errors),
        None => {
            // Without a type nothing can be said about the inputs.
            section.take("inputs");
            section.reject_unknown(&[&keys::STEP, &keys::BATCH], errors);
            None
        }
    };
    let (name, span) = name?;
    Some(Step { name, span, outputs, timeout, kind: kind? })
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

fn batch_step(
    section: &mut Section<'_>,
    items: Option<Field<'_>>,
    settings: RetryAndTimeout,
    errors: &mut ErrorList,
) -> Option<StepKind> {
    if let Some(items) = items {
        let error = Diagnostic::at(items.key_span, "`for_each` cannot stand at a step with `task: batch`");
        errors.push(error.within(items.path).help("give the items as `items` under `inputs`"));
    }
    let Some(field) = section.take("inputs") else {
        errors.push(section.missing("inputs").help("a batch has `items` and `task` under `inputs`"));
        misplaced(section, &keys::BATCH, "`inputs`", errors);
        return None;
    };
    let mut inputs = field.section(errors);
    let batch = batch(&mut inputs, settings, errors);
    misplaced(section, &keys::BATCH, "`inputs`", errors);
    batch.map(|batch| StepKind::Batch(Box::new(batch)))
}

fn task_step(
    kind: (TaskType, Span),
    section: &mut Section<'_>,
    items: Option<Field<'_>>,
    settings: RetryAndTimeout,
    errors: &mut ErrorList,
) -> Option<StepKind> {
    let mut fields = Section::empty(&section.path, section.span);
    let inputs = section.take("inputs");
    merge_inputs(&mut fields, inputs, errors);
    let (task, own) = task(kind, &mut fields, items.is_some(), errors);
    let settings = own.or(settings);
    let Some(items) = items else {
        for field in section.rest() {
            errors.push(stray(&field, kind.0));
        }
        return Some(StepKind::Single(Single {
            task: task?,
            retry: settings.retry.unwrap_or_default(),
            timeout: settings.timeout,
        }));
    };
    let items = ItemsField::read(&items, errors);
    let options = Options::take(section, errors);
    misplaced(section, kind.0.keys(), "`inputs`", errors);
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
fn misplaced(section: &mut Section<'_>, group: &'static keys::KeyGroup, place: &str, errors: &mut ErrorList) {
    for field in section.rest() {
        let known = group.names().any(|name| name == field.key);
        errors.push(if known {
            Diagnostic::at(field.key_span, format!("`{}` does not stand at a step", field.key))
                .within(field.path.clone())
                .help(format!("put it under {place}"))
        } else {
            super::section::unknown(&field, &[&keys::STEP, &keys::BATCH])
        });
    }
}
