//! Fits records to the width of their table.

use super::record::Record;
use crate::model::{CsvDialect, Ragged};

/// The column for the fields that a table has no column for.
pub const REST: &str = "_rest";

/// Drops the empty field after a delimiter at the end.
pub(super) fn drop_trailing(dialect: &CsvDialect, record: &mut Record) {
    if dialect.trailing_delimiter && record.len() > 1 && !record.quoted && record.get(record.len() - 1).is_empty() {
        record.truncate(record.len() - 1);
    }
}

/// Fits a record to the width of the table.
pub(super) fn fit(dialect: &CsvDialect, width: usize, record: &mut Record) {
    if dialect.ragged == Ragged::Fail {
        return;
    }
    while record.len() < width {
        record.push(b"");
    }
    match dialect.ragged {
        Ragged::Truncate => record.truncate(width),
        Ragged::Fill => {
            let mut rest = Record::default();
            (width..record.len()).for_each(|at| rest.push(record.get(at)));
            record.truncate(width);
            let mut line = Vec::new();
            if rest.len() > 0 {
                rest.write(&mut line, 0);
                line.pop();
            }
            record.push(&line);
        }
        Ragged::Fail | Ragged::Pad => {}
    }
}

/// Joins the records of a header, field by field.
pub(super) fn join(records: &[Record], joined: &mut Record) {
    joined.clear();
    let width = records.iter().map(Record::len).max().unwrap_or(0);
    for at in 0..width {
        let parts = records.iter().filter(|record| at < record.len()).map(|record| record.get(at).trim_ascii());
        let parts: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
        joined.push(&parts.join(&b' '));
    }
}
