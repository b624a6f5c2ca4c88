//! The command that runs one item in the foreground.

use super::payload::Packer;
use super::stored::{raw, unwritable};
use super::task::{PythonTask, Role};
use super::work_unit::WorkUnit;
use crate::model::Failure;
use crate::task::foreground::ForegroundRun;
use crate::task::processes::RUN_ID;
use crate::wire::{ForegroundJob, RunBatch};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

/// The command that runs one item in the foreground. It gets its job in a file, which it deletes, because parameters and items
/// may be secret.
///
/// # Errors
/// If a template fails, or the file cannot be written.
pub(super) fn foreground_command(task: &PythonTask, run: &ForegroundRun<'_>) -> Result<Command, Failure> {
    let (context, batch) = (run.context, run.batch);
    run.fresh_item_dir()?;
    let (indexes, form, origin) = (batch.indexes.clone(), batch.form, batch.origin.clone());
    let inputs = Packer::new(task, context, &run.frame()).inputs(WorkUnit { batch: 0, position: 0, input: 0 })?;
    let job = ForegroundJob {
        start: task.start(context, Role::Items)?,
        batch: RunBatch { number: batch.number, size: 1, total: 0, attempt: batch.attempt, indexes, form, origin },
        item: batch.items.get(0).to_vec(),
        inputs: raw(inputs)?,
        debugger: run.debugger,
        secrets: context.host.secrets.values().to_vec(),
    };
    let path = context.host.logs.join(format!("{}-foreground-{}", context.step, std::process::id()));
    write_job(&path, &job)?;
    let host = context.host.python.as_ref();
    let host = host.expect("the engine settles the interpreter before a python task starts");
    let mut command = host.foreground_command(&path);
    command.env(RUN_ID, &context.run.0);
    command.envs(context.host.env.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

fn write_job(path: &Path, job: &ForegroundJob) -> Result<(), Failure> {
    let json = serde_json::to_vec(job).map_err(|error| unwritable(&error.to_string()))?;
    let file = File::options().create_new(true).write(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(&json));
    written.map_err(|error| unwritable(&format!("cannot write `{}`: {error}", path.display())))
}
