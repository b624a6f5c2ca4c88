//! Writes results to files: reads the records first if the format needs to know them all, then encodes them.

use super::byte_sink::ByteSink;
use super::columns::{Column, Columns};
use super::csv::CsvEncoder;
use super::encoder::Encoder;
use super::error::{ExportError, WriteError};
use super::header::Header;
use super::infer::infer_columns;
use super::jsonl::{JsonColumnsEncoder, JsonLinesEncoder};
use super::parquet::ParquetEncoder;
use super::record::VALUE;
use super::records::Records;
use super::results::{Results, each_piece};
use super::size_limit::SizeLimit;
use super::staged::StagedOutput;
use super::target::{Target, Written};
use crate::model::{CsvStyle, OutputFormat};
use arrow_schema::SchemaRef;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// What a format needs to know about all records before it writes the first one.
enum Layout<'t> {
    Jsonl,
    JsonColumns(Header),
    Csv(Header, &'t CsvStyle),
    Parquet(SchemaRef, Columns, Vec<String>),
}

impl<'t> Layout<'t> {
    fn of(target: &'t Target, records: &mut dyn Results) -> Result<Self, WriteError> {
        let named = target.options.columns.as_deref();
        match (target.format, named) {
            (OutputFormat::Jsonl, None) => Ok(Self::Jsonl),
            (OutputFormat::Jsonl, Some(columns)) => Ok(Self::JsonColumns(Header::named(columns))),
            (OutputFormat::Csv, None) => Ok(Self::Csv(Header::of(records)?, &target.options.csv)),
            (OutputFormat::Csv, Some(columns)) => Ok(Self::Csv(Header::named(columns), &target.options.csv)),
            (OutputFormat::Parquet, _) => {
                let (mut columns, missing) = infer_columns(records, &target.options)?;
                if columns.0.is_empty() {
                    // Many programs cannot open a file without columns.
                    columns.0.insert(VALUE.to_owned(), Column::default());
                }
                Ok(Self::Parquet(Arc::new(columns.schema()?), columns, missing))
            }
        }
    }

    fn encoder(&self, file: File, target: &Target) -> Result<Box<dyn Encoder + '_>, WriteError> {
        let sink = |file| ByteSink::of(target, file);
        Ok(match self {
            Self::Jsonl => Box::new(JsonLinesEncoder(sink(file)?)),
            Self::JsonColumns(header) => Box::new(JsonColumnsEncoder::begin(sink(file)?, header)),
            Self::Csv(header, style) => Box::new(CsvEncoder::begin(sink(file)?, header, style)?),
            Self::Parquet(schema, columns, _) => Box::new(ParquetEncoder::begin(file, schema, columns)?),
        })
    }

    /// The columns that the user names and no record has.
    fn missing(&self) -> Vec<String> {
        match self {
            Self::Jsonl => Vec::new(),
            Self::JsonColumns(header) | Self::Csv(header, _) => header.missing(),
            Self::Parquet(_, _, missing) => missing.clone(),
        }
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
    let mut of_results = Records::of(results, target);
    let layout = Layout::of(target, &mut of_results)?;
    let mut records = 0;
    let written = write_records((target, &layout), &mut of_results, limit, &mut records);
    let is_cut = match written {
        // Whoever reads stdout has enough, such as `head`.
        Err(WriteError::Io(error)) if target.is_stdout() && error.kind() == io::ErrorKind::BrokenPipe => true,
        written => written.map(|()| false)?,
    };
    Ok(Written { records, nulls: of_results.nulls, missing: layout.missing(), is_cut })
}

/// Writes records; `written` is how many so far.
fn write_records(
    (target, layout): (&Target, &Layout<'_>),
    of_results: &mut Records<'_>,
    limit: SizeLimit,
    written: &mut u64,
) -> Result<(), WriteError> {
    let mut staged = StagedOutput::begin(target)?;
    // Without records, write an empty file, so that readers need not check whether it exists.
    let mut encoder = layout.encoder(staged.next_file()?, target)?;
    let mut left = limit;
    each_piece(of_results, |mut piece| {
        while !piece.is_empty() {
            if left.is_reached() {
                let next = layout.encoder(staged.next_file()?, target)?;
                std::mem::replace(&mut encoder, next).finish()?;
                left = limit;
            }
            let cut = left.cut(piece);
            encoder.write(cut.now)?;
            *written += cut.records;
            piece = cut.later;
        }
        Ok(())
    })?;
    encoder.finish()?;
    staged.commit()
}
