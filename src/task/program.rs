//! A task, compiled, and the lanes that run it.

use super::context::StepContext;
use super::item_lane::ItemLane;
use super::kinds::python::{PythonLane, PythonTask};
use super::kinds::{echo, http, shell};
use super::lane::Lane;
use crate::model::StepName;
use crate::spec;
use crate::template::{Names, TemplateError};
use std::path::Path;
use std::sync::Arc;

/// A task, compiled: what all lanes of a step run.
#[derive(Debug, Clone)]
pub enum Program {
    /// `shell`
    Shell(Arc<shell::Shell>),
    /// `http_request`
    Http(Arc<http::Http>),
    /// `echo`
    Echo(Arc<echo::Echo>),
    /// `python`
    Python(Arc<PythonTask>),
}

impl Program {
    /// Compiles a task. Scripts and modules are looked for in `folder`.
    ///
    /// # Errors
    /// All templates that do not compile.
    pub fn compile(task: &spec::Task, folder: &Path) -> Result<Self, Vec<TemplateError>> {
        Ok(match &task.kind {
            spec::TaskKind::Shell(task) => Self::Shell(Arc::new(shell::Shell::compile(task)?)),
            spec::TaskKind::Http(task) => Self::Http(Arc::new(http::Http::compile(task)?)),
            spec::TaskKind::Echo(task) => Self::Echo(Arc::new(echo::Echo::compile(task)?)),
            spec::TaskKind::Python(task) => Self::Python(Arc::new(PythonTask::compile(task, folder)?)),
        })
    }

    /// Compiles the code of an aggregate of a step, which sees the step's `results`, `failed` and `stats`.
    ///
    /// # Errors
    /// All templates that do not compile.
    pub fn aggregate(task: &spec::PythonTask, step: &StepName, folder: &Path) -> Result<Self, Vec<TemplateError>> {
        PythonTask::aggregate(task, step, folder).map(|task| Self::Python(Arc::new(task)))
    }

    /// Faults that can be known before anything runs.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        match self {
            Self::Shell(task) => task.check(names),
            Self::Http(task) => task.check(names),
            Self::Echo(task) => task.check(names),
            Self::Python(task) => task.check(names),
        }
    }

    /// The task's type as the workflow writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Shell(_) => "shell",
            Self::Http(_) => "http_request",
            Self::Echo(_) => "echo",
            Self::Python(_) => "python",
        }
    }

    /// Whether it starts child processes.
    pub fn has_children(&self) -> bool {
        matches!(self, Self::Shell(_) | Self::Python(_))
    }

    /// A lane for one slot.
    pub fn lane(&self, context: &StepContext, slot: usize) -> Box<dyn Lane> {
        let context = context.clone();
        match self {
            Self::Shell(task) => Box::new(ItemLane::new(Arc::clone(task), context, slot)),
            Self::Http(task) => Box::new(ItemLane::new(Arc::clone(task), context, slot)),
            Self::Echo(task) => Box::new(ItemLane::new(Arc::clone(task), context, slot)),
            Self::Python(task) => Box::new(PythonLane::new(Arc::clone(task), context, slot)),
        }
    }
}
