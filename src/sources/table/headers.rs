//! The headers of all files, read when a source is opened.

use super::bad_file::no_file_readable;
use super::column_names::{ColumnNames, FileColumns, file_columns};
use super::forms::Forms;
use super::partitions::{fields, with_partitions};
use crate::model::{Column, Form, Nan};
use crate::rows::Cutter;
use crate::sources::error::{ErrorText, SourceError};
use crate::sources::files::{RowFile, read_error};
use crate::spec::{DialectFrom, RowFormat, RowsSpec, Types};
use std::io;
use std::sync::Arc;

/// What the headers of the files say.
pub(super) struct Headers {
    forms: Arc<[Form]>,
    /// The form of each file, or why it cannot be read.
    files: Vec<Result<usize, ErrorText>>,
    /// What is odd about the files.
    notice: Option<String>,
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
        let columns = named.into_iter().map(|named| named.map(names)).zip(files);
        let columns: Vec<FileColumns> = columns.map(|(columns, file)| with_partitions(spec, columns, file)).collect();
        forms.compare(&columns, files)?;
        let first = columns.iter().position(|columns| matches!(columns, Ok(Some(_))));
        if let (Types::Infer, Some(first)) = (&spec.types, first) {
            forms.infer_types(&files[first]);
        }
        let notice = found(spec, files).into_iter().chain(renamed).reduce(|one, other| format!("{one}; {other}"));
        let files = columns.into_iter().zip(files).map(|(columns, file)| match columns? {
            Some(columns) => {
                let layout = file.layout(spec).map_err(|error| ErrorText::from(read_error(&error)))?;
                forms.of(&columns, fields(spec, &columns, file), &layout.null)
            }
            // An empty file has no rows, and so needs no form.
            None => Ok(0),
        });
        let files = files.collect();
        Ok(Self { forms: forms.into_list().into(), files, notice })
    }

    /// Lines bring their own names: it is enough that one of the files can be opened.
    fn of_lines(spec: &RowsSpec, files: &[RowFile]) -> Result<Self, SourceError> {
        let form = if spec.values.nan == Nan::Drop { Form::LooseJson } else { Form::Json };
        let mut file_error = None;
        for file in files {
            match file.look(spec).and_then(|cutter| first_line(file, cutter)) {
                Ok(FirstLine::Part) => return Err(one_value(file)),
                Ok(line) => {
                    let notice = (line == FirstLine::OnlyList).then(|| one_list(file));
                    return Ok(Self { forms: Arc::new([form]), files: vec![Ok(0); files.len()], notice });
                }
                Err(error) => _ = file_error.get_or_insert((file, error)),
            }
        }
        match file_error {
            Some((file, error)) => Err(no_file_readable(file, &read_error(&error).into())),
            None => Ok(Self { forms: Arc::new([form]), files: Vec::new(), notice: None }),
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

    /// What is odd about the files, if something is.
    pub(super) fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }
}

/// What the first line of a JSON Lines file shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstLine {
    /// Nothing odd.
    Value,
    /// The only line is a list of mappings.
    OnlyList,
    /// It is the beginning of a value that goes on.
    Part,
}

fn first_line(file: &RowFile, mut cutter: Cutter) -> io::Result<FirstLine> {
    let first = cutter.cut(1)?;
    let Some(line) = first.items.iter().next().map(<[u8]>::trim_ascii) else { return Ok(FirstLine::Value) };
    if !line.starts_with(b"[") && !line.starts_with(b"{") {
        return Ok(FirstLine::Value);
    }
    // A line that is wrong, or cut short at the end of the file, is a bad row.
    match serde_json::from_slice::<serde_json::Value>(line) {
        Err(error) if error.is_eof() && !file.input.is_stream() && !cutter.cut(1)?.items.is_empty() => {
            Ok(FirstLine::Part)
        }
        Ok(serde_json::Value::Array(list)) if !list.is_empty() && list.iter().all(serde_json::Value::is_object) => {
            let is_only = !file.input.is_stream() && cutter.cut(1)?.items.is_empty();
            Ok(if is_only { FirstLine::OnlyList } else { FirstLine::Value })
        }
        _ => Ok(FirstLine::Value),
    }
}

/// The error for a file that is one JSON value over several lines.
fn one_value(file: &RowFile) -> SourceError {
    let message = format!("`{}` is one JSON value over several lines, not JSON Lines", file.name);
    SourceError::Invalid(ErrorText::from(message).with_help(ONE_PER_LINE))
}

/// The notice about a file that is one list.
fn one_list(file: &RowFile) -> String {
    format!("`{}` has one line, a list of mappings, so it is one item; {ONE_PER_LINE}", file.name)
}

const ONE_PER_LINE: &str = "`jq -c '.[]' FILE > FILE.jsonl` writes a line for each element";

/// Says how files are written whose dialect was found out: the first one, and how many differ from it.
fn found(spec: &RowsSpec, files: &[RowFile]) -> Option<String> {
    if spec.dialect_from == DialectFrom::Workflow {
        return None;
    }
    let mut found = files.iter().filter_map(|file| Some((file, file.layout(spec).ok()?.found?)));
    let (first, keys) = found.next()?;
    let shown = if keys.is_empty() { "a plain CSV file".to_owned() } else { format!("`{keys}`") };
    let others = match found.filter(|(_, other)| *other != keys).count() {
        0 => String::new(),
        1 => "; 1 other file differs".to_owned(),
        count => format!("; {count} other files differ"),
    };
    Some(format!("`{}` is read as {shown}{others}", first.name))
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
    let columns = columns.into_iter().zip(files).map(|(columns, file)| {
        let columns = columns?.unwrap_or_default();
        let form = forms.of(&columns, fields(spec, &columns, file), &[])?;
        Ok(forms.columns(form).to_vec())
    });
    Ok(columns.collect())
}
