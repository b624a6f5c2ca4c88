//! Writes data frames as they are, without making records of them.

use super::error::{ExportError, WriteError};
use super::parquet::ParquetFile;
use super::size_limit::SizeLimit;
use super::staged::StagedOutput;
use super::target::{Target, Written};
use crate::model::OutputFormat;
use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::io;
use std::sync::Arc;

/// Writes Arrow record batches of this schema to their target, completely or not at all.
///
/// # Errors
/// If the batches cannot be read, if the target is not Parquet, or if it cannot be written.
pub fn write_frames(
    target: &Target,
    schema: &SchemaRef,
    frames: &mut dyn Iterator<Item = io::Result<RecordBatch>>,
) -> Result<Written, ExportError> {
    write_frames_by(target, schema, frames, SizeLimit::of(target)).map_err(|error| error.at(&target.path))
}

fn write_frames_by(
    target: &Target,
    schema: &SchemaRef,
    frames: &mut dyn Iterator<Item = io::Result<RecordBatch>>,
    limit: SizeLimit,
) -> Result<Written, WriteError> {
    if target.format != OutputFormat::Parquet {
        return Err(WriteError::Records("data frames can only be written as `parquet`".to_owned()));
    }
    let (schema, missing) = match &target.options.columns {
        Some(columns) => (&named(schema, columns), missing_of(schema, columns)),
        None => (schema, Vec::new()),
    };
    let mut staged = StagedOutput::begin(target)?;
    let mut file = ParquetFile::begin(staged.next_file()?, Arc::clone(schema))?;
    let (mut left, mut records) = (limit, 0);
    for frame in frames {
        let frame = select(frame.map_err(WriteError::Results)?, schema)?;
        if left.is_reached() {
            let next = ParquetFile::begin(staged.next_file()?, Arc::clone(schema))?;
            std::mem::replace(&mut file, next).finish()?;
            left = limit;
        }
        file.write(&frame)?;
        left.lower(frame.num_rows() as u64, frame.get_array_memory_size() as u64);
        records += frame.num_rows() as u64;
    }
    file.finish()?;
    staged.commit()?;
    Ok(Written { records, missing, ..Written::default() })
}

/// The columns that the user names. One that the frames do not have is of nulls.
fn named(schema: &SchemaRef, columns: &[String]) -> SchemaRef {
    let field = |name: &String| match schema.field_with_name(name) {
        Ok(field) => field.clone(),
        Err(_) => Field::new(name, DataType::Null, true),
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn missing_of(schema: &SchemaRef, columns: &[String]) -> Vec<String> {
    columns.iter().filter(|name| schema.index_of(name).is_err()).cloned().collect()
}

/// The columns of a schema, out of those of a frame.
fn select(frame: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, WriteError> {
    if frame.schema_ref() == schema {
        return Ok(frame);
    }
    let column = |field: &Arc<Field>| match frame.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), frame.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| WriteError::Records(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::target;
    use arrow_array::{ArrayRef, Int64Array};

    #[test]
    fn frames_are_written_to_parts_of_whole_frames() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target { parts: true, ..target(folder.path().join("out"), OutputFormat::Parquet) };
        let frame = |from: i64| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 3));
            RecordBatch::try_from_iter([("n", numbers)]).unwrap()
        };
        let schema = frame(0).schema();
        let mut frames = [0, 3, 6].into_iter().map(|from| Ok(frame(from)));
        let limit = SizeLimit { records: 5, bytes: u64::MAX };
        let written = write_frames_by(&target, &schema, &mut frames, limit).unwrap();
        assert_eq!(written.records, 9);
        assert_eq!(std::fs::read_dir(&target.path).unwrap().count(), 2);
        let mut broken = [Ok(frame(0)), Err(io::Error::other("gone"))].into_iter();
        let single = Target { path: folder.path().join("single"), parts: false, ..target };
        let error = write_frames(&single, &schema, &mut broken).unwrap_err().to_string();
        assert!(error.ends_with("the results cannot be read: gone") && !single.path.exists(), "{error}");
    }
}
