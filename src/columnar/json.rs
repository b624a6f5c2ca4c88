//! Columns as lines of JSON: the same text that the records would give, written without making records.
//!
//! Numbers are written as everywhere else; NaN and infinities become null and are counted; dates and times are ISO 8601;
//! durations are seconds; decimals keep their digits. Columns that JSON cannot hold are refused before anything is
//! written.
//!
//! arrow-json's writer produces other text than records have, for example for durations and times.

use super::time;
use arrow_array::cast::AsArray;
use arrow_array::temporal_conversions::{MICROSECONDS, MILLISECONDS, NANOSECONDS};
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DecimalType, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, DictionaryArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow_schema::{DataType, Field, TimeUnit};
use serde::Serialize;
use std::collections::HashSet;
use std::fmt::Display;

/// A column that cannot be written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` is {what}")]
pub struct Unwritable {
    /// The column.
    pub column: String,
    /// What it holds.
    pub what: String,
}

/// Lines of JSON under construction.
#[derive(Debug, Default)]
pub struct JsonLines {
    /// The text so far.
    pub text: Vec<u8>,
    /// How many NaN and infinite numbers were written as null.
    pub nulls: u64,
}

/// How times in a time zone are written. Those of a zone whose offset changes cannot be written without the rules of that zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zones {
    /// With the zone's offset; if that changes, they are refused.
    Kept,
    /// In UTC.
    Utc,
}

/// Writes the value at a position.
type Write<'a> = Box<dyn Fn(&mut JsonLines, usize) + 'a>;

impl JsonLines {
    /// Appends a line for each row.
    ///
    /// # Errors
    /// If a column cannot be written as JSON; nothing is appended then.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), Unwritable> {
        let rows = Rows::new(batch, Zones::Kept)?;
        for row in 0..batch.num_rows() {
            rows.write(row, self);
        }
        Ok(())
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        serde_json::to_writer(&mut self.text, value).expect("numbers and text can always be written to memory");
    }

    fn number(&mut self, number: f64) {
        self.nulls += u64::from(!number.is_finite());
        self.json(&number);
    }

    fn plain(&mut self, value: impl Display) {
        use std::io::Write as _;
        write!(self.text, "{value}").expect("writing to memory never fails");
    }
}

/// The rows of a batch, ready to be written one by one.
pub struct Rows<'a> {
    columns: Vec<(Vec<u8>, Write<'a>)>,
}

impl<'a> Rows<'a> {
    /// The rows, with all columns.
    ///
    /// # Errors
    /// If a column cannot be written as JSON.
    pub fn new(batch: &'a RecordBatch, zones: Zones) -> Result<Self, Unwritable> {
        let schema = batch.schema_ref();
        let fields = schema.fields().iter().map(AsRef::as_ref);
        object(fields, batch.columns().iter().map(AsRef::as_ref), zones).map(|columns| Self { columns })
    }

    /// Appends the row as a line.
    pub fn write(&self, row: usize, out: &mut JsonLines) {
        members(&self.columns, out, row);
        out.text.push(b'\n');
    }
}

type Members<'a> = Vec<(Vec<u8>, Write<'a>)>;

/// Writers for the members of a mapping: each key with its punctuation, and the writer of the value.
fn object<'a, 'f>(
    fields: impl Iterator<Item = &'f Field>,
    columns: impl Iterator<Item = &'a dyn Array>,
    zones: Zones,
) -> Result<Members<'a>, Unwritable> {
    let mut names = HashSet::new();
    let member = |(field, column): (&'f Field, &'a dyn Array)| {
        let name = field.name();
        let unwritable = |what: String| Unwritable { column: name.clone(), what };
        if !names.insert(name.clone()) {
            return Err(unwritable("a duplicate".to_owned()));
        }
        if let Some(extension) = field.extension_type_name() {
            return Err(unwritable(format!("of extension type `{extension}`")));
        }
        let mut key = vec![if names.len() == 1 { b'{' } else { b',' }];
        serde_json::to_writer(&mut key, name).expect("text can always be written to memory");
        key.push(b':');
        Ok((key, writer(column, zones).map_err(unwritable)?))
    };
    fields.zip(columns).map(member).collect()
}

fn members(members: &Members<'_>, out: &mut JsonLines, at: usize) {
    if members.is_empty() {
        out.text.push(b'{');
    }
    for (key, write) in members {
        out.text.extend_from_slice(key);
        write(out, at);
    }
    out.text.push(b'}');
}

/// A writer for the values of an array, nulls included.
fn writer(array: &dyn Array, zones: Zones) -> Result<Write<'_>, String> {
    let write = values(array, zones)?;
    Ok(match array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
        None => write,
        Some(nulls) => Box::new(
            move |out, at| {
                if nulls.is_null(at) { out.text.extend_from_slice(b"null") } else { write(out, at) }
            },
        ),
    })
}

fn values(array: &dyn Array, zones: Zones) -> Result<Write<'_>, String> {
    Ok(match array.data_type() {
        DataType::Null => Box::new(|out, _| out.text.extend_from_slice(b"null")),
        DataType::Boolean => {
            let values = array.as_boolean();
            Box::new(|out, at| out.plain(values.value(at)))
        }
        DataType::Int8 => integer::<Int8Type>(array),
        DataType::Int16 => integer::<Int16Type>(array),
        DataType::Int32 => integer::<Int32Type>(array),
        DataType::Int64 => integer::<Int64Type>(array),
        DataType::UInt8 => integer::<UInt8Type>(array),
        DataType::UInt16 => integer::<UInt16Type>(array),
        DataType::UInt32 => integer::<UInt32Type>(array),
        DataType::UInt64 => integer::<UInt64Type>(array),
        DataType::Float16 => primitive::<Float16Type>(array, |out, value| out.number(value.to_f64())),
        DataType::Float32 => primitive::<Float32Type>(array, |out, value| out.number(f64::from(value))),
        DataType::Float64 => primitive::<Float64Type>(array, JsonLines::number),
        DataType::Decimal32(..) => decimal::<Decimal32Type>(array),
        DataType::Decimal64(..) => decimal::<Decimal64Type>(array),
        DataType::Decimal128(..) => decimal::<Decimal128Type>(array),
        DataType::Decimal256(..) => decimal::<Decimal256Type>(array),
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            Box::new(|out, at| out.json(values.value(at)))
        }
        DataType::LargeUtf8 => {
            let values = array.as_string::<i64>();
            Box::new(|out, at| out.json(values.value(at)))
        }
        DataType::Utf8View => {
            let values = array.as_string_view();
            Box::new(|out, at| out.json(values.value(at)))
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => {
            temporal(array, zones)?
        }
        DataType::Duration(unit) => duration(array, *unit),
        _ => nested(array, zones)?,
    })
}

fn primitive<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    write: impl Fn(&mut JsonLines, T::Native) + 'a,
) -> Write<'a> {
    let values = array.as_primitive::<T>().values();
    Box::new(move |out, at| write(out, values[at]))
}

fn integer<T: ArrowPrimitiveType>(array: &dyn Array) -> Write<'_>
where
    T::Native: Serialize,
{
    primitive::<T>(array, |out, value| out.json(&value))
}

fn decimal<T: DecimalType>(array: &dyn Array) -> Write<'_> {
    let values = array.as_primitive::<T>();
    // Digits and a point are a number in JSON.
    Box::new(|out, at| out.plain(values.value_as_string(at)))
}

fn duration(array: &dyn Array, unit: TimeUnit) -> Write<'_> {
    #[expect(clippy::cast_precision_loss, reason = "seconds are a number in JSON")]
    let seconds = |parts: i64| move |out: &mut JsonLines, value: i64| out.number(value as f64 / parts as f64);
    match unit {
        TimeUnit::Second => primitive::<DurationSecondType>(array, seconds(1)),
        TimeUnit::Millisecond => primitive::<DurationMillisecondType>(array, seconds(MILLISECONDS)),
        TimeUnit::Microsecond => primitive::<DurationMicrosecondType>(array, seconds(MICROSECONDS)),
        TimeUnit::Nanosecond => primitive::<DurationNanosecondType>(array, seconds(NANOSECONDS)),
    }
}

fn temporal(array: &dyn Array, zones: Zones) -> Result<Write<'_>, String> {
    fn text<'a, T: ArrowPrimitiveType>(array: &'a dyn Array, text: impl Fn(i64) -> Option<String> + 'a) -> Write<'a>
    where
        T::Native: Into<i64>,
    {
        primitive::<T>(array, move |out, value| match text(value.into()) {
            Some(text) => out.json(&text),
            // Outside the years that can be written.
            None => out.number(f64::NAN),
        })
    }
    Ok(match array.data_type() {
        DataType::Date32 => text::<Date32Type>(array, time::date),
        DataType::Date64 => text::<Date64Type>(array, |value| time::date(value.div_euclid(86_400_000))),
        DataType::Time32(TimeUnit::Second) => text::<Time32SecondType>(array, |value| time::of_day(value, 1)),
        DataType::Time32(_) => text::<Time32MillisecondType>(array, |value| time::of_day(value, MILLISECONDS)),
        DataType::Time64(TimeUnit::Microsecond) => {
            text::<Time64MicrosecondType>(array, |value| time::of_day(value, MICROSECONDS))
        }
        DataType::Time64(_) => text::<Time64NanosecondType>(array, |value| time::of_day(value, NANOSECONDS)),
        DataType::Timestamp(unit, zone) => {
            let offset = zone.as_ref().map(|zone| time::offset(if zones == Zones::Utc { "UTC" } else { zone }));
            let offset = offset.transpose()?;
            match unit {
                TimeUnit::Second => text::<TimestampSecondType>(array, move |value| time::stamp(value, 1, offset)),
                TimeUnit::Millisecond => {
                    text::<TimestampMillisecondType>(array, move |value| time::stamp(value, MILLISECONDS, offset))
                }
                TimeUnit::Microsecond => {
                    text::<TimestampMicrosecondType>(array, move |value| time::stamp(value, MICROSECONDS, offset))
                }
                TimeUnit::Nanosecond => {
                    text::<TimestampNanosecondType>(array, move |value| time::stamp(value, NANOSECONDS, offset))
                }
            }
        }
        other => return Err(format!("of type `{other}`")),
    })
}

fn nested(array: &dyn Array, zones: Zones) -> Result<Write<'_>, String> {
    Ok(match array.data_type() {
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter().map(AsRef::as_ref);
            let inner = object(fields.iter().map(AsRef::as_ref), columns, zones);
            let inner = inner.map_err(|Unwritable { column, what }| format!("a mapping whose `{column}` is {what}"))?;
            Box::new(move |out, at| members(&inner, out, at))
        }
        DataType::List(_) => list(array.as_list::<i32>(), zones)?,
        DataType::LargeList(_) => list(array.as_list::<i64>(), zones)?,
        DataType::FixedSizeList(_, size) => {
            let write = writer(array.as_fixed_size_list().values(), zones)?;
            let size = usize::try_from(*size).unwrap_or(0);
            Box::new(move |out, at| elements(&write, out, at * size..(at + 1) * size))
        }
        DataType::Map(..) => {
            // A list of pairs, as in pyarrow, because keys may be of any type.
            let map = array.as_map();
            let (key, value) = (writer(map.keys().as_ref(), zones)?, writer(map.values().as_ref(), zones)?);
            let pair: Write<'_> = Box::new(move |out, at| {
                out.text.push(b'[');
                key(out, at);
                out.text.push(b',');
                value(out, at);
                out.text.push(b']');
            });
            let ends = map.offsets();
            Box::new(move |out, at| elements(&pair, out, index(ends[at])..index(ends[at + 1])))
        }
        DataType::Dictionary(keys, _) => match keys.as_ref() {
            DataType::Int8 => dictionary(array.as_dictionary::<Int8Type>(), zones)?,
            DataType::Int16 => dictionary(array.as_dictionary::<Int16Type>(), zones)?,
            DataType::Int32 => dictionary(array.as_dictionary::<Int32Type>(), zones)?,
            DataType::Int64 => dictionary(array.as_dictionary::<Int64Type>(), zones)?,
            DataType::UInt8 => dictionary(array.as_dictionary::<UInt8Type>(), zones)?,
            DataType::UInt16 => dictionary(array.as_dictionary::<UInt16Type>(), zones)?,
            DataType::UInt32 => dictionary(array.as_dictionary::<UInt32Type>(), zones)?,
            _ => dictionary(array.as_dictionary::<UInt64Type>(), zones)?,
        },
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            return Err("binary: decode it, or encode it as base64".to_owned());
        }
        other => return Err(format!("of type `{other}`")),
    })
}

fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>, zones: Zones) -> Result<Write<'_>, String> {
    let write = writer(array.values().as_ref(), zones)?;
    let ends = array.offsets();
    Ok(Box::new(move |out, at| elements(&write, out, ends[at].as_usize()..ends[at + 1].as_usize())))
}

fn dictionary<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>, zones: Zones) -> Result<Write<'_>, String> {
    let write = writer(array.values().as_ref(), zones)?;
    Ok(Box::new(move |out, at| match array.key(at) {
        Some(key) => write(out, key),
        None => out.text.extend_from_slice(b"null"),
    }))
}

fn elements(write: &Write<'_>, out: &mut JsonLines, places: std::ops::Range<usize>) {
    out.text.push(b'[');
    for (number, at) in places.enumerate() {
        if number > 0 {
            out.text.push(b',');
        }
        write(out, at);
    }
    out.text.push(b']');
}

fn index(offset: i32) -> usize {
    usize::try_from(offset).expect("offsets are never negative")
}
