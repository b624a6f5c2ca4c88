//! The hash of a row: what tells whether an edited file still has it.

use super::chunk::Chunk;
use crate::model::{Form, From, Keys};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Hashes rows: their text, and what the text means, which the header of their file says.
#[derive(Debug, Default)]
pub struct RowHasher {
    /// For the form and the file of the chunk before.
    last: Option<(usize, Option<String>, u64)>,
}

impl RowHasher {
    /// The hashes of a chunk's items; none if they are not rows of a file.
    pub fn hashes(&mut self, chunk: &Chunk, forms: &[Form]) -> Option<Vec<u64>> {
        // Of rows that `where` has chosen, the keys may have gaps.
        let are_rows = matches!(chunk.keys, Keys::Run(..)) || chunk.origin.is_some();
        if chunk.file_error.is_some() || !are_rows {
            return None;
        }
        let seed = self.seed(chunk, forms);
        Some(chunk.items.iter().map(|item| xxh3_64_with_seed(item, seed)).collect())
    }

    fn seed(&mut self, chunk: &Chunk, forms: &[Form]) -> u64 {
        let form = forms.get(chunk.form);
        // A column may hold the name of the file, or a part of it.
        let names_file = matches!(form, Some(Form::Csv(csv)) if csv.columns.iter().any(|column| matches!(column.from, From::File | From::Partition)));
        let file = chunk.origin.as_ref().filter(|_| names_file).map(|origin| origin.file.to_string());
        if let Some((last, of, seed)) = &self.last
            && *last == chunk.form
            && *of == file
        {
            return *seed;
        }
        let seed = xxh3_64(serde_json::to_string(&(form, &file)).unwrap_or_default().as_bytes());
        self.last = Some((chunk.form, file, seed));
        seed
    }
}
