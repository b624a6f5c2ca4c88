//! The items of a source once more, each by its index.

use super::error::SourceError;
use super::source::{Reread, Source};
use crate::model::Form;
use crate::rows;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// The items of a source by their index, which rises.
pub struct ItemsByIndex<'a> {
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

impl<'a> ItemsByIndex<'a> {
    /// The items of this source.
    pub fn new(source: &'a mut dyn Source) -> Self {
        let forms = source.forms();
        Self { source, forms, next: 0, chunk: Vec::new(), first: 0, scattered: None }
    }

    /// Goes back to the first item.
    ///
    /// # Errors
    /// If the items cannot be read again.
    pub fn rewind(&mut self) -> io::Result<()> {
        if self.source.reread().map_err(read_error)? == Reread::Once {
            let message = "`include: [item]` requires items that can be read again, but these come from a stream; \
                           have the task return what it needs of the item";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        (self.next, self.first, self.chunk, self.scattered) = (0, 0, Vec::new(), None);
        Ok(())
    }

    /// The item at this index as JSON.
    ///
    /// # Errors
    /// If there is none any more, or it cannot be read.
    pub fn at(&mut self, index: u64) -> io::Result<Vec<u8>> {
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
