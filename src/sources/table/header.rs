//! What columns the files have, and what becomes of them.

use crate::model::{Column, CsvForm, Form, From, Kind};
use crate::rows::{Fields, Inference, Split};
use crate::sources::DELIMITERS;
use crate::sources::SourceError;
use crate::sources::files::{Meter, RowFile, describe};
use crate::spec::{Header, OnSchemaDrift, RowFormat, RowsSpec, Types};
use std::collections::HashMap;
use std::sync::Arc;

/// So many rows of the first file tell the types of columns, or fewer where they have so many bytes.
const SAMPLE: usize = 10_000;
const SAMPLE_BYTES: usize = 32 << 20;

/// What was found when the files were looked at.
pub(super) struct Headers {
    forms: Arc<[Form]>,
    /// The form of each file, or why it cannot be read.
    files: Vec<Result<usize, String>>,
    in_file: bool,
}

impl Headers {
    /// Looks at all files.
    ///
    /// # Errors
    /// Where none of them can be read, where a column is in none, or where they differ and must not.
    pub(super) fn read(spec: &RowsSpec, files: &[RowFile]) -> Result<Self, SourceError> {
        if spec.format == RowFormat::JsonLines {
            return Self::of_lines(spec, files);
        }
        let mut forms = Forms::new(spec);
        let names: Vec<Result<Option<Vec<String>>, String>> = files.iter().map(|file| names(spec, file)).collect();
        forms.settle(&names, files)?;
        let first = names.iter().position(|names| matches!(names, Ok(Some(_))));
        if let (Types::Infer, Some(first)) = (&spec.types, first) {
            forms.infer(spec, &files[first]);
        }
        let files = names.into_iter().map(|names| match names? {
            Some(names) => forms.of(&names),
            // An empty file has no rows, and so needs no form.
            None => Ok(0),
        });
        let files = files.collect();
        Ok(Self { forms: forms.list.into(), files, in_file: spec.header == Header::First })
    }

    /// Lines bring their own names: it is enough that one of the files can be opened.
    fn of_lines(spec: &RowsSpec, files: &[RowFile]) -> Result<Self, SourceError> {
        let mut file_error = None;
        for file in files {
            match file.cutter(spec, &Meter::default()).and_then(|mut cutter| cutter.cut(1)) {
                Ok(_) => {
                    file_error = None;
                    break;
                }
                Err(error) => _ = file_error.get_or_insert((file, error)),
            }
        }
        match file_error {
            Some((file, error)) => Err(unreadable(file, &describe(&error))),
            None => Ok(Self { forms: Arc::new([Form::Json]), files: vec![Ok(0); files.len()], in_file: false }),
        }
    }

    pub(super) fn forms(&self) -> Arc<[Form]> {
        Arc::clone(&self.forms)
    }

    /// The form of a file's rows.
    pub(super) fn form(&self, file: usize) -> usize {
        *self.files[file].as_ref().unwrap_or(&0)
    }

    /// Why a file cannot be read.
    pub(super) fn file_error(&self, file: usize) -> Option<&str> {
        self.files[file].as_ref().err().map(String::as_str)
    }

    /// Whether the first record of a file is its header.
    pub(super) fn is_in_file(&self) -> bool {
        self.in_file
    }
}

/// What becomes of the columns of files that bring names and types along, or why a file cannot be read.
///
/// # Errors
/// Where none of them can be read, where a column is in none, or where they differ and must not.
pub(super) fn columns(
    spec: &RowsSpec,
    names: Vec<Result<Option<Vec<String>>, String>>,
    files: &[RowFile],
) -> Result<Vec<Result<Vec<Column>, String>>, SourceError> {
    let mut forms = Forms::new(spec);
    forms.settle(&names, files)?;
    let columns = names.into_iter().map(|names| {
        let form = forms.of(&names?.unwrap_or_default())?;
        Ok(if let Form::Csv(form) = &forms.list[form] { form.columns.clone() } else { Vec::new() })
    });
    Ok(columns.collect())
}

fn unreadable(file: &RowFile, file_error: &str) -> SourceError {
    SourceError::Setting(format!("cannot read `{}`: {file_error}", file.name))
}

/// The names of a file's columns; none where it is empty.
fn names(spec: &RowsSpec, file: &RowFile) -> Result<Option<Vec<String>>, String> {
    let mut cutter = file.cutter(spec, &Meter::default()).map_err(|error| describe(&error))?;
    let first = cutter.cut(1).map_err(|error| describe(&error))?;
    if first.items.is_empty() {
        return Ok(None);
    }
    let mut fields = Fields::new(&bare(spec));
    columns_of(&spec.header, fields.split(first.items.get(0))).map(Some)
}

/// The names of columns where this is the first record.
///
/// # Errors
/// Where the names do not fit.
pub(crate) fn columns_of(header: &Header, first: Split<'_>) -> Result<Vec<String>, String> {
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
            let mut seen = std::collections::HashSet::new();
            match names.iter().find(|name| !seen.insert(name.as_str())) {
                Some(twice) => {
                    Err(format!("its header has the column `{twice}` twice; name the columns with `header`"))
                }
                None => Ok(names),
            }
        }
    }
}

/// A form without columns.
fn bare(spec: &RowsSpec) -> CsvForm {
    CsvForm { delimiter: spec.delimiter, quote: spec.quote, fields: 0, columns: Vec::new(), null: spec.null.clone() }
}

/// The forms that files have, each once.
struct Forms<'a> {
    spec: &'a RowsSpec,
    /// The first is JSON: for what stands for a file that cannot be read.
    list: Vec<Form>,
    by_names: HashMap<Vec<String>, usize>,
    /// With `union`, all columns.
    all: Vec<String>,
    kinds: HashMap<String, Kind>,
}

impl<'a> Forms<'a> {
    fn new(spec: &'a RowsSpec) -> Self {
        let kinds = match &spec.types {
            Types::Named(named) => named.iter().cloned().collect(),
            _ => HashMap::new(),
        };
        Self { spec, list: vec![Form::Json], by_names: HashMap::new(), all: Vec::new(), kinds }
    }

    /// Compares the headers.
    fn settle(&mut self, names: &[Result<Option<Vec<String>>, String>], files: &[RowFile]) -> Result<(), SourceError> {
        let read = || names.iter().filter_map(|names| names.as_ref().ok()?.as_deref());
        let mut headers =
            names.iter().zip(files).filter_map(|(names, file)| Some((names.as_ref().ok()?.as_ref()?, file)));
        let Some((first, first_file)) = headers.next() else {
            return match names.iter().zip(files).find_map(|(names, file)| Some((names.as_ref().err()?, file))) {
                Some((file_error, file)) => Err(unreadable(file, file_error)),
                None => Ok(()),
            };
        };
        self.all.clone_from(first);
        for (names, file) in headers {
            if self.spec.on_schema_drift == OnSchemaDrift::Error && names != first {
                let difference = difference(first, names);
                let message = format!(
                    "`{}` has other columns than `{}`: {difference}; `on_schema_drift: union` or `group` reads both",
                    file.name, first_file.name
                );
                return Err(SourceError::Columns { message, delimiter: self.missed(read()) });
            }
            let more: Vec<String> = names.iter().filter(|name| !self.all.contains(name)).cloned().collect();
            self.all.extend(more);
        }
        if let Some(name) = self.spec.where_from.as_ref().filter(|name| self.all.contains(name)) {
            let message = format!("`where_from` is `{name}`, and the files have a column of that name");
            return Err(SourceError::Setting(message));
        }
        let known =
            |name: &str| self.all.iter().any(|column| column == name) || self.spec.where_from.as_deref() == Some(name);
        let wanted = self.spec.columns.iter().flatten().map(|text| ("columns", text.raw.as_str()));
        let typed = self.kinds.keys().map(|name| ("types", name.as_str()));
        match wanted.chain(typed).find(|(_, name)| !known(name)) {
            Some((key, name)) => {
                let has: Vec<String> = self.all.iter().map(|column| format!("`{column}`")).collect();
                let message = format!("`{key}` names `{name}`, and the columns are {}", has.join(", "));
                Err(SourceError::Columns { message, delimiter: self.missed(read()) })
            }
            None => Ok(()),
        }
    }

    /// What looks as if it were the delimiter: all files have one column then, with another usual delimiter in its name.
    fn missed<'n>(&self, headers: impl Iterator<Item = &'n [String]>) -> Option<char> {
        let headers: Vec<&[String]> = headers.collect();
        let mut other = DELIMITERS.into_iter().filter(|other| *other != self.spec.delimiter).map(char::from);
        other.find(|other| headers.iter().all(|names| names.len() == 1 && names[0].contains(*other)))
    }

    /// Infers the types of columns from the first rows of a file. A row that cannot be read says nothing.
    fn infer(&mut self, spec: &RowsSpec, file: &RowFile) {
        let Ok(Some(names)) = names(spec, file) else { return };
        let Ok(mut cutter) = file.cutter(spec, &Meter::default()) else { return };
        if spec.header == Header::First && cutter.cut(1).is_err() {
            return;
        }
        let form = bare(spec);
        let mut fields = Fields::new(&form);
        let mut texts = vec![Inference::default(); names.len()];
        let (mut rows, mut bytes) = (0, 0);
        while rows < SAMPLE && bytes < SAMPLE_BYTES {
            let Ok(cut) = cutter.cut(16) else { break };
            if cut.items.is_empty() {
                break;
            }
            for record in cut.items.iter() {
                let split = fields.split(record);
                if split.len() == names.len() {
                    texts.iter_mut().enumerate().for_each(|(at, texts)| texts.add(split.get(at), &spec.null));
                }
            }
            (rows, bytes) = (rows + cut.items.len(), bytes + cut.items.as_parts().0.len());
        }
        self.kinds.extend(names.into_iter().zip(texts.iter().map(Inference::kind)));
    }

    /// The form of a file with these columns.
    fn of(&mut self, names: &[String]) -> Result<usize, String> {
        if let Some(known) = self.by_names.get(names) {
            return Ok(*known);
        }
        let union = self.spec.on_schema_drift == OnSchemaDrift::Union;
        let kept: Vec<&str> = match &self.spec.columns {
            Some(columns) => columns.iter().map(|text| text.raw.as_str()).collect(),
            None if union => self.all.iter().map(String::as_str).collect(),
            None => names.iter().map(String::as_str).collect(),
        };
        let mut columns = Vec::with_capacity(kept.len() + 1);
        for name in kept {
            let from = match names.iter().position(|column| column == name) {
                Some(at) => From::Field(at),
                None if self.spec.where_from.as_deref() == Some(name) => From::File,
                None if union => From::Nothing,
                None => return Err(format!("it has no column `{name}`")),
            };
            let kind = self.kinds.get(name).copied().unwrap_or(Kind::Text);
            columns.push(Column { name: name.to_owned(), from, kind });
        }
        if let Some(name) = self.spec.where_from.as_ref().filter(|name| columns.iter().all(|it| it.name != **name)) {
            columns.push(Column { name: name.clone(), from: From::File, kind: Kind::Text });
        }
        self.list.push(Form::Csv(CsvForm { fields: names.len(), columns, ..bare(self.spec) }));
        self.by_names.insert(names.to_vec(), self.list.len() - 1);
        Ok(self.list.len() - 1)
    }
}

/// What one header has and the other has not.
fn difference(first: &[String], other: &[String]) -> String {
    let only = |left: &[String], right: &[String]| {
        let only: Vec<String> =
            left.iter().filter(|name| !right.contains(name)).map(|name| format!("`{name}`")).collect();
        only.join(", ")
    };
    match (only(first, other), only(other, first)) {
        (lacks, more) if lacks.is_empty() && more.is_empty() => "they stand in another order".to_owned(),
        (lacks, more) if more.is_empty() => format!("it lacks {lacks}"),
        (lacks, more) if lacks.is_empty() => format!("it has {more} too"),
        (lacks, more) => format!("it lacks {lacks} and has {more}"),
    }
}
