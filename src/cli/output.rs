//! Printing.

use super::error::CliError;
use super::exit::Exit;
use serde::Serialize;
use std::io::{self, Write};

/// Writes text to stdout. A reader that has seen enough is no error.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Writes one JSON value to stdout.
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(value).map_err(|error| CliError::new(Exit::Stopped, error))?;
    print(&format!("{json}\n"))
}

/// What became of writing to stdout.
pub fn written(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Bad, anyhow::Error::new(error).context("cannot write to stdout")))
        }
        _ => Ok(()),
    }
}
