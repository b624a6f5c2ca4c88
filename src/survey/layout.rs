//! Detects how a CSV file is laid out from its beginning: how it is written, whether there is a header, the column names.
//!
//! Records are cut and split by the rules of a run, or a layout found here would not hold there.

use crate::model::{CsvDialect, CsvForm};
use crate::rows::{Cutter, Fields, cut_form};
use crate::sniff::{Finding, FoundHeader, Hints, Sample, sniff};
use crate::sources::{ErrorText, Naming, ReadingOptions, column_names, reading};
use crate::spec::Header;
use std::io::Cursor;
use std::sync::Arc;

/// The text of a file's beginning.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    pub(super) text: Arc<[u8]>,
    /// Whether nothing follows.
    pub(super) whole: bool,
}

/// How a file is laid out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FileLayout {
    pub(super) dialect: CsvDialect,
    /// Where the column names come from.
    pub(super) header: Header,
    /// The column names, or why there are none.
    pub(super) columns: Result<Vec<String>, ErrorText>,
    /// How many fields a row has.
    pub(super) fields: usize,
    /// What was detected, unless the workflow describes the file.
    pub(super) finding: Option<Finding>,
}

/// The layout of a file with this beginning; none if it holds no record.
pub(super) fn detect_layout(beginning: &Beginning, options: &ReadingOptions, hints: &Hints) -> Option<FileLayout> {
    let (dialect, header, finding) = match &options.dialect {
        Some(dialect) => (dialect.clone(), options.header.clone().unwrap_or(Header::First), None),
        None => {
            let sample = Sample { text: &beginning.text, whole: beginning.whole };
            let finding = sniff(&sample, hints);
            let header = match &finding.header {
                FoundHeader::InFile => Header::First,
                FoundHeader::Missing => Header::Missing,
                FoundHeader::Named(names) => Header::Named(names.clone()),
            };
            (finding.dialect.clone(), header, Some(finding))
        }
    };
    let mut cutter = Cutter::of_csv(Box::new(Cursor::new(Arc::clone(&beginning.text))), &reading(&dialect, &header));
    // Reading memory does not fail; what follows a quote that the sample does not close is unclear.
    let first = cutter.cut(1).ok()?;
    if first.items.is_empty() {
        return header_alone(dialect, header, finding);
    }
    let mut fields = Fields::new(&csv_form(options, &dialect, 0));
    let split = fields.split(first.items.get(0));
    let width = split.len();
    // Names and widths are decided by the rule that a run follows.
    let columns = column_names(&header, Naming::of(&dialect), split).map(|columns| columns.names);
    let fields = columns.as_ref().map_or(width, Vec::len);
    Some(FileLayout { dialect, header, columns, fields, finding })
}

/// The layout of a file that has nothing but a line with names.
fn header_alone(dialect: CsvDialect, header: Header, finding: Option<Finding>) -> Option<FileLayout> {
    let Header::Named(names) = &header else { return None };
    let (columns, fields) = (Ok(names.clone()), names.len());
    finding.is_some().then_some(FileLayout { dialect, header, columns, fields, finding })
}

/// The form of records with this many fields.
pub(super) fn csv_form(options: &ReadingOptions, dialect: &CsvDialect, fields: usize) -> CsvForm {
    CsvForm { fields, null: options.null.clone(), values: options.values.clone(), ..cut_form(dialect) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Header, Vec<String>) {
        let beginning = Beginning { text: Arc::from(text.as_bytes()), whole: true };
        let layout = detect_layout(&beginning, &ReadingOptions::unknown(), &Hints::default()).unwrap();
        (layout.header, layout.columns.unwrap())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn columns_are_named_as_a_run_names_them() {
        assert_eq!(of("a;b\n1,5;2,5\n"), (Header::First, names(&["a", "b"])));
        assert_eq!(of("1,2\n3,4\n"), (Header::Missing, names(&["column_1", "column_2"])));
        assert_eq!(of("\"\",x,x\n1,2,3\n"), (Header::First, names(&["column_1", "x", "x_2"])));
        let row_names = names(&["row_names", "mpg", "cyl"]);
        assert_eq!(of("mpg,cyl\nMazda,21,6\nDatsun,22,4\n"), (Header::Named(row_names.clone()), row_names));
        assert_eq!(of("Cars\n\nname,n\nMazda,21\nDatsun,22\n"), (Header::First, names(&["name", "n"])));
    }
}
