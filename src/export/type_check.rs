//! Whether results fit the columns of a Parquet file, found out as they arrive.
//!
//! A Parquet file is written at the end, once the types of all columns are known. Without this check, a long step would fail
//! only then. It takes results in any order, because types fit or not in any order.

use super::error::{ExportError, WriteError};
use super::infer::SchemaInference;
use super::record::{Place, lines};
use super::records::rows;
use super::results::Results;
use super::target::Target;
use crate::model::{BatchReport, OnTypeConflict, OutputFormat, ResultForm};
use std::path::PathBuf;

/// Checks results as they arrive.
#[derive(Debug)]
pub struct TypeCheck {
    path: PathBuf,
    inference: SchemaInference,
}

impl TypeCheck {
    /// The check of a target; none if all results fit it.
    pub fn of(target: &Target) -> Option<Self> {
        let is_strict = target.options.on_type_conflict == OnTypeConflict::Error;
        let inference = || SchemaInference::new(&target.options);
        (target.format == OutputFormat::Parquet && is_strict)
            .then(|| Self { path: target.path.clone(), inference: inference() })
    }

    /// Adds the results that are there already.
    ///
    /// # Errors
    /// If they do not fit, or cannot be read.
    pub fn take_all(&mut self, results: &mut dyn Results) -> Result<(), ExportError> {
        let (mut piece, mut record) = (Vec::new(), 0);
        let mut next = |piece: &mut Vec<u8>| results.next_piece(piece).map_err(WriteError::Results);
        loop {
            if !next(&mut piece).map_err(|error| error.at(&self.path))? {
                return Ok(());
            }
            for line in lines(&piece) {
                self.add(line, Place::Record(record))?;
                record += 1;
            }
        }
    }

    /// Adds the results of a batch. Data frames are left for the end: they have types, which rarely differ.
    ///
    /// # Errors
    /// If one does not fit.
    pub fn take(&mut self, report: &BatchReport) -> Result<(), ExportError> {
        if report.form != ResultForm::Lines {
            return Ok(());
        }
        let indexes = &report.succeeded;
        if report.list {
            let (first, last) = (indexes.iter().next().unwrap_or(0), indexes.iter().last().unwrap_or(0));
            let place = if first == last { Place::Item(first) } else { Place::Batch(first, last) };
            return lines(&report.lines.0).try_for_each(|line| self.add(line, place));
        }
        let indexes = indexes.iter();
        lines(&report.lines.0).zip(indexes).try_for_each(|(line, index)| self.add(line, Place::Item(index)))
    }

    fn add(&mut self, line: &[u8], place: Place) -> Result<(), ExportError> {
        if line == b"null" {
            return Ok(());
        }
        let added = match rows(line) {
            Some(rows) => rows.into_iter().try_for_each(|row| self.inference.add(row.get().as_bytes(), place)),
            None => self.inference.add(line, place),
        };
        added.map_err(|error| error.at(&self.path))
    }
}
