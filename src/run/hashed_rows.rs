//! A source of rows that records the hash of each row.

use crate::ledger::RowHashWriter;
use crate::model::{Form, Keys};
use crate::sources::{Chunk, Originals, Reread, RowHasher, Source, SourceError, SurveyRequest};
use crate::spec::OnBadRow;
use std::io;
use std::sync::Arc;

/// A source of rows that records the hash of each row.
pub(super) struct HashedRows {
    pub(super) source: Box<dyn Source>,
    pub(super) hasher: RowHasher,
    /// None if the hashes could not be written. Then these rows run again if their file changes.
    pub(super) writer: Option<RowHashWriter>,
    pub(super) forms: Arc<[Form]>,
}

/// Records the hashes of rows, neighbours together.
fn add(writer: &mut RowHashWriter, keys: &Keys, hashes: &[u64]) -> io::Result<()> {
    if let Keys::Run(first, _) = keys {
        return writer.add(*first, hashes);
    }
    let mut from = 0;
    while from < hashes.len() {
        let first = keys.get(from);
        let count = (from..hashes.len()).take_while(|at| keys.get(*at) == first.nth(at - from)).count();
        writer.add(first, &hashes[from..from + count])?;
        from += count;
    }
    Ok(())
}

impl Source for HashedRows {
    fn total(&self) -> Option<u64> {
        self.source.total()
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let chunk = self.source.next(most)?;
        if let (Some(chunk), Some(writer)) = (&chunk, &mut self.writer)
            && let Some(hashes) = self.hasher.hashes(chunk, &self.forms)
            && add(writer, &chunk.keys, &hashes).is_err()
        {
            self.writer = None;
        }
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
            // The same rows, which are recorded already.
            self.writer = None;
        }
        Ok(reread)
    }

    fn largest_first(&mut self, most: u64) {
        self.source.largest_first(most);
    }

    fn compare_content(&mut self) {
        self.source.compare_content();
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
