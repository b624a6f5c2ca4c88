//! The hashes of the rows that a step has read, by key. They tell which rows an edited file still has.
//!
//! A file of records, each with the key of its first row, the number of rows, eight bytes for each, and a checksum. It is
//! only appended to. If the hash of a row is missing and its file changes, the row runs again; nothing else depends on
//! it.

use super::error::LedgerError;
use super::files::{cut, io_error};
use super::folder::RunFolder;
use super::run_path::{RunPath, held};
use crate::model::{ItemKey, StepName};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use xxhash_rust::xxh3::xxh3_64;

/// Records are written once they reach this many bytes.
const PIECE: usize = 64 << 10;

/// Bytes of a record before its hashes: a key and a number.
const HEAD: usize = ItemKey::SIZE + 4;

/// The hashes of consecutive rows, by the key of the first.
#[derive(Debug, Clone, Default)]
pub struct RowHashes {
    runs: BTreeMap<ItemKey, Vec<u64>>,
    /// The rows of the longest run.
    longest: usize,
}

impl RowHashes {
    /// Reads those of a step; none if it has no such file.
    pub(super) fn load(folder: &RunFolder, step: &StepName) -> Result<Self, LedgerError> {
        Ok(Self::read(&folder.row_hashes(step))?.0)
    }

    /// Reads a file up to the first record that is torn, and says how far that is.
    fn read(path: &RunPath) -> Result<(Self, u64), LedgerError> {
        let failed = |source| io_error("read", path, source);
        let (mut hashes, mut at) = (Self::default(), 0);
        let Some(file) = path.open()? else { return Ok((hashes, at)) };
        let length = held(&file).map_err(failed)?;
        let mut input = BufReader::new(file);
        while let Some((first, rows, size)) = next_record(&mut input, length - at).map_err(failed)? {
            hashes.insert(first, rows);
            at += size;
        }
        Ok((hashes, at))
    }

    fn insert(&mut self, first: ItemKey, rows: Vec<u64>) {
        self.longest = self.longest.max(rows.len());
        let run = self.runs.entry(first).or_default();
        if run.len() < rows.len() {
            *run = rows;
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The hash of a row.
    pub fn get(&self, key: ItemKey) -> Option<u64> {
        for (first, rows) in self.runs.range(..=key).rev() {
            // Runs that begin this far before the key cannot reach it.
            key.within(*first, self.longest)?;
            if let Some(position) = key.within(*first, rows.len()) {
                return Some(rows[position]);
            }
        }
        None
    }

    /// Writes those of the files of these rows to another run.
    pub(super) fn save(
        &self,
        rows: impl Iterator<Item = ItemKey>,
        folder: &RunFolder,
        step: &StepName,
    ) -> Result<(), LedgerError> {
        if self.is_empty() {
            return Ok(());
        }
        // There may be millions of rows, but these are few files.
        let known: HashSet<ItemKey> = self.runs.keys().map(|first| first.file_of_row()).collect();
        let files: HashSet<ItemKey> = rows.map(ItemKey::file_of_row).filter(|file| known.contains(file)).collect();
        let path = folder.row_hashes(step);
        let mut bytes = Vec::new();
        for (first, rows) in self.runs.iter().filter(|(first, _)| files.contains(&first.file_of_row())) {
            push_record(&mut bytes, *first, rows);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let written = path.append().map(|mut file| file.write_all(&bytes));
        written?.map_err(|source| io_error("write", &path, source))
    }
}

/// The next record, and its size; none if the bytes that are left do not hold a whole one.
fn next_record(input: &mut impl Read, left: u64) -> io::Result<Option<(ItemKey, Vec<u64>, u64)>> {
    if left < HEAD as u64 {
        return Ok(None);
    }
    let mut bytes = vec![0; HEAD];
    input.read_exact(&mut bytes)?;
    let count = bytes.as_chunks().0.last().map_or(0, |count| u32::from_le_bytes(*count));
    let size = HEAD as u64 + u64::from(count) * 8 + 8;
    // Room is made only for what is there.
    if size > left {
        return Ok(None);
    }
    input.take(size - HEAD as u64).read_to_end(&mut bytes)?;
    Ok(record(&bytes).map(|(first, rows)| (first, rows, size)))
}

/// The record in these bytes; none if it is damaged.
fn record(bytes: &[u8]) -> Option<(ItemKey, Vec<u64>)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (key, count) = head.split_at(ItemKey::SIZE);
    let count = usize::try_from(u32::from_le_bytes(count.try_into().ok()?)).ok()?;
    let (rows, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let checksum = rest.get(..8)?;
    let size = HEAD + rows.len();
    if xxh3_64(&bytes[..size]).to_le_bytes() != checksum {
        return None;
    }
    let rows = rows.chunks_exact(8).filter_map(|row| Some(u64::from_le_bytes(row.try_into().ok()?)));
    Some((ItemKey::from_bytes(key.try_into().ok()?), rows.collect()))
}

fn push_record(bytes: &mut Vec<u8>, first: ItemKey, rows: &[u64]) {
    let start = bytes.len();
    bytes.extend(first.to_bytes());
    bytes.extend(u32::try_from(rows.len()).unwrap_or(u32::MAX).to_le_bytes());
    rows.iter().for_each(|row| bytes.extend(row.to_le_bytes()));
    bytes.extend(xxh3_64(&bytes[start..]).to_le_bytes());
}

/// Appends the hashes of rows as they are read.
pub struct RowHashWriter {
    known: RowHashes,
    file: File,
    bytes: Vec<u8>,
}

impl RowHashWriter {
    /// Opens the file of a step.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(folder: &RunFolder, step: &StepName) -> Result<Self, LedgerError> {
        let path = folder.row_hashes(step);
        let (known, end) = RowHashes::read(&path)?;
        let mut file = path.append()?;
        let cut = cut(&file, end).and_then(|()| file.seek(SeekFrom::Start(end)));
        cut.map_err(|source| io_error("write", &path, source))?;
        Ok(Self { known, file, bytes: Vec::new() })
    }

    /// Adds the hashes of consecutive rows, unless they are known.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn add(&mut self, first: ItemKey, rows: &[u64]) -> io::Result<()> {
        let last = first.nth(rows.len().saturating_sub(1));
        if rows.is_empty() || self.known.get(first).is_some() && self.known.get(last).is_some() {
            return Ok(());
        }
        push_record(&mut self.bytes, first, rows);
        if self.bytes.len() < PIECE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.bytes);
        self.bytes.clear();
        written
    }
}

impl Drop for RowHashWriter {
    fn drop(&mut self) {
        // A row whose hash is not written runs again when its file changes.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    fn folder(folder: &tempfile::TempDir) -> RunFolder {
        std::fs::create_dir(folder.path().join("results")).unwrap();
        RunFolder { run: RunId("r".to_owned()), path: folder.path().to_path_buf() }
    }

    #[test]
    fn hashes_are_read_back_up_to_a_torn_record_and_go_on_behind_it() {
        let temporary = tempfile::tempdir().unwrap();
        let (folder, step) = (folder(&temporary), StepName::new("s").unwrap());
        let key = |row| ItemKey::of_row(ItemKey::of(b"file"), row);
        let mut writer = RowHashWriter::open(&folder, &step).unwrap();
        writer.add(key(0), &[10, 11]).unwrap();
        writer.add(key(2), &[12]).unwrap();
        drop(writer);
        let path = folder.row_hashes(&step);
        let whole = std::fs::metadata(&*path).unwrap().len();
        File::options().write(true).open(&*path).unwrap().set_len(whole - 1).unwrap();
        let hashes = RowHashes::load(&folder, &step).unwrap();
        assert_eq!([0, 1, 2].map(|row| hashes.get(key(row))), [Some(10), Some(11), None]);
        let mut writer = RowHashWriter::open(&folder, &step).unwrap();
        writer.add(key(0), &[10, 11]).unwrap();
        writer.add(key(2), &[12]).unwrap();
        drop(writer);
        assert_eq!(std::fs::metadata(&*path).unwrap().len(), whole, "what is known is not written again");
        assert_eq!(RowHashes::load(&folder, &step).unwrap().get(key(2)), Some(12));
        assert_eq!(RowHashes::load(&folder, &step).unwrap().get(ItemKey::of(b"other")), None);
    }

    #[test]
    fn hashes_that_cannot_be_read_are_an_error() {
        let temporary = tempfile::tempdir().unwrap();
        let (folder, step) = (folder(&temporary), StepName::new("s").unwrap());
        assert!(RowHashes::load(&folder, &step).unwrap().is_empty());
        std::fs::create_dir(&*folder.row_hashes(&step)).unwrap();
        assert!(RowHashes::load(&folder, &step).is_err());
    }
}
