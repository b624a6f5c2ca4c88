//! `Run`: batches for a worker, with their items.

use super::bytes::{Cursor, put_length, put_u32, put_u64};
use super::error::WireError;
use super::framing::BulkData;
use crate::model::{Indexes, Items, LineNumbers, Origin};
use serde::{Deserialize, Serialize};

/// One or more batches, with their items packed in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Whether to start no further item after the first failure.
    pub halt_on_failure: bool,
    /// The batches, in order.
    pub batches: Vec<RunBatch>,
    /// The items of all batches, in order. An index into this list is a *position*. With `ItemSettings::batched`, a position is
    /// an index into `batches` instead.
    pub items: Items,
    /// If `ScopeValues::item_inputs` is not empty: a JSON array for each position. Else empty.
    pub inputs: Items,
}

/// One batch of a [`Run`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBatch {
    /// Its number, from 1.
    pub number: u64,
    /// The number of items it had when it was cut. If several consecutive batches are sent as one, it now has more.
    pub size: usize,
    /// The number of batches; 0 if unknown.
    pub total: u64,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The index of each of its items in the source. Their number is the number of its items.
    pub indexes: Indexes,
    /// The form of its items, as an index into [`ItemSettings::forms`](super::ItemSettings::forms).
    pub form: usize,
    /// Where its items came from, if they are rows of a file.
    pub origin: Option<Origin>,
}

impl Run {
    pub(super) fn encode<'a>(&'a self, head: &mut Vec<u8>) -> BulkData<'a> {
        head.push(u8::from(self.halt_on_failure));
        put_length(head, self.batches.len());
        self.batches.iter().for_each(|batch| batch.encode(head));
        for items in [&self.items, &self.inputs] {
            let (bytes, ends) = items.as_parts();
            head.push(u8::from(items.as_bundle().is_some()));
            put_length(head, ends.len());
            put_length(head, bytes.len());
            ends.iter().for_each(|end| put_u32(head, *end));
        }
        [self.items.as_parts().0, self.inputs.as_parts().0]
    }

    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let halt_on_failure = cursor.u8()? != 0;
        let count = cursor.length()?;
        let mut batches = Vec::with_capacity(count.min(1 << 20));
        for _ in 0..count {
            batches.push(RunBatch::decode(cursor)?);
        }
        let (items, inputs) = (packed_ends(cursor)?, packed_ends(cursor)?);
        let (items, inputs) = (packed_items(cursor, items)?, packed_items(cursor, inputs)?);
        Ok(Self { halt_on_failure, batches, items, inputs })
    }
}

/// What precedes the bytes of items.
struct Packed {
    is_bundle: bool,
    length: usize,
    /// The end of each item; of a bundle, the numbers of its items.
    ends: Vec<u32>,
}

fn packed_ends(cursor: &mut Cursor<'_>) -> Result<Packed, WireError> {
    let is_bundle = cursor.u8()? != 0;
    let (count, length) = (cursor.length()?, cursor.length()?);
    Ok(Packed { is_bundle, length, ends: cursor.u32s(count)? })
}

fn packed_items(cursor: &mut Cursor<'_>, packed: Packed) -> Result<Items, WireError> {
    let Packed { is_bundle, length, ends } = packed;
    let bytes = cursor.take(length)?;
    let items = if is_bundle { Items::members(bytes.into(), ends) } else { Items::from_parts(bytes.to_vec(), ends) };
    items.ok_or(WireError::Invalid("item ends out of order"))
}

impl RunBatch {
    fn encode(&self, head: &mut Vec<u8>) {
        put_u64(head, self.number);
        put_length(head, self.size);
        put_u64(head, self.total);
        put_u32(head, self.attempt);
        match &self.indexes {
            Indexes::Range(range) => {
                head.push(0);
                put_u64(head, range.start);
                put_u64(head, range.end);
            }
            Indexes::List(list) => {
                head.push(1);
                put_length(head, list.len());
                list.iter().for_each(|index| put_u64(head, *index));
            }
        }
        put_length(head, self.form);
        encode_origin(head, self.origin.as_ref());
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let (number, size) = (cursor.u64()?, cursor.length()?);
        let (total, attempt) = (cursor.u64()?, cursor.u32()?);
        let indexes = match cursor.u8()? {
            0 => Indexes::Range(cursor.u64()?..cursor.u64()?),
            _ => {
                let count = cursor.length()?;
                Indexes::List(cursor.u64s(count)?)
            }
        };
        let form = cursor.length()?;
        let origin = decode_origin(cursor)?;
        Ok(Self { number, size, total, attempt, indexes, form, origin })
    }
}

fn encode_origin(head: &mut Vec<u8>, origin: Option<&Origin>) {
    let Some(origin) = origin else { return head.push(0) };
    let lines: &[u64] = match &origin.lines {
        LineNumbers::From(first) => {
            head.push(1);
            std::slice::from_ref(first)
        }
        LineNumbers::Each(lines) => {
            head.push(2);
            put_length(head, lines.len());
            lines
        }
    };
    lines.iter().for_each(|line| put_u64(head, *line));
    put_length(head, origin.file.len());
    head.extend_from_slice(origin.file.as_bytes());
}

fn decode_origin(cursor: &mut Cursor<'_>) -> Result<Option<Origin>, WireError> {
    let lines = match cursor.u8()? {
        0 => return Ok(None),
        1 => LineNumbers::From(cursor.u64()?),
        _ => {
            let count = cursor.length()?;
            LineNumbers::Each(cursor.u64s(count)?)
        }
    };
    let length = cursor.length()?;
    let file = std::str::from_utf8(cursor.take(length)?).map_err(|_| WireError::Invalid("path is not UTF-8"))?;
    Ok(Some(Origin { file: file.into(), lines }))
}
