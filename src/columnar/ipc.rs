//! Tables as Arrow IPC streams: how a worker hands over a data frame that it got, and how the ledger keeps it.

use super::json::{JsonLines, Rows, Zones};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};

/// The batches of an IPC stream, one by one.
///
/// # Errors
/// Where the bytes are none, or end too early.
pub fn read_ipc(bytes: &[u8]) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>>, ArrowError> {
    StreamReader::try_new(bytes, None)
}

/// What columns an IPC stream has.
///
/// # Errors
/// Where the bytes are none.
pub fn schema_of_ipc(bytes: &[u8]) -> Result<SchemaRef, ArrowError> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}

/// The rows of an IPC stream as lines of JSON.
///
/// # Errors
/// Where it cannot be read, or has columns without a form in JSON.
pub fn json_of_ipc(bytes: &[u8]) -> Result<JsonLines, ArrowError> {
    let mut lines = JsonLines::default();
    for batch in read_ipc(bytes)? {
        lines.push(&batch?).map_err(|unwritable| ArrowError::JsonError(unwritable.to_string()))?;
    }
    Ok(lines)
}

/// What there is to know of an IPC stream whose rows have a form in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Table {
    /// How many rows it has.
    pub rows: usize,
    /// How many of its numbers are NaN or infinite; none where that cannot be told without writing them all.
    pub lost: Option<u64>,
}

impl Table {
    /// Looks through a stream.
    ///
    /// # Errors
    /// Where it cannot be read, or has columns without a form in JSON.
    pub fn look(bytes: &[u8]) -> Result<Self, ArrowError> {
        let mut table = Self { rows: 0, lost: Some(0) };
        for batch in read_ipc(bytes)? {
            let batch = batch?;
            Rows::new(&batch, Zones::Kept).map_err(|unwritable| ArrowError::JsonError(unwritable.to_string()))?;
            table.rows += batch.num_rows();
            let lost = batch.columns().iter().map(|column| lost(column.as_ref())).sum::<Option<u64>>();
            table.lost = table.lost.zip(lost).map(|(before, more)| before + more);
        }
        Ok(table)
    }
}

/// How many of a column's numbers are NaN or infinite.
fn lost(column: &dyn Array) -> Option<u64> {
    fn count<T: ArrowPrimitiveType>(column: &dyn Array, is_finite: impl Fn(T::Native) -> bool) -> u64 {
        let column = column.as_primitive::<T>();
        let lost = |(at, value): (usize, &T::Native)| !is_finite(*value) && column.is_valid(at);
        column.values().iter().enumerate().filter(|place| lost(*place)).count() as u64
    }
    match column.data_type() {
        DataType::Float16 => Some(count::<Float16Type>(column, |value| value.is_finite())),
        DataType::Float32 => Some(count::<Float32Type>(column, f32::is_finite)),
        DataType::Float64 => Some(count::<Float64Type>(column, f64::is_finite)),
        // Numbers may be inside; dates may lie beyond what can be written.
        other if other.is_nested() || other.is_temporal() && !in_range(column) => None,
        _ => Some(0),
    }
}

/// Whether all dates and times are well inside the years 1 to 9999, and so can be written.
fn in_range(column: &dyn Array) -> bool {
    fn within<T: ArrowPrimitiveType>(column: &dyn Array, from: i64, to: i64, parts: i64) -> bool
    where
        T::Native: Into<i64>,
    {
        let range = from * parts..=to * parts;
        column.as_primitive::<T>().values().iter().all(|value| range.contains(&(*value).into()))
    }
    const DAYS: (i64, i64) = (-719_161, 2_932_895);
    const SECONDS: (i64, i64) = (DAYS.0 * 86_400, DAYS.1 * 86_400);
    match column.data_type() {
        DataType::Date32 => within::<Date32Type>(column, DAYS.0, DAYS.1, 1),
        DataType::Date64 => within::<Date64Type>(column, SECONDS.0, SECONDS.1, 1000),
        DataType::Timestamp(TimeUnit::Second, _) => within::<TimestampSecondType>(column, SECONDS.0, SECONDS.1, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            within::<TimestampMillisecondType>(column, SECONDS.0, SECONDS.1, 1000)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            within::<TimestampMicrosecondType>(column, SECONDS.0, SECONDS.1, 1_000_000)
        }
        // Nanoseconds in 64 bits do not reach as far.
        DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Duration(_) => true,
        _ => false,
    }
}
