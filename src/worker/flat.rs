//! Reads flat JSON mappings, which most records are, into columns.
//!
//! For anything else (nested values, duplicate keys, integers beyond 64 bits, columns with several types) the data frame is
//! made from decoded records. The parser is the one that decodes items, so both read the same values.

use crate::columnar::{Cell, Column, Unfit, exact_float};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use jiter::{Jiter, NumberAny, NumberInt, Peek};
use std::collections::HashMap;
use std::sync::Arc;

/// The columns of these items; `None` unless all are flat mappings whose columns have one type each.
pub(super) fn columns_of_json<'a>(items: impl Iterator<Item = &'a [u8]>) -> Option<RecordBatch> {
    let mut table = Table::default();
    for item in items {
        table.row(item)?;
    }
    table.finish()
}

#[derive(Default)]
struct Table {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    fn row(&mut self, item: &[u8]) -> Option<()> {
        let mut json = Jiter::new(item);
        let mut guess = 0;
        let mut key = json.next_object().ok()?;
        while let Some(name) = key {
            let number = self.number(name, guess);
            guess = number + 1;
            let column = &mut self.columns[number];
            if column.len() > self.rows {
                return None;
            }
            column.resize(self.rows);
            value(&mut json, column)?;
            key = json.next_key().ok()?;
        }
        json.finish().ok()?;
        self.rows += 1;
        self.columns.iter_mut().for_each(|column| column.resize(self.rows));
        Some(())
    }

    /// The number of the column of a key. Usually it is the next one after that of the previous key.
    fn number(&mut self, name: &str, guess: usize) -> usize {
        if self.names.get(guess).is_some_and(|guessed| guessed == name) {
            return guess;
        }
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), self.columns.len());
        self.columns.push(Column::default());
        self.columns.len() - 1
    }

    fn finish(self) -> Option<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let mut fields = Vec::with_capacity(self.names.len());
        let mut arrays = Vec::with_capacity(self.names.len());
        for (name, column) in self.names.into_iter().zip(self.columns) {
            let array = column.finish().ok()?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).ok()
    }
}

fn value(json: &mut Jiter<'_>, column: &mut Column) -> Option<()> {
    let pushed = match json.peek().ok()? {
        Peek::Null => {
            json.known_null().ok()?;
            column.push(Cell::Null)
        }
        Peek::String => column.push(Cell::Text(json.known_str().ok()?.as_bytes())),
        peek @ (Peek::True | Peek::False) => column.push(Cell::Boolean(json.known_bool(peek).ok()?)),
        Peek::Array | Peek::Object => return None,
        peek => match json.known_number(peek).ok()? {
            NumberAny::Int(NumberInt::Int(value)) if column.is_number() => {
                exact_float(value).and_then(|value| column.push(Cell::Number(value)))
            }
            NumberAny::Int(NumberInt::Int(value)) => column.push(Cell::Integer(value)),
            NumberAny::Int(_) => Err(Unfit),
            NumberAny::Float(value) => column.widen().and_then(|()| column.push(Cell::Number(value))),
        },
    };
    pushed.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Array, Float64Array, StringArray};

    fn columns(items: &[&str]) -> Option<RecordBatch> {
        columns_of_json(items.iter().map(|item| item.as_bytes()))
    }

    #[test]
    fn flat_mappings_become_columns_wherever_their_keys_stand() {
        let batch = columns(&[r#"{"a":1,"b":"x"}"#, r#"{"b":null,"c":true}"#, r#"{"c":null,"a":2.5}"#]).unwrap();
        assert_eq!(
            batch.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        let expected = Float64Array::from(vec![Some(1.0), None, Some(2.5)]);
        assert_eq!(batch.column(0).as_ref(), &expected as &dyn Array);
        let expected = StringArray::from(vec![Some("x"), None, None]);
        assert_eq!(batch.column(1).as_ref(), &expected as &dyn Array);
    }

    #[test]
    fn what_a_column_cannot_hold_is_left_to_python() {
        for items in [
            vec![r#"{"a":[1]}"#],
            vec![r#"{"a":{}}"#],
            vec![r#"{"a":1,"a":2}"#],
            vec![r#"{"a":12345678901234567890}"#],
            vec![r#"{"a":1}"#, r#"{"a":"x"}"#],
            vec![r#"{"a":9007199254740993}"#, r#"{"a":0.5}"#],
            vec![r#"{"a":0.5}"#, r#"{"a":9007199254740993}"#],
            vec!["1"],
            vec![r#"{"a":1} 2"#],
            vec![r#"{"a":NaN}"#],
        ] {
            assert!(columns(&items).is_none(), "{items:?}");
        }
        assert_eq!(columns(&["{}", "{}"]).unwrap().num_rows(), 2);
    }
}
