//! Parquet: the types of all records first, then row groups of bounded size, compressed by Snappy.

use super::columns::Columns;
use super::error::{ExportError, Trouble};
use super::place::Place;
use super::record::{VALUE, lines};
use super::write::{Encoder, Limit, NONE, PART, Results, Target, Written};
use crate::model::OutputFormat;
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

/// Rows that are decoded together.
const BATCH_ROWS: usize = 16 * 1024;

/// Bytes of JSON that are decoded together.
const BATCH_BYTES: usize = 4 << 20;

/// Encoded bytes after which a row group is written out: bounds the memory, and what a reader has to read at a time.
const GROUP_BYTES: usize = 64 << 20;

/// Writes Arrow's record batches, all with rows of these types, to where they go, whole or not at all.
///
/// # Errors
/// Where they cannot be had, the target is no Parquet, or it cannot be written.
pub fn write_frames(
    target: &Target,
    schema: &SchemaRef,
    frames: &mut dyn Iterator<Item = io::Result<RecordBatch>>,
) -> Result<Written, ExportError> {
    let limit = if target.parts { PART } else { NONE };
    write_frames_by(target, schema, frames, limit).map_err(|trouble| trouble.at(&target.path))
}

fn write_frames_by(
    target: &Target,
    schema: &SchemaRef,
    frames: &mut dyn Iterator<Item = io::Result<RecordBatch>>,
    limit: Limit,
) -> Result<Written, Trouble> {
    if target.format != OutputFormat::Parquet {
        return Err(Trouble::Records("frames are written as `parquet` only".to_owned()));
    }
    let mut place = Place::begin(target)?;
    let mut file = ParquetFile::begin(place.next_file()?, Arc::clone(schema))?;
    let (mut left, mut records) = (limit, 0);
    for frame in frames {
        let frame = frame.map_err(Trouble::Results)?;
        if left.is_used_up() {
            let next = ParquetFile::begin(place.next_file()?, Arc::clone(schema))?;
            std::mem::replace(&mut file, next).finish()?;
            left = limit;
        }
        file.write(&frame)?;
        left.take(frame.num_rows() as u64, frame.get_array_memory_size() as u64);
        records += frame.num_rows() as u64;
    }
    file.finish()?;
    place.commit()?;
    Ok(Written { records })
}

/// The types of records.
pub(super) fn schema_of(results: &mut dyn Results) -> Result<SchemaRef, Trouble> {
    Ok(Arc::new(Columns::of(results)?.schema()?))
}

/// A Parquet file under way, which takes Arrow's record batches.
pub(super) struct ParquetFile(ArrowWriter<File>);

impl ParquetFile {
    /// Begins a file with rows of these types.
    pub(super) fn begin(file: File, schema: SchemaRef) -> Result<Self, Trouble> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("batchmill ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        Ok(Self(ArrowWriter::try_new(file, schema, Some(properties)).map_err(parquet_trouble)?))
    }

    /// Appends rows.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), Trouble> {
        self.0.write(rows).map_err(parquet_trouble)?;
        if self.0.in_progress_size() > GROUP_BYTES {
            self.0.flush().map_err(parquet_trouble)?;
        }
        Ok(())
    }

    /// Writes what is left, and the footer.
    pub(super) fn finish(self) -> Result<(), Trouble> {
        self.0.close().map(drop).map_err(parquet_trouble)
    }
}

/// Records on their way into a Parquet file.
pub(super) struct RecordRows {
    file: ParquetFile,
    decoder: Decoder,
    /// Bytes in the decoder.
    held: usize,
}

impl RecordRows {
    /// Begins a file with records of these types.
    pub(super) fn begin(file: File, schema: &SchemaRef) -> Result<Self, Trouble> {
        let decoder = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(BATCH_ROWS).build_decoder();
        let decoder = decoder.map_err(arrow_trouble)?;
        Ok(Self { file: ParquetFile::begin(file, Arc::clone(schema))?, decoder, held: 0 })
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            let taken = self.decoder.decode(bytes).map_err(arrow_trouble)?;
            bytes = &bytes[taken..];
            self.held += taken;
            if !bytes.is_empty() {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        self.held = 0;
        match self.decoder.flush().map_err(arrow_trouble)? {
            Some(rows) => self.file.write(&rows),
            None => Ok(()),
        }
    }

    /// Feeds lines that are all mappings, or all none.
    fn feed_alike(&mut self, alike: &[u8]) -> Result<(), Trouble> {
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

impl Encoder for RecordRows {
    fn write(&mut self, piece: &[u8]) -> Result<(), Trouble> {
        let (mut from, mut end) = (0, 0);
        for line in lines(piece) {
            let next = end + line.len() + 1;
            let differs = piece[from..].starts_with(b"{") != line.starts_with(b"{");
            if differs || next - from > BATCH_BYTES {
                self.feed_alike(&piece[from..end])?;
                from = end;
            }
            end = next;
            if self.held > BATCH_BYTES {
                self.flush()?;
            }
        }
        self.feed_alike(&piece[from..end])
    }

    fn finish(mut self: Box<Self>) -> Result<(), Trouble> {
        self.flush()?;
        self.file.finish()
    }
}

fn arrow_trouble(error: ArrowError) -> Trouble {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        other => Trouble::Records(other.to_string()),
    }
}

fn parquet_trouble(error: ParquetError) -> Trouble {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => (*error).into(),
            Err(other) => Trouble::Records(other.to_string()),
        },
        other => Trouble::Records(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array};

    #[test]
    fn frames_are_written_to_parts_of_whole_frames() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target { path: folder.path().join("out"), format: OutputFormat::Parquet, parts: true };
        let frame = |from: i64| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 3));
            RecordBatch::try_from_iter([("n", numbers)]).unwrap()
        };
        let schema = frame(0).schema();
        let mut frames = [0, 3, 6].into_iter().map(|from| Ok(frame(from)));
        let limit = Limit { records: 5, bytes: u64::MAX };
        let written = write_frames_by(&target, &schema, &mut frames, limit).unwrap();
        assert_eq!(written.records, 9);
        assert_eq!(std::fs::read_dir(&target.path).unwrap().count(), 2);
        let mut broken = [Ok(frame(0)), Err(io::Error::other("gone"))].into_iter();
        let single = Target { path: folder.path().join("single"), parts: false, ..target };
        let error = write_frames(&single, &schema, &mut broken).unwrap_err().to_string();
        assert!(error.ends_with("the results cannot be read: gone") && !single.path.exists(), "{error}");
    }
}
