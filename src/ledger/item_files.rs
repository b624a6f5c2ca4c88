//! Whose the files are that items have made: a path, and the key of its item.
//!
//! A path is noted before the row of its item's result. So one without such a row is of an item that will run again, and does
//! not count. The table is made when it is first needed, as that of `outputs`.

use super::error::LedgerError;
use super::writer::{Ledger, StepKey};
use crate::model::{BatchReport, ItemKey};
use rusqlite::params;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS item_files (step INTEGER NOT NULL, path BLOB NOT NULL, key BLOB NOT NULL,
    PRIMARY KEY (step, path)) WITHOUT ROWID";

impl Ledger {
    /// The paths of items that have a result, given by key and index. All others are forgotten.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub fn item_files(
        &mut self,
        step: StepKey,
        done: &HashMap<ItemKey, u64>,
    ) -> Result<Vec<(PathBuf, ItemKey, u64)>, LedgerError> {
        self.claimed(step, done).map_err(|error| self.sqlite(error))
    }

    fn claimed(
        &mut self,
        step: StepKey,
        done: &HashMap<ItemKey, u64>,
    ) -> rusqlite::Result<Vec<(PathBuf, ItemKey, u64)>> {
        self.db.execute_batch(TABLE)?;
        let transaction = self.db.transaction()?;
        let mut claimed = Vec::new();
        {
            let mut rows = transaction.prepare("SELECT path, key FROM item_files WHERE step = ?1")?;
            let mut forget = transaction.prepare("DELETE FROM item_files WHERE step = ?1 AND path = ?2")?;
            let rows = rows.query_map([step.0], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
            for (path, key) in rows.collect::<rusqlite::Result<Vec<_>>>()? {
                let key = ItemKey::from_bytes(key);
                match done.get(&key) {
                    Some(index) => claimed.push((PathBuf::from(std::ffi::OsString::from_vec(path)), key, *index)),
                    None => drop(forget.execute(params![step.0, path])?),
                }
            }
        }
        transaction.commit()?;
        Ok(claimed)
    }

    /// Notes whose files there are now. To be called before the results are recorded.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn note_item_files(&mut self, step: StepKey, reports: &[BatchReport]) -> Result<(), LedgerError> {
        if reports.iter().all(|report| report.files.is_empty()) {
            return Ok(());
        }
        self.note_claims(step, reports).map_err(|error| self.sqlite(error))
    }

    fn note_claims(&mut self, step: StepKey, reports: &[BatchReport]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO item_files VALUES (?1, ?2, ?3)")?;
            for (key, path) in reports.iter().flat_map(|report| &report.files) {
                insert.execute(params![step.0, OsStr::as_bytes(path.as_os_str()), key.to_bytes()])?;
            }
        }
        transaction.commit()
    }
}
