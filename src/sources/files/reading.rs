//! How the records of a CSV file are read whose columns are named where the workflow says.

use crate::model::CsvDialect;
use crate::rows::{ColumnsFrom, CsvReading};
use crate::spec::Header;

/// How the records of such a file are read.
pub(crate) fn reading(dialect: &CsvDialect, header: &Header) -> CsvReading {
    let columns = match header {
        Header::First => ColumnsFrom::Header,
        Header::Missing => ColumnsFrom::FirstRow,
        Header::Named(names) => ColumnsFrom::Named(names.len()),
    };
    CsvReading { dialect: dialect.clone(), columns, alike: false }
}
