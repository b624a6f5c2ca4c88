//! The type of a task, as `task` or `type` gives it.

use super::section::Section;
use crate::model::Span;
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::{self, KeyGroup, TASK_TYPES, listed, nearest};

/// The types that `task` and `type` name.
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

    pub fn name(self) -> &'static str {
        self.keys().name
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

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// At a step, which may be a batch.
    Step,
    /// Inside a step, or under `on_failure` or `finally`.
    Nested,
}

/// What is known of a task before its inputs are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskHead {
    pub kind: TaskType,
    /// Where the type stands.
    pub span: Span,
    pub runs: Runs,
}

/// Takes `type` or `task`; the task is one that runs once.
pub(super) fn task_head(section: &mut Section<'_>, level: Level, errors: &mut ErrorList) -> Option<TaskHead> {
    let known = || TASK_TYPES.iter().copied().chain((level == Level::Step).then_some("batch"));
    let field = match (section.take("type"), section.take("task")) {
        (Some(field), Some(other)) | (Some(other), Some(field)) if field.key_span.start > other.key_span.start => {
            let error = Diagnostic::at(field.key_span, "`type` and `task` mean the same: give one of them");
            errors.push(error.also(other.key_span, "first given here").within(field.path));
            other
        }
        (Some(field), _) | (None, Some(field)) => field,
        (None, None) => {
            let (key, what) = if level == Level::Step { ("task", "a step") } else { ("type", "a task") };
            errors.push(section.missing(key).help(format!("{what} has a `{key}`: one of {}", listed(known()))));
            return None;
        }
    };
    let name = field.literal(errors)?;
    match TaskType::new(&name.raw) {
        Some(TaskType::Batch) if level == Level::Nested => {
            let error = field.error("cannot be `batch` inside a batch");
            errors.push(error.help("give the inner batch a step of its own"));
            None
        }
        Some(kind) => Some(TaskHead { kind, span: name.span, runs: Runs::Once }),
        None => {
            let error = field.error(format!("names no task type: \"{}\"", name.raw));
            errors.push(match nearest(&name.raw, known()) {
                Some(meant) => error.label(format!("did you mean `{meant}`?")),
                None => error.help(format!("known types: {}", listed(known()))),
            });
            None
        }
    }
}
