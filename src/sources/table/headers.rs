//! The headers of all files, read when a source is opened.

use super::bad_file::no_file_readable;
use super::column_names::{ColumnNames, FileColumns, file_columns};
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
    renamed: Option<String>,
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
        let named: Vec<_> = files.iter().map(|file| file_columns(spec, file)).collect();
        let renamed = renamed(&named, files);
        let names = |named: Option<ColumnNames>| named.map(|named| named.names);
        let columns: Vec<FileColumns> = named.into_iter().map(|named| named.map(names)).collect();
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
        Ok(Self { forms: forms.into_list().into(), files, in_file: spec.header == Header::First, renamed })
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
            None => Ok(Self {
                forms: Arc::new([Form::Json]),
                files: vec![Ok(0); files.len()],
                in_file: false,
                renamed: None,
            }),
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

    /// Which columns got names that their file does not give.
    pub(super) fn renamed(&self) -> Option<&str> {
        self.renamed.as_deref()
    }

    /// Whether the first record of each file is its header.
    pub(super) fn is_in_file(&self) -> bool {
        self.in_file
    }
}

/// Says which columns of the first file with such columns got other names, and how many more files have some.
fn renamed(named: &[Result<Option<ColumnNames>, ErrorText>], files: &[RowFile]) -> Option<String> {
    const MOST: usize = 3;
    let mut with = named.iter().zip(files).filter_map(|(named, file)| {
        let named = named.as_ref().ok()?.as_ref()?;
        (!named.renamed.is_empty()).then_some((named, file))
    });
    let (first, file) = with.next()?;
    let name = |at: &usize| format!("column {} is `{}`", at + 1, first.names[*at]);
    let mut names = first.renamed.iter().take(MOST).map(name).collect::<Vec<_>>().join(", ");
    if first.renamed.len() > MOST {
        names += &format!(", and {} more", first.renamed.len() - MOST);
    }
    let others = match with.count() {
        0 => String::new(),
        1 => "; 1 other file has such names too".to_owned(),
        count => format!("; {count} other files have such names too"),
    };
    Some(format!("`{}` has empty or repeated column names: {names}{others}", file.name))
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
