//! Opens the source that a step names.

use super::error::SourceError;
use super::host::SourceHost;
use super::source::Source;
use super::{command, glob, lines, list, range, results, sql, table};
use crate::rows;
use crate::spec::ItemsSpec;
use crate::template::ItemScope;
use std::sync::Arc;

/// A source whose first item is known.
pub struct Items {
    /// The source.
    pub source: Box<dyn Source>,
    first: Option<Vec<u8>>,
}

impl Items {
    /// The JSON text of the first item that can be read.
    pub fn first(&self) -> Option<&[u8]> {
        self.first.as_deref()
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
) -> Result<Items, SourceError> {
    let mut source: Box<dyn Source> = match spec {
        ItemsSpec::List(list) => Box::new(list::of_trees(list, scope)?),
        ItemsSpec::Template(text) => match results::open(text, scope)? {
            Some(results) => Box::new(results),
            None => Box::new(list::of_template(text, scope)?),
        },
        ItemsSpec::Command(text) => Box::new(command::open(text, scope, env, host.run)?),
        ItemsSpec::Glob(patterns) => Box::new(glob::open(patterns, scope)?),
        ItemsSpec::Range { start, stop, step } => Box::new(range::open(start, stop, step, scope)?),
        ItemsSpec::Lines(path) => Box::new(lines::open(path, scope)?),
        ItemsSpec::Rows(rows) => table::open(rows, scope)?,
        ItemsSpec::Sql(sql) => Box::new(sql::open(sql, scope, host.stop)?),
    };
    let first = first(&mut *source)?;
    source.rewind()?;
    Ok(Items { source, first })
}

/// The first item that can be read, as JSON.
fn first(source: &mut dyn Source) -> Result<Option<Vec<u8>>, SourceError> {
    /// After this many bad rows the search for a good one ends.
    const MOST: usize = 1000;
    let forms = source.forms();
    for _ in 0..MOST {
        let Some(chunk) = source.next(1)? else { return Ok(None) };
        let item = rows::to_json(&forms[chunk.form], &chunk.items, 0, chunk.origin.as_ref());
        if let (Ok(item), None) = (item, chunk.file_error) {
            return Ok(Some(item));
        }
    }
    Ok(None)
}
