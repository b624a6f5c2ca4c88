//! Which columns of a table are dates and times: JSON has them as text.

use super::ipc::schema_of_ipc;
use arrow_schema::{ArrowError, DataType};

/// What the texts of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeColumn {
    /// Dates.
    Date,
    /// Points in time without a time zone.
    Local,
    /// Points in time with their offset from UTC.
    Zoned,
}

/// The columns of an IPC stream, with those that are dates and times.
///
/// # Errors
/// If the bytes are not an IPC stream.
pub fn time_columns(bytes: &[u8]) -> Result<Vec<(String, Option<TimeColumn>)>, ArrowError> {
    let column = |field: &std::sync::Arc<arrow_schema::Field>| {
        let time = match field.data_type() {
            DataType::Date32 => Some(TimeColumn::Date),
            DataType::Timestamp(_, None) => Some(TimeColumn::Local),
            DataType::Timestamp(_, Some(_)) => Some(TimeColumn::Zoned),
            _ => None,
        };
        (field.name().clone(), time)
    };
    Ok(schema_of_ipc(bytes)?.fields().iter().map(column).collect())
}
