//! Printing to stdout.
//!
//! Text for people is escaped on its way. Data stays as it is, unless stdout is a terminal: then what a terminal would obey is
//! written as JSON escapes, which mean the same.

use super::error::CliError;
use super::exit::Exit;
use crate::text::{Printable, escape_json};
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::ops::ControlFlow;

/// Writes text for people to stdout, unchanged except for what is escaped. It is not an error if the reader has closed
/// its end.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), CliError> {
    print_text(&Printable::lines(text))
}

/// The same for text with colours of our own.
pub fn print_styled(text: impl AsRef<[u8]>) -> Result<(), CliError> {
    print_text(&Printable::styled(text))
}

fn print_text(text: &Printable) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_str().as_bytes()).and_then(|()| stdout.flush()))
}

/// Writes one JSON value to stdout.
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(value).map_err(|error| CliError::of(Exit::Stopped, &error))?;
    print_data(format!("{json}\n").as_bytes())
}

/// Writes JSON to stdout as it is.
pub fn print_data(json: &[u8]) -> Result<(), CliError> {
    let mut data = DataWriter::new();
    written(data.write_all(json).and_then(|()| data.flush()))
}

/// Writes text for people to stdout piece by piece, escaped like that of [`print`].
pub struct TextWriter(BufWriter<StdoutLock<'static>>);

impl TextWriter {
    /// A writer that holds stdout.
    pub fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes some text. Breaks if the reader has closed its end.
    pub fn write(&mut self, text: impl AsRef<[u8]>) -> Result<ControlFlow<()>, CliError> {
        unless_closed(self.0.write_all(Printable::lines(text).as_str().as_bytes()))
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<(), CliError> {
        written(self.0.flush())
    }
}

/// Writes a JSON list to stdout element by element, with the layout of [`print_json`].
pub struct JsonList {
    out: BufWriter<DataWriter>,
    is_empty: bool,
}

impl JsonList {
    /// A list that holds stdout.
    pub fn new() -> Self {
        Self { out: BufWriter::new(DataWriter::new()), is_empty: true }
    }

    /// Writes an element. Breaks if the reader has closed its end.
    pub fn push(&mut self, value: &impl Serialize) -> Result<ControlFlow<()>, CliError> {
        let json = serde_json::to_string_pretty(value).map_err(|error| CliError::of(Exit::Stopped, &error))?;
        let before = if std::mem::take(&mut self.is_empty) { "[\n  " } else { ",\n  " };
        let mut write = || {
            self.out.write_all(before.as_bytes())?;
            // JSON text has no raw line break within a string.
            self.out.write_all(json.replace('\n', "\n  ").as_bytes())
        };
        unless_closed(write())
    }

    /// Ends the list.
    pub fn finish(mut self) -> Result<(), CliError> {
        let end: &[u8] = if self.is_empty { b"[]\n" } else { b"\n]\n" };
        written(self.out.write_all(end).and_then(|()| self.out.flush()))
    }
}

/// Breaks if the reader has closed its end.
fn unless_closed(result: io::Result<()>) -> Result<ControlFlow<()>, CliError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        result => written(result).map(ControlFlow::Continue),
    }
}

/// Turns the outcome of writing to stdout into an error, unless the reader has closed its end.
pub fn written(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Bad, "cannot write to stdout").caused_by(&error))
        }
        _ => Ok(()),
    }
}

/// Writes lines of JSON to stdout.
pub struct DataWriter {
    stdout: StdoutLock<'static>,
    /// The incomplete line, if stdout is a terminal.
    line: Option<Vec<u8>>,
}

impl DataWriter {
    /// A writer that holds stdout.
    pub fn new() -> Self {
        Self { stdout: io::stdout().lock(), line: io::stdout().is_terminal().then(Vec::new) }
    }
}

impl Write for DataWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(line) = &mut self.line else { return self.stdout.write(bytes) };
        line.extend_from_slice(bytes);
        if let Some(end) = memchr::memrchr(b'\n', line) {
            let rest = line.split_off(end + 1);
            let lines = String::from_utf8_lossy(line);
            self.stdout.write_all(escape_json(&lines).as_bytes())?;
            *line = rest;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(line) = &mut self.line {
            let rest = String::from_utf8_lossy(line);
            self.stdout.write_all(escape_json(&rest).as_bytes())?;
            line.clear();
        }
        self.stdout.flush()
    }
}
