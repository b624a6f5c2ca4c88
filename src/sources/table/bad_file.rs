//! A file of rows that cannot be read, or only in part.

use crate::model::{Failure, FailureKind, ItemKey, Items, Keys};
use crate::sources::chunk::Chunk;
use crate::sources::error::{ErrorText, SourceError};
use crate::sources::files::RowFile;

/// The item that stands for a file that cannot be read, or only in part.
pub(super) fn bad_file(file: &RowFile, error: &ErrorText) -> Chunk {
    let mut items = Items::default();
    items.push(serde_json::json!({ "file": file.name }).to_string().as_bytes());
    let failure = Failure::new(FailureKind::BadRow, "BadFile", format!("{}: {}", file.name, error.one_line()));
    let keys = Keys::List(vec![ItemKey::of(format!("{} cannot be read", file.name).as_bytes())]);
    Chunk { items, keys, indexes: None, form: 0, origin: None, bytes: 0, file_error: Some(Box::new(failure)) }
}

/// The error if none of the files can be read.
pub(super) fn no_file_readable(file: &RowFile, error: &ErrorText) -> SourceError {
    SourceError::Invalid(error.clone().in_file(&file.name))
}
