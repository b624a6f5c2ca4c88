//! How a file is laid out, as its beginning tells: the delimiter, whether there is a header, the names of columns.

use crate::model::{CsvForm, Kind};
use crate::rows::{Cutter, Fields, Inference};
use crate::sources::{DELIMITERS, Known, columns_of};
use crate::spec::Header;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// So many records of the beginning are looked at.
const MOST: usize = 1000;

/// A layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) delimiter: u8,
    /// Whether the first record is a header.
    pub(super) header: bool,
    /// The names of columns, or why there are none.
    pub(super) columns: Result<Vec<String>, String>,
    /// Fields of a row.
    pub(super) fields: usize,
}

/// The layout of a file that begins so; none where there is no record.
pub(super) fn shape(sample: &Arc<[u8]>, known: &Known) -> Option<Shape> {
    let read = |delimiter| records(sample, known, delimiter);
    let (delimiter, records) = match known.delimiter {
        Some(delimiter) => (delimiter, read(delimiter)),
        None => {
            let mut best = (b',', read(b','), 0);
            for delimiter in DELIMITERS {
                let records = read(delimiter);
                let alike = alike(&records);
                if alike > best.2 || alike == best.2 && alike > 0 && best.0 == b',' {
                    best = (delimiter, records, alike);
                }
            }
            (best.0, best.1)
        }
    };
    let first = records.first()?;
    let header = match &known.header {
        Some(header) => header.clone(),
        None if is_header(first, &records[1..]) => Header::First,
        None => Header::Missing,
    };
    let mut fields = Fields::new(&form(known, delimiter, 0));
    let columns = match &header {
        Header::First => Ok(first.clone()),
        // Names and widths are settled by the rule that a run goes by.
        header => {
            let blank = vec![delimiter; first.len() - 1];
            columns_of(header, fields.split(&blank))
        }
    };
    let columns = columns.and_then(|names| match (&header, twice(&names)) {
        (Header::First, Some(twice)) => {
            Err(format!("its header has the column `{twice}` twice; name the columns with `header`"))
        }
        _ => Ok(names),
    });
    let width = columns.as_ref().map_or(first.len(), Vec::len);
    Some(Shape { delimiter, header: header == Header::First, columns, fields: width })
}

/// The form of records with so many fields.
pub(super) fn form(known: &Known, delimiter: u8, fields: usize) -> CsvForm {
    CsvForm { delimiter, quote: known.quote, fields, columns: Vec::new(), null: known.null.clone() }
}

fn records(sample: &Arc<[u8]>, known: &Known, delimiter: u8) -> Vec<Vec<String>> {
    let mut cutter = Cutter::of_csv(Box::new(std::io::Cursor::new(Arc::clone(sample))), known.quote, delimiter);
    let mut fields = Fields::new(&form(known, delimiter, 0));
    let mut records = Vec::new();
    // Memory can be read to its end; behind a quote that is not closed in it, nothing is known.
    while let Ok(cut) = cutter.cut(MOST - records.len()) {
        for record in cut.items.iter() {
            let split = fields.split(record);
            records.push((0..split.len()).map(|at| String::from_utf8_lossy(split.get(at)).into_owned()).collect());
        }
        if cut.items.is_empty() || records.len() == MOST {
            break;
        }
    }
    records
}

/// How many records have the number of fields, above 1, that most have.
fn alike(records: &[Vec<String>]) -> usize {
    let mut widths: HashMap<usize, usize> = HashMap::new();
    for record in records.iter().filter(|record| record.len() > 1) {
        *widths.entry(record.len()).or_default() += 1;
    }
    widths.into_values().max().unwrap_or(0)
}

fn twice(names: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    names.iter().find(|name| !seen.insert(name.as_str()))
}

/// A first record is a header where all its fields are names: not empty, each another one, none of them a number, a truth
/// value or a date; and where the rows below do not speak against it: a column has another type than text, or no column has
/// its name as a value too.
fn is_header(first: &[String], below: &[Vec<String>]) -> bool {
    let kind = |texts: &mut dyn Iterator<Item = &String>| {
        let mut inference = Inference::default();
        texts.for_each(|text| inference.add(text.as_bytes(), &[]));
        inference.kind()
    };
    let named = |name: &String| !name.trim().is_empty() && kind(&mut std::iter::once(name)) == Kind::Text;
    if !first.iter().all(named) || twice(first).is_some() {
        return false;
    }
    let column = |at: usize| below.iter().filter(|row| row.len() == first.len()).map(move |row| &row[at]);
    let typed = (0..first.len()).any(|at| kind(&mut column(at)) != Kind::Text);
    typed || (0..first.len()).all(|at| column(at).all(|text| *text != first[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Request;

    fn of(text: &str) -> (char, bool, Vec<String>) {
        let known = Request::of_paths(&[]).unwrap().known;
        let shape = shape(&Arc::from(text.as_bytes()), &known).unwrap();
        (char::from(shape.delimiter), shape.header, shape.columns.unwrap())
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
