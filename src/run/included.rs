//! Results with what `include` adds to them: their item, its index, the attempts, and rows for items that failed.

use super::output::io_error;
use crate::ledger::{FailureRecord, Reader, ResultsReader, RunFolder};
use crate::model::{Form, Include, StepName};
use crate::rows;
use crate::sources::{Reread, Source, SourceError};
use indexmap::IndexMap;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

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
    items: Items<'a>,
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
        let forms = source.forms();
        let items = Items { source, forms, next: 0, chunk: Vec::new(), first: 0, scattered: None };
        Self { from, items, lines: None, failures: Vec::new() }
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
            self.push(&Row { item, index, attempts: block.attempt, outcome: Ok(line) }, piece)?;
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

/// The items of a source by their index, which rises.
struct Items<'a> {
    source: &'a mut dyn Source,
    forms: Arc<[Form]>,
    /// The index of the next item that the source gives.
    next: u64,
    /// Items that were read, the first of them with the index `first`.
    chunk: Vec<Vec<u8>>,
    first: u64,
    /// All items, if the source gives them in another order.
    scattered: Option<HashMap<u64, Vec<u8>>>,
}

impl Items<'_> {
    fn rewind(&mut self) -> io::Result<()> {
        if self.source.reread().map_err(read_error)? == Reread::Once {
            let message = "`include: [item]` requires items that can be read again, but these come from a stream; \
                           have the task return what it needs of the item";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        (self.next, self.first, self.chunk, self.scattered) = (0, 0, Vec::new(), None);
        Ok(())
    }

    fn at(&mut self, index: u64) -> io::Result<Vec<u8>> {
        let gone = || io::Error::other(format!("item {index} is gone: the items have changed since it ran"));
        loop {
            if let Some(item) = self.scattered.as_ref().and_then(|items| items.get(&index)) {
                return Ok(item.clone());
            }
            let at = index.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
            if let Some(item) = at.and_then(|at| self.chunk.get(at)) {
                return Ok(item.clone());
            }
            let Some(chunk) = self.source.next(1024).map_err(read_error)? else { return Err(gone()) };
            let form = &self.forms[chunk.form];
            let read = |at| rows::describe(form, &chunk.items, at, chunk.origin.as_ref());
            self.first = self.next;
            self.chunk = (0..chunk.items.len()).map(read).collect();
            self.next += chunk.items.len() as u64;
            if let Some(indexes) = chunk.indexes {
                let chunk = std::mem::take(&mut self.chunk);
                self.scattered.get_or_insert_default().extend(indexes.into_iter().zip(chunk));
            }
        }
    }
}

fn read_error(error: SourceError) -> io::Error {
    io::Error::other(format!("the items cannot be read again: {error}"))
}
