//! Numbers of rows.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// A row of `steps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepId(pub(super) i64);

/// A row of `fingerprints`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FingerprintId(pub(super) u32);

impl FromSql for FingerprintId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u32::column_result(value).map(Self)
    }
}

impl ToSql for FingerprintId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}
