//! What a source needs from whoever opens it.

use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::process::{Command, ExitStatus, Output};

/// How a command ended that was run for a source, and what it printed.
#[derive(Debug)]
pub struct Printed {
    /// Its status.
    pub status: ExitStatus,
    /// A file without a name, with what it printed to stdout: the lines may be more than fit into memory.
    pub stdout: File,
    /// What it printed to stderr.
    pub stderr: Vec<u8>,
}

/// Runs the command of a source to its end. The caller decides how child processes are started and ended.
pub type RunCommand<'a> = dyn Fn(&mut Command) -> io::Result<Printed> + 'a;

/// What a source needs from whoever opens it.
#[derive(Clone, Copy)]
pub struct SourceHost<'a> {
    /// Runs commands.
    pub run: &'a RunCommand<'a>,
    /// Disconnects when items are no longer needed.
    pub stop: &'a Receiver<Infallible>,
}

/// A [`RunCommand`] outside of a run, which nobody ends early.
///
/// # Errors
/// If the command cannot be started, or there is no room for what it prints.
pub fn run_alone(command: &mut Command) -> io::Result<Printed> {
    let stdout = tempfile::tempfile()?;
    let Output { status, stderr, .. } = command.stdout(stdout.try_clone()?).output()?;
    Ok(Printed { status, stdout, stderr })
}
