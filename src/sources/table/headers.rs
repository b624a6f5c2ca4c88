//! The headers of all files, read when a source is opened.

use super::bad_file::no_file_readable;
use super::column_names::{FileColumns, file_columns};
use super::forms::Forms;
use crate::model::{Column, Form};
use crate::sources::error::{ErrorText, SourceError};
use crate::sources::files::{RowFile, read_error};
use crate::spec::{Header, RowFormat, RowsSpec, Types};
use std::sync::Arc;

/// What the headers of the files say.
pub(super) struct Headers {
    forms: Arc<[Form]>,
    /// The form of each file, or why it cannot be read.
    files: Vec<Result<usize, ErrorText>>,
    in_file: bool,
}

impl Headers {
    /// Reads the headers of all files.
    ///
    /// # Errors
    /// If none of the files can be read, if a column is in none of them, or if they differ and must not.
    pub(super) fn read(spec: &RowsSpec, files: &[RowFile]) -> Result<Self, SourceError> {
        if spec.format == RowFormat::JsonLines {
            return Self::of_lines(spec, files);
        }
        let mut forms = Forms::new(spec);
        let columns: Vec<FileColumns> = files.iter().map(|file| file_columns(spec, file)).collect();
        forms.compare(&columns, files)?;
        let first = columns.iter().position(|columns| matches!(columns, Ok(Some(_))));
        if let (Types::Infer, Some(first)) = (&spec.types, first) {
            forms.infer_types(&files[first]);
        }
        let files = columns.into_iter().map(|columns| match columns? {
            Some(columns) => forms.of(&columns),
            // An empty file has no rows, and so needs no form.
            None => Ok(0),
        });
        let files = files.collect();
        Ok(Self { forms: forms.into_list().into(), files, in_file: spec.header == Header::First })
    }

    /// Lines bring their own names: it is enough that one of the files can be opened.
    fn of_lines(spec: &RowsSpec, files: &[RowFile]) -> Result<Self, SourceError> {
        let mut file_error = None;
        for file in files {
            match file.look(spec).and_then(|mut cutter| cutter.cut(1)) {
                Ok(_) => {
                    file_error = None;
                    break;
                }
                Err(error) => _ = file_error.get_or_insert((file, error)),
            }
        }
        match file_error {
            Some((file, error)) => Err(no_file_readable(file, &read_error(&error).into())),
            None => Ok(Self { forms: Arc::new([Form::Json]), files: vec![Ok(0); files.len()], in_file: false }),
        }
    }

    /// The forms of all files.
    pub(super) fn forms(&self) -> Arc<[Form]> {
        Arc::clone(&self.forms)
    }

    /// The form of a file's rows.
    pub(super) fn form(&self, file: usize) -> usize {
        *self.files[file].as_ref().unwrap_or(&0)
    }

    /// Why a file cannot be read.
    pub(super) fn file_error(&self, file: usize) -> Option<&ErrorText> {
        self.files[file].as_ref().err()
    }

    /// Whether the first record of each file is its header.
    pub(super) fn is_in_file(&self) -> bool {
        self.in_file
    }
}

/// The columns that each file gives, for files that bring names and types along; or why a file cannot be read.
///
/// # Errors
/// If none of the files can be read, if a column is in none of them, or if they differ and must not.
pub(super) fn columns_of_files(
    spec: &RowsSpec,
    columns: Vec<FileColumns>,
    files: &[RowFile],
) -> Result<Vec<Result<Vec<Column>, ErrorText>>, SourceError> {
    let mut forms = Forms::new(spec);
    forms.compare(&columns, files)?;
    let columns = columns.into_iter().map(|columns| {
        let form = forms.of(&columns?.unwrap_or_default())?;
        Ok(forms.columns(form).to_vec())
    });
    Ok(columns.collect())
}
