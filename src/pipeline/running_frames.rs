//! The frame that each slot runs, so that an item that has been running for long can be named.

use crate::model::{Batch, Indexes};
use crate::rows;
use crate::task::StepContext;
use crate::text::{CUT, Secrets};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bytes of an item are looked at. Secrets are masked before it is cut to [`MOST_NAME`].
const MOST_READ: usize = 8 << 10;

/// The longest name of an item, in bytes.
const MOST_NAME: usize = 500;

/// A place for the frame of each slot.
#[derive(Debug)]
pub(super) struct RunningFrames(Vec<Mutex<Option<Arc<Vec<Batch>>>>>);

impl RunningFrames {
    /// Places for so many slots, which run nothing yet.
    pub(super) fn new(slots: usize) -> Self {
        Self((0..slots).map(|_| Mutex::default()).collect())
    }

    /// Notes what a slot runs.
    pub(super) fn set(&self, slot: usize, frame: Option<Arc<Vec<Batch>>>) {
        if let Some(mut place) = self.place(slot) {
            *place = frame;
        }
    }

    /// The slots that run something.
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len()).filter(|slot| self.place(*slot).is_some_and(|place| place.is_some()))
    }

    fn place(&self, slot: usize) -> Option<MutexGuard<'_, Option<Arc<Vec<Batch>>>>> {
        Some(self.0.get(slot)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The indexes of the batch with this item, if a slot has it.
    pub(super) fn batch_with(&self, slot: usize, index: u64) -> Option<Indexes> {
        let frame = self.place(slot)?.clone()?;
        frame.iter().find(|batch| batch.indexes.position(index).is_some()).map(|batch| batch.indexes.clone())
    }

    /// The item that a slot is running, as people name it: a string as it is, anything else as JSON. Nothing if it is not one
    /// item, or not this one any more.
    pub(super) fn name(&self, (slot, index): (usize, u64), context: &StepContext, secrets: &Secrets) -> Option<String> {
        if !context.settings.has_item || context.settings.batched {
            return None;
        }
        let frame = self.place(slot)?.clone()?;
        let (batch, position) = frame.iter().find_map(|batch| Some((batch, batch.indexes.position(index)?)))?;
        let json = rows::describe(&context.forms[batch.form], &batch.items, position, batch.origin.as_ref());
        let name = match serde_json::from_slice(&json) {
            Ok(Value::String(text)) => text,
            _ if json.len() > MOST_READ => String::from_utf8_lossy(&json[..MOST_READ]).into_owned() + CUT,
            _ => String::from_utf8_lossy(&json).into_owned(),
        };
        let mut name = secrets.masked(name);
        let end = (0..=MOST_NAME.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(end);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ItemKey;

    #[test]
    fn a_slot_that_runs_nothing_has_no_frame() {
        let frames = RunningFrames::new(2);
        let batch = Batch::of_one(3, ItemKey::of(b""), b"\"a\"");
        frames.set(1, Some(Arc::new(vec![batch])));
        assert!(frames.place(0).unwrap().is_none() && frames.place(1).unwrap().is_some() && frames.place(2).is_none());
        frames.set(1, None);
        assert!(frames.place(1).unwrap().is_none());
    }
}
