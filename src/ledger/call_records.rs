//! The file in which calls of a Python client keep results: one record for each result, appended as a whole.
//!
//! A record has a header with the key of its item, the fingerprint of the function and two checksums, and then the result, which
//! the engine never opens. Records don't refer to each other, so there is nothing to commit: one that is torn or damaged costs its
//! item, and its neighbours stay. It survives the death of any process at any moment. A power failure may lose the last ones, as it may
//! lose the last commits of a run.

use super::call_scan::{MARK, Record, scan};
use super::error::LedgerError;
use super::files::{create_directories, cut, io_error, sync_directory};
use super::folder::StateFolder;
use super::run_path::RunPath;
use crate::model::ItemKey;
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use xxhash_rust::xxh3::xxh3_64;

/// The longest name of such a file.
const MOST_NAME: usize = 200;

/// The file of calls, locked for one of them.
pub struct CallRecords {
    path: RunPath,
    file: File,
    function: ItemKey,
    end: u64,
}

/// The results that were there when the file was opened.
pub struct FoundResults {
    file: File,
    records: Vec<Record>,
    /// The number of the first record with a key that was not given out yet. Each names the next one.
    first: HashMap<ItemKey, u32>,
    /// How many results there are of other functions, or of earlier versions of this one.
    pub stale: u64,
}

impl StateFolder {
    fn call_records(&self, name: &str) -> RunPath {
        RunPath::new(self.0.join("calls"), 1).join(&format!("{name}.results"))
    }

    /// Opens the file of calls with this name, which is created if it is missing, for a function with this fingerprint. None if
    /// another call has it.
    ///
    /// # Errors
    /// If it cannot be read or written, or is not the user's.
    pub fn open_calls(&self, name: &str, function: ItemKey) -> Result<Option<CallRecords>, LedgerError> {
        let path = self.call_records(name);
        let invalid = name.is_empty() || name.len() > MOST_NAME || name.starts_with('.') || name.contains(['/', '\0']);
        if invalid {
            return Err(io_error("name a file", &path, std::io::ErrorKind::InvalidInput.into()));
        }
        self.create()?;
        path.folder().check_folder()?;
        create_directories(&path.folder())?;
        let file = path.append()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(CallRecords { path, file, function, end: 0 })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(io_error("lock", &path, source)),
        }
    }
}

impl CallRecords {
    /// Finds the results of this function. What a killed process has left of a record at the end is cut off.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn find(&mut self) -> Result<FoundResults, LedgerError> {
        let failed = |source| io_error("read", &self.path, source);
        let mut records = Vec::new();
        let mut stale = 0;
        self.end = scan(
            &self.file,
            |function, record| {
                if function == self.function { records.push(record) } else { stale += 1 }
            },
        )
        .map_err(failed)?;
        let mut first = HashMap::with_capacity(records.len());
        for number in (0..records.len()).rev() {
            let key = records[number].key;
            let number = u32::try_from(number).expect("a file has less than 2^32 records: they would take 240 GB");
            records[number as usize].next = first.insert(key, number);
        }
        self.cut()?;
        let file = self.file.try_clone().map_err(failed)?;
        Ok(FoundResults { file, records, first, stale })
    }

    /// Forgets all results.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn clear(&mut self) -> Result<(), LedgerError> {
        self.end = 0;
        self.cut()
    }

    /// Appends results with the keys of their items. When this returns, they survive the death of this process.
    ///
    /// # Errors
    /// If the file cannot be written. Then none of them counts.
    pub fn append<'a>(&mut self, results: impl Iterator<Item = (ItemKey, &'a [u8])>) -> Result<(), LedgerError> {
        let mut bytes = Vec::new();
        for (key, result) in results {
            let at = bytes.len();
            let length = u32::try_from(result.len()).expect("a message of a worker is shorter than 4 GiB");
            bytes.extend_from_slice(&MARK);
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&self.function.to_bytes());
            bytes.extend_from_slice(&key.to_bytes());
            bytes.extend_from_slice(&xxh3_64(result).to_le_bytes());
            bytes.extend_from_slice(&xxh3_64(&bytes[at..]).to_le_bytes());
            bytes.extend_from_slice(result);
        }
        if let Err(source) = self.file.write_all(&bytes) {
            // What was written of them would be cut off when the file is opened next.
            let _ = self.cut();
            return Err(io_error("write", &self.path, source));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Waits until everything is on disk.
    ///
    /// # Errors
    /// If the disk says so.
    pub fn sync(&self) -> Result<(), LedgerError> {
        self.file.sync_data().map_err(|source| io_error("write", &self.path, source))?;
        sync_directory(&self.path.folder())
    }

    fn cut(&self) -> Result<(), LedgerError> {
        cut(&self.file, self.end).map_err(|source| io_error("write", &self.path, source))
    }
}

impl FoundResults {
    /// A result of an item with this key, which is then used up: items with equal keys get one each. None if there is none, or
    /// none that can still be read.
    pub fn take(&mut self, key: ItemKey) -> Option<Vec<u8>> {
        while let Some(number) = self.first.remove(&key) {
            let record = self.records[number as usize];
            if let Some(next) = record.next {
                self.first.insert(key, next);
            }
            let mut result = vec![0; record.length as usize];
            if self.file.read_exact_at(&mut result, record.at).is_ok() && xxh3_64(&result) == record.checksum {
                return Some(result);
            }
        }
        None
    }

    /// How many results there are of this function.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::call_scan::HEADER;
    use super::*;
    use std::fs;

    const FUNCTION: u128 = 7;

    fn key(number: u128) -> ItemKey {
        ItemKey::from(number)
    }

    fn open(state: &tempfile::TempDir, function: u128) -> (CallRecords, FoundResults) {
        let state = StateFolder(state.path().join("state"));
        let mut records = state.open_calls("c", key(function)).unwrap().expect("nobody else has it");
        let found = records.find().unwrap();
        (records, found)
    }

    fn file(state: &tempfile::TempDir) -> std::path::PathBuf {
        state.path().join("state/calls/c.results")
    }

    fn write(state: &tempfile::TempDir, results: &[(u128, &str)]) {
        let (mut records, _) = open(state, FUNCTION);
        records.append(results.iter().map(|(number, result)| (key(*number), result.as_bytes()))).unwrap();
        records.sync().unwrap();
    }

    fn results(state: &tempfile::TempDir, keys: &[u128]) -> Vec<Option<String>> {
        let (_records, mut found) = open(state, FUNCTION);
        keys.iter().map(|number| found.take(key(*number)).map(|it| String::from_utf8(it).unwrap())).collect()
    }

    #[test]
    fn results_are_found_by_key_and_those_of_equal_keys_in_order() {
        let state = tempfile::tempdir().unwrap();
        write(&state, &[(1, "a"), (2, ""), (1, "b")]);
        write(&state, &[(3, "c")]);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(results(&state, &[1, 3, 1, 1, 2, 4]), [some("a"), some("c"), some("b"), None, some(""), None]);
    }

    #[test]
    fn results_of_another_function_are_stale_until_it_is_back() {
        let state = tempfile::tempdir().unwrap();
        write(&state, &[(1, "a")]);
        let (mut other, mut found) = open(&state, 8);
        assert_eq!((found.take(key(1)), found.stale, found.is_empty()), (None, 1, true));
        other.append([(key(1), b"other".as_slice())].into_iter()).unwrap();
        drop((other, found));
        assert_eq!(results(&state, &[1]), [Some("a".to_owned())]);
    }

    #[test]
    fn a_torn_record_at_the_end_is_cut_off_wherever_it_was_torn() {
        let state = tempfile::tempdir().unwrap();
        write(&state, &[(1, "first"), (2, "second")]);
        let whole = fs::read(file(&state)).unwrap();
        let first = HEADER + "first".len();
        for end in 0..whole.len() {
            fs::write(file(&state), &whole[..end]).unwrap();
            write(&state, &[(3, "third")]);
            let expected = [(end >= first).then(|| "first".to_owned()), None, Some("third".to_owned())];
            assert_eq!(results(&state, &[1, 2, 3]), expected, "torn at {end}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_one_result_at_most() {
        let state = tempfile::tempdir().unwrap();
        write(&state, &[(1, "first"), (2, "second"), (3, "third")]);
        let whole = fs::read(file(&state)).unwrap();
        let second = HEADER + "first".len();
        for at in second..second + HEADER + "second".len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(file(&state), &damaged).unwrap();
            let found = results(&state, &[1, 2, 3]);
            assert_eq!(found, [Some("first".to_owned()), None, Some("third".to_owned())], "flipped at {at}");
        }
    }

    #[test]
    fn one_call_has_the_file_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (records, found) = open(&folder, FUNCTION);
        let state = StateFolder(folder.path().join("state"));
        assert!(state.open_calls("c", key(FUNCTION)).unwrap().is_none());
        drop((records, found));
        assert!(state.open_calls("c", key(FUNCTION)).unwrap().is_some());
        assert!(state.open_calls("../c", key(FUNCTION)).is_err());
    }
}
