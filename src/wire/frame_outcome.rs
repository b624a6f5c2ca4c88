//! `Outcome`: the outcome of a frame that a host has run.

use super::bytes::{Cursor, put_length};
use super::error::WireError;
use super::framing::BulkData;
use super::results::{decode_times, encode_times};
use crate::model::{Failure, HostName, ItemTime, RequestTimes, ResultForm, WorkerTimes};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The outcome of a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostOutcome {
    /// The outcomes of its batches, and of the frame as a whole.
    pub head: HostOutcomeHead,
    /// How long items ran: the place of their batch in the frame, and the time.
    pub times: Vec<(u32, ItemTime)>,
    /// The results of all batches, one after another.
    pub results: Vec<u8>,
}

/// All of it but bulk data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostOutcomeHead {
    /// The host.
    pub host: HostName,
    /// The outcome of each batch, in order.
    pub batches: Vec<HostBatch>,
    /// Why the step cannot go on, if it cannot.
    pub fatal: Option<Failure>,
    /// What tasks printed.
    pub logs: Vec<HostLog>,
    /// How a worker spent its time, in nanoseconds: decoding, in the task, encoding.
    pub spent: (u64, u64, u64),
    /// How its requests spent theirs, in nanoseconds: connecting, waiting, sending and receiving.
    #[serde(default)]
    pub requests: (u64, u64, u64),
}

/// The outcome of a batch. Positions count within the batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostBatch {
    /// The items that did not run.
    pub unrun: Vec<usize>,
    /// The items that failed, and how long a server asked to wait before the next attempt.
    pub failures: Vec<(usize, Failure, Option<Duration>)>,
    /// How many bytes of results it has.
    pub bytes: usize,
    /// How they are encoded.
    pub form: ResultForm,
    /// Whether a batched task returned a list.
    pub list: bool,
    /// How many NaN or infinite numbers became null.
    pub nulls: u64,
    /// The directories with the files of items that succeeded.
    pub files: Vec<(usize, PathBuf)>,
}

/// Text that a task printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLog {
    /// The place of the batch in the frame.
    pub batch: usize,
    /// The position of the item in the batch; none outside of items.
    pub position: Option<usize>,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The text.
    pub text: String,
}

impl HostOutcomeHead {
    /// How a worker spent its time.
    pub fn worker(&self) -> WorkerTimes {
        let (decode, task, encode) = self.spent;
        WorkerTimes { decode, task, encode }
    }

    /// How its requests spent their time.
    pub fn request(&self) -> RequestTimes {
        let (connect, wait, transfer) = self.requests;
        RequestTimes { connect, wait, transfer }
    }
}

impl HostOutcome {
    /// The head as JSON, the times, and the results.
    pub(super) fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError> {
        let json = serde_json::to_vec(&self.head)?;
        put_length(head, json.len());
        head.extend_from_slice(&json);
        put_length(head, self.times.len());
        self.times.iter().for_each(|(batch, _)| head.extend_from_slice(&batch.to_le_bytes()));
        encode_times(head, &self.times.iter().map(|(_, time)| *time).collect::<Vec<_>>());
        Ok([&self.results, &[]])
    }

    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let length = cursor.length()?;
        let head: HostOutcomeHead = serde_json::from_slice(cursor.take(length)?)?;
        let count = cursor.length()?;
        let places = cursor.u32s(count)?;
        let times = decode_times(cursor)?;
        let bytes = head.batches.iter().try_fold(0_usize, |sum, batch| sum.checked_add(batch.bytes));
        if times.len() != places.len() || bytes != Some(cursor.rest.len()) {
            return Err(WireError::Invalid("results of another length than announced"));
        }
        Ok(Self { head, times: places.into_iter().zip(times).collect(), results: cursor.rest.to_vec() })
    }
}
