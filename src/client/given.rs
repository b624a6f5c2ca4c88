//! The items of a call, as they arrive.

use crate::model::{Form, ItemKey, Items, Keys};
use crate::sources::{Chunk, Reread, Source, SourceError};
use crate::task::Latch;
use crate::wire::Given;
use crossbeam_channel::{Receiver, select};
use std::sync::Arc;

/// A source of the bundles that a client sends.
pub(super) struct GivenItems {
    arriving: Receiver<Given>,
    stop: Arc<Latch>,
    read: u64,
}

impl GivenItems {
    /// The bundles that arrive here, until the sender is gone.
    pub(super) fn new(arriving: Receiver<Given>, stop: Arc<Latch>) -> Self {
        Self { arriving, stop, read: 0 }
    }
}

impl Source for GivenItems {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, _most: usize) -> Result<Option<Chunk>, SourceError> {
        let Given { count, pickle } = select! {
            recv(self.arriving) -> given => match given {
                Ok(given) => given,
                Err(_) => return Ok(None),
            },
            recv(self.stop.channel()) -> _ => return Err(SourceError::Stopped),
        };
        // Whoever calls knows its items by their index, and nothing is resumed.
        let keys = Keys::Run(ItemKey::from(u128::from(self.read)), count as usize);
        self.read += u64::from(count);
        let items = Items::bundle(pickle, count);
        Ok(Some(Chunk { items, keys, indexes: None, form: 0, origin: None, bytes: 0, file_error: None }))
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn at_hand(&mut self, most: usize) -> usize {
        if self.arriving.is_empty() { 0 } else { most }
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        Ok(Reread::Once)
    }

    fn forms(&self) -> Arc<[Form]> {
        Arc::new([Form::Pickle])
    }
}
