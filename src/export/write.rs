//! Writes results to files: reads the records first if the format needs to know them all, then encodes them.

use super::columns::Column;
use super::csv::{CsvEncoder, Header};
use super::encoder::Encoder;
use super::error::{ExportError, WriteError};
use super::infer::infer_columns;
use super::jsonl::JsonLinesEncoder;
use super::parquet::ParquetEncoder;
use super::record::VALUE;
use super::results::{Results, each_piece};
use super::size_limit::SizeLimit;
use super::staged::StagedOutput;
use super::target::{Target, Written};
use crate::model::OutputFormat;
use arrow_schema::SchemaRef;
use std::fs::File;
use std::sync::Arc;

/// What a format needs to know about all records before it writes the first one.
enum Layout {
    Jsonl,
    Csv(Header),
    Parquet(SchemaRef),
}

impl Layout {
    fn of(format: OutputFormat, results: &mut dyn Results) -> Result<Self, WriteError> {
        match format {
            OutputFormat::Jsonl => Ok(Self::Jsonl),
            OutputFormat::Csv => Ok(Self::Csv(Header::of(results)?)),
            OutputFormat::Parquet => {
                let mut columns = infer_columns(results)?;
                if columns.0.is_empty() {
                    // Many programs cannot open a file without columns.
                    columns.0.insert(VALUE.to_owned(), Column::default());
                }
                Ok(Self::Parquet(Arc::new(columns.schema()?)))
            }
        }
    }

    fn encoder(&self, file: File) -> Result<Box<dyn Encoder + '_>, WriteError> {
        Ok(match self {
            Self::Jsonl => Box::new(JsonLinesEncoder(file)),
            Self::Csv(header) => Box::new(CsvEncoder::begin(file, header)?),
            Self::Parquet(schema) => Box::new(ParquetEncoder::begin(file, schema)?),
        })
    }
}

/// Writes results to their target, completely or not at all.
///
/// # Errors
/// If the results cannot be read or do not fit the format, or if the file cannot be written.
pub fn write(target: &Target, results: &mut dyn Results) -> Result<Written, ExportError> {
    write_by(target, results, SizeLimit::of(target)).map_err(|error| error.at(&target.path))
}

pub(super) fn write_by(target: &Target, results: &mut dyn Results, limit: SizeLimit) -> Result<Written, WriteError> {
    let layout = Layout::of(target.format, results)?;
    let mut staged = StagedOutput::begin(target)?;
    // Without records, write an empty file, so that readers need not check whether it exists.
    let mut encoder = layout.encoder(staged.next_file()?)?;
    let (mut left, mut records) = (limit, 0);
    each_piece(results, |mut piece| {
        while !piece.is_empty() {
            if left.is_reached() {
                let next = layout.encoder(staged.next_file()?)?;
                std::mem::replace(&mut encoder, next).finish()?;
                left = limit;
            }
            let cut = left.cut(piece);
            encoder.write(cut.now)?;
            records += cut.records;
            piece = cut.later;
        }
        Ok(())
    })?;
    encoder.finish()?;
    staged.commit()?;
    Ok(Written { records })
}
