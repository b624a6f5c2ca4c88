//! What the user may want to know about a workflow that is valid.

use super::prepared::Prepared;
use super::warning::{Level, Warning};
use crate::spec::{Command, ShellTask, Step, StepKind, Task, TaskKind};
use crate::template::has_pipe;

impl Prepared {
    /// Notes.
    pub fn notes(&self) -> Vec<Warning> {
        self.lost_failures().into_iter().collect()
    }

    /// The first command in whose pipe a failure is lost, unless the workflow names a shell anywhere: its author knows.
    fn lost_failures(&self) -> Option<Warning> {
        let source = &self.workflow.source;
        let shells =
            || self.workflow.steps.iter().chain(&self.workflow.closing).flat_map(|step| tasks(step)).filter_map(shell);
        if shells().any(|task| task.shell.is_some()) {
            return None;
        }
        let lines = shells().filter_map(|task| match &task.command {
            Command::Line(line) => Some(line),
            Command::Argv(_) => None,
        });
        let line = lines.into_iter().find(|line| has_pipe(line))?;
        Some(Warning {
            level: Level::Note,
            file: source.path.display().to_string(),
            line: source.line_column(line.span.start).0,
            message: "in a pipe, `sh` reports only the failure of the last command".to_owned(),
            help: Some(
                "`shell: bash` at the top of the file reports all of them, and `shell: sh` removes this note"
                    .to_owned(),
            ),
        })
    }
}

/// All tasks of a step.
fn tasks(step: &Step) -> Vec<&Task> {
    match &step.kind {
        StepKind::Single(single) => vec![&single.task],
        StepKind::Batch(batch) => [&batch.task].into_iter().chain(&batch.on_item_error).collect(),
    }
}

fn shell(task: &Task) -> Option<&ShellTask> {
    match &task.kind {
        TaskKind::Shell(task) => Some(task),
        _ => None,
    }
}
