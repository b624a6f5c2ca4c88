//! Which files items have made: a path, and the key of its item.
//!
//! A path is noted before the row of its item's result. A path without such a row belongs to an item that will run again, and
//! does not count.

use super::error::LedgerError;
use super::schema::check_rows;
use super::seals::ITEM_FILES;
use super::step::StepLedger;
use crate::model::{BatchReport, ItemKey};
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

impl StepLedger {
    /// The paths of items that have a result, with the key and index of each; `done` gives the indexes by key. All other paths
    /// are forgotten.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn item_files(&mut self, done: &HashMap<ItemKey, u64>) -> Result<Vec<(PathBuf, ItemKey, u64)>, LedgerError> {
        let step = self.step.0;
        self.db.transaction(|db| {
            check_rows(db, &[&ITEM_FILES])?;
            let mut files = Vec::new();
            let mut forget = db.prepare("DELETE FROM item_files WHERE step = ?1 AND path = ?2")?;
            for (path, key) in stored(db, step)? {
                match done.get(&key) {
                    Some(index) => files.push((PathBuf::from(OsString::from_vec(path)), key, *index)),
                    None => drop(forget.execute(params![step, path])?),
                }
            }
            Ok(files)
        })
    }

    /// Notes which files items have made. Call it before their results are recorded.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn note_item_files(&mut self, reports: &[BatchReport]) -> Result<(), LedgerError> {
        if reports.iter().all(|report| report.files.is_empty()) {
            return Ok(());
        }
        let step = self.step.0;
        self.db.transaction(|db| {
            let mut insert =
                db.prepare_cached("INSERT OR REPLACE INTO item_files (step, path, key) VALUES (?1, ?2, ?3)")?;
            for (key, path) in reports.iter().flat_map(|report| &report.files) {
                insert.execute(params![step, OsStr::as_bytes(path.as_os_str()), key.to_bytes()])?;
            }
            Ok(())
        })
    }
}

fn stored(db: &Connection, step: i64) -> rusqlite::Result<Vec<(Vec<u8>, ItemKey)>> {
    let mut statement = db.prepare("SELECT path, key FROM item_files WHERE step = ?1")?;
    statement.query_map([step], |row| Ok((row.get(0)?, ItemKey::from_bytes(row.get(1)?))))?.collect()
}
