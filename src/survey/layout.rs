//! Detects how a CSV file is laid out from its beginning: the delimiter, whether there is a header, the column names.
//!
//! No crate: records must be cut and split by the rules of a run, or a layout found here would not hold there.

use crate::model::{CsvDialect, CsvForm, Kind};
use crate::rows::{Cutter, Fields, Inference, cut_form};
use crate::sources::{COMMON_DELIMITERS, ErrorText, Naming, ReadingOptions, column_names, reading};
use crate::spec::Header;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many records of the beginning are looked at.
const SAMPLE_RECORDS: usize = 1000;

/// How a file is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileLayout {
    pub(super) dialect: CsvDialect,
    /// Whether the first record is a header.
    pub(super) header: bool,
    /// The column names, or why there are none.
    pub(super) columns: Result<Vec<String>, ErrorText>,
    /// How many fields a row has.
    pub(super) fields: usize,
}

/// The layout of a file with this beginning; none if it holds no record.
pub(super) fn detect_layout(sample: &Arc<[u8]>, options: &ReadingOptions) -> Option<FileLayout> {
    let read = |dialect: &CsvDialect| records(sample, options, dialect);
    let (dialect, records) = match &options.dialect {
        Some(dialect) => (dialect.clone(), read(dialect)),
        None => {
            let plain = |delimiter| CsvDialect::plain(delimiter, Some(b'"'));
            let mut best = (b',', read(&plain(b',')), 0);
            for delimiter in COMMON_DELIMITERS {
                let records = read(&plain(delimiter));
                let alike = alike(&records);
                if alike > best.2 || alike == best.2 && alike > 0 && best.0 == b',' {
                    best = (delimiter, records, alike);
                }
            }
            (plain(best.0), best.1)
        }
    };
    let first = records.first()?;
    let header = match &options.header {
        Some(header) => header.clone(),
        None if is_header(first, &records[1..]) => Header::First,
        None => Header::Missing,
    };
    let form = csv_form(options, &dialect, 0);
    let mut fields = Fields::new(&form);
    let record = match &header {
        Header::First => quoted(first, &form),
        _ => vec![form.delimiter; first.len() - 1],
    };
    // Names and widths are decided by the rule that a run follows.
    let columns = column_names(&header, Naming::of(&dialect), fields.split(&record)).map(|columns| columns.names);
    let width = columns.as_ref().map_or(first.len(), Vec::len);
    Some(FileLayout { dialect, header: header == Header::First, columns, fields: width })
}

/// The form of records with this many fields.
pub(super) fn csv_form(options: &ReadingOptions, dialect: &CsvDialect, fields: usize) -> CsvForm {
    CsvForm { fields, null: options.null.clone(), values: options.values.clone(), ..cut_form(dialect) }
}

/// Fields as a record.
fn quoted(fields: &[String], form: &CsvForm) -> Vec<u8> {
    let quoted = fields.iter().map(|field| match form.quote {
        Some(quote) => {
            let quote = char::from(quote).to_string();
            format!("{quote}{}{quote}", field.replace(&quote, &quote.repeat(2)))
        }
        None => field.clone(),
    });
    quoted.collect::<Vec<_>>().join(&char::from(form.delimiter).to_string()).into_bytes()
}

fn records(sample: &Arc<[u8]>, options: &ReadingOptions, dialect: &CsvDialect) -> Vec<Vec<String>> {
    let reading = reading(dialect, options.header.as_ref().unwrap_or(&Header::First));
    let mut cutter = Cutter::of_csv(Box::new(std::io::Cursor::new(Arc::clone(sample))), &reading);
    let mut fields = Fields::new(&csv_form(options, dialect, 0));
    let mut records = Vec::new();
    // Reading memory does not fail; what follows a quote that the sample does not close is unclear.
    while let Ok(cut) = cutter.cut(SAMPLE_RECORDS - records.len()) {
        for record in cut.items.iter() {
            let split = fields.split(record);
            records.push((0..split.len()).map(|at| String::from_utf8_lossy(split.get(at)).into_owned()).collect());
        }
        if cut.items.is_empty() || records.len() == SAMPLE_RECORDS {
            break;
        }
    }
    records
}

/// How many records have the most frequent number of fields above 1.
fn alike(records: &[Vec<String>]) -> usize {
    let mut widths: HashMap<usize, usize> = HashMap::new();
    for record in records.iter().filter(|record| record.len() > 1) {
        *widths.entry(record.len()).or_default() += 1;
    }
    widths.into_values().max().unwrap_or(0)
}

/// A first record is a header if all its fields are names (not empty, no duplicates, no numbers, booleans or dates) and the
/// rows below do not contradict that: a column has another type than text, or no column contains its own name as a value.
fn is_header(first: &[String], below: &[Vec<String>]) -> bool {
    let kind = |texts: &mut dyn Iterator<Item = &String>| {
        let mut inference = Inference::default();
        texts.for_each(|text| inference.add(text.as_bytes(), &[]));
        inference.kind()
    };
    let named = |name: &String| !name.trim().is_empty() && kind(&mut std::iter::once(name)) == Kind::Text;
    let distinct: HashSet<&String> = first.iter().collect();
    if !first.iter().all(named) || distinct.len() < first.len() {
        return false;
    }
    let column = |at: usize| below.iter().filter(|row| row.len() == first.len()).map(move |row| &row[at]);
    let typed = (0..first.len()).any(|at| kind(&mut column(at)) != Kind::Text);
    typed || (0..first.len()).all(|at| column(at).all(|text| *text != first[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (char, bool, Vec<String>) {
        let layout = detect_layout(&Arc::from(text.as_bytes()), &ReadingOptions::unknown()).unwrap();
        (char::from(layout.dialect.as_plain().unwrap()), layout.header, layout.columns.unwrap())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_most_records_alike() {
        assert_eq!(of("a,b\n1,2\n3,4\n"), (',', true, names(&["a", "b"])));
        assert_eq!(of("a;b\n1,5;2,5\n3,5;4,5\n"), (';', true, names(&["a", "b"])));
        assert_eq!(of("1,5;2,5\n3,5;4,5\n").0, ';');
        assert_eq!(of("a\tb\n1, x\t2\n3\t4, y\n").0, '\t');
        assert_eq!(of("a|b\n\"x|y|z\"|2\n3|4\n"), ('|', true, names(&["a", "b"])));
        assert_eq!(of("word\nada\ngrace\n"), (',', true, names(&["word"])));
    }

    #[test]
    fn a_first_record_is_a_header_where_it_reads_as_names() {
        assert!(of("id,name\n1,ada\n").1 && of("name,city\nada,london\n").1);
        assert!(!of("1,ada\n2,grace\n").1);
        assert!(!of("a,,c\n1,2,3\n").1 && !of("a,a\n1,2\n").1);
        assert!(!of("ada,yes\ngrace,yes\n").1);
        assert_eq!(of("1,2\n3,4\n").2, names(&["column_1", "column_2"]));
    }
}
