//! Rows of `batches`, and whether what they point at is still there.
//!
//! Nothing in a row is believed before it was compared with the files: a number that was damaged on disk must become an error,
//! not a huge allocation or somebody else's result.

use super::error::LedgerError;
use super::folder::{RunFolder, io_error};
use super::writer::REMOVED_ITEM;
use crate::model::{ItemKey, Keys, ResultForm, StepName};
use rusqlite::{Connection, Row};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A row of `batches`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BatchRow {
    pub(super) id: i64,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) indexes: Option<Vec<u8>>,
    pub(super) list: bool,
    pub(super) form: ResultForm,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) keys_offset: u64,
    /// Whether its keys follow each other, so that only the first is kept.
    pub(super) run: bool,
    pub(super) checksum: i64,
}

/// Whose results they are: what of a row a reader believes besides the place of the lines, which their hash proves.
pub(super) struct Owner<'a> {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) indexes: Option<&'a [u8]>,
    pub(super) list: bool,
    pub(super) form: ResultForm,
    pub(super) keys_offset: u64,
    pub(super) run: bool,
}

impl Owner<'_> {
    /// What a row's `checksum` is. The hash of the lines comes out of it again by the same owner alone, so a row can get new
    /// places without its lines being read.
    pub(super) fn seal(&self, lines_hash: u64) -> i64 {
        let mut hash = Xxh3::new();
        for number in [self.first, self.count, u64::from(self.list), self.keys_offset, u64::from(self.run)] {
            hash.update(&number.to_le_bytes());
        }
        if self.form == ResultForm::Arrow {
            hash.update(b"arrow");
        }
        hash.update(self.indexes.unwrap_or(b"range"));
        (hash.digest() ^ lines_hash).cast_signed()
    }
}

/// Which lines were written, as a number.
pub(super) fn lines_hash(lines: &[u8]) -> u64 {
    xxh3_64(lines)
}

const SELECT: &str = "SELECT id, first, count, indexes, is_list, offset, length, keys_offset, keys_run, checksum, form
    FROM batches";

impl BatchRow {
    /// The rows of a step, in the order in which they were written.
    pub(super) fn all(db: &Connection, step: i64) -> rusqlite::Result<Vec<Self>> {
        let mut statement = db.prepare(&format!("{SELECT} WHERE step = ?1 ORDER BY id"))?;
        statement.query_map([step], Self::read)?.collect()
    }

    /// One row.
    pub(super) fn one(db: &Connection, (step, id): (i64, i64)) -> rusqlite::Result<Self> {
        db.prepare_cached(&format!("{SELECT} WHERE step = ?1 AND id = ?2"))?.query_row([step, id], Self::read)
    }

    fn owner(&self) -> Owner<'_> {
        Owner {
            first: self.first,
            count: self.count,
            indexes: self.indexes.as_deref(),
            list: self.list,
            form: self.form,
            keys_offset: self.keys_offset,
            run: self.run,
        }
    }

    /// The hash that its lines must have.
    pub(super) fn lines_hash(&self) -> u64 {
        // Sealing twice unseals.
        self.owner().seal(self.checksum.cast_unsigned()).cast_unsigned()
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        // A negative number was never written; as the largest one it fits no file.
        let unsigned = |at: usize| row.get::<_, i64>(at).map(|value| u64::try_from(value).unwrap_or(u64::MAX));
        Ok(Self {
            id: row.get(0)?,
            first: unsigned(1)?,
            count: unsigned(2)?,
            indexes: row.get(3)?,
            list: row.get(4)?,
            offset: unsigned(5)?,
            length: unsigned(6)?,
            keys_offset: unsigned(7)?,
            run: row.get(8)?,
            checksum: row.get(9)?,
            // Any other word was never written, and does not fit the checksum.
            form: if row.get::<_, String>(10)? == "arrow" { ResultForm::Arrow } else { ResultForm::Lines },
        })
    }

    /// Bytes of its keys.
    pub(super) fn keys_size(&self) -> u64 {
        if self.run { ItemKey::SIZE as u64 } else { self.places().saturating_mul(ItemKey::SIZE as u64) }
    }

    /// How many items it had when it was written.
    pub(super) fn places(&self) -> u64 {
        self.indexes.as_ref().map_or(self.count, |indexes| indexes.len() as u64 / 8)
    }

    /// Where its items stand, [`REMOVED_ITEM`] for those that are not there any more. To be asked of rows that were checked: the
    /// number of items in another one may be anything.
    pub(super) fn indexes(&self) -> Vec<u64> {
        match &self.indexes {
            Some(bytes) => u64s(bytes),
            None => (self.first..self.first.saturating_add(self.count)).collect(),
        }
    }

    /// Whether these are its lines.
    fn owns(&self, lines: &[u8]) -> bool {
        let count = memchr::memchr_iter(b'\n', lines).count() as u64;
        lines_hash(lines) == self.lines_hash() && (self.list || count == self.places())
    }
}

/// The files that the rows of a step point into.
pub(super) struct Files {
    results: (PathBuf, Option<File>, u64),
    keys: (PathBuf, Option<File>, u64),
}

impl Files {
    /// Opens them; one that is missing has no bytes.
    pub(super) fn open(folder: &RunFolder, step: &StepName) -> Result<Self, LedgerError> {
        Ok(Self { results: open(folder.results(step))?, keys: open(folder.keys(step))? })
    }

    /// Reads the lines of a batch; gives why they are not what was written, if so.
    pub(super) fn lines(&self, row: &BatchRow, lines: &mut Vec<u8>) -> Result<Option<&'static str>, LedgerError> {
        let (path, file, length) = &self.results;
        let Some(file) = file else {
            lines.clear();
            return Ok((row.length > 0).then_some("are gone with their file"));
        };
        if row.offset.saturating_add(row.length) > *length {
            lines.clear();
            return Ok(Some("are cut short"));
        }
        lines.resize(usize::try_from(row.length).unwrap_or(usize::MAX), 0);
        file.read_exact_at(lines, row.offset).map_err(|source| io_error("read", path, source))?;
        Ok((!row.owns(lines)).then_some("are not those that were written"))
    }

    /// The keys of a batch's items, if they are still there.
    pub(super) fn keys(&self, row: &BatchRow) -> Result<Option<Keys>, LedgerError> {
        let (path, file, length) = &self.keys;
        let size = row.keys_size();
        let Some(file) = file.as_ref().filter(|_| row.keys_offset.saturating_add(size) <= *length) else {
            return Ok(None);
        };
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, row.keys_offset).map_err(|source| io_error("read", path, source))?;
        let mut keys =
            bytes.chunks_exact(ItemKey::SIZE).map(|key| ItemKey::from_bytes(key.try_into().expect("16 bytes")));
        let count = usize::try_from(row.places()).unwrap_or(usize::MAX);
        Ok(if row.run { keys.next().map(|first| Keys::Run(first, count)) } else { Some(Keys::List(keys.collect())) })
    }

    /// The results file.
    pub(super) fn results_path(&self) -> &Path {
        &self.results.0
    }

    /// Whether results or keys go on behind these places.
    pub(super) fn go_on(&self, results_end: u64, keys_end: u64) -> bool {
        self.results.2 > results_end || self.keys.2 > keys_end
    }
}

fn open(path: PathBuf) -> Result<(PathBuf, Option<File>, u64), LedgerError> {
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
    match opened {
        Ok((length, file)) => Ok((path, Some(file), length)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((path, None, 0)),
        Err(source) => Err(io_error("read", &path, source)),
    }
}

/// Places of items, as they are kept in a row.
pub(super) fn u64s(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))).collect()
}

/// Places of items without those that are not there any more.
pub(super) fn present(indexes: Vec<u64>) -> impl Iterator<Item = u64> {
    indexes.into_iter().filter(|index| *index != REMOVED_ITEM)
}
