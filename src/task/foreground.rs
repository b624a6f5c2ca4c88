//! One item in front of the person: the task's output goes to the terminal, and so does its input.

use super::context::StepContext;
use super::item_lane::item_scope;
use super::lane::Frame;
use super::program::Program;
use crate::model::{Batch, Failure, FailureKind};
use std::process::ExitStatus;
use std::sync::Arc;

/// How one item in the foreground ended.
#[derive(Debug)]
pub enum ForegroundEnd {
    /// A process ended so; what it had to say is on the terminal.
    Status(ExitStatus),
    /// This result, as a line of JSON.
    Line(Vec<u8>),
}

/// Runs the one item of a batch in the foreground: without a timeout, without capturing what it prints. `debugger` opens
/// Python's where the code raises.
///
/// # Errors
/// Where it cannot be started; of a task that is no process, why it failed.
pub fn foreground(
    program: &Program,
    context: &StepContext,
    batch: &Batch,
    debugger: bool,
) -> Result<ForegroundEnd, Failure> {
    let frame = Frame { batches: std::slice::from_ref(batch), halt_on_failure: false, error: None };
    let cannot_start = |error: std::io::Error| Failure::new(FailureKind::Start, "Start", error.to_string());
    let items = context.item_files.as_ref();
    let folder = items.map(|items| items.fresh(batch.indexes.get(0))).transpose()?;
    match program {
        Program::Shell(shell) => {
            let mut scope = item_scope(context, batch, 0, &frame)?;
            scope.item_dir = folder;
            shell
                .build(&Arc::new(scope), context)?
                .command(&context.host.env)
                .status()
                .map(ForegroundEnd::Status)
                .map_err(cannot_start)
        }
        Program::Python(task) => {
            task.foreground(context, &frame, debugger)?.status().map(ForegroundEnd::Status).map_err(cannot_start)
        }
        Program::Http(_) | Program::Echo(_) => {
            let (outcomes, broken) = program.lane(context, 0).run(&frame);
            let outcome = outcomes.into_iter().next().unwrap_or_default();
            match broken.or_else(|| outcome.failures.into_iter().next().map(|(_, failure)| failure)) {
                Some(failure) => Err(failure),
                None => Ok(ForegroundEnd::Line(outcome.lines.0)),
            }
        }
    }
}
