//! What a source needs from whoever opens it.

use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::io;
use std::process::{Command, Output};

/// Runs the command of a source to its end. The caller decides how child processes are started and ended.
pub type RunCommand<'a> = dyn Fn(&mut Command) -> io::Result<Output> + 'a;

/// What a source needs from whoever opens it.
#[derive(Clone, Copy)]
pub struct SourceHost<'a> {
    /// Runs commands.
    pub run: &'a RunCommand<'a>,
    /// Disconnects when items are no longer needed.
    pub stop: &'a Receiver<Infallible>,
}
