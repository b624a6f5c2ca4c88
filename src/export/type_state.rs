//! What is known of the types of columns while records are read, apart from the columns themselves.

use super::columns::{Column, Columns};
use super::error::WriteError;
use super::record::{MOST_COLUMNS, Place, too_many_columns};
use crate::model::{OnTypeConflict, OutputOptions};
use serde::de::Error;
use std::collections::HashSet;

/// A step of a path: a key of a mapping, or none for the elements of a list.
pub(super) type Step = Option<String>;

/// What is known while records are read one after another.
#[derive(Debug, Default)]
pub(super) struct TypeState {
    /// The only keys of records that count.
    pub(super) only: Option<HashSet<String>>,
    pub(super) on_conflict: OnTypeConflict,
    /// Where the current record comes from.
    pub(super) place: Place,
    /// How many columns there are, at every depth.
    count: usize,
    /// Why reading stopped. serde's own error would add a position in the line.
    pub(super) error: Option<WriteError>,
    /// Columns and values of floats so large that they may have been integers.
    pub(super) large: Vec<(Vec<Step>, f64)>,
}

impl TypeState {
    /// What is known before the first record.
    pub(super) fn new(options: &OutputOptions) -> Self {
        let only = options.columns.as_ref().map(|names| names.iter().cloned().collect());
        Self { only, on_conflict: options.on_type_conflict, ..Self::default() }
    }

    /// Whether this key of a record counts.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(name))
    }

    /// The column of a key.
    pub(super) fn column<'c>(&mut self, columns: &'c mut Columns, name: &str) -> &'c mut Column {
        if !columns.0.contains_key(name) {
            self.count += 1;
            if self.count > MOST_COLUMNS {
                self.error.get_or_insert(too_many_columns(self.place));
            }
            columns.0.insert(name.to_owned(), Column::default());
        }
        columns.0.get_mut(name).expect("it was just added")
    }

    /// The error for serde; why reading stops is kept.
    pub(super) fn stop<E: Error>(&mut self, error: WriteError) -> E {
        self.error.get_or_insert(error);
        E::custom("stopped")
    }
}
