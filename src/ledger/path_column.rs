//! Paths in the database: text where they are UTF-8, else their bytes.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A path, as a column holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathColumn(pub(super) PathBuf);

impl ToSql for PathColumn {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bytes = self.0.as_os_str().as_bytes();
        let value = self.0.to_str().map_or(ValueRef::Blob(bytes), |text| ValueRef::Text(text.as_bytes()));
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl FromSql for PathColumn {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Self(PathBuf::from(OsStr::from_bytes(bytes)))),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
