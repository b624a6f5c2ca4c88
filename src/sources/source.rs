//! What every source of items can do, and the chunks of items that it gives.

use super::error::SourceError;
use super::survey_request::SurveyRequest;
use crate::model::{Failure, Form, ItemKey, Items, Keys, Origin};
use crate::spec::OnBadRow;
use std::sync::Arc;

/// A source of items. The first items can be used before the last ones are known.
pub trait Source: Send {
    /// How many items there are in all, if that is known before they are read.
    fn total(&self) -> Option<u64>;

    /// The next items, up to `most`, which is at least 1; none at the end. The items of one chunk share a form and an origin.
    ///
    /// # Errors
    /// If the source cannot be read any further.
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError>;

    /// Goes back to the first item.
    ///
    /// # Errors
    /// If the first item is no longer there.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Gives the first `most` items in order of size, the largest first, if their sizes are known: what takes longest should
    /// not start last. Call it before the first item is read.
    fn largest_first(&mut self, _most: u64) {}

    /// From now on, identifies files by their content instead of their size and modification time.
    fn compare_content(&mut self) {}

    /// The forms that the items can have: [`Chunk::form`] is an index into this list.
    fn forms(&self) -> Arc<[Form]> {
        Arc::new([Form::Json])
    }

    /// The size of all items in bytes on disk, if all of them are read from files and the sizes are known.
    fn bytes(&self) -> Option<u64> {
        None
    }

    /// What a survey needs to count the items before they run, if they are rows of files.
    fn survey(&self) -> Option<SurveyRequest> {
        None
    }

    /// What happens to rows that cannot be read.
    fn on_bad_row(&self) -> OnBadRow {
        OnBadRow::Fail
    }
}

/// Consecutive items of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The items.
    pub items: Items,
    /// The key of each item.
    pub keys: Keys,
    /// The index of each item in the source, rising; none if the items follow those given before.
    pub indexes: Option<Vec<u64>>,
    /// The form of the items: an index into [`Source::forms`].
    pub form: usize,
    /// The file that they came from, if they are rows of one.
    pub origin: Option<Origin>,
    /// The part of the source's files that the items make up, in bytes on disk; 0 if they come from no file.
    pub bytes: u64,
    /// Why a file cannot be read. The chunk then has one item, which stands for the file.
    pub file_error: Option<Failure>,
}

impl Chunk {
    /// Items that are JSON; none if there are no items.
    pub(super) fn of_json(items: Items, key: impl Fn(&[u8]) -> ItemKey) -> Option<Self> {
        let keys = Keys::List(items.iter().map(key).collect());
        (!items.is_empty()).then_some(Self {
            items,
            keys,
            indexes: None,
            form: 0,
            origin: None,
            bytes: 0,
            file_error: None,
        })
    }
}
