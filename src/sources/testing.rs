//! Sources for the tests of this module.

use super::chunk::Chunk;
use super::error::SourceError;
use super::source::{Reread, Source};
use crate::model::{CsvDialect, Text, ValueFormat};
use crate::spec::{Compression, Header, OnBadRow, OnSchemaDrift, RowFormat, RowsSpec, Types};

/// A source that can be read only once.
pub(super) struct OnceOnly<S>(pub(super) S);

impl<S: Source> Source for OnceOnly<S> {
    fn total(&self) -> Option<u64> {
        self.0.total()
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        self.0.next(most)
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        Ok(Reread::Once)
    }
}

/// The numbers from 0 on as items.
pub(super) fn numbers(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| number.to_string().into_bytes()).collect()
}

/// The items of all chunks.
pub(super) fn read(source: &mut dyn Source, most: usize) -> Vec<Vec<Vec<u8>>> {
    let chunks = std::iter::from_fn(|| source.next(most).unwrap());
    chunks.map(|chunk| chunk.items.iter().map(<[u8]>::to_vec).collect()).collect()
}

/// CSV files at these paths, read with the default settings.
pub(super) fn csv_spec(paths: &[String]) -> RowsSpec {
    RowsSpec {
        format: RowFormat::Csv,
        paths: paths.iter().map(Text::new).collect(),
        columns: None,
        types: Types::AsTheyAre,
        dialect: CsvDialect::default(),
        dialect_from: crate::spec::DialectFrom::Workflow,
        names: crate::spec::Names::Repair,
        values: ValueFormat::default(),
        dates: Vec::new(),
        header: Header::First,
        encoding: encoding_rs::UTF_8,
        null: Vec::new(),
        compression: Compression::Auto,
        where_from: None,
        partitions: false,
        limit: None,
        skip: None,
        on_bad_row: OnBadRow::Fail,
        save_bad_rows: None,
        on_schema_drift: OnSchemaDrift::Group,
    }
}
