//! The names of the columns of one file.

use crate::model::CsvForm;
use crate::rows::{Fields, Split};
use crate::sources::error::ErrorText;
use crate::sources::files::{RowFile, read_error};
use crate::spec::{Header, RowsSpec};
use std::collections::HashMap;

/// The column names of a file, none if the file is empty; or why it cannot be read.
pub(super) type FileColumns = Result<Option<Vec<String>>, ErrorText>;

/// Reads the column names of a file.
pub(super) fn file_columns(spec: &RowsSpec, file: &RowFile) -> FileColumns {
    let mut cutter = file.look(spec).map_err(|error| read_error(&error))?;
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
pub(crate) fn column_names(header: &Header, first: Split<'_>) -> Result<Vec<String>, ErrorText> {
    match header {
        Header::Named(names) if names.len() == first.len() => Ok(names.clone()),
        Header::Named(names) => {
            Err(format!("the first row has {} fields, but `header` names {} columns", first.len(), names.len()).into())
        }
        Header::Missing => Ok((1..=first.len()).map(|number| format!("column_{number}")).collect()),
        Header::First => {
            let names = (0..first.len()).map(|at| String::from_utf8(first.get(at).to_vec()));
            let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| {
                ErrorText::from("the header has bytes that are invalid in the file's encoding")
                    .with_help("set `encoding`")
            })?;
            check_unique(&names)?;
            Ok(names)
        }
    }
}

/// Checks that no column name of a header is a duplicate.
pub(crate) fn check_unique(names: &[String]) -> Result<(), ErrorText> {
    let mut seen = HashMap::new();
    for (number, name) in (1..).zip(names) {
        if let Some(first) = seen.insert(name, number) {
            let message = format!("duplicate column `{name}` in the header (columns {first} and {number})");
            return Err(ErrorText::from(message).with_help("name the columns with `header: [..]`"));
        }
    }
    Ok(())
}

/// How records are split, without their columns.
pub(super) fn form_without_columns(spec: &RowsSpec) -> CsvForm {
    CsvForm { delimiter: spec.delimiter, quote: spec.quote, fields: 0, columns: Vec::new(), null: spec.null.clone() }
}
