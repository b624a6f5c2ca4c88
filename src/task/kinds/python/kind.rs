//! `python` as a task type.

use super::foreground::foreground_command;
use super::lane::PythonLane;
use super::local::LocalHost;
use super::pickled::PickledProgram;
use super::task::PythonTask;
use crate::model::Failure;
use crate::task::context::StepContext;
use crate::task::foreground::{ForegroundEnd, ForegroundRun};
use crate::task::lane::Lane;
use crate::task::program::{Batching, Program, PythonNeeds, Task};
use crate::template::{Names, TemplateError};
use std::sync::Arc;

impl Task for PythonTask {
    fn type_name(&self) -> &'static str {
        "python"
    }

    fn check(&self, names: &Names) -> Vec<TemplateError> {
        self.check_inputs(names)
    }

    fn lane(self: Arc<Self>, context: StepContext, slot: usize) -> Box<dyn Lane> {
        let host = LocalHost::new(&context, slot);
        Box::new(PythonLane::new(self, context, slot, Box::new(host)))
    }

    fn foreground(self: Arc<Self>, run: &ForegroundRun<'_>) -> Result<ForegroundEnd, Failure> {
        ForegroundEnd::of(foreground_command(&self, run)?.status())
    }

    fn starts_processes(&self) -> bool {
        true
    }

    fn batching(&self) -> Batching {
        Batching::Either
    }

    fn python(&self, names: &Names) -> Option<PythonNeeds> {
        Some(PythonNeeds { checks: self.checks(names), import_path: self.import_path() })
    }
}

impl PickledProgram {
    /// The task of a step that calls it for each item.
    pub fn compile(self) -> Program {
        Program::new(PythonTask::pickled(self))
    }
}
