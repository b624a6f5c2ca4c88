//! Decodes items according to their form: JSON text, or a row of a file.

use super::decode::decode;
use super::support::Support;
use crate::model::{CsvForm, Form, Kind, Origin};
use crate::rows::{BadRow, Field, Fields, read_field, without_nan};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use std::borrow::Cow;
use std::cell::RefCell;

/// Why there is no value.
pub(super) enum Unread {
    /// The row is bad.
    Bad(BadRow),
    /// Python raised an exception.
    Raised(PyErr),
}

impl From<PyErr> for Unread {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<BadRow> for Unread {
    fn from(bad: BadRow) -> Self {
        Self::Bad(bad)
    }
}

/// An item as it was received.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    /// The number of its form.
    pub(super) form: usize,
    pub(super) bytes: &'a [u8],
    /// The same bytes as text, if they are known to be valid UTF-8.
    pub(super) text: Option<&'a str>,
}

/// Decodes items of the forms of a step.
pub(super) struct Records {
    forms: Vec<Reader>,
    dates: Option<(Py<PyAny>, Py<PyAny>)>,
}

enum Reader {
    Json,
    /// NaN and infinities mean null.
    LooseJson,
    Csv(Box<CsvReader>),
}

struct CsvReader {
    form: CsvForm,
    /// Buffers that are reused for each record.
    fields: RefCell<Fields>,
    names: Vec<Py<PyString>>,
    /// A dict with all columns set to None. Copying it is faster than growing a new one.
    empty: Py<PyDict>,
}

impl Records {
    /// A decoder for items of these forms.
    pub(super) fn new(py: Python<'_>, forms: &[Form]) -> PyResult<Self> {
        let mut readers = Vec::with_capacity(forms.len());
        let mut with_dates = false;
        for form in forms {
            let Form::Csv(form) = form else {
                readers.push(if *form == Form::LooseJson { Reader::LooseJson } else { Reader::Json });
                continue;
            };
            let names: Vec<_> = form.columns.iter().map(|column| PyString::intern(py, &column.name).unbind()).collect();
            let empty = PyDict::new(py);
            for name in &names {
                empty.set_item(name, py.None())?;
            }
            with_dates |= form.columns.iter().any(|it| matches!(it.kind, Kind::Date | Kind::Datetime));
            let fields = RefCell::new(Fields::new(form));
            let reader = CsvReader { form: form.clone(), fields, names, empty: empty.unbind() };
            readers.push(Reader::Csv(Box::new(reader)));
        }
        let dates = if with_dates {
            let module = py.import("datetime")?;
            let parser = |class: &str| module.getattr(class)?.getattr("fromisoformat").map(Bound::unbind);
            Some((parser("date")?, parser("datetime")?))
        } else {
            None
        };
        Ok(Self { forms: readers, dates })
    }

    /// The form with this number, if it is CSV.
    pub(super) fn csv(&self, form: usize) -> Option<&CsvForm> {
        match self.forms.get(form) {
            Some(Reader::Csv(reader)) => Some(&reader.form),
            _ => None,
        }
    }

    /// The value of an item.
    pub(super) fn read<'py>(
        &self,
        py: Python<'py>,
        support: &Support,
        item: Raw<'_>,
        origin: Option<&Origin>,
    ) -> Result<Bound<'py, PyAny>, Unread> {
        match self.forms.get(item.form) {
            Some(Reader::Csv(reader)) => self.record(py, reader, item, origin),
            // A line of a file may contain invalid JSON, which makes it a bad row.
            _ if origin.is_some() => {
                let line = self.json(item.form, item.bytes.trim_ascii_end());
                decode(py, support, &line).map_err(|error| BadRow::Json(error.value(py).to_string()).into())
            }
            _ => Ok(decode(py, support, &self.json(item.form, item.bytes))?),
        }
    }

    /// The JSON that an item of a form without columns stands for.
    pub(super) fn json<'a>(&self, form: usize, item: &'a [u8]) -> Cow<'a, [u8]> {
        match self.forms.get(form) {
            Some(Reader::LooseJson) => without_nan(item),
            _ => Cow::Borrowed(item),
        }
    }

    fn record<'py>(
        &self,
        py: Python<'py>,
        reader: &CsvReader,
        item: Raw<'_>,
        origin: Option<&Origin>,
    ) -> Result<Bound<'py, PyAny>, Unread> {
        let mut fields = reader.fields.borrow_mut();
        let split = fields.split(item.bytes).as_text(item.text);
        split.check(&reader.form)?;
        let file = origin.map_or("", |origin| &origin.file);
        let record = reader.empty.bind(py).copy()?;
        for (column, name) in reader.form.columns.iter().zip(&reader.names) {
            let text = split.text(column, file)?;
            let text = text.as_deref();
            let value = match read_field(&reader.form, column, text)? {
                Field::Null => continue,
                Field::Text(text) => PyString::new(py, text).into_any(),
                // Python has its own limits, such as the year 10000, leap seconds and integers of 5,000 digits.
                field => self.typed(py, field).map_err(|_| BadRow::of_kind(column, text.unwrap_or_default()))?,
            };
            record.set_item(name, value)?;
        }
        Ok(record.into_any())
    }

    fn typed<'py>(&self, py: Python<'py>, field: Field<'_>) -> PyResult<Bound<'py, PyAny>> {
        let date = |parser: Option<&Py<PyAny>>, text: &str| {
            parser.expect("the parsers are there if a column has dates").bind(py).call1((text,))
        };
        Ok(match field {
            Field::Null => py.None().into_bound(py),
            Field::Text(text) => PyString::new(py, text).into_any(),
            Field::Integer(digits) => match digits.parse::<i64>() {
                Ok(number) => number.into_pyobject(py)?.into_any(),
                Err(_) => py.get_type::<PyInt>().call1((&*digits,))?,
            },
            Field::Number(number) => PyFloat::new(py, number).into_any(),
            Field::Boolean(value) => PyBool::new(py, value).to_owned().into_any(),
            Field::Date(text) => date(self.dates.as_ref().map(|(date, _)| date), &text)?,
            // `fromisoformat` supports `Z` only from CPython 3.11 on.
            Field::Datetime(text) => {
                let text =
                    text.strip_suffix(['Z', 'z']).map_or_else(|| text.to_string(), |text| format!("{text}+00:00"));
                date(self.dates.as_ref().map(|(_, datetime)| datetime), &text)?
            }
        })
    }
}
