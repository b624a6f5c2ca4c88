//! The type of a task: the value of `task` or `type`.

use super::section::Section;
use crate::model::Span;
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::{self, KeyGroup, TASK_TYPES, either, nearest};
use crate::spec::node::{NodeKind, shorten};

/// The types of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskType {
    Shell,
    Python,
    Http,
    Echo,
    Batch,
}

impl TaskType {
    fn new(name: &str) -> Option<Self> {
        Some(match name {
            "shell" => Self::Shell,
            "python" => Self::Python,
            "http_request" => Self::Http,
            "echo" => Self::Echo,
            "batch" => Self::Batch,
            _ => return None,
        })
    }

    pub fn keys(self) -> &'static KeyGroup {
        match self {
            Self::Shell => &keys::SHELL,
            Self::Python => &keys::PYTHON,
            Self::Http => &keys::HTTP,
            Self::Echo => &keys::ECHO,
            Self::Batch => &keys::BATCH,
        }
    }
}

/// How often a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// Once: there is no item.
    Once,
    /// Once for each item.
    PerItem,
}

/// The level at which a task is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// As the task of a step, which may be a batch.
    Step,
    /// Inside a step, or under `on_failure` or `finally`.
    Nested,
}

/// What is known about a task before its inputs are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskHead {
    pub kind: TaskType,
    /// The place of the type.
    pub span: Span,
    pub runs: Runs,
}

/// The type of task that the keys are those of, next to the type that is missing or under `inputs`.
fn meant(section: &mut Section<'_>) -> Option<&'static str> {
    let inputs = section.take("inputs");
    let inside = inputs.iter().flat_map(|field| match &field.node.kind {
        NodeKind::Map(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    });
    let names: Vec<&str> = section.names().chain(inside).collect();
    let types = [
        ("items", "batch"),
        ("url", "http_request"),
        ("command", "shell"),
        ("code", "python"),
        ("function", "python"),
        ("script", "python"),
        ("message", "echo"),
    ];
    let meant = types.into_iter().find(|(key, _)| names.contains(key)).map(|(_, kind)| kind);
    section.extend(inputs);
    meant
}

/// Takes `type` or `task`. The task is taken to run once.
pub(super) fn task_head(section: &mut Section<'_>, level: Level, errors: &mut ErrorList) -> Option<TaskHead> {
    let known = || TASK_TYPES.iter().copied().chain((level == Level::Step).then_some("batch"));
    let field = match (section.take("type"), section.take("task")) {
        (Some(field), Some(other)) | (Some(other), Some(field)) if field.key_span.start > other.key_span.start => {
            let error = Diagnostic::at(field.key_span, "`type` and `task` cannot be used together");
            errors
                .push(error.also(other.key_span, "conflicts with this").within(field.path).help("remove one of them"));
            other
        }
        (Some(field), _) | (None, Some(field)) => field,
        (None, None) => {
            let key = if level == Level::Step { "task" } else { "type" };
            let help = match meant(section).filter(|meant| known().any(|known| known == *meant)) {
                Some(meant) => format!("add `{key}: {meant}`"),
                None => format!("set `{key}` to {}", either(known())),
            };
            errors.push(section.missing(key).help(help));
            return None;
        }
    };
    if let NodeKind::Map(_) = &field.node.kind {
        let help = "name the type here, and put everything else of the task under `inputs`; or use `task: batch`";
        errors.push(field.expected("the type of a task").help(help));
        return None;
    }
    let name = field.literal(errors)?;
    match TaskType::new(&name.raw) {
        Some(TaskType::Batch) if level == Level::Nested => {
            let error = Diagnostic::at(name.span, "`batch` is only allowed as the task of a step").within(field.path);
            errors.push(error.help("make the batch a separate step"));
            None
        }
        Some(kind) => Some(TaskHead { kind, span: name.span, runs: Runs::Once }),
        None => {
            let message = format!("unknown task type `{}`", shorten(&name.raw));
            let error = Diagnostic::at(name.span, message).within(field.path);
            errors.push(match nearest(&name.raw, known()) {
                Some(meant) => error.label(format!("did you mean `{meant}`?")),
                None => error.help(format!("use {}", either(known()))),
            });
            None
        }
    }
}
