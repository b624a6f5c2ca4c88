//! The columns of a table whose values have no types: those of all records, or those that the user names.

use super::error::WriteError;
use super::record::{Fields, MOST_COLUMNS, Place, VALUE, lines, too_many_columns};
use super::results::{Results, each_piece};
use indexmap::IndexSet;
use std::cell::Cell;

/// The columns of a file.
#[derive(Debug, Default)]
pub(super) struct Header {
    names: IndexSet<String>,
    /// Of columns that the user names: whether a record had each of them.
    found: Vec<Cell<bool>>,
}

impl Header {
    /// The keys of all records, in the order in which they first appear.
    pub(super) fn of(results: &mut dyn Results) -> Result<Self, WriteError> {
        let (mut header, mut record) = (Self::default(), 0);
        each_piece(results, |piece| {
            for line in lines(piece) {
                header.take(line, record)?;
                record += 1;
            }
            Ok(())
        })?;
        if header.names.is_empty() && record > 0 {
            // All records are empty mappings: without a column, nothing would tell how many there are.
            header.add(VALUE);
        }
        Ok(header)
    }

    /// These columns.
    pub(super) fn named(columns: &[String]) -> Self {
        Self { names: columns.iter().cloned().collect(), found: vec![Cell::new(false); columns.len()] }
    }

    fn take(&mut self, line: &[u8], record: u64) -> Result<(), WriteError> {
        if !line.starts_with(b"{") {
            self.add(VALUE);
            return Ok(());
        }
        for (at, (key, _)) in Fields::read(line, record)?.0.iter().enumerate() {
            if !self.has_at(at, key) {
                self.add(key);
            }
        }
        if self.names.len() > MOST_COLUMNS { Err(too_many_columns(Place::Record(record))) } else { Ok(()) }
    }

    fn add(&mut self, key: &str) {
        if !self.names.contains(key) {
            self.names.insert(key.to_owned());
        }
    }

    /// Whether the column at this position has this name: most records have their keys in the same order.
    fn has_at(&self, at: usize, key: &str) -> bool {
        self.names.get_index(at).is_some_and(|name| name == key)
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> &IndexSet<String> {
        &self.names
    }

    /// The column of a key that is at this position in its record.
    pub(super) fn position(&self, at: usize, key: &str) -> Option<usize> {
        let position = if self.has_at(at, key) { at } else { self.names.get_index_of(key)? };
        if let Some(found) = self.found.get(position) {
            found.set(true);
        }
        Some(position)
    }

    /// The columns that the user names and no record had.
    pub(super) fn missing(&self) -> Vec<String> {
        let columns = self.names.iter().zip(&self.found);
        columns.filter(|(_, found)| !found.get()).map(|(name, _)| name.clone()).collect()
    }
}
