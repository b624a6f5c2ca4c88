//! One column that grows value by value, and can drop its last values.
//!
//! Not the builders of Arrow, which cannot drop values.

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, NullArray, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use std::sync::Arc;

/// A column under construction. It knows its type from its first value on; a value of another type does not fit.
#[derive(Debug, Clone, Default)]
pub struct Column {
    values: Values,
    /// Which values are not null; empty while none is null.
    valid: Vec<bool>,
    len: usize,
    /// The value that gave it its type; none if it had one from the start, or has none yet.
    typed_by: Option<usize>,
}

/// Values, with a placeholder for each null.
#[derive(Debug, Clone, Default)]
enum Values {
    /// Only nulls so far.
    #[default]
    None,
    Text(Vec<u8>, Vec<i32>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Boolean(Vec<bool>),
    /// Days since 1970.
    Date(Vec<i32>),
    /// Microseconds since 1970: in UTC if `zoned`, otherwise in local time.
    Time {
        zoned: bool,
        values: Vec<i64>,
    },
}

/// A value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Null.
    Null,
    /// The bytes of a text.
    Text(&'a [u8]),
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970, in UTC or in local time.
    Time {
        /// Whether they are in UTC.
        zoned: bool,
        /// How many.
        microseconds: i64,
    },
}

/// A value has another type than those before it, or there is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl Values {
    /// Placeholders for nulls, of the type of this value.
    fn placeholders(cell: Cell<'_>, len: usize) -> Self {
        match cell {
            Cell::Null => Self::None,
            Cell::Text(_) => Self::Text(Vec::new(), vec![0; len + 1]),
            Cell::Integer(_) => Self::Integer(vec![0; len]),
            Cell::Number(_) => Self::Number(vec![0.0; len]),
            Cell::Boolean(_) => Self::Boolean(vec![false; len]),
            Cell::Date(_) => Self::Date(vec![0; len]),
            Cell::Time { zoned, .. } => Self::Time { zoned, values: vec![0; len] },
        }
    }

    fn push_placeholder(&mut self) {
        match self {
            Self::None => {}
            Self::Text(_, ends) => ends.push(ends[ends.len() - 1]),
            Self::Integer(values) | Self::Time { values, .. } => values.push(0),
            Self::Number(values) => values.push(0.0),
            Self::Boolean(values) => values.push(false),
            Self::Date(values) => values.push(0),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::None => {}
            Self::Text(bytes, ends) => {
                ends.truncate(len + 1);
                bytes.truncate(usize::try_from(ends[len]).expect("ends are never negative"));
            }
            Self::Integer(values) | Self::Time { values, .. } => values.truncate(len),
            Self::Number(values) => values.truncate(len),
            Self::Boolean(values) => values.truncate(len),
            Self::Date(values) => values.truncate(len),
        }
    }
}

impl Column {
    /// An empty column of the type of this value; of no type yet if the value is null.
    pub fn like(cell: Cell<'_>) -> Self {
        Self { values: Values::placeholders(cell, 0), ..Self::default() }
    }

    /// Gives it the type of this value, unless it has a type.
    pub fn settle(&mut self, cell: Cell<'_>) {
        if matches!(self.values, Values::None) {
            self.values = Values::placeholders(cell, self.len);
        }
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a value.
    ///
    /// # Errors
    /// If it has another type; the column is unchanged then.
    pub fn push(&mut self, cell: Cell<'_>) -> Result<(), Unfit> {
        if matches!(self.values, Values::None) && cell != Cell::Null {
            self.settle(cell);
            self.typed_by = Some(self.len);
        }
        match (&mut self.values, cell) {
            (values, Cell::Null) => {
                values.push_placeholder();
                if self.valid.is_empty() {
                    self.valid.resize(self.len, true);
                }
                self.valid.push(false);
                self.len += 1;
                return Ok(());
            }
            (Values::Text(bytes, ends), Cell::Text(text)) => {
                ends.push(i32::try_from(bytes.len() + text.len()).map_err(|_| Unfit)?);
                bytes.extend_from_slice(text);
            }
            (Values::Integer(values), Cell::Integer(value)) => values.push(value),
            (Values::Number(values), Cell::Number(value)) => values.push(value),
            (Values::Boolean(values), Cell::Boolean(value)) => values.push(value),
            (Values::Date(values), Cell::Date(value)) => values.push(value),
            (Values::Time { zoned, values }, Cell::Time { zoned: too, microseconds }) if *zoned == too => {
                values.push(microseconds);
            }
            _ => return Err(Unfit),
        }
        if !self.valid.is_empty() {
            self.valid.push(true);
        }
        self.len += 1;
        Ok(())
    }

    /// Whether it holds integers.
    pub fn is_integer(&self) -> bool {
        matches!(self.values, Values::Integer(_))
    }

    /// Whether it holds numbers.
    pub fn is_number(&self) -> bool {
        matches!(self.values, Values::Number(_))
    }

    /// Turns integers into numbers, if that changes none of them.
    ///
    /// # Errors
    /// If it would change one; the column is unchanged then.
    pub fn widen(&mut self) -> Result<(), Unfit> {
        if let Values::Integer(values) = &self.values {
            self.values = Values::Number(values.iter().map(|value| exact_float(*value)).collect::<Result<_, _>>()?);
        }
        Ok(())
    }

    /// Appends nulls until there are `len` values, or drops the values after them. A type that a dropped value gave it goes with
    /// that value.
    pub fn resize(&mut self, len: usize) {
        while self.len < len {
            self.push(Cell::Null).expect("every column takes nulls");
        }
        if self.len > len {
            self.values.truncate(len);
            self.valid.truncate(len);
            self.len = len;
            if self.typed_by.is_some_and(|at| at >= len) {
                (self.values, self.typed_by) = (Values::None, None);
            }
        }
    }

    /// The finished column.
    ///
    /// # Errors
    /// If a text is not UTF-8.
    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = (!self.valid.is_empty()).then(|| NullBuffer::from(self.valid));
        Ok(match self.values {
            Values::None => Arc::new(NullArray::new(self.len)),
            Values::Text(bytes, ends) => {
                let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(StringArray::try_new(ends, Buffer::from_vec(bytes), nulls)?)
            }
            Values::Integer(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Values::Number(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.into(), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Values::Time { zoned, values } => {
                let times = TimestampMicrosecondArray::new(values.into(), nulls);
                Arc::new(if zoned { times.with_timezone("UTC") } else { times })
            }
        })
    }
}

/// An integer as a floating-point number.
///
/// # Errors
/// If no floating-point number is exactly that integer.
#[expect(clippy::cast_precision_loss, reason = "up to 2^53 there is none")]
pub fn exact_float(value: i64) -> Result<f64, Unfit> {
    if value.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS { Ok(value as f64) } else { Err(Unfit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;

    #[test]
    fn a_column_takes_back_what_it_took() {
        let mut column = Column::default();
        column.resize(2);
        column.push(Cell::Text(b"ab")).unwrap();
        column.push(Cell::Text(b"")).unwrap();
        column.push(Cell::Text(b"cd")).unwrap();
        assert_eq!(column.push(Cell::Integer(1)), Err(Unfit));
        column.resize(4);
        let array = column.finish().unwrap();
        let expected = StringArray::from(vec![None, None, Some("ab"), Some("")]);
        assert_eq!(array.as_ref(), &expected as &dyn Array);
    }

    #[test]
    fn integers_become_numbers_only_where_nothing_is_lost() {
        let mut column = Column::like(Cell::Integer(0));
        column.push(Cell::Integer(1 << 53)).unwrap();
        assert!(column.widen().is_ok() && column.is_number());
        let mut column = Column::like(Cell::Integer(0));
        column.push(Cell::Integer((1 << 53) + 1)).unwrap();
        assert!(column.widen().is_err() && column.is_integer());
    }
}
