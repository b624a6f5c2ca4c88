//! A file of JSON Lines, written while its results come, so that little is left to do when a step ends.
//!
//! It is made of the results of a step that runs from its beginning and without trouble: every item succeeds at the first
//! try, and the file takes the lines as they are. Whatever else comes, the file is given up, and [`super::write`] makes it of
//! all results at the end. A thread of its own writes, and waits for the disk every few megabytes: so the wait for the disk
//! at the end is short, and nobody else waits.

use super::error::ExportError;
use super::place::Aside;
use super::write::{Target, Written};
use crate::model::{BatchReport, Indexes, OutputFormat, ResultForm};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::thread::JoinHandle;

/// How many pieces may be on their way to the thread.
const WAITING: usize = 4;
/// How many bytes may wait for the results before them.
const HELD: usize = 32 << 20;
/// How many bytes are written between two waits for the disk.
const STRETCH: usize = 8 << 20;

/// Writes results as they come, in any order. Dropped without [`StreamedOutput::commit`], nothing is left of it.
#[derive(Debug)]
pub struct StreamedOutput {
    pieces: Option<Sender<Piece>>,
    thread: Option<JoinHandle<Option<Whole>>>,
}

/// Lines of neighbouring items.
#[derive(Debug)]
struct Piece {
    first: u64,
    count: u64,
    lines: Vec<u8>,
}

/// What the thread has written: the results of the items from the first one on.
#[derive(Debug)]
struct Whole {
    aside: Aside,
    items: u64,
    records: u64,
}

impl StreamedOutput {
    /// Begins a file, if it is one that can be written as results come.
    pub fn of(target: &Target) -> Option<Self> {
        if target.format != OutputFormat::Jsonl || target.parts {
            return None;
        }
        let path = target.path.clone();
        let (sender, pieces) = bounded(WAITING);
        let thread = std::thread::Builder::new().name("output".to_owned()).spawn(move || follow(path, &pieces)).ok()?;
        Some(Self { pieces: Some(sender), thread: Some(thread) })
    }

    /// Takes the results of a batch.
    pub fn take(&mut self, report: BatchReport) {
        let plain = report.failed.is_empty() && report.retries.is_empty() && report.form == ResultForm::Lines;
        let piece = match report.succeeded {
            Indexes::Range(range) if plain && !range.is_empty() => {
                Piece { first: range.start, count: range.end - range.start, lines: report.lines.0 }
            }
            _ => return self.give_up(),
        };
        if self.pieces.as_ref().is_some_and(|pieces| pieces.send(piece).is_err()) {
            self.give_up();
        }
    }

    /// Puts the file into place, if it holds the results of this number of items; else it is gone.
    ///
    /// # Errors
    /// Where it cannot be put into place.
    pub fn commit(mut self, target: &Target, items: u64) -> Result<Option<Written>, ExportError> {
        self.pieces = None;
        let Some(whole) = self.join().filter(|whole| whole.items == items) else { return Ok(None) };
        whole.aside.commit().map_err(|trouble| trouble.at(&target.path))?;
        Ok(Some(Written { records: whole.records }))
    }

    fn give_up(&mut self) {
        self.pieces = None;
        drop(self.join());
    }

    fn join(&mut self) -> Option<Whole> {
        self.thread.take()?.join().ok()?
    }
}

impl Drop for StreamedOutput {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Writes pieces in order until no more come; none where that cannot be done. Why does not matter: the file is tried again
/// from the results, and then whoever looks at it is told.
fn follow(path: PathBuf, pieces: &Receiver<Piece>) -> Option<Whole> {
    let mut early = BTreeMap::new();
    let (mut held, mut unsynced) = (0, 0);
    // Not before there is a result: a step that never gets so far leaves no trace.
    let first = pieces.recv().ok()?;
    let mut whole = Whole { aside: Aside::begin(&path).ok()?, items: 0, records: 0 };
    for piece in std::iter::once(first).chain(pieces) {
        held += piece.lines.len();
        early.insert(piece.first, piece);
        while let Some(piece) = early.remove(&whole.items) {
            whole.aside.file.write_all(&piece.lines).ok()?;
            whole.items += piece.count;
            whole.records += memchr::memchr_iter(b'\n', &piece.lines).count() as u64;
            held -= piece.lines.len();
            unsynced += piece.lines.len();
        }
        if held > HELD {
            return None;
        }
        if unsynced > STRETCH {
            whole.aside.file.sync_data().ok()?;
            unsynced = 0;
        }
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BatchSpan, Keys, Lines};
    use std::fs;

    fn report(first: u64, lines: &[u8]) -> BatchReport {
        let count = memchr::memchr_iter(b'\n', lines).count() as u64;
        BatchReport {
            number: 1,
            batches: 1,
            attempt: 1,
            succeeded: Indexes::Range(first..first + count),
            keys: Keys::List(Vec::new()),
            lines: Lines(lines.to_vec()),
            form: ResultForm::Lines,
            list: false,
            files: Vec::new(),
            failed: Vec::new(),
            retries: Vec::new(),
            skipped: 0,
            bytes: 0,
            span: BatchSpan::default(),
        }
    }

    fn streamed(folder: &tempfile::TempDir, reports: Vec<BatchReport>, items: u64) -> Option<String> {
        let target = Target { path: folder.path().join("out"), format: OutputFormat::Jsonl, parts: false };
        let mut streamed = StreamedOutput::of(&target).unwrap();
        reports.into_iter().for_each(|report| streamed.take(report));
        let written = streamed.commit(&target, items).unwrap();
        written.map(|_| fs::read_to_string(target.path).unwrap())
    }

    #[test]
    fn pieces_in_any_order_become_a_file_in_item_order() {
        let folder = tempfile::tempdir().unwrap();
        let pieces = vec![report(2, b"2\n3\n"), report(0, b"0\n1\n"), report(4, b"4\n")];
        assert_eq!(streamed(&folder, pieces, 5).unwrap(), "0\n1\n2\n3\n4\n");
    }

    #[test]
    fn without_all_items_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(streamed(&folder, vec![report(0, b"0\n"), report(2, b"2\n")], 3), None);
        assert_eq!(streamed(&folder, vec![report(0, b"0\n")], 2), None);
        let scattered = BatchReport { succeeded: Indexes::List(vec![1]), ..report(1, b"1\n") };
        assert_eq!(streamed(&folder, vec![report(0, b"0\n"), scattered], 2), None);
        assert_eq!(streamed(&folder, Vec::new(), 1), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
