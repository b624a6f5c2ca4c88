//! Opens the source that a step names.

use super::chunk::Chunk;
use super::error::SourceError;
use super::filtered::Filtered;
use super::host::SourceHost;
use super::peeked::Peeked;
use super::product::{Axis, Product};
use super::source::Source;
use super::{command, glob, lines, list, range, results, sql, table};
use crate::model::Text;
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
    items: Selection<'_>,
    scope: &Arc<ItemScope>,
    env: &[(String, String)],
    host: SourceHost<'_>,
) -> Result<OpenSource, SourceError> {
    let Selection { spec, condition } = items;
    let mut source = whole(spec, scope, env, host)?;
    if let Some(condition) = condition {
        source = Box::new(Filtered::new(source, condition, scope)?);
    }
    let mut source = Peeked::new(source);
    let first = first_item(&mut source)?;
    Ok(OpenSource { source: Box::new(source), first })
}

/// The items of a step: where they come from, and which of them.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// `items` or `for_each`
    pub spec: &'a ItemsSpec,
    /// `where`
    pub condition: Option<&'a Text>,
}

/// All items of a source.
fn whole(
    spec: &ItemsSpec,
    scope: &Arc<ItemScope>,
    env: &[(String, String)],
    host: SourceHost<'_>,
) -> Result<Box<dyn Source>, SourceError> {
    Ok(match spec {
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
        ItemsSpec::Product(axes) => {
            let axis = |(name, spec): &(String, ItemsSpec)| Axis::read(name, whole(spec, scope, env, host)?);
            Box::new(Product::new(axes.iter().map(axis).collect::<Result<_, _>>()?)?)
        }
    })
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
