//! A workflow file as far as it could be read.

use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, ErrorList};
use super::workflow::Workflow;
use crate::model::StepName;

/// What was read of a file, and what is wrong with it. If anything is, the workflow only serves to find more errors.
#[derive(Debug)]
pub struct Draft {
    /// What could be read. The rest is left out, or something harmless takes its place.
    pub workflow: Workflow,
    /// What is wrong.
    pub errors: Vec<Diagnostic>,
    /// What the errors may have hidden.
    pub doubts: Doubts,
}

/// Where the errors of a file may have hidden names, so that a name that seems not to be defined is no error.
#[derive(Debug, Default)]
pub struct Doubts {
    /// Whether there may be more parameters.
    pub params: bool,
    /// Whether there may be more variables under `env`.
    pub env: bool,
    /// Steps that may define other names than they seem to.
    pub steps: Vec<StepName>,
    /// Whether there are steps that could not be read at all.
    pub lost_steps: bool,
}

impl Draft {
    /// The workflow, if nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn checked(self) -> Result<Workflow, Diagnostics> {
        match Diagnostics::new(self.workflow.source.clone(), self.errors) {
            Some(errors) => Err(errors),
            None => Ok(self.workflow),
        }
    }
}

impl From<Workflow> for Draft {
    fn from(workflow: Workflow) -> Self {
        Self { workflow, errors: Vec::new(), doubts: Doubts::default() }
    }
}

/// Keys of a step that decide which names there are in it and after it.
const DEFINING: [&str; 14] = [
    "aggregate",
    "code",
    "for_each",
    "function",
    "inputs",
    "item",
    "items",
    "name",
    "on_item_error",
    "operation",
    "outputs",
    "script",
    "task",
    "type",
];

/// Whether the errors since `start` may have hidden a name that the step at `path` defines.
pub(super) fn hides_names(errors: &ErrorList, start: usize, path: &str) -> bool {
    errors.since(start).iter().any(|error| {
        let key = match error.kind {
            DiagnosticKind::UnknownKey(meant) => meant,
            DiagnosticKind::Invalid | DiagnosticKind::MissingParam => {
                let inside = error.context.as_deref().and_then(|context| context.strip_prefix(path)?.strip_prefix('.'));
                inside.and_then(|inside| inside.rsplit('.').next()).map(|key| key.split('[').next().unwrap_or(key))
            }
        };
        key.is_none_or(|key| DEFINING.contains(&key))
    })
}

/// Whether a key at the top that is not known, among the errors since `start`, may be meant as this one.
pub(super) fn may_be_meant(errors: &ErrorList, start: usize, key: &str) -> bool {
    let unknown = errors.since(start).iter().filter_map(|error| match error.kind {
        DiagnosticKind::UnknownKey(meant) => Some(meant),
        DiagnosticKind::Invalid | DiagnosticKind::MissingParam => None,
    });
    unknown.into_iter().any(|meant| meant.is_none_or(|meant| meant == key))
}
