//! The first items of a source.

use super::chunk::Chunk;
use super::error::SourceError;
use super::files::Originals;
use super::source::{Reread, Source};
use super::survey_request::SurveyRequest;
use crate::model::{Compare, Form};
use crate::spec::OnBadRow;
use std::sync::Arc;

/// A source that gives the first `most` items of another one.
pub fn take(source: Box<dyn Source>, most: u64) -> Box<dyn Source> {
    Box::new(Limited { source, limit: most, given: 0 })
}

/// The first items of a source.
struct Limited {
    source: Box<dyn Source>,
    limit: u64,
    given: u64,
}

impl Source for Limited {
    fn total(&self) -> Option<u64> {
        self.source.total().map(|total| total.min(self.limit))
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let most = usize::try_from(self.limit - self.given).unwrap_or(usize::MAX).min(most);
        let chunk = if most == 0 { None } else { self.source.next(most)? };
        self.given += chunk.as_ref().map_or(0, |chunk| chunk.items.len() as u64);
        Ok(chunk)
    }

    fn may_wait(&self) -> bool {
        self.source.may_wait()
    }

    fn at_hand(&mut self, most: usize) -> usize {
        self.source.at_hand(most)
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        let reread = self.source.reread()?;
        if reread == Reread::Ready {
            self.given = 0;
        }
        Ok(reread)
    }

    fn largest_first(&mut self, most: u64) {
        self.source.largest_first(most.min(self.limit));
    }

    fn compare_content(&mut self) {
        self.source.compare_content();
    }

    fn file_keys(&self) -> Option<Compare> {
        self.source.file_keys()
    }

    fn forms(&self) -> Arc<[Form]> {
        self.source.forms()
    }

    fn bytes(&self) -> Option<u64> {
        // The size of some of the items is unknown.
        self.source.total().filter(|total| *total <= self.limit).and_then(|_| self.source.bytes())
    }

    fn survey(&self) -> Option<SurveyRequest> {
        self.source.survey().map(|request| request.limited(self.limit))
    }

    fn originals(&self) -> Option<Originals> {
        self.source.originals()
    }

    fn on_bad_row(&self) -> OnBadRow {
        self.source.on_bad_row()
    }

    fn notices(&self) -> Vec<String> {
        self.source.notices()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::list::List;
    use crate::sources::testing::{OnceOnly, numbers, read};

    #[test]
    fn only_the_first_items_are_given_each_time() {
        let mut source = take(Box::new(List::new(numbers(10))), 5);
        assert_eq!(source.total(), Some(5));
        for _ in 0..2 {
            assert_eq!(read(&mut *source, 3), [numbers(5)[..3].to_vec(), numbers(5)[3..].to_vec()]);
            assert_eq!(source.reread().unwrap(), Reread::Ready);
        }
        let mut short = take(Box::new(List::new(numbers(2))), 5);
        assert_eq!((short.total(), read(&mut *short, 9).concat()), (Some(2), numbers(2)));
    }

    #[test]
    fn a_source_that_can_be_read_once_stays_one() {
        let mut source = take(Box::new(OnceOnly(List::new(numbers(10)))), 5);
        assert_eq!(read(&mut *source, 4).concat(), numbers(5));
        assert_eq!(source.reread().unwrap(), Reread::Once);
        assert!(source.next(1).unwrap().is_none());
    }

    #[test]
    fn the_largest_of_the_first_items_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let files = [1, 3, 2, 9].map(|size| {
            let path = folder.path().join(size.to_string());
            std::fs::write(&path, vec![b'x'; size]).unwrap();
            serde_json::to_vec(&path).unwrap()
        });
        let mut source = take(Box::new(List::of_files(files.to_vec())), 3);
        source.largest_first(u64::MAX);
        let chunks = std::iter::from_fn(|| source.next(1).unwrap());
        let given = chunks.map(|chunk| (chunk.indexes.unwrap()[0], chunk.bytes));
        assert_eq!(given.collect::<Vec<_>>(), [(1, 3), (2, 2), (0, 1)]);
        assert_eq!(source.bytes(), None, "one of them is left out");
        let source = take(Box::new(List::of_files(files.to_vec())), 4);
        assert_eq!(source.bytes(), Some(15));
    }

    #[test]
    fn bytes_are_known_only_if_no_item_is_left_out() {
        struct Sized(List);
        impl Source for Sized {
            fn total(&self) -> Option<u64> {
                self.0.total()
            }

            fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
                self.0.next(most)
            }

            fn reread(&mut self) -> Result<Reread, SourceError> {
                self.0.reread()
            }

            fn bytes(&self) -> Option<u64> {
                Some(100)
            }
        }
        let bytes = |most| take(Box::new(Sized(List::new(numbers(10)))), most).bytes();
        assert_eq!((bytes(9), bytes(10)), (None, Some(100)));
    }
}
