//! Records whose columns of mixed types are text: strings as they are, all other values as JSON.

use super::columns::{Column, ColumnType, Columns};
use super::error::WriteError;
use super::record::{Fields, Place, VALUE, unreadable};
use serde_json::value::RawValue;

/// Appends a record as a mapping in which every value fits its column.
pub(super) fn push_record(line: &[u8], columns: &Columns, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let record = |line: &[u8], out: &mut Vec<u8>| {
        if line.starts_with(b"{") {
            return push_mapping(serde_json::from_slice(line)?, columns, out);
        }
        let value: &RawValue = serde_json::from_slice(line)?;
        push_mapping(Fields(vec![(VALUE.into(), value)]), columns, out)
    };
    // Its types were inferred, so it is JSON.
    record(line, out).map_err(|error| unreadable(Place::default(), &error))
}

fn push_mapping(fields: Fields<'_>, columns: &Columns, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.push(b'{');
    let known = fields.0.into_iter().filter_map(|(key, value)| Some((columns.0.get(&*key)?, key, value)));
    for (at, (column, key, value)) in known.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, &key)?;
        out.push(b':');
        push_value(value, column, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn push_value(value: &RawValue, column: &Column, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let json = value.get();
    match &column.kind {
        _ if json == "null" || !column.kind.has_mixed() => out.extend_from_slice(json.as_bytes()),
        ColumnType::List(element) => {
            out.push(b'[');
            for (at, value) in serde_json::from_str::<Vec<&RawValue>>(json)?.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push_value(value, element, out)?;
            }
            out.push(b']');
        }
        ColumnType::Mapping(columns) => push_mapping(serde_json::from_str(json)?, columns, out)?,
        _ if json.starts_with('"') => out.extend_from_slice(json.as_bytes()),
        _ => serde_json::to_writer(out, json)?,
    }
    Ok(())
}
