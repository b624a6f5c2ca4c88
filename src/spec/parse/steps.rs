//! `steps`: a list, or a mapping whose keys are the names.

use super::batch::{ItemsGiven, Options, batch};
use super::outputs::{self, outputs};
use super::section::{Given, Section, Sink, found_node};
use super::settings::Settings;
use super::task::{TaskType, inner_task, merge_inputs, task, task_type};
use crate::model::{Span, StepName};
use crate::spec::keys;
use crate::spec::tree::{Node, NodeKind};
use crate::spec::{Diagnostic, Outputs, Single, Step, StepKind};
use std::collections::HashMap;

/// Reads all steps.
pub(super) fn steps(given: &Given<'_>, sink: &mut Sink) -> Vec<Step> {
    let mut names = HashMap::new();
    let mut outputs = outputs::Seen::default();
    let mut steps = Vec::new();
    match &given.node.kind {
        NodeKind::List(list) if !list.is_empty() => {
            for (index, node) in list.iter().enumerate() {
                steps.extend(listed_step(index, node, &mut names, &mut outputs, sink));
            }
        }
        NodeKind::Map(entries) if !entries.is_empty() => {
            for entry in given.section(sink).rest() {
                let name = step_name(entry.key, entry.key_span, &mut names, sink);
                let mut section = entry.section(sink);
                if entry.node.kind == NodeKind::Null {
                    sink.push(entry.error("is empty").help("a step has a `type`"));
                    continue;
                }
                if let Some(name) = section.take("name") {
                    let error = Diagnostic::at(name.key_span, "`name` is given twice: the key is the name already");
                    sink.push(error.within(name.path));
                }
                if matches!(entry.node.kind, NodeKind::Map(_)) {
                    steps.extend(step(&mut section, name.map(|name| (name, entry.key_span)), &mut outputs, sink));
                }
            }
        }
        NodeKind::List(_) | NodeKind::Map(_) | NodeKind::Null => {
            sink.push(given.error("is empty").help("a workflow needs a step"))
        }
        _ => sink.push(given.wrong("a list or a mapping of steps")),
    }
    steps
}

type Seen = HashMap<String, Span>;

fn listed_step(index: usize, node: &Node, names: &mut Seen, seen: &mut outputs::Seen, sink: &mut Sink) -> Option<Step> {
    let path = format!("steps[{index}]");
    let NodeKind::Map(entries) = &node.kind else {
        let error = Diagnostic::at(node.span, format!("a step must be a mapping; found {}", found_node(node)));
        sink.push(error.within(path).help("write `- name: NAME` and `task: TYPE` below"));
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
        Some(given) => {
            let text = given.word(sink);
            text.and_then(|text| step_name(&text.raw, text.span, names, sink).map(|name| (name, text.span)))
        }
        None => {
            sink.push(section.missing("name").help("give the step a name, for instance `name: resize`"));
            None
        }
    };
    step(&mut section, name, seen, sink)
}

fn step_name(name: &str, span: Span, names: &mut Seen, sink: &mut Sink) -> Option<StepName> {
    if let Some(first) = names.insert(name.to_owned(), span) {
        let error = Diagnostic::at(span, format!("step `{name}` is given twice")).also(first, "first given here");
        sink.push(error.within(format!("steps.{name}")).help("names of steps are unique"));
    }
    let fit = StepName::new(name);
    if fit.is_none() {
        let short: String = name.chars().take(40).collect();
        sink.push(
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
    sink: &mut Sink,
) -> Option<Step> {
    if let Some((_, span)) = &name {
        section.span = *span;
    }
    let kind = task_type(section, true, sink);
    let plain = !matches!(kind, Some((TaskType::Batch, _)) | None) && !section.has("for_each");
    let outputs = section.take("outputs").map(|given| outputs(&given, plain, seen, sink)).unwrap_or_default();
    let settings = Settings::take_retry(section, sink);
    let timeout = section.take("timeout").and_then(|given| given.setting(sink));
    let items = section.take("for_each");
    let kind = match kind {
        Some((TaskType::Batch, _)) => batch_step(section, items, settings, sink),
        Some((kind, span)) => task_step((kind, span), section, items, settings, sink),
        None => {
            // Without a type nothing can be said about the inputs.
            section.take("inputs");
            section.finish(&[&keys::STEP, &keys::BATCH], sink);
            None
        }
    };
    let (name, span) = name?;
    Some(Step { name, span, outputs, timeout, kind: kind? })
}

/// Reads `on_failure` or `finally`: a task, as a plain step of that name.
pub(super) fn closing(given: &Given<'_>, steps: &[Step], sink: &mut Sink) -> Option<Step> {
    let (task, settings) = inner_task(given, sink);
    let name = StepName::new(given.key)?;
    if let Some(step) = steps.iter().find(|step| step.name == name) {
        let error =
            Diagnostic::at(step.span, format!("step `{name}` has a name that is taken by `{name}` of the workflow"));
        sink.push(error.also(given.key_span, "here").within(format!("steps.{name}")));
    }
    let single = Single { task: task?, retry: settings.retry.unwrap_or_default(), timeout: settings.timeout };
    Some(Step {
        name,
        span: given.key_span,
        outputs: Outputs::default(),
        timeout: None,
        kind: StepKind::Single(single),
    })
}

fn batch_step(
    section: &mut Section<'_>,
    items: Option<Given<'_>>,
    settings: Settings,
    sink: &mut Sink,
) -> Option<StepKind> {
    if let Some(items) = items {
        let error = Diagnostic::at(items.key_span, "`for_each` cannot stand at a step with `task: batch`");
        sink.push(error.within(items.path).help("give the items as `items` under `inputs`"));
    }
    let Some(given) = section.take("inputs") else {
        sink.push(section.missing("inputs").help("a batch has `items` and `task` under `inputs`"));
        misplaced(section, &keys::BATCH, "`inputs`", sink);
        return None;
    };
    let mut inputs = given.section(sink);
    let batch = batch(&mut inputs, settings, sink);
    misplaced(section, &keys::BATCH, "`inputs`", sink);
    batch.map(|batch| StepKind::Batch(Box::new(batch)))
}

fn task_step(
    kind: (TaskType, Span),
    section: &mut Section<'_>,
    items: Option<Given<'_>>,
    settings: Settings,
    sink: &mut Sink,
) -> Option<StepKind> {
    let mut fields = Section::empty(&section.path, section.span);
    let inputs = section.take("inputs");
    merge_inputs(&mut fields, inputs, sink);
    let (task, own) = task(kind, &mut fields, items.is_some(), sink);
    let settings = own.or(settings);
    let Some(items) = items else {
        for given in section.rest() {
            sink.push(stray(&given, kind.0));
        }
        return Some(StepKind::Single(Single {
            task: task?,
            retry: settings.retry.unwrap_or_default(),
            timeout: settings.timeout,
        }));
    };
    let items = ItemsGiven::read(&items, sink);
    let options = Options::take(section, sink);
    misplaced(section, kind.0.keys(), "`inputs`", sink);
    options.batch(items, task, settings, sink).map(|batch| StepKind::Batch(Box::new(batch)))
}

/// The error of a key that a step without `for_each` does not take.
fn stray(given: &Given<'_>, kind: TaskType) -> Diagnostic {
    let error =
        Diagnostic::at(given.key_span, format!("`{}` does not stand at a step", given.key)).within(given.path.clone());
    if kind.keys().names().any(|name| name == given.key) {
        return error.help(format!("put it under `inputs`, with the inputs of `{}`", kind.name()));
    }
    if keys::BATCH.names().any(|name| name == given.key) {
        return error.help("it needs `for_each` beside it, or `task: batch`");
    }
    super::section::unknown(given, &[&keys::STEP])
}

/// Reports what is left at the step: known inputs that belong elsewhere, and unknown keys.
fn misplaced(section: &mut Section<'_>, group: &'static keys::KeyGroup, place: &str, sink: &mut Sink) {
    for given in section.rest() {
        let known = group.names().any(|name| name == given.key);
        sink.push(if known {
            Diagnostic::at(given.key_span, format!("`{}` does not stand at a step", given.key))
                .within(given.path.clone())
                .help(format!("put it under {place}"))
        } else {
            super::section::unknown(&given, &[&keys::STEP, &keys::BATCH])
        });
    }
}
