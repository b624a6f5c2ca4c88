//! Parquet: row groups of bounded size, compressed with Snappy.

use super::as_text::push_record;
use super::columns::Columns;
use super::encoder::Encoder;
use super::error::WriteError;
use super::record::{VALUE, lines};
use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_json::reader::Decoder;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// How many rows are decoded together: at most so many, and fewer if they have many columns, because the decoder reserves
/// 32 bytes for each cell.
const BATCH_ROWS: usize = 16 * 1024;

/// How many cells are decoded together, apart from the last row.
const BATCH_CELLS: usize = 1 << 16;

/// How many columns a file has at most whose columns have dictionaries: the writer reserves 74 KB for each.
const MOST_DICTIONARIES: usize = 256;

/// How many bytes of JSON are decoded together.
const BATCH_BYTES: usize = 4 << 20;

/// How many encoded bytes a row group has: bounds the memory, and how much a reader has to read at a time.
const GROUP_BYTES: usize = 64 << 20;

/// Writes a Parquet file from Arrow record batches.
pub(super) struct ParquetFile(ArrowWriter<File>);

impl ParquetFile {
    /// Begins a file of rows with this schema.
    pub(super) fn begin(file: File, schema: SchemaRef) -> Result<Self, WriteError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(schema.flattened_fields().len() <= MOST_DICTIONARIES)
            .set_created_by(concat!("batchmill ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        Ok(Self(ArrowWriter::try_new(file, schema, Some(properties)).map_err(parquet_error)?))
    }

    /// Appends rows.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), WriteError> {
        self.0.write(rows).map_err(parquet_error)?;
        if self.0.in_progress_size() > GROUP_BYTES {
            self.0.flush().map_err(parquet_error)?;
        }
        Ok(())
    }

    /// Writes what is left, and the footer.
    pub(super) fn finish(self) -> Result<(), WriteError> {
        self.0.close().map(drop).map_err(parquet_error)
    }
}

/// Writes a Parquet file from lines of JSON.
pub(super) struct ParquetEncoder<'a> {
    file: ParquetFile,
    /// The columns, if values have to be made text.
    mixed: Option<&'a Columns>,
    decoder: Decoder,
    /// Bytes in the decoder.
    buffered: usize,
}

impl<'a> ParquetEncoder<'a> {
    /// Begins a file of records with these columns, which have this schema.
    pub(super) fn begin(file: File, schema: &SchemaRef, columns: &'a Columns) -> Result<Self, WriteError> {
        let rows = (BATCH_CELLS / schema.flattened_fields().len().max(1)).clamp(1, BATCH_ROWS);
        let decoder = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(rows).build_decoder();
        let decoder = decoder.map_err(arrow_error)?;
        let file = ParquetFile::begin(file, Arc::clone(schema))?;
        Ok(Self { file, mixed: Some(columns).filter(|columns| columns.has_mixed()), decoder, buffered: 0 })
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let decoded = self.decoder.decode(bytes).map_err(arrow_error)?;
            bytes = &bytes[decoded..];
            self.buffered += decoded;
            if !bytes.is_empty() {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.buffered = 0;
        match self.decoder.flush().map_err(arrow_error)? {
            Some(rows) => self.file.write(&rows),
            None => Ok(()),
        }
    }

    fn write_as_text(&mut self, piece: &[u8], columns: &Columns) -> Result<(), WriteError> {
        let mut record = Vec::new();
        for line in lines(piece) {
            record.clear();
            push_record(line, columns, &mut record)?;
            self.feed(&record)?;
            if self.buffered > BATCH_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Feeds lines of which either all are mappings or none is.
    fn feed_alike(&mut self, alike: &[u8]) -> Result<(), WriteError> {
        if alike.starts_with(b"{") {
            return self.feed(alike);
        }
        let column = format!("{{\"{VALUE}\":");
        for line in lines(alike) {
            [column.as_bytes(), line, b"}"].into_iter().try_for_each(|part| self.feed(part))?;
        }
        Ok(())
    }
}

impl Encoder for ParquetEncoder<'_> {
    fn write(&mut self, piece: &[u8]) -> Result<(), WriteError> {
        if let Some(columns) = self.mixed {
            return self.write_as_text(piece, columns);
        }
        let (mut from, mut end) = (0, 0);
        for line in lines(piece) {
            let next = end + line.len() + 1;
            let differs = piece[from..].starts_with(b"{") != line.starts_with(b"{");
            if differs || next - from > BATCH_BYTES {
                self.feed_alike(&piece[from..end])?;
                from = end;
            }
            end = next;
            if self.buffered > BATCH_BYTES {
                self.flush()?;
            }
        }
        self.feed_alike(&piece[from..end])
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.flush()?;
        self.file.finish()
    }
}

fn arrow_error(error: ArrowError) -> WriteError {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        other => WriteError::Records(other.to_string()),
    }
}

fn parquet_error(error: ParquetError) -> WriteError {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => (*error).into(),
            Err(other) => WriteError::Records(other.to_string()),
        },
        other => WriteError::Records(other.to_string()),
    }
}
