//! `partitions`: columns from the paths of files.

use super::column_names::FileColumns;
use crate::rows::partition_names;
use crate::sources::error::{ErrorText, SourceError};
use crate::sources::files::RowFile;
use crate::spec::RowsSpec;

/// Checks that there are parts of paths to make columns of.
///
/// # Errors
/// If there are none.
pub(super) fn check(spec: &RowsSpec, files: &[RowFile]) -> Result<(), SourceError> {
    match files.first() {
        Some(first) if spec.partitions && files.iter().all(|file| partition_names(&file.name).is_empty()) => {
            let message = format!("`partitions` is true, but no path has a part such as `year=2024`: `{}`", first.name);
            let help = "remove `partitions`, or name the files by a path that has such directories";
            Err(SourceError::Invalid(ErrorText::from(message).with_help(help)))
        }
        _ => Ok(()),
    }
}

/// The columns of a file with those of its path behind them.
pub(super) fn with_partitions(spec: &RowsSpec, columns: FileColumns, file: &RowFile) -> FileColumns {
    let Some(mut columns) = columns? else { return Ok(None) };
    if !spec.partitions {
        return Ok(Some(columns));
    }
    for name in partition_names(&file.name) {
        if columns.contains(&name) {
            let error = ErrorText::from(format!("column `{name}` is in the file and in its path"));
            return Err(error.with_help("remove `partitions`, or name the columns of the file with `header: [..]`"));
        }
        columns.push(name);
    }
    Ok(Some(columns))
}

/// How many of these columns are fields of the file's records.
pub(super) fn fields(spec: &RowsSpec, columns: &[String], file: &RowFile) -> usize {
    columns.len() - if spec.partitions { partition_names(&file.name).len() } else { 0 }
}
