//! The names of the columns of one file.

use crate::model::CsvForm;
use crate::rows::{Fields, Split};
use crate::sources::files::{Meter, RowFile, read_error};
use crate::spec::{Header, RowsSpec};
use std::collections::HashSet;

/// The column names of a file, none if the file is empty; or why it cannot be read.
pub(super) type FileColumns = Result<Option<Vec<String>>, String>;

/// Reads the column names of a file.
pub(super) fn file_columns(spec: &RowsSpec, file: &RowFile) -> FileColumns {
    let mut cutter = file.cutter(spec, &Meter::default()).map_err(|error| read_error(&error))?;
    let first = cutter.cut(1).map_err(|error| read_error(&error))?;
    if first.items.is_empty() {
        return Ok(None);
    }
    let mut fields = Fields::new(&form_without_columns(spec));
    column_names(&spec.header, fields.split(first.items.get(0))).map(Some)
}

/// The column names of a file with this first record.
///
/// # Errors
/// If the names do not fit the record, or are not unique.
pub(crate) fn column_names(header: &Header, first: Split<'_>) -> Result<Vec<String>, String> {
    match header {
        Header::Named(names) if names.len() == first.len() => Ok(names.clone()),
        Header::Named(names) => {
            Err(format!("its rows have {} fields, and `header` names {}", first.len(), names.len()))
        }
        Header::Missing => Ok((1..=first.len()).map(|number| format!("column_{number}")).collect()),
        Header::First => {
            let names = (0..first.len()).map(|at| String::from_utf8(first.get(at).to_vec()));
            let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| {
                "its header has bytes that its encoding does not know; give the file's `encoding`".to_owned()
            })?;
            let mut seen = HashSet::new();
            match names.iter().find(|name| !seen.insert(name.as_str())) {
                Some(twice) => {
                    Err(format!("its header has the column `{twice}` twice; name the columns with `header`"))
                }
                None => Ok(names),
            }
        }
    }
}

/// How records are split, without their columns.
pub(super) fn form_without_columns(spec: &RowsSpec) -> CsvForm {
    CsvForm { delimiter: spec.delimiter, quote: spec.quote, fields: 0, columns: Vec::new(), null: spec.null.clone() }
}
