//! Rows of Parquet files: each is a mapping.
//!
//! Footers are read when the source is opened: they say how many rows there are, and of which columns. Rows are read as the
//! step runs, some hundred at a time, so memory grows neither with the files nor with their row groups. A file that cannot be
//! read, or only in part, is one failed item, as with the other files of rows.

use super::bad_file::{bad_file, no_file_readable};
use super::caught::caught;
use super::column_names::FileColumns;
use super::headers::columns_of_files;
use super::partitions::with_partitions;
use crate::columnar::{JsonLines, Rows, Zones};
use crate::model::{Column, From, ItemKey, Items, Keys};
use crate::rows::partition_value;
use crate::sources::chunk::Chunk;
use crate::sources::error::{ErrorText, SourceError};
use crate::sources::files::RowFile;
use crate::sources::source::{Reread, Source};
use crate::sources::window::RowWindow;
use crate::spec::{OnBadRow, RowsSpec};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

/// How many rows are decoded at a time.
const BATCH_ROWS: usize = 1024;

/// Rows of Parquet files.
pub(super) struct ParquetRows {
    on_bad_row: OnBadRow,
    files: Vec<RowFile>,
    /// The footer of each file, or why the file cannot be read.
    footers: Vec<Result<Footer, ErrorText>>,
    window: RowWindow,
    at: ReadPosition,
    /// NaN and infinite numbers that became null.
    nulls: u64,
}

/// What the footer of a file says, and which columns the file gives.
struct Footer {
    metadata: ArrowReaderMetadata,
    rows: u64,
    columns: Vec<Column>,
}

/// A file whose rows are being read.
struct OpenReader {
    rows: ParquetRecordBatchReader,
    file: File,
}

impl OpenReader {
    /// The next rows, as for [`Footer::items`]; none at the end. After an error, none may be read.
    fn next(&mut self, footer: &Footer, file: &RowFile) -> Option<Result<(Items, u64), String>> {
        let read = || {
            let batch = self.rows.next()?;
            Some(batch.map_err(|error| error.to_string()).and_then(|batch| footer.items(&batch, file)))
        };
        caught(read).unwrap_or_else(|text| Some(Err(text)))
    }
}

/// How far reading has come.
#[derive(Default)]
struct ReadPosition {
    file: usize,
    reader: Option<OpenReader>,
    /// Rows of the file so far.
    row: u64,
    /// Rows that were decoded, and how many of them were given.
    decoded: Items,
    taken: usize,
    /// Why the rest of the file cannot be read.
    broken: Option<ErrorText>,
    skipped: u64,
    given: u64,
}

impl ParquetRows {
    /// Reads the footers of all files.
    pub(super) fn open(spec: &RowsSpec, files: Vec<RowFile>, window: RowWindow) -> Result<Self, SourceError> {
        let metadata: Vec<Result<ArrowReaderMetadata, ErrorText>> = files.iter().map(read_footer).collect();
        let names = metadata.iter().map(|metadata| -> FileColumns {
            let metadata = metadata.as_ref().map_err(ErrorText::clone)?;
            Ok(Some(metadata.schema().fields().iter().map(|field| field.name().clone()).collect()))
        });
        let names = names.zip(&files).map(|(names, file)| with_partitions(spec, names, file));
        let columns = columns_of_files(spec, names.collect(), &files)?;
        let footers = metadata.into_iter().zip(columns).map(|(metadata, columns)| {
            let (metadata, columns) = (metadata?, columns?);
            let rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
            let footer = Footer { metadata, rows, columns };
            caught(|| footer.check()).map_err(|text| damaged(&text))??;
            Ok(footer)
        });
        let footers: Vec<Result<Footer, ErrorText>> = footers.collect();
        let file_error = footers.iter().zip(&files).find_map(|(footer, file)| Some((footer.as_ref().err()?, file)));
        if let (Some((file_error, file)), false) = (file_error, footers.iter().any(Result::is_ok)) {
            return Err(no_file_readable(file, file_error));
        }
        Ok(Self { on_bad_row: spec.on_bad_row, files, footers, window, at: ReadPosition::default(), nulls: 0 })
    }

    fn next_file(&mut self) {
        self.at.file += 1;
        (self.at.reader, self.at.row, self.at.decoded, self.at.taken) = (None, 0, Items::default(), 0);
    }

    /// The next rows of the file; none at its end.
    fn rows(&mut self, most: usize) -> Result<Option<Chunk>, ErrorText> {
        let file = &self.files[self.at.file];
        let footer = self.footers[self.at.file].as_ref().map_err(ErrorText::clone)?;
        let (at, lost) = (&mut self.at, &mut self.nulls);
        if let Some(file_error) = at.broken.take() {
            return Err(file_error);
        }
        if at.reader.is_none() {
            let skipped = footer.rows.min(self.window.skip - at.skipped);
            (at.skipped, at.row) = (at.skipped + skipped, skipped);
            let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
            at.reader = Some(caught(|| footer.reader(file, skipped)).map_err(|text| damaged(&text))??);
        }
        let mut items = Items::default();
        while items.len() < most && !items.is_full() {
            if at.taken == at.decoded.len() {
                match at.reader.as_mut().and_then(|reader| reader.next(footer, file)) {
                    None => break,
                    Some(Ok((items, nulls))) => {
                        (at.decoded, at.taken) = (items, 0);
                        *lost += nulls;
                    }
                    // What was read before is given first.
                    Some(Err(error)) => {
                        let row = at.row + items.len() as u64 + 1;
                        at.broken = Some(format!("the file is damaged from row {row} on: {error}").into());
                        break;
                    }
                }
            }
            let to = at.decoded.len().min(at.taken + most - items.len());
            (at.taken..to).for_each(|position| items.push(at.decoded.get(position)));
            at.taken = to;
        }
        if items.is_empty() {
            if let (None, Some(reader)) = (&at.broken, &at.reader) {
                file.input.check_unchanged(&reader.file).map_err(|error| error.to_string())?;
            }
            return at.broken.take().map_or(Ok(None), Err);
        }
        let keys = Keys::Run(ItemKey::of_row(file.key, at.row), items.len());
        at.row += items.len() as u64;
        at.given += items.len() as u64;
        Ok(Some(Chunk { items, keys, form: 0, origin: None, bytes: 0, file_error: None, indexes: None }))
    }
}

impl Source for ParquetRows {
    fn total(&self) -> Option<u64> {
        let rows: u64 = self.footers.iter().flatten().map(|footer| footer.rows).sum();
        let bad = self.footers.iter().filter(|footer| footer.is_err()).count() as u64;
        Some((rows.saturating_sub(self.window.skip) + bad).min(self.window.limit))
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        while self.at.given < self.window.limit && self.at.file < self.files.len() {
            let most = usize::try_from(self.window.limit - self.at.given).unwrap_or(usize::MAX).min(most);
            match self.rows(most) {
                Ok(Some(chunk)) => return Ok(Some(chunk)),
                Ok(None) => self.next_file(),
                Err(file_error) => {
                    let chunk = bad_file(&self.files[self.at.file], &file_error);
                    self.next_file();
                    self.at.given += 1;
                    return Ok(Some(chunk));
                }
            }
        }
        Ok(None)
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        (self.at, self.nulls) = (ReadPosition::default(), 0);
        Ok(Reread::Ready)
    }

    fn compare_content(&mut self) {
        self.files.iter_mut().for_each(RowFile::compare_content);
    }

    fn on_bad_row(&self) -> OnBadRow {
        self.on_bad_row
    }

    fn notices(&self) -> Vec<String> {
        let nulls = self.nulls;
        (nulls > 0).then(|| format!("warning: {nulls} NaN or infinite numbers were read as null")).into_iter().collect()
    }
}

impl Footer {
    /// Whether its rows can be written as JSON at all.
    fn check(&self) -> Result<(), ErrorText> {
        let fields = self.read_columns().map(|at| Arc::clone(&self.metadata.schema().fields()[at]));
        let empty = RecordBatch::new_empty(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
        match Rows::new(&empty, Zones::Utc) {
            Ok(_) => Ok(()),
            Err(unwritable) => {
                Err(ErrorText::from(unwritable.to_string()).with_help("list the columns to keep with `columns`"))
            }
        }
    }

    /// The positions of the columns that are read, rising.
    fn read_columns(&self) -> impl Iterator<Item = usize> {
        let mut columns: Vec<usize> = self.columns.iter().filter_map(position_in_file).collect();
        columns.sort_unstable();
        columns.into_iter()
    }

    /// Reads the rows, unless the file was replaced meanwhile.
    fn reader(&self, file: &RowFile, skip: usize) -> Result<OpenReader, String> {
        let opened = file.input.open_unchanged(&file.path).map_err(|error| error.to_string())?;
        let input = opened.try_clone().map_err(|error| error.to_string())?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.metadata.clone());
        let wanted = ProjectionMask::roots(builder.parquet_schema(), self.read_columns());
        let builder = builder.with_projection(wanted).with_batch_size(BATCH_ROWS).with_offset(skip);
        let rows = builder.build().map_err(|error| parquet_error(&error))?;
        Ok(OpenReader { rows, file: opened })
    }

    /// The rows of a batch as mappings, and how many numbers of them became null.
    fn items(&self, read: &RecordBatch, file: &RowFile) -> Result<(Items, u64), String> {
        let read_columns: Vec<usize> = self.read_columns().collect();
        let rows = read.num_rows();
        let column = |column: &Column| -> (Field, ArrayRef) {
            let name = column.name.as_str();
            match position_in_file(column).and_then(|at| read_columns.binary_search(&at).ok()) {
                Some(at) => (read.schema_ref().field(at).clone().with_name(name), Arc::clone(read.column(at))),
                None if matches!(column.from, From::File | From::Partition) => {
                    let value = match column.from {
                        From::File => Some(Cow::Borrowed(&*file.name)),
                        _ => partition_value(&file.name, name),
                    };
                    let values: StringArray = std::iter::repeat_n(value, rows).collect();
                    (Field::new(name, DataType::Utf8, true), Arc::new(values))
                }
                None => (Field::new(name, DataType::Null, true), new_null_array(&DataType::Null, rows)),
            }
        };
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = self.columns.iter().map(column).unzip();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options).map_err(|error| error.to_string())?;
        let lines = Rows::new(&batch, Zones::Utc).map_err(|error| error.to_string())?;
        let mut items = Items::default();
        let mut line = JsonLines::default();
        for row in 0..rows {
            line.text.clear();
            lines.write(row, &mut line);
            items.push(line.text.strip_suffix(b"\n").unwrap_or(&line.text));
        }
        Ok((items, line.nulls))
    }
}

fn position_in_file(column: &Column) -> Option<usize> {
    match column.from {
        From::Field(at) => Some(at),
        From::File | From::Partition | From::Nothing => None,
    }
}

fn read_footer(file: &RowFile) -> Result<ArrowReaderMetadata, ErrorText> {
    let opened = file.input.open_unchanged(&file.path).map_err(|error| error.to_string())?;
    let read = caught(|| ArrowReaderMetadata::load(&opened, ArrowReaderOptions::new()));
    read.map_err(|text| damaged(&text))?.map_err(|error| parquet_error(&error).into())
}

/// Why a file cannot be read whose numbers make no sense.
fn damaged(text: &str) -> String {
    format!("not a complete Parquet file: {text}")
}

/// Why a file cannot be read, as text for people.
fn parquet_error(error: &ParquetError) -> String {
    match error {
        ParquetError::General(text) | ParquetError::EOF(text) => format!("not a complete Parquet file: {text}"),
        ParquetError::NYI(text) => format!("not supported: {text}"),
        other => other.to_string(),
    }
}
