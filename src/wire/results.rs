//! `Results`: what became of consecutive positions of a run.

use super::bytes::{Cursor, put_length, put_u32, put_u64};
use super::error::WireError;
use super::framing::BulkData;
use crate::model::{Failure, ItemTime, ResultForm};

/// The outcomes of consecutive positions, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Results {
    /// The first position.
    pub first: u32,
    /// The number of positions, including failed ones.
    pub count: u32,
    /// The positions that failed, in order.
    pub failures: Vec<(u32, Failure)>,
    /// With `ItemSettings::batched`, where `count` is 1: the bad rows, by their position in the batch.
    pub bad: Vec<(u32, Failure)>,
    /// The number of NaN and infinite values that were written as null.
    pub nulls: u32,
    /// With `ItemSettings::batched`, where `count` is 1: whether the task returned a list, whose elements are the results.
    pub list: bool,
    /// The form of the results. A table only with `ItemSettings::batched`, and as a `list`.
    pub form: ResultForm,
    /// How long positions ran: these, and some of before that were timed together with them.
    pub times: Vec<ItemTime>,
    /// A line of JSON for each position that succeeded (for each element, if `list`), or the table, or [segments](super::segments).
    pub lines: Vec<u8>,
}

impl Results {
    pub(super) fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError> {
        put_u32(head, self.first);
        put_u32(head, self.count);
        put_u32(head, self.nulls);
        let form = match self.form {
            ResultForm::Lines => 0,
            ResultForm::Arrow => 1,
            ResultForm::Pickle => 2,
        };
        head.push(u8::from(self.list) | form << 1);
        for failures in [&self.failures, &self.bad] {
            let failures = if failures.is_empty() { Vec::new() } else { serde_json::to_vec(failures)? };
            put_length(head, failures.len());
            head.extend_from_slice(&failures);
        }
        encode_times(head, &self.times);
        Ok([&self.lines, &[]])
    }

    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let (first, count, nulls, flags) = (cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u8()?);
        let list = flags & 1 != 0;
        let form = match flags >> 1 {
            0 => ResultForm::Lines,
            1 => ResultForm::Arrow,
            2 => ResultForm::Pickle,
            _ => return Err(WireError::Invalid("unknown form of results")),
        };
        let (failures, bad) = (decode_failures(cursor)?, decode_failures(cursor)?);
        let times = decode_times(cursor)?;
        Ok(Self { first, count, failures, bad, nulls, list, form, times, lines: cursor.rest.to_vec() })
    }
}

/// Writes times, each as its first position, the number of positions, and nanoseconds.
pub(super) fn encode_times(head: &mut Vec<u8>, times: &[ItemTime]) {
    put_length(head, times.len());
    for ItemTime { first, count, nanoseconds } in times {
        put_u32(head, *first);
        put_u32(head, *count);
        put_u64(head, *nanoseconds);
    }
}

pub(super) fn decode_times(cursor: &mut Cursor<'_>) -> Result<Vec<ItemTime>, WireError> {
    let time = |cursor: &mut Cursor<'_>| {
        Ok(ItemTime { first: cursor.u32()?, count: cursor.u32()?, nanoseconds: cursor.u64()? })
    };
    (0..cursor.length()?).map(|_| time(cursor)).collect()
}

fn decode_failures(cursor: &mut Cursor<'_>) -> Result<Vec<(u32, Failure)>, WireError> {
    let length = cursor.length()?;
    let json = cursor.take(length)?;
    Ok(if json.is_empty() { Vec::new() } else { serde_json::from_slice(json)? })
}
