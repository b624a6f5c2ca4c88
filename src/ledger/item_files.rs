//! Which files items have made: a path, and the key of its item.
//!
//! A path is recorded before the row of its item's result. A path without such a row belongs to an item that will run
//! again, and does not count.

use super::error::LedgerError;
use super::schema::check_rows;
use super::seals::ITEM_FILES;
use super::step::StepLedger;
use crate::model::{BatchReport, ItemKey};
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

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

    /// The keys of items with files that have changed; `state` returns the current state of a file.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn spoiled_items(&self, state: &dyn Fn(&Path) -> Option<String>) -> Result<HashSet<ItemKey>, LedgerError> {
        let step = self.step.0;
        let query = "SELECT path, key, state FROM item_files WHERE step = ?1 AND state IS NOT NULL";
        let files = self.db.rows(query, [step], |row| {
            let path = PathBuf::from(OsString::from_vec(row.get(0)?));
            Ok((path, ItemKey::from_bytes(row.get(1)?), row.get::<_, String>(2)?))
        })?;
        let spoiled = files.into_iter().filter(|(path, _, was)| state(path).as_ref() != Some(was));
        Ok(spoiled.map(|(_, key, _)| key).collect())
    }

    /// Records which files items have made, and their state. Call it before their results are recorded.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn note_item_files(
        &mut self,
        reports: &[BatchReport],
        state: &dyn Fn(&Path) -> Option<String>,
    ) -> Result<(), LedgerError> {
        if reports.iter().all(|report| report.files.is_empty()) {
            return Ok(());
        }
        let step = self.step.0;
        self.db.transaction(|db| {
            let mut insert = db
                .prepare_cached("INSERT OR REPLACE INTO item_files (step, path, key, state) VALUES (?1, ?2, ?3, ?4)")?;
            for (key, path) in reports.iter().flat_map(|report| &report.files) {
                insert.execute(params![step, OsStr::as_bytes(path.as_os_str()), key.to_bytes(), state(path)])?;
            }
            Ok(())
        })
    }
}

fn stored(db: &Connection, step: i64) -> rusqlite::Result<Vec<(Vec<u8>, ItemKey)>> {
    let mut statement = db.prepare("SELECT path, key FROM item_files WHERE step = ?1")?;
    statement.query_map([step], |row| Ok((row.get(0)?, ItemKey::from_bytes(row.get(1)?))))?.collect()
}
