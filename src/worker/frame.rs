//! Turns the rows of a batch into a data frame of the library that the step names.
//!
//! Columns follow the same rules as records. Libraries that support Arrow's C stream interface take them over without a copy.
//! pandas without pyarrow gets the bytes of each column instead.

use super::support;
use crate::model::BatchFormat;
use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, RecordBatchIterator};
use arrow_schema::DataType;
use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyCapsule, PyList};

/// Makes data frames.
pub(super) struct Frames {
    of_table: Py<PyAny>,
    of_records: Py<PyAny>,
    /// Whether the library takes columns one by one.
    by_column: bool,
}

impl Frames {
    /// For a batch format; `None` if items stay records.
    ///
    /// # Errors
    /// If the library cannot be imported.
    pub(super) fn new(py: Python<'_>, format: BatchFormat) -> PyResult<Option<Self>> {
        let Some(library) = format.library() else { return Ok(None) };
        let (of_table, of_records, by_column) = support::frames(py)?.call1((library,))?.extract()?;
        Ok(Some(Self { of_table, of_records, by_column }))
    }

    /// A data frame with these columns.
    pub(super) fn of_columns<'py>(&self, py: Python<'py>, batch: RecordBatch) -> PyResult<Bound<'py, PyAny>> {
        if !self.by_column {
            return self.of_table.bind(py).call1((Stream(batch),));
        }
        let columns = PyList::empty(py);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let (kind, values) = plain(py, column)?;
            let valid = column.nulls().filter(|nulls| nulls.null_count() > 0);
            let valid = valid.map(|nulls| PyBytes::new(py, &nulls.iter().map(u8::from).collect::<Vec<_>>()));
            columns.append((field.name(), kind, values, valid))?;
        }
        self.of_table.bind(py).call1((columns, batch.num_rows()))
    }

    /// A data frame with these records, which must be mappings.
    pub(super) fn of_records<'py>(&self, records: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyAny>> {
        self.of_records.bind(records.py()).call1((records,))
    }
}

/// A table that is exported through Arrow's C stream interface.
#[pyclass(module = "batchmill", name = "Table", frozen)]
struct Stream(RecordBatch);

#[pymethods]
impl Stream {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface allows ignoring the requested schema.
        drop(requested_schema);
        let batches = RecordBatchIterator::new([Ok(self.0.clone())], self.0.schema());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), c"arrow_array_stream")
    }
}

/// The values of a column as native-endian bytes; strings as a list.
fn plain<'py>(py: Python<'py>, column: &dyn Array) -> PyResult<(&'static str, Bound<'py, PyAny>)> {
    let bytes = |bytes: &[u8]| PyByteArray::new(py, bytes).into_any();
    Ok(match column.data_type() {
        DataType::Null => ("null", py.None().into_bound(py)),
        DataType::Int64 => ("integer", bytes(column.as_primitive::<Int64Type>().values().inner().as_slice())),
        DataType::Float64 => ("number", bytes(column.as_primitive::<Float64Type>().values().inner().as_slice())),
        DataType::Date32 => ("date", bytes(column.as_primitive::<Date32Type>().values().inner().as_slice())),
        DataType::Timestamp(_, zone) => {
            let values = column.as_primitive::<TimestampMicrosecondType>().values();
            (if zone.is_some() { "utc" } else { "time" }, bytes(values.inner().as_slice()))
        }
        DataType::Boolean => {
            let values: Vec<u8> = column.as_boolean().values().iter().map(u8::from).collect();
            ("boolean", bytes(&values))
        }
        DataType::Utf8 => ("text", PyList::new(py, column.as_string::<i32>().iter())?.into_any()),
        other => return Err(PySystemError::new_err(format!("a column of {other}"))),
    })
}
