//! The files that the rows of a step point into, and whether what the rows say is still there.

use super::batches::{BatchRow, FileEnds, hash_keys, hash_results};
use super::error::LedgerError;
use super::files::io_error;
use super::folder::RunFolder;
use super::run_path::{RunPath, held};
use crate::model::{ItemKey, Keys, StepName};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The results file and the keys file of a step, open for reading.
pub(super) struct StepFiles {
    results: StoredFile,
    keys: StoredFile,
}

/// A file with its length. A missing file has no bytes.
struct StoredFile {
    path: RunPath,
    file: Option<File>,
    length: u64,
}

impl StepFiles {
    /// Opens them.
    pub(super) fn open(folder: &RunFolder, step: &StepName) -> Result<Self, LedgerError> {
        Ok(Self { results: StoredFile::open(folder.results(step))?, keys: StoredFile::open(folder.keys(step))? })
    }

    /// Reads the results of a batch. If they are not what was written, it says why.
    pub(super) fn results(&self, row: &BatchRow, bytes: &mut Vec<u8>) -> Result<Option<&'static str>, LedgerError> {
        let StoredFile { path, file, length } = &self.results;
        let Some(file) = file else {
            bytes.clear();
            return Ok((row.length > 0).then_some("are missing"));
        };
        if row.offset.saturating_add(row.length) > *length {
            bytes.clear();
            return Ok(Some("are truncated"));
        }
        if row.claims_too_many() {
            bytes.clear();
            return Ok(Some("belong to more items than there can be"));
        }
        bytes.resize(usize::try_from(row.length).unwrap_or(usize::MAX), 0);
        file.read_exact_at(bytes, row.offset).map_err(|source| io_error("read", path, source))?;
        Ok((hash_results(bytes) != row.results_hash()).then_some("do not match their checksum"))
    }

    /// The keys of a batch's items. If they are not what was written, it says why.
    pub(super) fn keys(&self, row: &BatchRow) -> Result<Result<Keys, &'static str>, LedgerError> {
        let StoredFile { path, file, length } = &self.keys;
        let size = row.keys_size();
        let Some(file) = file.as_ref().filter(|_| row.keys_offset.saturating_add(size) <= *length) else {
            return Ok(Err("are missing"));
        };
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, row.keys_offset).map_err(|source| io_error("read", path, source))?;
        if row.checksums.keys.is_some_and(|checksum| hash_keys(&bytes) != checksum) {
            return Ok(Err("do not match their checksum"));
        }
        let mut keys =
            bytes.chunks_exact(ItemKey::SIZE).map(|key| ItemKey::from_bytes(key.try_into().expect("16 bytes")));
        if row.keys_are_run {
            let count = usize::try_from(row.items()).unwrap_or(usize::MAX);
            return Ok(keys.next().map(|first| Keys::Run(first, count)).ok_or("are missing"));
        }
        Ok(Ok(Keys::List(keys.collect())))
    }

    /// The results file.
    pub(super) fn results_path(&self) -> &RunPath {
        &self.results.path
    }

    /// Whether one of the files is longer than this.
    pub(super) fn are_longer_than(&self, ends: FileEnds) -> bool {
        self.results.length > ends.results || self.keys.length > ends.keys
    }
}

impl StoredFile {
    fn open(path: RunPath) -> Result<Self, LedgerError> {
        let file = path.open()?;
        let length = file.as_ref().map_or(Ok(0), held).map_err(|source| io_error("read", &path, source))?;
        Ok(Self { path, file, length })
    }
}
