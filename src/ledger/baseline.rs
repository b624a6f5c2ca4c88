//! The baseline of a workflow: what its last good run did, and what `--incremental` therefore skips.
//!
//! It is stored next to the runs: a database for each workflow file, with a row for each batch step that holds the step's
//! fingerprint and the keys of its items. It changes only when a run has succeeded, for all steps at once.

use super::error::LedgerError;
use super::files::{create_directories, io_error, private_file};
use super::folder::StateFolder;
use crate::model::{Fingerprint, ItemKey, StepName};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Keys of items, compressed: keys that follow each other are stored as the first one and their number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRuns(Vec<(ItemKey, u64)>);

/// Bytes of an entry: a key and a number.
const ENTRY: usize = ItemKey::SIZE + 8;

impl KeyRuns {
    /// Appends a key.
    pub fn push(&mut self, key: ItemKey) {
        match self.0.last_mut() {
            Some((first, count)) if usize::try_from(*count).is_ok_and(|count| first.nth(count) == key) => *count += 1,
            _ => self.0.push((key, 1)),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(key, count)| key.to_bytes().into_iter().chain(count.to_le_bytes())).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let entry = |entry: &[u8]| {
            let (key, count) = entry.split_at(ItemKey::SIZE);
            let key = ItemKey::from_bytes(key.try_into().expect("16 bytes"));
            (key, u64::from_le_bytes(count.try_into().expect("eight bytes")))
        };
        Self(bytes.chunks_exact(ENTRY).map(entry).collect())
    }

    /// The same, ready to be looked up.
    pub fn into_set(self) -> BaselineKeys {
        let mut set = BaselineKeys::default();
        for (first, count) in self.0 {
            match count {
                1 => *set.single.entry(first).or_default() += 1,
                count => drop(set.runs.insert(first, usize::try_from(count).unwrap_or(usize::MAX))),
            }
        }
        set
    }
}

/// The keys of a baseline. Equal items have equal keys, so each key can be taken as often as there were items with it.
#[derive(Debug, Clone, Default)]
pub struct BaselineKeys {
    single: HashMap<ItemKey, u64>,
    runs: BTreeMap<ItemKey, usize>,
}

impl BaselineKeys {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.single.is_empty() && self.runs.is_empty()
    }

    /// Takes a key out, and says whether it was there.
    pub fn take(&mut self, key: ItemKey) -> bool {
        let run = self.runs.range(..=key).next_back();
        if run.is_some_and(|(first, count)| key.within(*first, *count).is_some()) {
            return true;
        }
        match self.single.get_mut(&key) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

/// The baseline of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineStep {
    /// What its results depended on; none if an older version wrote it.
    pub fingerprint: Option<Fingerprint>,
    /// The items that it did.
    pub keys: KeyRuns,
}

/// The baseline of a workflow.
pub struct Baseline {
    db: Connection,
    path: PathBuf,
}

impl Baseline {
    /// Opens the baseline of the workflow in this file.
    ///
    /// # Errors
    /// If it cannot be read or created.
    pub fn open(state: &StateFolder, workflow: &Path) -> Result<Self, LedgerError> {
        let workflow = workflow.canonicalize().map_err(|source| io_error("read", workflow, source))?;
        let name = ItemKey::of(workflow.as_os_str().as_encoded_bytes());
        let folder = state.0.join("known");
        create_directories(&folder)?;
        let path = folder.join(format!("{name}.db"));
        drop(private_file(&path)?);
        let sqlite = |source| LedgerError::sqlite(&path, source);
        let db = Connection::open(&path).map_err(sqlite)?;
        db.busy_timeout(Duration::from_secs(5)).map_err(sqlite)?;
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS steps (name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, keys BLOB NOT NULL)",
        )
        .map_err(sqlite)?;
        Ok(Self { db, path })
    }

    /// The baseline of a step.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn step(&self, name: &StepName) -> Result<Option<BaselineStep>, LedgerError> {
        let query = "SELECT fingerprint, keys FROM steps WHERE name = ?1";
        let step = self.db.query_row(query, [name.as_str()], |row| {
            let fingerprint = serde_json::from_str::<Fingerprint>(&row.get::<_, String>(0)?).ok();
            let fingerprint = fingerprint.filter(|fingerprint| fingerprint.version == Fingerprint::VERSION);
            Ok(BaselineStep { fingerprint, keys: KeyRuns::from_bytes(&row.get::<_, Vec<u8>>(1)?) })
        });
        step.optional().map_err(|source| LedgerError::sqlite(&self.path, source))
    }

    /// Replaces the baseline with what a good run did.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn replace(&mut self, steps: &[(StepName, BaselineStep)]) -> Result<(), LedgerError> {
        let write = |db: &mut Connection| {
            let transaction = db.transaction()?;
            transaction.execute("DELETE FROM steps", [])?;
            for (name, step) in steps {
                let fingerprint = step.fingerprint.as_ref().and_then(|it| serde_json::to_string(it).ok());
                let row = params![name.as_str(), fingerprint.unwrap_or_default(), step.keys.to_bytes()];
                transaction.execute("INSERT INTO steps VALUES (?1, ?2, ?3)", row)?;
            }
            transaction.commit()
        };
        write(&mut self.db).map_err(|source| LedgerError::sqlite(&self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_can_be_taken_as_often_as_it_was_there() {
        let (file, other) = (ItemKey::of(b"a.csv"), ItemKey::of(b"b"));
        let mut runs = KeyRuns::default();
        (0..3).for_each(|row| runs.push(ItemKey::of_row(file, row)));
        runs.push(other);
        runs.push(other);
        let mut known = KeyRuns::from_bytes(&runs.to_bytes()).into_set();
        assert!(known.take(ItemKey::of_row(file, 2)) && !known.take(ItemKey::of_row(file, 3)));
        assert_eq!([known.take(other), known.take(other), known.take(other)], [true, true, false]);
    }
}
