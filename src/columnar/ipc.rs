//! Tables as Arrow IPC streams: how a worker hands over a data frame that user code returned, and how the ledger stores it.

use super::json::{JsonLines, Rows, Zones};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};

/// The batches of an IPC stream, one by one.
///
/// # Errors
/// If the bytes are not an IPC stream, or end too early.
pub fn read_ipc(bytes: &[u8]) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>>, ArrowError> {
    StreamReader::try_new(bytes, None)
}

/// The columns of an IPC stream.
///
/// # Errors
/// If the bytes are not an IPC stream.
pub fn schema_of_ipc(bytes: &[u8]) -> Result<SchemaRef, ArrowError> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}

/// The rows of an IPC stream as lines of JSON.
///
/// # Errors
/// If it cannot be read, or has columns that cannot be written as JSON.
pub fn json_of_ipc(bytes: &[u8]) -> Result<JsonLines, ArrowError> {
    let mut lines = JsonLines::default();
    for batch in read_ipc(bytes)? {
        lines.push(&batch?).map_err(|unwritable| ArrowError::JsonError(unwritable.to_string()))?;
    }
    Ok(lines)
}

/// Statistics of an IPC stream whose rows can be written as JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableStats {
    /// How many rows it has.
    pub rows: usize,
    /// How many of its numbers are NaN or infinite; none if that is unknown until they are written.
    pub non_finite: Option<u64>,
}

impl TableStats {
    /// Reads through a stream.
    ///
    /// # Errors
    /// If it cannot be read, or has columns that cannot be written as JSON.
    pub fn of(bytes: &[u8]) -> Result<Self, ArrowError> {
        let mut stats = Self { rows: 0, non_finite: Some(0) };
        for batch in read_ipc(bytes)? {
            let batch = batch?;
            Rows::new(&batch, Zones::Kept).map_err(|unwritable| ArrowError::JsonError(unwritable.to_string()))?;
            stats.rows += batch.num_rows();
            let more = batch.columns().iter().map(|column| non_finite(column.as_ref())).sum::<Option<u64>>();
            stats.non_finite = stats.non_finite.zip(more).map(|(before, more)| before + more);
        }
        Ok(stats)
    }
}

/// How many of a column's numbers are NaN or infinite.
fn non_finite(column: &dyn Array) -> Option<u64> {
    fn count<T: ArrowPrimitiveType>(column: &dyn Array, is_finite: impl Fn(T::Native) -> bool) -> u64 {
        let column = column.as_primitive::<T>();
        let is_counted = |(at, value): &(usize, &T::Native)| !is_finite(**value) && column.is_valid(*at);
        column.values().iter().enumerate().filter(is_counted).count() as u64
    }
    match column.data_type() {
        DataType::Float16 => Some(count::<Float16Type>(column, |value| value.is_finite())),
        DataType::Float32 => Some(count::<Float32Type>(column, f32::is_finite)),
        DataType::Float64 => Some(count::<Float64Type>(column, f64::is_finite)),
        // The numbers inside, if they are all finite. Otherwise it is unknown which of them are visible.
        DataType::List(_) => all_finite(&[column.as_list::<i32>().values()]),
        DataType::LargeList(_) => all_finite(&[column.as_list::<i64>().values()]),
        DataType::FixedSizeList(..) => all_finite(&[column.as_fixed_size_list().values()]),
        DataType::Struct(_) => all_finite(&column.as_struct().columns().iter().collect::<Vec<_>>()),
        // Dates may be out of the range that can be written.
        other if other.is_nested() || other.is_temporal() && !in_range(column) => None,
        _ => Some(0),
    }
}

fn all_finite(inner: &[&ArrayRef]) -> Option<u64> {
    inner.iter().all(|column| non_finite(column.as_ref()) == Some(0)).then_some(0)
}

/// Whether all dates and times are well within the years 1 to 9999, and so can be written.
fn in_range(column: &dyn Array) -> bool {
    fn within<T: ArrowPrimitiveType>(column: &dyn Array, from: i64, to: i64, parts: i64) -> bool
    where
        T::Native: Into<i64>,
    {
        let range = from * parts..=to * parts;
        column.as_primitive::<T>().values().iter().all(|value| range.contains(&(*value).into()))
    }
    fn of_day<T: ArrowPrimitiveType>(column: &dyn Array, parts: i64) -> bool
    where
        T::Native: Into<i64>,
    {
        let day = 0..86_400 * parts;
        column.as_primitive::<T>().values().iter().all(|value| day.contains(&(*value).into()))
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
        DataType::Time32(TimeUnit::Second) => of_day::<Time32SecondType>(column, 1),
        DataType::Time32(_) => of_day::<Time32MillisecondType>(column, 1000),
        DataType::Time64(TimeUnit::Microsecond) => of_day::<Time64MicrosecondType>(column, 1_000_000),
        DataType::Time64(_) => of_day::<Time64NanosecondType>(column, 1_000_000_000),
        // Nanoseconds in 64 bits do not go beyond.
        DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Duration(_) => true,
        _ => false,
    }
}
