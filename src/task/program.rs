//! A compiled task: what each task type implements, and the handle that the engine holds.
//!
//! The engine never asks for the type of a task. What differs between types is a method of [`Task`], and most have a default.
//! [`kinds`](super::kinds) has an implementation for each type.

use super::context::StepContext;
use super::foreground::{ForegroundEnd, ForegroundRun};
use super::lane::Lane;
use super::python::Check;
use super::remote::RemoteLane;
use crate::model::{Failure, Span};
use crate::template::{Names, TemplateError};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A task of one type, compiled: what all lanes of a step run.
pub trait Task: fmt::Debug + Send + Sync {
    /// The task's type as the workflow writes it.
    fn type_name(&self) -> &'static str;

    /// The errors in its templates that can be found before anything runs.
    fn check(&self, names: &Names) -> Vec<TemplateError>;

    /// Makes a lane for one slot.
    fn lane(self: Arc<Self>, context: StepContext, slot: usize) -> Box<dyn Lane>;

    /// Runs one item in the foreground.
    ///
    /// # Errors
    /// If it cannot be started. A task that is not a process also returns why the item failed.
    fn foreground(self: Arc<Self>, run: &ForegroundRun<'_>) -> Result<ForegroundEnd, Failure> {
        let outcome = self.lane(run.context.clone(), 0).run(&run.frame());
        let batch = outcome.batches.into_iter().next().unwrap_or_default();
        match outcome.fatal.or_else(|| batch.failures.into_iter().next().map(|(_, failure)| failure)) {
            Some(failure) => Err(failure),
            None => Ok(ForegroundEnd::Line(batch.lines.0)),
        }
    }

    /// Whether it starts child processes, which must not outlive the engine.
    fn starts_processes(&self) -> bool {
        false
    }

    /// Whether it takes a whole batch at once.
    fn batching(&self) -> Batching {
        Batching::Never
    }

    /// Whether its result is a message to print for the user.
    fn result_is_message(&self) -> bool {
        false
    }

    /// What it needs from the Python interpreter, if it uses one. `names` are those of its templates.
    fn python(&self, _names: &Names) -> Option<PythonNeeds> {
        None
    }
}

/// Whether a task takes whole batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// It takes one item at a time.
    Never,
    /// It can take either.
    Either,
    /// It takes whole batches.
    Always,
}

/// What a task needs from the Python interpreter.
#[derive(Debug)]
pub struct PythonNeeds {
    /// What to check before anything runs, and where it is in the workflow file.
    pub checks: Vec<(Check, Span)>,
    /// Directories to import from before all others.
    pub import_path: Vec<String>,
}

/// A handle to a compiled task.
#[derive(Debug, Clone)]
pub struct Program(Arc<dyn Task>);

impl Program {
    /// A handle to this task.
    pub(super) fn new(task: impl Task + 'static) -> Self {
        Self(Arc::new(task))
    }

    /// Makes a lane for one slot: here, or on another machine.
    pub fn lane(&self, context: &StepContext, slot: usize) -> Box<dyn Lane> {
        match &context.host.remote {
            Some(remote) => Box::new(RemoteLane::new(Arc::clone(remote), context.clone(), slot)),
            None => Arc::clone(&self.0).lane(context.clone(), slot),
        }
    }

    /// Runs one item in the foreground.
    ///
    /// # Errors
    /// If it cannot be started. A task that is not a process also returns why the item failed.
    pub fn foreground(&self, run: &ForegroundRun<'_>) -> Result<ForegroundEnd, Failure> {
        Arc::clone(&self.0).foreground(run)
    }
}

impl Deref for Program {
    type Target = dyn Task;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
