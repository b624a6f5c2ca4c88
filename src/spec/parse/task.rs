//! A task: `echo`. The other types have files of their own.

use super::http::http;
use super::python::python;
use super::retry::RetryAndTimeout;
use super::section::{Field, Section};
use super::shell::shell;
use super::task_type::{Level, Runs, TaskHead, TaskType, task_head};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys;
use crate::spec::node::NodeKind;
use crate::spec::task::{EchoTask, Task, TaskKind};

/// Adds the keys under `inputs` to those next to `type`.
pub(super) fn merge_inputs<'n>(fields: &mut Section<'n>, inputs: Option<Field<'n>>, errors: &mut ErrorList) {
    let Some(inputs) = inputs else {
        return;
    };
    for field in inputs.section(errors).rest() {
        if fields.has(field.key) {
            let error = Diagnostic::at(field.key_span, format!("duplicate input `{}`", field.key));
            errors.push(error.within(field.path).help("define it either next to `type` or under `inputs`"));
        } else {
            fields.extend([field]);
        }
    }
}

/// Reads a task in a mapping, with its inputs next to `type`, under `inputs`, or both.
pub(super) fn inner_task(field: &Field<'_>, errors: &mut ErrorList) -> (Option<Task>, RetryAndTimeout) {
    let none = (None, RetryAndTimeout::default());
    if !matches!(field.node.kind, NodeKind::Map(_)) {
        let error = field.expected("a mapping with `type`");
        errors.push(error.help("for example `{type: shell, command: ls}`"));
        return none;
    }
    let mut fields = field.section(errors);
    let head = task_head(&mut fields, Level::Nested, errors);
    let inputs = fields.take("inputs");
    fields.mark_inline();
    merge_inputs(&mut fields, inputs, errors);
    match head {
        Some(head) => task(TaskHead { runs: Runs::PerItem, ..head }, &mut fields, errors),
        None => none,
    }
}

/// Reads a task's inputs.
pub(super) fn task(
    head: TaskHead,
    fields: &mut Section<'_>,
    errors: &mut ErrorList,
) -> (Option<Task>, RetryAndTimeout) {
    let TaskHead { kind, span, runs } = head;
    let settings = RetryAndTimeout::take(fields, errors);
    let done = match kind {
        TaskType::Shell => shell(fields, runs, errors).map(TaskKind::Shell),
        TaskType::Python => python(fields, runs, errors).map(TaskKind::Python),
        TaskType::Http => http(fields, errors).map(|http| TaskKind::Http(Box::new(http))),
        TaskType::Echo => {
            fields.require("message", errors).map(|field| TaskKind::Echo(EchoTask { message: field.node.to_tree() }))
        }
        TaskType::Batch => None,
    };
    if kind != TaskType::Python {
        fields.reject_unknown(&[kind.keys(), &keys::TASK], errors);
    }
    (done.map(|kind| Task { span, kind }), settings)
}
