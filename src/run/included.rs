//! Results with what `include` adds to them: their item, its index, the attempts, and rows for items that failed.

use super::read_error::io_error;
use crate::export::open_frames;
use crate::ledger::{FailureRecord, Reader, ResultsReader, RunFolder};
use crate::model::{Include, StepName};
use crate::sources::{ItemsByIndex, Source};
use indexmap::IndexMap;
use serde_json::value::RawValue;
use std::io;

/// The keys of an item or a result that is a mapping, with their values.
type Fields<'a> = IndexMap<String, &'a RawValue>;

/// What to read.
pub(super) struct IncludedFrom<'a> {
    pub(super) folder: RunFolder,
    pub(super) step: &'a StepName,
    pub(super) include: &'a [Include],
    /// Whether only results that this run produced count.
    pub(super) only_new: bool,
}

/// Rows in the order of the items.
pub(super) struct IncludedRows<'a> {
    from: IncludedFrom<'a>,
    items: ItemsByIndex<'a>,
    lines: Option<ResultsReader>,
    /// Those that are still to come, the last one first.
    failures: Vec<FailureRecord>,
}

/// One row.
struct Row<'a> {
    item: Option<Vec<u8>>,
    index: u64,
    attempts: u32,
    /// The result, or why there is none.
    outcome: Result<&'a [u8], &'a str>,
}

impl<'a> IncludedRows<'a> {
    pub(super) fn new(from: IncludedFrom<'a>, source: &'a mut dyn Source) -> Self {
        Self { from, items: ItemsByIndex::new(source), lines: None, failures: Vec::new() }
    }

    fn has(&self, what: Include) -> bool {
        self.from.include.contains(&what)
    }

    /// Goes back to the first row.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        let reader = Reader::open(self.from.folder.clone()).map_err(|error| io_error(&error))?;
        let Some(step) = reader.step(self.from.step).map_err(|error| io_error(&error))? else { return Ok(()) };
        let lines = if self.from.only_new { step.new_results() } else { step.results() };
        self.lines = Some(lines.map_err(|error| io_error(&error))?);
        self.failures = Vec::new();
        if self.has(Include::Error) {
            self.failures = step.failures().map_err(|error| io_error(&error))?;
            self.failures.retain(|failure| !failure.left_out);
            self.failures.sort_by_key(|failure| std::cmp::Reverse(failure.index));
        }
        if self.has(Include::Item) { self.items.rewind() } else { Ok(()) }
    }

    /// Appends the rows of the next block of results, and of the failures before its end; false at the end.
    pub(super) fn next_rows(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        let block = self.lines.as_mut().map(ResultsReader::next_results).transpose();
        let Some(block) = block.map_err(|error| io_error(&error))?.flatten() else {
            let failures = std::mem::take(&mut self.failures);
            failures.iter().rev().try_for_each(|failure| self.push_failure(failure, piece))?;
            return Ok(!failures.is_empty());
        };
        let lines = block.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for (index, line) in (block.first..).zip(lines) {
            while let Some(failure) = self.failures.pop_if(|failure| failure.index < index) {
                self.push_failure(&failure, piece)?;
            }
            let item = if self.has(Include::Item) { Some(self.items.at(index)?) } else { None };
            // The rows of a data frame are rows here too.
            let mut rows = [line, b"\n"].concat();
            open_frames(&mut rows);
            for row in rows.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()) {
                let item = item.clone();
                self.push(&Row { item, index, attempts: block.attempt, outcome: Ok(row) }, piece)?;
            }
        }
        Ok(true)
    }

    fn push_failure(&self, failure: &FailureRecord, piece: &mut Vec<u8>) -> io::Result<()> {
        let FailureRecord { item, index, attempts, class, message, .. } = failure;
        let error = format!("{class}: {message}");
        let item = Some(item.clone().into_bytes()).filter(|_| self.has(Include::Item));
        self.push(&Row { item, index: *index, attempts: *attempts, outcome: Err(&error) }, piece)
    }

    fn push(&self, row: &Row<'_>, piece: &mut Vec<u8>) -> io::Result<()> {
        let (index, attempts) = (raw(&row.index)?, raw(&row.attempts)?);
        let error = raw(&row.outcome.err())?;
        let mut fields = Fields::new();
        for what in self.from.include {
            match what {
                Include::Item => add(&mut fields, fields_of(row.item.as_deref(), "item")?, row.index)?,
                Include::Index => add(&mut fields, one("index", &index), row.index)?,
                Include::Attempts => add(&mut fields, one("attempts", &attempts), row.index)?,
                Include::Error => add(&mut fields, one("error", &error), row.index)?,
            }
        }
        add(&mut fields, fields_of(row.outcome.ok(), "value")?, row.index)?;
        serde_json::to_writer(&mut *piece, &fields)?;
        piece.push(b'\n');
        Ok(())
    }
}

fn raw(value: &impl serde::Serialize) -> io::Result<Box<RawValue>> {
    Ok(serde_json::value::to_raw_value(value)?)
}

fn one<'r>(name: &str, value: &'r RawValue) -> Fields<'r> {
    [(name.to_owned(), value)].into()
}

/// The fields of a mapping; any other value is one field of this name.
fn fields_of<'r>(json: Option<&'r [u8]>, name: &str) -> io::Result<Fields<'r>> {
    match json {
        None => Ok(Fields::new()),
        Some(json) if json.starts_with(b"{") => Ok(serde_json::from_slice(json)?),
        Some(b"null") => Ok(Fields::new()),
        Some(json) => Ok(one(name, serde_json::from_slice(json)?)),
    }
}

fn add<'r>(fields: &mut Fields<'r>, more: Fields<'r>, index: u64) -> io::Result<()> {
    for (name, value) in more {
        if fields.contains_key(&name) {
            let message = format!(
                "item {index} has two columns `{name}`: `include` adds one, and the item or its result has the other; \
                 return it under another name, or include less"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        fields.insert(name, value);
    }
    Ok(())
}
