//! One schema for tables with the same columns and different descriptions.
//!
//! Each batch of a step is a separate data frame. So the metadata of pandas differ, categories have keys of another
//! width, and a column without a value in one batch has no type there. The columns are still the same.

use arrow_array::RecordBatch;
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Metadata, Schema};
use std::sync::Arc;

/// The schema that both tables can have; none if their columns have other names or types.
pub fn common_schema(one: &Schema, other: &Schema) -> Option<Schema> {
    if one == other {
        return Some(one.clone());
    }
    if one.fields().len() != other.fields().len() {
        return None;
    }
    let fields = one.fields().iter().zip(other.fields()).map(|(one, other)| common_field(one, other));
    let metadata = common_metadata(one.metadata(), other.metadata());
    Some(Schema::new_with_metadata(fields.collect::<Option<Vec<Field>>>()?, metadata))
}

/// The same table with this schema, which [`common_schema`] gave.
///
/// # Errors
/// If a value does not fit.
pub fn conform(table: &RecordBatch, schema: &Arc<Schema>) -> Result<RecordBatch, ArrowError> {
    let columns = table.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() { Ok(Arc::clone(column)) } else { cast(column, field.data_type()) }
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn common_field(one: &Field, other: &Field) -> Option<Field> {
    if one.name() != other.name() {
        return None;
    }
    let kind = common_type(one.data_type(), other.data_type())?;
    let field = Field::new(one.name().clone(), kind, may_be_null(one) || may_be_null(other));
    Some(field.with_metadata(common_metadata(one.metadata(), other.metadata())))
}

fn may_be_null(field: &Field) -> bool {
    field.is_nullable() || *field.data_type() == DataType::Null
}

fn common_type(one: &DataType, other: &DataType) -> Option<DataType> {
    match (one, other) {
        (DataType::Null, kind) | (kind, DataType::Null) => Some(kind.clone()),
        (one, other) if one == other => Some(one.clone()),
        _ => {
            let (one, other) = (plain(one), plain(other));
            (one == other).then_some(one)
        }
    }
}

/// A type reduced to what concerns its values: categories become their values, and parts may be null and have no
/// metadata.
fn plain(kind: &DataType) -> DataType {
    let part = |field: &FieldRef, name: &str| Arc::new(Field::new(name.to_owned(), plain(field.data_type()), true));
    match kind {
        DataType::Dictionary(_, values) => plain(values),
        DataType::List(element) => DataType::List(part(element, "item")),
        DataType::LargeList(element) => DataType::LargeList(part(element, "item")),
        DataType::FixedSizeList(element, size) => DataType::FixedSizeList(part(element, "item"), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| part(field, field.name())).collect()),
        other => other.clone(),
    }
}

/// The metadata that both have. Anything else applies to only one of the tables, such as the number of its rows.
fn common_metadata(one: &Metadata, other: &Metadata) -> Metadata {
    let in_both = one.iter().filter(|(key, value)| other.get(key.as_str()) == Some(*value));
    in_both.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::{Int8Type, Int16Type};
    use arrow_array::{ArrayRef, DictionaryArray, Int64Array, NullArray, StringArray};

    fn table(columns: Vec<(&str, ArrayRef)>, rows: &str) -> RecordBatch {
        let table = RecordBatch::try_from_iter(columns).unwrap();
        let metadata = [("pandas", rows), ("geo", "WGS84")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let metadata: Metadata = metadata.into_iter().collect();
        let schema = table.schema().as_ref().clone().with_metadata(metadata);
        table.with_schema(Arc::new(schema)).unwrap()
    }

    #[test]
    fn descriptions_may_differ_and_values_stay() {
        let texts = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from_iter_values(texts)) };
        let small: ArrayRef = Arc::new(["x", "y"].into_iter().collect::<DictionaryArray<Int8Type>>());
        let large: ArrayRef = Arc::new(["z"].into_iter().collect::<DictionaryArray<Int16Type>>());
        let one = table(vec![("c", small), ("t", texts(&["a", "b"]))], "2 rows");
        let other = table(vec![("c", large), ("t", Arc::new(NullArray::new(1)))], "1 row");
        let schema = Arc::new(common_schema(&one.schema(), &other.schema()).unwrap());
        assert_eq!(schema.metadata().keys().collect::<Vec<_>>(), ["geo"]);
        let [one, other] = [one, other].map(|table| conform(&table, &schema).unwrap());
        assert_eq!(one.column(0), &texts(&["x", "y"]));
        assert_eq!((other.column(0), other.column(1).null_count()), (&texts(&["z"]), 1));
    }

    #[test]
    fn other_names_and_types_are_other_columns() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let one = table(vec![("a", Arc::clone(&numbers))], "");
        for other in
            [vec![("b", Arc::clone(&numbers))], vec![("a", texts)], vec![("a", numbers.clone()), ("b", numbers)]]
        {
            assert!(common_schema(&one.schema(), &table(other, "").schema()).is_none());
        }
    }
}
