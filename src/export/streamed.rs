//! A JSON Lines file that is written while results arrive, so that little work is left when the step ends.
//!
//! It works for a step that starts from its first item and runs smoothly: every item succeeds at the first attempt, and the
//! file takes the lines as they are. In any other case the file is abandoned, and [`super::write`] writes all results at the
//! end. A thread writes the file and waits for the disk every few megabytes, so the wait at the end is short, and nothing else
//! waits for the disk.

use super::byte_sink::ByteSink;
use super::error::ExportError;
use super::records::open_frames;
use super::staged_file::StagedFile;
use super::target::{Target, Written};
use crate::model::{BatchReport, Indexes, OutputCompression, OutputFormat, ResultForm};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::thread::JoinHandle;

/// How many pieces may wait for the thread.
const QUEUE: usize = 4;
/// How many bytes may wait for earlier results.
const MOST_EARLY_BYTES: usize = 32 << 20;
/// How many bytes are written between two waits for the disk.
const SYNC_BYTES: usize = 8 << 20;

/// Writes results as they arrive, in any order. The file is deleted unless [`StreamedOutput::commit`] is called.
#[derive(Debug)]
pub struct StreamedOutput {
    pieces: Option<Sender<Piece>>,
    thread: Option<JoinHandle<Option<WrittenPrefix>>>,
}

/// The lines of consecutive items.
#[derive(Debug)]
struct Piece {
    first: u64,
    count: u64,
    lines: Vec<u8>,
}

/// What the thread has written: the results of the first items, without a gap.
#[derive(Debug)]
struct WrittenPrefix {
    file: StagedFile,
    items: u64,
    records: u64,
}

impl StreamedOutput {
    /// Begins the file of a target, if it can be written while results arrive.
    pub fn of(target: &Target) -> Option<Self> {
        let options = &target.options;
        let takes_lines = options.columns.is_none() && !options.drop_null && options.include.is_empty();
        if target.format != OutputFormat::Jsonl || target.parts || target.is_stdout() || !takes_lines {
            return None;
        }
        let (path, compression) = (target.path.clone(), target.compression);
        let (sender, pieces) = bounded(QUEUE);
        let write = move || write_in_order((path, compression), &pieces);
        let thread = std::thread::Builder::new().name("output".to_owned()).spawn(write).ok()?;
        Some(Self { pieces: Some(sender), thread: Some(thread) })
    }

    /// Adds the results of a batch.
    pub fn take(&mut self, mut report: BatchReport) {
        let smooth = report.failed.is_empty() && report.retries.is_empty() && report.form == ResultForm::Lines;
        open_frames(&mut report.lines.0);
        let piece = match report.succeeded {
            Indexes::Range(range) if smooth && !range.is_empty() => {
                Piece { first: range.start, count: range.end - range.start, lines: report.lines.0 }
            }
            _ => return self.abandon(),
        };
        if self.pieces.as_ref().is_some_and(|pieces| pieces.send(piece).is_err()) {
            self.abandon();
        }
    }

    /// Moves the file to its path if it holds the results of this many items, and deletes it otherwise.
    ///
    /// # Errors
    /// If it cannot be moved to its path.
    pub fn commit(mut self, target: &Target, items: u64) -> Result<Option<Written>, ExportError> {
        self.pieces = None;
        let Some(written) = self.join().filter(|written| written.items == items) else { return Ok(None) };
        written.file.commit().map_err(|error| error.at(&target.path))?;
        Ok(Some(Written { records: written.records, ..Written::default() }))
    }

    fn abandon(&mut self) {
        self.pieces = None;
        drop(self.join());
    }

    fn join(&mut self) -> Option<WrittenPrefix> {
        self.thread.take()?.join().ok()?
    }
}

impl Drop for StreamedOutput {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Writes pieces in order until no more come; none if that fails. The reason does not matter: the file is written again from
/// the results, and the error is reported then.
fn write_in_order(
    (path, compression): (PathBuf, OutputCompression),
    pieces: &Receiver<Piece>,
) -> Option<WrittenPrefix> {
    let mut early = BTreeMap::new();
    let (mut early_bytes, mut unsynced) = (0, 0);
    // The file is created with the first result: a step without results leaves no trace.
    let first = pieces.recv().ok()?;
    let mut written = WrittenPrefix { file: StagedFile::begin(&path).ok()?, items: 0, records: 0 };
    let mut sink = ByteSink::begin(written.file.file().try_clone().ok()?, compression).ok()?;
    for piece in std::iter::once(first).chain(pieces) {
        early_bytes += piece.lines.len();
        early.insert(piece.first, piece);
        while let Some(piece) = early.remove(&written.items) {
            sink.write_all(&piece.lines).ok()?;
            written.items += piece.count;
            written.records += memchr::memchr_iter(b'\n', &piece.lines).count() as u64;
            early_bytes -= piece.lines.len();
            unsynced += piece.lines.len();
        }
        if early_bytes > MOST_EARLY_BYTES {
            return None;
        }
        if unsynced > SYNC_BYTES {
            sink.sync_data().ok()?;
            unsynced = 0;
        }
    }
    sink.finish().ok()?;
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::target;
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
        let target = target(folder.path().join("out"), OutputFormat::Jsonl);
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
    fn pieces_that_wait_for_an_earlier_one_do_not_fill_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let large = |first, bytes: usize| report(first, &[&vec![b'1'; bytes][..], b"\n"].concat());
        let pieces = |bytes| vec![large(1, bytes), report(0, b"0\n")];
        assert!(streamed(&folder, pieces(MOST_EARLY_BYTES - 1), 2).is_some());
        assert_eq!(streamed(&folder, pieces(MOST_EARLY_BYTES + 1), 2), None, "it is written from the results then");
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
