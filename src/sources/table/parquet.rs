//! `{parquet:}`: each row of some files is an item, a mapping.
//!
//! Footers are read when the source is opened: they say how many rows there are, of which columns. Rows are read as the step
//! goes on, some hundred at a time, so memory grows neither with the files nor with their row groups. A file that cannot be
//! read, or not be read on, is one failed item, as with the other files of rows.

use super::{bad_file, header, know_by_content};
use crate::columnar::{JsonLines, Rows, Zones};
use crate::model::{Column, From, ItemKey, Items, Keys};
use crate::sources::files::RowFile;
use crate::sources::{Chunk, Source, SourceError};
use crate::spec::{OnBadRow, RowsSpec};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use std::fs::File;
use std::sync::Arc;

/// So many rows are decoded at a time.
const ROWS: usize = 1024;

/// Rows of Parquet files.
pub(super) struct Parquet {
    on_bad_row: OnBadRow,
    files: Vec<RowFile>,
    /// What is in each of them, or why it cannot be read.
    inside: Vec<Result<Inside, String>>,
    skip: u64,
    limit: u64,
    at: Place,
}

/// What a footer tells, and what is made of it.
struct Inside {
    metadata: ArrowReaderMetadata,
    rows: u64,
    columns: Vec<Column>,
}

/// Where reading stands.
#[derive(Default)]
struct Place {
    file: usize,
    reader: Option<ParquetRecordBatchReader>,
    /// Rows of the file so far.
    row: u64,
    /// Rows that were decoded, and how many of them were given out.
    decoded: (Items, usize),
    /// Why the file cannot be read on.
    broken: Option<String>,
    skipped: u64,
    given: u64,
}

impl Parquet {
    /// Looks into all files.
    pub(super) fn open(spec: &RowsSpec, files: Vec<RowFile>, skip: u64, limit: u64) -> Result<Self, SourceError> {
        let mut footers: Vec<Result<ArrowReaderMetadata, String>> = files.iter().map(footer).collect();
        let names = footers.iter().map(|footer| {
            let footer = footer.as_ref().map_err(String::clone)?;
            Ok(Some(footer.schema().fields().iter().map(|field| field.name().clone()).collect()))
        });
        let columns = header::columns(spec, names.collect(), &files)?;
        let inside = footers.drain(..).zip(columns).map(|(footer, columns)| {
            let (metadata, columns) = (footer?, columns?);
            let rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
            let inside = Inside { metadata, rows, columns };
            inside.check()?;
            Ok(inside)
        });
        let inside: Vec<Result<Inside, String>> = inside.collect();
        let file_error = inside.iter().zip(&files).find_map(|(inside, file)| Some((inside.as_ref().err()?, file)));
        if let (Some((file_error, file)), false) = (file_error, inside.iter().any(Result::is_ok)) {
            return Err(SourceError::Setting(format!("cannot read `{}`: {file_error}", file.name)));
        }
        Ok(Self { on_bad_row: spec.on_bad_row, files, inside, skip, limit, at: Place::default() })
    }

    fn next_file(&mut self) {
        self.at.file += 1;
        (self.at.reader, self.at.row, self.at.decoded) = (None, 0, (Items::default(), 0));
    }

    /// The next rows of the file; none at its end.
    fn rows(&mut self, most: usize) -> Result<Option<Chunk>, String> {
        let file = &self.files[self.at.file];
        let inside = self.inside[self.at.file].as_ref().map_err(String::clone)?;
        let at = &mut self.at;
        if let Some(file_error) = at.broken.take() {
            return Err(file_error);
        }
        if at.reader.is_none() {
            let passed = inside.rows.min(self.skip - at.skipped);
            (at.skipped, at.row) = (at.skipped + passed, passed);
            at.reader = Some(inside.reader(file, usize::try_from(passed).unwrap_or(usize::MAX))?);
        }
        let mut items = Items::default();
        while items.len() < most && !items.is_full() {
            let (decoded, given) = &mut at.decoded;
            if *given == decoded.len() {
                match at.reader.as_mut().and_then(Iterator::next) {
                    None => break,
                    Some(Ok(batch)) => (*decoded, *given) = (inside.items(&batch, file)?, 0),
                    // What was read before is given out first.
                    Some(Err(error)) => {
                        let row = at.row + items.len() as u64 + 1;
                        at.broken = Some(format!("it is damaged, and cannot be read from row {row} on: {error}"));
                        break;
                    }
                }
            }
            let to = decoded.len().min(*given + most - items.len());
            (*given..to).for_each(|position| items.push(decoded.get(position)));
            *given = to;
        }
        if items.is_empty() {
            return at.broken.take().map_or(Ok(None), Err);
        }
        let keys = Keys::Run(ItemKey::of_row(file.key, at.row), items.len());
        at.row += items.len() as u64;
        at.given += items.len() as u64;
        Ok(Some(Chunk { items, keys, form: 0, origin: None, bytes: 0, file_error: None, indexes: None }))
    }
}

impl Source for Parquet {
    fn total(&self) -> Option<u64> {
        let rows: u64 = self.inside.iter().flatten().map(|inside| inside.rows).sum();
        let bad = self.inside.iter().filter(|inside| inside.is_err()).count() as u64;
        Some((rows.saturating_sub(self.skip) + bad).min(self.limit))
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        while self.at.given < self.limit && self.at.file < self.files.len() {
            let most = usize::try_from(self.limit - self.at.given).unwrap_or(usize::MAX).min(most);
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

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.at = Place::default();
        Ok(())
    }

    fn compare_content(&mut self) {
        know_by_content(&mut self.files);
    }

    fn on_bad_row(&self) -> OnBadRow {
        self.on_bad_row
    }
}

impl Inside {
    /// Whether its rows can be written as JSON at all.
    fn check(&self) -> Result<(), String> {
        let fields = self.taken().map(|at| Arc::clone(&self.metadata.schema().fields()[at]));
        let empty = RecordBatch::new_empty(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
        match Rows::new(&empty, Zones::Utc) {
            Ok(_) => Ok(()),
            Err(unwritable) => Err(format!("{unwritable}; name the columns to keep with `columns`")),
        }
    }

    /// The places of the columns that are read, rising.
    fn taken(&self) -> impl Iterator<Item = usize> {
        let mut taken: Vec<usize> = self.columns.iter().filter_map(place).collect();
        taken.sort_unstable();
        taken.into_iter()
    }

    fn reader(&self, file: &RowFile, skip: usize) -> Result<ParquetRecordBatchReader, String> {
        let opened = File::open(&file.path).map_err(|error| error.to_string())?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, self.metadata.clone());
        let wanted = ProjectionMask::roots(builder.parquet_schema(), self.taken());
        let builder = builder.with_projection(wanted).with_batch_size(ROWS).with_offset(skip);
        builder.build().map_err(|error| describe(&error))
    }

    /// The rows of a batch as mappings.
    fn items(&self, read: &RecordBatch, file: &RowFile) -> Result<Items, String> {
        let taken: Vec<usize> = self.taken().collect();
        let rows = read.num_rows();
        let column = |column: &Column| -> (Field, ArrayRef) {
            let name = column.name.as_str();
            match place(column).and_then(|at| taken.binary_search(&at).ok()) {
                Some(at) => (read.schema_ref().field(at).clone().with_name(name), Arc::clone(read.column(at))),
                None if column.from == From::File => {
                    let paths = StringArray::from_iter_values(std::iter::repeat_n(&*file.name, rows));
                    (Field::new(name, DataType::Utf8, true), Arc::new(paths))
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
        Ok(items)
    }
}

fn place(column: &Column) -> Option<usize> {
    match column.from {
        From::Field(at) => Some(at),
        From::File | From::Nothing => None,
    }
}

fn footer(file: &RowFile) -> Result<ArrowReaderMetadata, String> {
    let opened = File::open(&file.path).map_err(|error| error.to_string())?;
    if opened.metadata().is_ok_and(|data| data.is_dir()) {
        return Err("it is a folder".to_owned());
    }
    ArrowReaderMetadata::load(&opened, ArrowReaderOptions::new()).map_err(|error| describe(&error))
}

/// Why a file cannot be read, for people.
fn describe(error: &ParquetError) -> String {
    match error {
        ParquetError::General(text) | ParquetError::EOF(text) => format!("it is no whole Parquet file: {text}"),
        ParquetError::NYI(text) => format!("not supported: {text}"),
        other => other.to_string(),
    }
}
