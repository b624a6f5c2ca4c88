//! The forms of the files' rows: which columns each file gives, and of which types.

use super::bad_file::no_file_readable;
use super::column_names::{ColumnNames, FileColumns, file_columns, form_without_columns};
use crate::model::{Column, CsvForm, Delimiter, Form, From, Kind};
use crate::rows::{Fields, Inference};
use crate::sources::error::{ErrorText, SourceError};
use crate::sources::files::{COMMON_DELIMITERS, RowFile};
use crate::spec::{Header, OnSchemaDrift, RowsSpec, Types};
use indexmap::IndexSet;
use std::collections::{HashMap, HashSet};

/// Types are inferred from this many rows of the first file, or fewer if they come to this many bytes.
const SAMPLE_ROWS: usize = 10_000;
const SAMPLE_BYTES: usize = 32 << 20;

/// The forms that files have, each once.
pub(super) struct Forms<'a> {
    spec: &'a RowsSpec,
    /// The first is JSON, for the item that stands for a file that cannot be read.
    list: Vec<Form>,
    /// By the names of the columns, and the texts that mean null.
    by_names: HashMap<(Vec<String>, usize, Vec<String>), usize>,
    /// All columns, in the order in which they first appear.
    all: IndexSet<String>,
    types: HashMap<String, Kind>,
}

impl<'a> Forms<'a> {
    /// No forms yet.
    pub(super) fn new(spec: &'a RowsSpec) -> Self {
        let dates = spec.dates.iter().map(|(name, format)| (name.clone(), format.kind));
        let types: HashMap<String, Kind> = match &spec.types {
            Types::Named(named) => named.iter().cloned().chain(dates).collect(),
            _ => dates.collect(),
        };
        Self { spec, list: vec![Form::Json], by_names: HashMap::new(), all: IndexSet::new(), types }
    }

    /// Compares the headers of all files with each other and with the settings.
    ///
    /// # Errors
    /// If none of the files can be read, if a column is in none of them, or if they differ and must not.
    pub(super) fn compare(&mut self, columns: &[FileColumns], files: &[RowFile]) -> Result<(), SourceError> {
        let mut headers =
            columns.iter().zip(files).filter_map(|(columns, file)| Some((columns.as_ref().ok()?.as_ref()?, file)));
        let Some((first, first_file)) = headers.next() else {
            return match columns.iter().zip(files).find_map(|(columns, file)| Some((columns.as_ref().err()?, file))) {
                Some((file_error, file)) => Err(no_file_readable(file, file_error)),
                None => Ok(()),
            };
        };
        self.all.extend(first.iter().cloned());
        for (names, file) in headers {
            if names == first {
                continue;
            }
            if self.spec.on_schema_drift == OnSchemaDrift::Error {
                let difference = difference(first, names);
                let message =
                    format!("the columns of `{}` differ from those of `{}`: {difference}", file.name, first_file.name);
                let help = self.delimiter_help(columns);
                let help = help.unwrap_or_else(|| "`on_schema_drift: union` or `group` reads both".to_owned());
                return Err(SourceError::Invalid(ErrorText::from(message).with_help(help)));
            }
            self.all.extend(names.iter().cloned());
        }
        self.check_settings(columns)
    }

    /// Checks that the settings name columns that there are.
    fn check_settings(&self, columns: &[FileColumns]) -> Result<(), SourceError> {
        if let Some(name) = self.spec.where_from.as_ref().filter(|name| self.all.contains(*name)) {
            let message = format!("`where_from` is `{name}`, but the files already have a column of that name");
            return Err(SourceError::invalid(message));
        }
        let known = |name: &str| self.all.contains(name) || self.spec.where_from.as_deref() == Some(name);
        let wanted = self.spec.columns.iter().flatten().map(|text| ("columns", text.raw.as_str()));
        let typed = match &self.spec.types {
            Types::Named(named) => named.as_slice(),
            _ => &[],
        };
        let typed = typed.iter().map(|(name, _)| ("types", name.as_str()));
        let dates = self.spec.dates.iter().map(|(name, _)| ("dates", name.as_str()));
        match wanted.chain(typed).chain(dates).find(|(_, name)| !known(name)) {
            Some((key, name)) => {
                let has: Vec<String> = self.all.iter().map(|column| format!("`{column}`")).collect();
                let error = ErrorText::from(format!("`{key}` lists `{name}`, but the columns are {}", has.join(", ")));
                let help = self.delimiter_help(columns);
                Err(SourceError::Invalid(help.into_iter().fold(error, ErrorText::with_help)))
            }
            None => Ok(()),
        }
    }

    /// What to do if the files seem to use another delimiter: all of them have one column, with a common delimiter in its name.
    fn delimiter_help(&self, columns: &[FileColumns]) -> Option<String> {
        let headers: Vec<&[String]> = columns.iter().filter_map(|columns| columns.as_ref().ok()?.as_deref()).collect();
        let mut other = COMMON_DELIMITERS
            .into_iter()
            .filter(|other| self.spec.dialect.delimiter != Delimiter::Byte(*other))
            .map(char::from);
        let found = other.find(|other| headers.iter().all(|names| names.len() == 1 && names[0].contains(*other)))?;
        let written = if found == '\t' { "tab".to_owned() } else { format!("'{found}'") };
        Some(format!("all files have only one column; you may need `delimiter: {written}`"))
    }

    /// Infers the types of columns from the first rows of a file. Rows that cannot be read do not count.
    pub(super) fn infer_types(&mut self, file: &RowFile) {
        let spec = self.spec;
        let Ok(Some(ColumnNames { names, .. })) = file_columns(spec, file) else { return };
        let Ok(mut cutter) = file.look(spec) else { return };
        let Ok(layout) = file.layout(spec) else { return };
        if layout.header == Header::First && cutter.cut(1).is_err() {
            return;
        }
        let form = CsvForm { null: layout.null, ..form_without_columns(spec) };
        let mut fields = Fields::new(&form);
        let mut texts = vec![Inference::default(); names.len()];
        let (mut rows, mut bytes) = (0, 0);
        while rows < SAMPLE_ROWS && bytes < SAMPLE_BYTES {
            let Ok(cut) = cutter.cut(16) else { break };
            if cut.items.is_empty() {
                break;
            }
            for record in cut.items.iter() {
                let split = fields.split(record);
                if split.len() == names.len() {
                    texts.iter_mut().enumerate().for_each(|(at, texts)| texts.add_of(split.get(at), &form));
                }
            }
            (rows, bytes) = (rows + cut.items.len(), bytes + cut.items.as_parts().0.len());
        }
        for (name, texts) in names.into_iter().zip(texts) {
            // Dates of a format of their own look like text.
            self.types.entry(name).or_insert(texts.kind());
        }
    }

    /// The form of a file with these columns, the first of which are fields of its records, where these texts mean null.
    ///
    /// # Errors
    /// If the file lacks a column that it must have.
    pub(super) fn of(&mut self, names: &[String], fields: usize, null: &[String]) -> Result<usize, ErrorText> {
        let key = (names.to_vec(), fields, null.to_vec());
        if let Some(known) = self.by_names.get(&key) {
            return Ok(*known);
        }
        let union = self.spec.on_schema_drift == OnSchemaDrift::Union;
        let kept: Vec<&str> = match &self.spec.columns {
            Some(columns) => columns.iter().map(|text| text.raw.as_str()).collect(),
            None if union => self.all.iter().map(String::as_str).collect(),
            None => names.iter().map(String::as_str).collect(),
        };
        let positions: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut columns = Vec::with_capacity(kept.len() + 1);
        for name in kept {
            let from = match positions.get(name) {
                Some(at) if *at < fields => From::Field(*at),
                Some(_) => From::Partition,
                None if self.spec.where_from.as_deref() == Some(name) => From::File,
                None if union => From::Nothing,
                None => return Err(format!("it has no column `{name}`").into()),
            };
            let format = self.spec.dates.iter().find(|(column, _)| column == name);
            let format = format.map(|(_, format)| format.format.clone());
            let kind = self.types.get(name).copied().unwrap_or(Kind::Text);
            columns.push(Column { name: name.to_owned(), from, kind, format });
        }
        if let Some(name) = self.spec.where_from.as_ref().filter(|name| columns.iter().all(|it| it.name != **name)) {
            columns.push(Column { name: name.clone(), from: From::File, kind: Kind::Text, format: None });
        }
        let form = form_without_columns(self.spec);
        self.list.push(Form::Csv(CsvForm { fields, columns, null: null.to_vec(), ..form }));
        self.by_names.insert(key, self.list.len() - 1);
        Ok(self.list.len() - 1)
    }

    /// The columns of a form.
    pub(super) fn columns(&self, form: usize) -> &[Column] {
        match &self.list[form] {
            Form::Csv(form) => &form.columns,
            Form::Json | Form::LooseJson | Form::Pickle => &[],
        }
    }

    /// All forms.
    pub(super) fn into_list(self) -> Vec<Form> {
        self.list
    }
}

/// How one header differs from another.
fn difference(first: &[String], other: &[String]) -> String {
    let only = |left: &[String], right: &[String]| {
        let right: HashSet<&String> = right.iter().collect();
        let only: Vec<String> =
            left.iter().filter(|name| !right.contains(name)).map(|name| format!("`{name}`")).collect();
        only.join(", ")
    };
    match (only(first, other), only(other, first)) {
        (lacks, more) if lacks.is_empty() && more.is_empty() => "they are in a different order".to_owned(),
        (lacks, more) if more.is_empty() => format!("it lacks {lacks}"),
        (lacks, more) if lacks.is_empty() => format!("it adds {more}"),
        (lacks, more) => format!("it lacks {lacks} and adds {more}"),
    }
}
