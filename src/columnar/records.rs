//! Records of a CSV file by column.

use super::column::{Cell, Column};
use super::time::{days, microseconds};
use crate::model::{CsvForm, From, Kind, Origin};
use crate::rows::{BadRow, Field, Fields, Split, read_field};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field as ArrowField, Schema};
use jiff::Timestamp;
use std::sync::Arc;

/// Records by column, and those that cannot be read.
#[derive(Debug)]
pub struct Columns {
    /// The columns of the records that can be read.
    pub batch: RecordBatch,
    /// The positions of the others, and why they cannot be read.
    pub bad: Vec<(usize, BadRow)>,
}

/// The columns of these records, each given with its line break.
///
/// # Errors
/// If the columns do not form a table, which is a bug.
pub fn columns_of_csv<'a>(
    form: &CsvForm,
    records: impl Iterator<Item = &'a [u8]> + Clone,
    origin: Option<&Origin>,
) -> Result<Columns, ArrowError> {
    let mut columns: Vec<Column> = form.columns.iter().map(|column| Column::like(example(column.kind))).collect();
    let mut bad = Vec::new();
    let mut fields = Fields::new(form);
    let file: &str = origin.map_or("", |origin| &origin.file);
    // If a text is UTF-8, so is each part between two delimiters, because these are ASCII.
    let is_utf8 = records.clone().all(|record| std::str::from_utf8(record).is_ok());
    let mut good = 0;
    for (position, record) in records.enumerate() {
        let split = fields.split(record);
        let row = Row { form, split, file, is_utf8 };
        match split.check(form).and_then(|()| row.append(&mut columns)) {
            Ok(()) => good += 1,
            Err(error) => {
                columns.iter_mut().filter(|column| column.len() > good).for_each(|column| column.resize(good));
                bad.push((position, error));
            }
        }
    }
    Ok(Columns { batch: table(form, columns)?, bad })
}

/// A value of the type, for an empty column.
fn example(kind: Kind) -> Cell<'static> {
    match kind {
        Kind::Text => Cell::Text(b""),
        Kind::Integer => Cell::Integer(0),
        Kind::Number => Cell::Number(0.0),
        Kind::Boolean => Cell::Boolean(false),
        Kind::Date => Cell::Date(0),
        // Its first value tells whether it is in UTC.
        Kind::Datetime => Cell::Null,
    }
}

fn table(form: &CsvForm, columns: Vec<Column>) -> Result<RecordBatch, ArrowError> {
    let mut named = Vec::with_capacity(columns.len());
    for (column, mut values) in form.columns.iter().zip(columns) {
        if column.kind == Kind::Datetime {
            values.settle(Cell::Time { zoned: false, microseconds: 0 });
        }
        let array = values.finish()?;
        named.push((ArrowField::new(&column.name, array.data_type().clone(), true), array));
    }
    let (fields, arrays): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// A record to be appended to columns.
struct Row<'a> {
    form: &'a CsvForm,
    split: Split<'a>,
    file: &'a str,
    /// Whether all of it is UTF-8.
    is_utf8: bool,
}

impl Row<'_> {
    /// Appends a value to each column. If that fails, the first columns have one value more than the others.
    fn append(&self, columns: &mut [Column]) -> Result<(), BadRow> {
        let Self { form, split, file, is_utf8 } = self;
        for (column, values) in form.columns.iter().zip(columns) {
            let unfit = |text: &str, why| BadRow::Unfit { column: column.name.clone(), text: start(text), why };
            if let (true, Kind::Text, From::Field(at)) = (*is_utf8, column.kind, column.from) {
                let text = split.get(at);
                let null = form.null.iter().any(|null| null.as_bytes() == text);
                let cell = if null { Cell::Null } else { Cell::Text(text) };
                values.push(cell).map_err(|_| unfit("", "makes the column of the batch larger than 2 GiB"))?;
                continue;
            }
            let text = split.text(column, file)?;
            let text = text.as_deref();
            let field = read_field(form, column, text)?;
            let (cell, why) = cell(field);
            let pushed = cell.and_then(|cell| values.push(cell).ok());
            pushed.ok_or_else(|| unfit(text.unwrap_or_default(), why))?;
        }
        Ok(())
    }
}

fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A field as a value of a column, and the reason to give if it does not fit.
fn cell(field: Field<'_>) -> (Option<Cell<'_>>, &'static str) {
    match field {
        Field::Null => (Some(Cell::Null), ""),
        Field::Text(text) => (Some(Cell::Text(text.as_bytes())), "makes the column of the batch larger than 2 GiB"),
        Field::Integer(digits) => (digits.parse().ok().map(Cell::Integer), "does not fit into 64 bits"),
        Field::Number(number) => (Some(Cell::Number(number)), ""),
        Field::Boolean(value) => (Some(Cell::Boolean(value)), ""),
        Field::Date(text) => (text.parse().ok().and_then(days).map(Cell::Date), "is outside the range of dates"),
        Field::Datetime(text) => (time(&text), "mixes times with and without an offset from UTC"),
    }
}

/// Microseconds since 1970; in UTC if the text has an offset.
fn time(text: &str) -> Option<Cell<'static>> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(Cell::Time {
            zoned: true,
            microseconds: i64::try_from(time.as_nanosecond().div_euclid(1000)).ok()?,
        });
    }
    Some(Cell::Time { zoned: false, microseconds: microseconds(text.parse().ok()?)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Column as FormColumn, ValueFormat};
    use arrow_array::Array;

    fn form(kinds: &[Kind]) -> CsvForm {
        let column = |(at, kind): (usize, &Kind)| FormColumn {
            name: format!("c{at}"),
            from: From::Field(at),
            kind: *kind,
            format: None,
        };
        let columns = kinds.iter().enumerate().map(column).collect();
        CsvForm {
            delimiter: b',',
            quote: Some(b'"'),
            fields: kinds.len(),
            columns,
            null: vec!["NA".to_owned()],
            values: ValueFormat::default(),
        }
    }

    fn columns(kinds: &[Kind], records: &[&[u8]]) -> Columns {
        columns_of_csv(&form(kinds), records.iter().copied(), None).unwrap()
    }

    #[test]
    fn rows_that_cannot_be_read_leave_no_trace_in_any_column() {
        let records: [&[u8]; 5] = [b"a,1\n", b"b\n", b"c,x\n", b"\xff,2\n", b"NA,\n"];
        let found = columns(&[Kind::Text, Kind::Integer], &records);
        let expected = arrow_array::StringArray::from(vec![Some("a"), None]);
        assert_eq!(found.batch.column(0).as_ref(), &expected as &dyn Array);
        let expected = arrow_array::Int64Array::from(vec![Some(1), None]);
        assert_eq!(found.batch.column(1).as_ref(), &expected as &dyn Array);
        assert_eq!(found.bad.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn times_are_counted_from_1970() {
        let records: [&[u8]; 3] =
            [b"1969-12-31,1969-12-31T23:59:59.9999999\n", b"NA,NA\n", b"1970-01-02,2026-01-31 10:00:00\n"];
        let found = columns(&[Kind::Date, Kind::Datetime], &records);
        let expected = arrow_array::Date32Array::from(vec![Some(-1), None, Some(1)]);
        assert_eq!(found.batch.column(0).as_ref(), &expected as &dyn Array);
        let expected = arrow_array::TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1_769_853_600_000_000)]);
        assert_eq!(found.batch.column(1).as_ref(), &expected as &dyn Array);
        let found = columns(&[Kind::Datetime], &[b"1970-01-01T01:00:00+01:00\n", b"1970-01-01T00:00:01\n"]);
        let expected = arrow_array::TimestampMicrosecondArray::from(vec![Some(0)]).with_timezone("UTC");
        assert_eq!(found.batch.column(0).as_ref(), &expected as &dyn Array);
        assert!(matches!(found.bad.as_slice(), [(1, BadRow::Unfit { .. })]));
    }

    #[test]
    fn only_rows_that_can_be_read_decide_whether_times_are_in_utc() {
        let kinds = [Kind::Datetime, Kind::Integer];
        for bad in [&b"2020-01-01T00:00:00Z,x\n"[..], b"2020-01-01T00:00:00Z\n", b"2020-01-01T00:00:00+01:00,1,2\n"] {
            for before in [&[][..], &[&b"NA,1\n"[..]]] {
                let records = [before, &[bad, b"1970-01-01T00:00:01,1\n", b"1970-01-01T00:00:02,2\n"]].concat();
                let found = columns(&kinds, &records);
                assert_eq!(found.bad.len(), 1, "{:?}", found.bad);
                let times = [Some(1_000_000), Some(2_000_000)];
                let times: Vec<_> = before.iter().map(|_| None).chain(times).collect();
                let expected = arrow_array::TimestampMicrosecondArray::from(times);
                assert_eq!(found.batch.column(0).as_ref(), &expected as &dyn Array);
            }
        }
    }
}
