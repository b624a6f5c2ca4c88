//! Opens the source that a step names.

use super::chunk::Chunk;
use super::error::SourceError;
use super::host::SourceHost;
use super::peeked::Peeked;
use super::source::Source;
use super::{command, glob, lines, list, range, results, sql, table};
use crate::rows;
use crate::spec::ItemsSpec;
use crate::template::ItemScope;
use std::sync::Arc;

/// An open source. Its first item was read, and comes again when the source is read.
pub struct OpenSource {
    /// The source.
    pub source: Box<dyn Source>,
    first: Option<FirstItem>,
}

/// The first item that can be read.
struct FirstItem {
    chunk: Chunk,
    is_record: bool,
}

impl OpenSource {
    /// Whether the first item that can be read is a record (a mapping); none if no item can be read.
    pub fn first_is_record(&self) -> Option<bool> {
        self.first.as_ref().map(|first| first.is_record)
    }

    /// The first item that can be read as JSON, to be shown to people.
    pub fn first_json(&self) -> Option<Vec<u8>> {
        let chunk = &self.first.as_ref()?.chunk;
        rows::to_json(&self.source.forms()[chunk.form], &chunk.items, 0, chunk.origin.as_ref()).ok()
    }
}

/// Opens the source that a step names, and reads its first item.
///
/// # Errors
/// If it cannot be opened; for `$(command)`, if the command fails; for `sql`, if the database does not answer.
pub fn open(
    spec: &ItemsSpec,
    scope: &Arc<ItemScope>,
    env: &[(String, String)],
    host: SourceHost<'_>,
) -> Result<OpenSource, SourceError> {
    let source: Box<dyn Source> = match spec {
        ItemsSpec::List(list) => Box::new(list::of_trees(list, scope)?),
        ItemsSpec::Template(text) => match results::open(text, scope)? {
            Some(results) => Box::new(results),
            None => Box::new(list::of_template(text, scope)?),
        },
        ItemsSpec::Command(text) => Box::new(command::open(text, scope, env, host.run)?),
        ItemsSpec::Glob(patterns) => Box::new(glob::open(patterns, scope)?),
        ItemsSpec::Range { start, stop, step } => Box::new(range::open(start, stop, step, scope)?),
        ItemsSpec::Lines(path) => Box::new(lines::open(path, scope, host.stop)?),
        ItemsSpec::Rows(rows) => table::open(rows, scope, host.stop)?,
        ItemsSpec::Sql(sql) => Box::new(sql::open(sql, scope, host.stop)?),
    };
    let mut source = Peeked::new(source);
    let first = first_item(&mut source)?;
    Ok(OpenSource { source: Box::new(source), first })
}

fn first_item(source: &mut Peeked) -> Result<Option<FirstItem>, SourceError> {
    /// The number of bad rows after which the search for a good one ends.
    const MOST: usize = 1000;
    let forms = source.forms();
    for _ in 0..MOST {
        let Some(chunk) = source.peek()? else { return Ok(None) };
        let is_record = rows::is_record(&forms[chunk.form], &chunk.items, 0, chunk.origin.as_ref());
        if let (Ok(is_record), None) = (is_record, &chunk.file_error) {
            return Ok(Some(FirstItem { chunk: chunk.clone(), is_record }));
        }
    }
    Ok(None)
}
