//! The names of the columns of one file.

use crate::model::{CsvDialect, CsvForm, Ragged};
use crate::rows::{Fields, REST, Split, cut_form};
use crate::sources::error::ErrorText;
use crate::sources::files::{RowFile, read_error};
use crate::spec::{Header, Names, RowsSpec};
use std::collections::HashSet;

/// The column names of a file, none if the file is empty; or why it cannot be read.
pub(super) type FileColumns = Result<Option<Vec<String>>, ErrorText>;

/// The column names of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnNames {
    pub(crate) names: Vec<String>,
    /// The columns whose names the file does not give like this, by position.
    pub(crate) renamed: Vec<usize>,
}

/// Reads the column names of a file.
///
/// # Errors
/// If the file cannot be read, or if its names must be unique and are not.
pub(super) fn file_columns(spec: &RowsSpec, file: &RowFile) -> Result<Option<ColumnNames>, ErrorText> {
    let layout = file.layout(spec).map_err(|error| read_error(&error))?;
    let mut cutter = file.look(spec).map_err(|error| read_error(&error))?;
    let first = cutter.cut(1).map_err(|error| read_error(&error))?;
    if first.items.is_empty() {
        return Ok(None);
    }
    let form = form_without_columns(spec);
    let (mut fields, mut others) = (Fields::new(&form), Fields::new(&form));
    let mut split = fields.split(first.items.get(0));
    // A file that exports whole lines as one field has quotes around its header too.
    let inner = wrapped(&form, split).map(<[u8]>::to_vec);
    if let Some(inner) = &inner
        && layout.header == Header::First
        && layout.dialect.as_plain().is_some()
        && let Ok(second) = cutter.cut(1)
        && !second.items.is_empty()
    {
        let width = others.split(second.items.get(0)).len();
        let again = others.split(inner);
        if again.len() == width {
            split = again;
        }
    }
    column_names(&layout.header, Naming { names: spec.names, ..Naming::of(&layout.dialect) }, split).map(Some)
}

/// The text of a record that is one quoted field with delimiters inside.
fn wrapped<'a>(form: &CsvForm, record: Split<'a>) -> Option<&'a [u8]> {
    let only = (record.len() == 1).then(|| record.get(0))?;
    only.contains(&form.delimiter).then_some(only)
}

/// How columns are named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming {
    /// Empty and repeated names.
    pub(crate) names: Names,
    /// Whether rows have a field for the surplus.
    pub(crate) has_rest: bool,
}

impl Naming {
    /// Repairs names where needed.
    pub(crate) fn of(dialect: &CsvDialect) -> Self {
        Self { names: Names::Repair, has_rest: dialect.ragged == Ragged::Fill }
    }
}

/// The column names of a file with this first record.
///
/// # Errors
/// If the names do not fit the record, or must be unique and are not.
pub(crate) fn column_names(header: &Header, naming: Naming, first: Split<'_>) -> Result<ColumnNames, ErrorText> {
    let width = first.len() - usize::from(naming.has_rest);
    let rest = naming.has_rest.then(|| REST.to_owned());
    let given =
        |names: Vec<String>| ColumnNames { names: names.into_iter().chain(rest).collect(), renamed: Vec::new() };
    match header {
        Header::Named(names) if names.len() == width => Ok(given(names.clone())),
        Header::Named(names) => {
            Err(format!("the first row has {width} fields, but `header` names {} columns", names.len()).into())
        }
        Header::Missing => Ok(given((1..=width).map(|number| format!("column_{number}")).collect())),
        Header::First => {
            let names = (0..first.len()).map(|at| String::from_utf8(first.get(at).to_vec()));
            let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| {
                ErrorText::from("the header has bytes that are invalid in the file's encoding")
                    .with_help("set `encoding`")
            })?;
            match naming.names {
                Names::Error => check_names(&names).map(|()| ColumnNames { names, renamed: Vec::new() }),
                Names::Repair => Ok(tidy(&names)),
            }
        }
    }
}

/// Gives every column a name of its own: by its position if it has none, and with a number if it is a repetition.
fn tidy(texts: &[String]) -> ColumnNames {
    let taken: HashSet<&str> = texts.iter().map(String::as_str).collect();
    let mut used: HashSet<String> = HashSet::new();
    let (mut names, mut renamed) = (Vec::with_capacity(texts.len()), Vec::new());
    for (at, text) in texts.iter().enumerate() {
        let base = if text.trim().is_empty() { format!("column_{}", at + 1) } else { text.clone() };
        let is_free = |name: &str| !used.contains(name) && (name == text || !taken.contains(name));
        let name = if is_free(&base) {
            base
        } else {
            (2..).map(|number| format!("{base}_{number}")).find(|name| is_free(name)).unwrap_or(base)
        };
        if name != *text {
            renamed.push(at);
        }
        used.insert(name.clone());
        names.push(name);
    }
    ColumnNames { names, renamed }
}

/// Checks that each name is there, and is there once.
fn check_names(names: &[String]) -> Result<(), ErrorText> {
    let help = "remove `names: error` to have such columns renamed, or name them with `header: [..]`";
    if let Some(at) = names.iter().position(|name| name.trim().is_empty()) {
        return Err(ErrorText::from(format!("column {} has no name in the header", at + 1)).with_help(help));
    }
    let repeated = names.iter().enumerate().find_map(|(at, name)| {
        let first = names[..at].iter().position(|other| other == name)?;
        Some((name, first + 1, at + 1))
    });
    match repeated {
        Some((name, first, second)) => {
            let message = format!("duplicate column `{name}` in the header (columns {first} and {second})");
            Err(ErrorText::from(message).with_help(help))
        }
        None => Ok(()),
    }
}

/// How records are split, without their columns.
pub(super) fn form_without_columns(spec: &RowsSpec) -> CsvForm {
    CsvForm { null: spec.null.clone(), values: spec.values.clone(), ..cut_form(&spec.dialect) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(texts: &[&str]) -> Vec<String> {
        tidy(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).names
    }

    #[test]
    fn every_column_gets_a_name_of_its_own() {
        assert_eq!(tidied(&["", "x", "x", " y ", " "]), ["column_1", "x", "x_2", " y ", "column_5"]);
        assert_eq!(tidied(&["x", "x", "x_2", "x"]), ["x", "x_3", "x_2", "x_4"]);
        assert_eq!(tidied(&["column_2", "", ""]), ["column_2", "column_2_2", "column_3"]);
        assert_eq!(tidied(&["", "column_1", ""]), ["column_1_2", "column_1", "column_3"]);
        assert_eq!(tidy(&["a".to_owned(), String::new()]).renamed, [1]);
    }
}
