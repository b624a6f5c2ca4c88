//! How long single items took, and which items of one run are those of another: told by their keys.

use super::batches::BatchRow;
use super::columns::unsigned;
use super::error::LedgerError;
use super::step_files::StepFiles;
use super::step_reader::StepReader;
use crate::model::{Indexes, ItemKey};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

impl StepReader<'_> {
    /// The keys of those of these items that have a result, by index.
    ///
    /// # Errors
    /// If the database or the file with the keys cannot be read.
    pub fn keys_of(&self, indexes: &[u64]) -> Result<HashMap<u64, ItemKey>, LedgerError> {
        let files = StepFiles::open(self.folder, &self.record.name)?;
        let mut keys = HashMap::new();
        self.each_with(&|row| indexes.iter().any(|index| has(row, *index)), &mut |row| {
            let Ok(found) = files.keys(row)? else { return Ok(()) };
            let packed: Indexes = row.packed_indexes();
            let positions =
                indexes.iter().filter_map(|index| Some((*index, packed.iter().position(|it| it == *index)?)));
            keys.extend(positions.filter(|(_, at)| *at < found.len()).map(|(index, at)| (index, found.get(at))));
            Ok(())
        })?;
        Ok(keys)
    }

    /// How long those of these items took that ran alone.
    ///
    /// # Errors
    /// If the database or the file with the keys cannot be read.
    pub fn times_of(&self, keys: &HashSet<ItemKey>) -> Result<HashMap<ItemKey, Duration>, LedgerError> {
        let files = StepFiles::open(self.folder, &self.record.name)?;
        let mut rows: Vec<(i64, ItemKey)> = Vec::new();
        self.each_with(&|row| row.items() == 1, &mut |row| {
            let key = files.keys(row)?.ok().filter(|keys| !keys.is_empty()).map(|keys| keys.get(0));
            rows.extend(key.filter(|key| keys.contains(key)).map(|key| (row.id, key)));
            Ok(())
        })?;
        let query = "SELECT duration_us FROM batches WHERE step = ?1 AND id = ?2";
        self.db.run(|db| {
            let mut statement = db.prepare(query)?;
            let time = |(id, key): (i64, ItemKey)| {
                let took = statement.query_row([self.record.id, id], |row| row.get(0).map(unsigned))?;
                Ok((key, Duration::from_micros(took.unwrap_or(0))))
            };
            rows.into_iter().map(time).collect()
        })
    }

    /// Visits the rows for which a condition holds, until one of them cannot be read.
    fn each_with(
        &self,
        condition: &dyn Fn(&BatchRow) -> bool,
        visit: &mut dyn FnMut(&BatchRow) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut visited = Ok(());
        self.each_row(&mut |row| {
            if visited.is_ok() && condition(&row) {
                visited = visit(&row);
            }
        })?;
        visited
    }
}

fn has(row: &BatchRow, index: u64) -> bool {
    match &row.indexes {
        None => (row.first..row.first.saturating_add(row.count)).contains(&index),
        Some(_) => row.indexes().contains(&index),
    }
}
