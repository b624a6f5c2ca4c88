//! The task types, with a file or directory each. To add a type, write its file and add it to [`Program::compile`].

mod echo;
mod http;
pub mod python;
mod shell;

use super::program::Program;
use crate::model::StepName;
use crate::spec::{self, TaskKind};
use crate::template::TemplateError;
use std::path::Path;

impl Program {
    /// Compiles a task. Scripts and modules are looked up in `directory`.
    ///
    /// # Errors
    /// The errors of all templates that do not compile.
    pub fn compile(task: &spec::Task, directory: &Path) -> Result<Self, Vec<TemplateError>> {
        Ok(match &task.kind {
            TaskKind::Shell(task) => Self::new(shell::Shell::compile(task)?),
            TaskKind::Http(task) => Self::new(http::Http::compile(task)?),
            TaskKind::Echo(task) => Self::new(echo::Echo::compile(task)?),
            TaskKind::Python(task) => Self::new(python::PythonTask::compile(task, directory)?),
        })
    }

    /// Compiles the code of a step's aggregate, which sees the step's `results`, `failed` and `stats`.
    ///
    /// # Errors
    /// The errors of all templates that do not compile.
    pub fn aggregate(task: &spec::PythonTask, step: &StepName, directory: &Path) -> Result<Self, Vec<TemplateError>> {
        python::PythonTask::aggregate(task, step, directory).map(Self::new)
    }
}
