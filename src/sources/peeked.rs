//! A source that was read ahead, to see what its items are. These items come again when the source is read, in chunks of
//! the same size, so readers notice nothing.

use super::chunk::Chunk;
use super::error::SourceError;
use super::files::Originals;
use super::source::{Reread, Source};
use super::survey_request::SurveyRequest;
use crate::model::{Compare, Form};
use crate::spec::OnBadRow;
use std::collections::VecDeque;
use std::sync::Arc;

/// A source that can be read ahead.
pub(super) struct Peeked {
    source: Box<dyn Source>,
    /// What was read ahead and has not been given yet.
    kept: VecDeque<Chunk>,
    /// Why the source cannot be read further, to be reported after the items before it.
    error: Option<SourceError>,
}

impl Peeked {
    /// A source of which nothing has been read.
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        Self { source, kept: VecDeque::new(), error: None }
    }

    /// Reads one more item ahead; none at the end.
    pub(super) fn peek(&mut self) -> Result<Option<&Chunk>, SourceError> {
        let Some(chunk) = self.source.next(1)? else { return Ok(None) };
        self.kept.push_back(chunk);
        Ok(self.kept.back())
    }

    /// Forgets what was read ahead, if it can be read again: the source gives it in another way from now on.
    fn forget(&mut self) {
        if matches!(self.source.reread(), Ok(Reread::Ready)) {
            self.kept.clear();
        }
    }
}

impl Source for Peeked {
    fn total(&self) -> Option<u64> {
        self.source.total()
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let Some(mut chunk) = self.kept.pop_front() else {
            return self.error.take().map_or_else(|| self.source.next(most), Err);
        };
        if chunk.items.len() > most {
            self.kept.push_front(chunk.split_off(most));
        }
        while chunk.items.len() < most && !chunk.items.is_full() {
            let room = most - chunk.items.len();
            let next = self.kept.pop_front().map_or_else(|| self.source.next(room), |next| Ok(Some(next)));
            let mut next = match next {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            };
            if next.items.len() > room {
                self.kept.push_front(next.split_off(room));
            }
            if let Some(other) = chunk.append(next) {
                self.kept.push_front(other);
                break;
            }
        }
        Ok(Some(chunk))
    }

    fn may_wait(&self) -> bool {
        self.source.may_wait()
    }

    fn at_hand(&mut self, most: usize) -> usize {
        if self.kept.is_empty() {
            return self.source.at_hand(most);
        }
        self.kept.iter().map(|chunk| chunk.items.len()).sum::<usize>().min(most)
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        let reread = self.source.reread()?;
        if reread == Reread::Ready {
            self.kept.clear();
        }
        Ok(reread)
    }

    fn largest_first(&mut self, most: u64) {
        self.forget();
        self.source.largest_first(most);
    }

    fn compare_content(&mut self) {
        self.forget();
        self.source.compare_content();
    }

    fn file_keys(&self) -> Option<Compare> {
        self.source.file_keys()
    }

    fn forms(&self) -> Arc<[Form]> {
        self.source.forms()
    }

    fn bytes(&self) -> Option<u64> {
        self.source.bytes()
    }

    fn survey(&self) -> Option<SurveyRequest> {
        self.source.survey()
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
    use crate::sources::table;
    use crate::sources::testing::{OnceOnly, csv_spec, numbers, read};
    use crate::template::{ItemScope, Scope};

    #[test]
    fn items_that_were_read_ahead_come_again_in_chunks_of_the_same_size() {
        for (peeks, most) in [(0, 3), (1, 3), (5, 3), (5, 1), (2, 100)] {
            let mut source = Peeked::new(Box::new(List::new(numbers(10))));
            for _ in 0..peeks {
                assert!(source.peek().unwrap().is_some());
            }
            let chunks = read(&mut source, most);
            assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.len() == most), "{peeks}, {most}: {chunks:?}");
            assert_eq!(chunks.concat(), numbers(10));
            assert_eq!(source.reread().unwrap(), Reread::Ready);
            assert_eq!(read(&mut source, 100).concat(), numbers(10));
        }
    }

    #[test]
    fn a_source_that_can_be_read_once_is_read_ahead_without_losing_an_item() {
        let mut source = Peeked::new(Box::new(OnceOnly(List::new(numbers(3)))));
        assert_eq!(source.peek().unwrap().unwrap().items.get(0), b"0");
        assert_eq!(source.reread().unwrap(), Reread::Once);
        assert_eq!(read(&mut source, 2), [numbers(3)[..2].to_vec(), numbers(3)[2..].to_vec()]);
        assert!(matches!(source.reread().unwrap().required(), Err(SourceError::ReadOnce)));
    }

    #[test]
    fn rows_of_files_come_in_the_chunks_that_they_come_in_without_reading_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["n\n1\n2\n\n\n3\n\"4\n\"\n5\n6\n7\n", "n\n", "n\n8\n", "m\n9\n10\n11\n"];
        let paths = texts.iter().enumerate().map(|(number, text)| {
            let path = folder.path().join(format!("{number}.csv"));
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        });
        let paths: Vec<String> = paths.chain(["missing.csv".to_owned()]).collect();
        let scope = Arc::new(ItemScope::of_step(Arc::new(Scope::default())));
        let open = || table::open(&csv_spec(&paths), &scope, &crossbeam_channel::never()).unwrap();
        for (peeks, most) in [(1, 1), (1, 2), (1, 100), (3, 2), (8, 3), (12, 5)] {
            let mut direct = open();
            let mut ahead = Peeked::new(open());
            (0..peeks).for_each(|_| drop(ahead.peek().unwrap().unwrap().clone()));
            loop {
                let (expected, found) = (direct.next(most).unwrap(), ahead.next(most).unwrap());
                assert_eq!(found, expected, "{peeks} read ahead, {most} at a time");
                if expected.is_none() {
                    break;
                }
            }
        }
    }

    #[test]
    fn an_error_comes_after_the_items_before_it() {
        struct Broken(u8);
        impl Source for Broken {
            fn total(&self) -> Option<u64> {
                None
            }

            fn next(&mut self, _: usize) -> Result<Option<Chunk>, SourceError> {
                self.0 += 1;
                if self.0 > 1 { Err(SourceError::Stopped) } else { List::new(numbers(1)).next(1) }
            }

            fn reread(&mut self) -> Result<Reread, SourceError> {
                Ok(Reread::Once)
            }
        }
        let mut source = Peeked::new(Box::new(Broken(0)));
        source.peek().unwrap();
        assert_eq!(source.next(5).unwrap().unwrap().items.len(), 1);
        assert!(matches!(source.next(5), Err(SourceError::Stopped)));
    }
}
