//! Gives a run a command.

use super::address::connect;
use super::command::{Answer, Command};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

/// How long a run may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer, in bytes.
const MOST_ANSWER: u64 = 4 << 20;

/// Why a run did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("the run is not running, or cannot be controlled")]
    NotRunning(#[source] io::Error),
    /// It belongs to another user.
    #[error("the run belongs to another user")]
    Denied(#[source] io::Error),
    /// It does not answer.
    #[error("the run does not answer")]
    Silent(#[source] io::Error),
    /// What it answers makes no sense.
    #[error("the run gives an answer that this version does not know")]
    Unknown(#[source] serde_json::Error),
}

/// Gives the run in this folder a command, and returns its answer.
///
/// # Errors
/// If it does not answer.
pub fn ask(run_folder: &Path, command: &Command) -> Result<Answer, AskError> {
    let mut stream = connect(run_folder).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => AskError::Denied(error),
        _ => AskError::NotRunning(error),
    })?;
    let mut line = serde_json::to_vec(command).map_err(AskError::Unknown)?;
    line.push(b'\n');
    let mut answer = String::new();
    let mut exchange = || -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&line)?;
        BufReader::new((&stream).take(MOST_ANSWER)).read_line(&mut answer)?;
        if answer.ends_with('\n') { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    };
    exchange().map_err(AskError::Silent)?;
    serde_json::from_str(&answer).map_err(AskError::Unknown)
}
