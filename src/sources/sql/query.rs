//! The source of the rows of a query.

use super::reader::RowReader;
use super::statement::BoundQuery;
use crate::database::Database;
use crate::model::{ItemKey, Items};
use crate::sources::chunk::Chunk;
use crate::sources::error::SourceError;
use crate::sources::settings::resolve;
use crate::sources::source::{Reread, Source};
use crate::spec::SqlSpec;
use crate::template::{CompiledTree, ItemScope, Template};
use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::sync::Arc;

/// The rows of a query.
pub(in crate::sources) struct QueryRows {
    query: Arc<BoundQuery>,
    limit: u64,
    stop: Receiver<Infallible>,
    reader: Option<RowReader>,
    given: u64,
}

pub(in crate::sources) fn open(
    spec: &SqlSpec,
    scope: &Arc<ItemScope>,
    stop: &Receiver<Infallible>,
) -> Result<QueryRows, SourceError> {
    let url = Template::compile(&spec.url)?.string(scope)?;
    let database = Database::parse("url", url.trim()).map_err(SourceError::invalid)?;
    let sql = Template::compile(&spec.sql)?.string(scope)?;
    let mut params = Vec::with_capacity(spec.params.len());
    for param in &spec.params {
        let json = CompiledTree::compile(param).map_err(|mut errors| errors.swap_remove(0))?.json(scope)?;
        params.push(serde_json::from_slice(&json).map_err(|error| SourceError::invalid(error.to_string()))?);
    }
    let limit = match &spec.limit {
        Some(limit) => resolve("limit", limit, scope).map_err(SourceError::invalid)?.get() as u64,
        None => u64::MAX,
    };
    let query = Arc::new(BoundQuery { database, sql, params });
    Ok(QueryRows { query, limit, stop: stop.clone(), reader: None, given: 0 })
}

impl Source for QueryRows {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let most = usize::try_from(self.limit - self.given).unwrap_or(usize::MAX).min(most);
        let mut items = Items::default();
        while items.len() < most && !items.is_full() {
            let reader = self.reader.get_or_insert_with(|| RowReader::start(&self.query));
            if let Some(row) = reader.row() {
                items.push(row);
                continue;
            }
            match reader.next_block(&self.stop)? {
                Ok(true) => {}
                Ok(false) => break,
                // The rows before the error come first; the next call gives the error again.
                Err(_) if !items.is_empty() => break,
                Err(error) => return Err(SourceError::Database { database: self.query.database.name(), error }),
            }
        }
        self.given += items.len() as u64;
        Ok(Chunk::of_json(items, ItemKey::of))
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn at_hand(&mut self, most: usize) -> usize {
        self.reader.as_ref().map_or(0, RowReader::left).min(most)
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        self.given = 0;
        // As long as all rows so far are still here, the database need not be asked again.
        if !self.reader.as_mut().is_some_and(RowReader::rewind) {
            self.reader = None;
        }
        Ok(Reread::Ready)
    }
}
