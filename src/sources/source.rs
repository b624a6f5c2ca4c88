//! What every source of items can do.

use super::chunk::Chunk;
use super::error::SourceError;
use super::files::Originals;
use super::survey_request::SurveyRequest;
use crate::model::{Compare, Form};
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

    /// Whether the next item may take any time to come, as it does from a pipe or a query.
    fn may_wait(&self) -> bool {
        false
    }

    /// How many items there are without a wait, up to `most`; maybe more.
    fn at_hand(&mut self, most: usize) -> usize {
        most
    }

    /// Goes back to the first item, if the source can be read again; otherwise nothing changes.
    ///
    /// # Errors
    /// If the first item cannot be read any more.
    fn reread(&mut self) -> Result<Reread, SourceError>;

    /// Gives the first `most` items in order of size, the largest first, if their sizes are known: what takes longest should
    /// not start last. Call it before the first item is read.
    fn largest_first(&mut self, _most: u64) {}

    /// From now on, identifies files by their content instead of their size and modification time.
    fn compare_content(&mut self) {}

    /// How the files that its items name are compared, if its items name files. Their keys change with the files.
    fn file_keys(&self) -> Option<Compare> {
        None
    }

    /// The forms that the items can have: [`Chunk::form`] is an index into this list.
    fn forms(&self) -> Arc<[Form]> {
        Arc::new([Form::Json])
    }

    /// The size of all items in bytes on disk, if they are files, or rows of files that are all read, and the sizes are known.
    fn bytes(&self) -> Option<u64> {
        None
    }

    /// What a survey needs to count the items before they run, if they are rows of files.
    fn survey(&self) -> Option<SurveyRequest> {
        None
    }

    /// Reads rows exactly as in their files, if these are text files.
    fn originals(&self) -> Option<Originals> {
        None
    }

    /// What happens to rows that cannot be read.
    fn on_bad_row(&self) -> OnBadRow {
        OnBadRow::Fail
    }

    /// Notices for the user about what was read so far and what was not, one per line.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Whether a source can be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Reread {
    /// The next item is the first one again.
    Ready,
    /// The source can be read only once.
    Once,
}

impl Reread {
    /// Requires that the source can be read again.
    ///
    /// # Errors
    /// If the source can be read only once.
    pub fn required(self) -> Result<(), SourceError> {
        match self {
            Self::Ready => Ok(()),
            Self::Once => Err(SourceError::ReadOnce),
        }
    }
}
