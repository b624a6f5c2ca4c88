//! From results to files: looks at the records where the format has to, then writes them.

use super::error::{SinkError, Trouble};
use super::jsonl::JsonLines;
use super::place::Aside;
use crate::model::OutputFormat;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file, or with `parts` the folder.
    pub path: PathBuf,
    /// The format of the file.
    pub format: OutputFormat,
    /// Whether `path` is a folder of files of limited size.
    pub parts: bool,
}

impl Target {
    /// Whether something of that kind stands there.
    pub fn is_there(&self) -> bool {
        if self.parts { self.path.is_dir() } else { self.path.is_file() }
    }
}

/// Results as JSON Lines in item order, to be read as often as a format needs.
pub trait Results {
    /// Goes back to the first one.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn rewind(&mut self) -> io::Result<()>;

    /// Puts the next whole lines, some hundred KiB of them or more, in the place of what `piece` holds; false at the end.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool>;
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// How many records.
    pub records: u64,
}

/// Writes one file, in lines as they come.
pub(super) trait Encoder {
    /// Takes whole lines.
    fn write(&mut self, lines: &[u8]) -> Result<(), Trouble>;

    /// Writes what is left. The file is closed and flushed by others.
    fn finish(self: Box<Self>) -> Result<(), Trouble>;
}

/// What a format has to know of all records before the first one is written.
enum Layout {
    Jsonl,
}

impl Layout {
    fn of(format: OutputFormat, _results: &mut dyn Results) -> Result<Self, Trouble> {
        match format {
            OutputFormat::Jsonl => Ok(Self::Jsonl),
            other => Err(Trouble::Records(format!("`{}` is not supported yet", other.as_str()))),
        }
    }

    fn encoder(&self, file: File) -> Result<Box<dyn Encoder + '_>, Trouble> {
        match self {
            Self::Jsonl => Ok(Box::new(JsonLines(file))),
        }
    }
}

/// Writes results to where they go, whole or not at all.
///
/// # Errors
/// Where they cannot be read, do not fit the format, or the file cannot be written.
pub fn write(target: &Target, results: &mut dyn Results) -> Result<Written, SinkError> {
    let written = Layout::of(target.format, results).and_then(|layout| write_file(target, &layout, results));
    written.map_err(|trouble| trouble.at(&target.path))
}

fn write_file(target: &Target, layout: &Layout, results: &mut dyn Results) -> Result<Written, Trouble> {
    let aside = Aside::begin(&target.path)?;
    let mut encoder = layout.encoder(aside.file()?)?;
    let mut records = 0;
    each_piece(results, |piece| {
        records += count(piece);
        encoder.write(piece)
    })?;
    encoder.finish()?;
    aside.commit()?;
    Ok(Written { records })
}

/// Reads all results, from the first to the last.
fn each_piece(results: &mut dyn Results, mut take: impl FnMut(&[u8]) -> Result<(), Trouble>) -> Result<(), Trouble> {
    results.rewind().map_err(Trouble::Results)?;
    let mut piece = Vec::new();
    while results.next_piece(&mut piece).map_err(Trouble::Results)? {
        take(&piece)?;
    }
    Ok(())
}

/// How many lines there are.
fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}
