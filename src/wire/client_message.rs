//! The messages between a Python client and the engine.
//!
//! On the connection that the client starts the engine with, both say `Hello`; then each byte that the client sends brings the
//! socket of one more call. On that, the client says `Open`, sends `Given` items, and `End` after the last of them, in its own
//! time; if results are kept, `Keyed` items. The engine answers with `Returned` and `Lost` items, in any order, and at last with `Ended`. Whoever closes the socket
//! of a call ends it. A client that takes results slowly sends fewer items, so the engine need not hold back what it has to say.
//! `docs/protocol.md` has this with all fields.

use super::bytes::{Cursor, put_u32, put_u64};
use super::error::WireError;
use super::framing::{BulkData, Message, NO_BULK, encode_json};
use super::hello::{HELLO, Hello};
use crate::model::{Failure, Indexes, ItemKey, Stats};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

const OPEN: u8 = 2;
const GIVEN: u8 = 3;
const END: u8 = 4;
const RETURNED: u8 = 5;
const LOST: u8 = 6;
const LOG: u8 = 7;
const NOTICE: u8 = 8;
const ENDED: u8 = 9;
const KEYED: u8 = 10;

/// A message between a client and the engine.
#[derive(Debug, Clone)]
pub enum ClientMessage {
    /// Both: the greeting.
    Hello(Hello),
    /// Client: what to call, and how.
    Open(Box<CallSettings>),
    /// Client: items.
    Given(Given),
    /// Client: items with keys, for a call whose results are kept.
    Keyed(Keyed),
    /// Client: all items were sent.
    End,
    /// Engine: results.
    Returned(Returned),
    /// Engine: items that have failed for the last time.
    Lost(Vec<Lost>),
    /// Engine: what the function has printed.
    Log(LogText),
    /// Engine: something that the user should know.
    Notice(String),
    /// Engine: the end of the call.
    Ended(CallEnd),
}

/// What to call, and how.
// More than 12 fields: a message has no others around it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallSettings {
    /// The file with the function, which the client keeps open: a path below `/proc`.
    pub program: String,
    /// The interpreter.
    pub python: String,
    /// Its version.
    pub version: String,
    /// Whether the interpreter has the extension module, so that it can be a worker.
    pub hosts_workers: bool,
    /// The working folder.
    pub folder: Option<String>,
    /// The client's `sys.path`.
    pub search_path: Vec<String>,
    /// Variables of the environment that the engine was not started with.
    pub env: BTreeMap<String, String>,
    /// How many workers.
    pub workers: Option<usize>,
    /// How long an item may take, in seconds.
    pub timeout: Option<f64>,
    /// The most memory that a worker may use for an item, in bytes.
    pub max_memory: Option<u64>,
    /// After how many items a worker is replaced.
    pub max_items_per_worker: Option<usize>,
    /// How often an item is tried.
    pub retry: Retry,
    /// Where results are kept, if they are.
    pub ledger: Option<CallLedger>,
}

/// Where results of a call are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLedger {
    /// The state folder.
    pub state: String,
    /// The name of the ledger.
    pub name: String,
    /// The fingerprint of the function, as hexadecimal digits.
    pub function: String,
    /// Whether results that are kept already are taken over. Otherwise they are deleted.
    pub resume: bool,
    /// Whether two items with the same key are a mistake.
    pub unique: bool,
}

/// How often an item is tried, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The most attempts, the first included.
    pub attempts: u32,
    /// Seconds before the second attempt.
    pub delay: f64,
    /// How the delay grows.
    pub backoff: Growth,
    /// The longest delay, in seconds.
    pub max_delay: Option<f64>,
    /// The random share of a delay, from 0 to 1.
    pub jitter: f64,
}

/// How a delay grows from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// d, d, d
    Fixed,
    /// d, 2d, 3d
    Linear,
    /// d, 2d, 4d
    Exponential,
}

/// Consecutive items: a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// How many. They follow those given before.
    pub count: u32,
    /// A pickle of a list of them.
    pub pickle: Arc<[u8]>,
}

/// Consecutive items with their keys: a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// Their keys.
    pub keys: Vec<ItemKey>,
    /// How many of those that are to be run a worker should get at a time.
    pub size: u32,
    /// A pickle of a list of them.
    pub pickle: Arc<[u8]>,
}

/// Results of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The indexes of the items, in rising order.
    pub indexes: Indexes,
    /// How long all of their batch took, in nanoseconds.
    pub took: u64,
    /// How many items their batch had.
    pub of: u32,
    /// The results, in [segments](super::segments).
    pub segments: Vec<u8>,
}

/// An item that has failed for the last time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lost {
    /// Its index.
    pub index: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed.
    pub failure: Failure,
}

/// What the function has printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogText {
    /// The index of the item; none outside of items.
    pub index: Option<u64>,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The text.
    pub text: String,
}

/// The end of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallEnd {
    /// The counts.
    pub stats: Stats,
    /// Why it ended before its last item.
    pub failure: Option<Failure>,
}

impl Message for ClientMessage {
    const KINDS: RangeInclusive<u8> = HELLO..=KEYED;

    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => HELLO,
            Self::Open(_) => OPEN,
            Self::Given(_) => GIVEN,
            Self::Keyed(_) => KEYED,
            Self::End => END,
            Self::Returned(_) => RETURNED,
            Self::Lost(_) => LOST,
            Self::Log(_) => LOG,
            Self::Notice(_) => NOTICE,
            Self::Ended(_) => ENDED,
        }
    }

    fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError> {
        match self {
            Self::Hello(hello) => encode_json(head, hello),
            Self::Open(settings) => encode_json(head, settings),
            Self::Lost(lost) => encode_json(head, lost),
            Self::Log(log) => encode_json(head, log),
            Self::Notice(text) => encode_json(head, text),
            Self::Ended(end) => encode_json(head, end),
            Self::End => Ok(NO_BULK),
            Self::Given(given) => {
                put_u32(head, given.count);
                Ok([&given.pickle, &[]])
            }
            Self::Keyed(keyed) => {
                put_u32(head, u32::try_from(keyed.keys.len()).expect("a batch of a client has at most 2^32 items"));
                put_u32(head, keyed.size);
                keyed.keys.iter().for_each(|key| head.extend_from_slice(&key.to_bytes()));
                Ok([&keyed.pickle, &[]])
            }
            Self::Returned(returned) => Ok(returned.encode(head)),
        }
    }

    fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor { rest: payload };
        Ok(match kind {
            HELLO => Self::Hello(serde_json::from_slice(payload)?),
            OPEN => Self::Open(serde_json::from_slice(payload)?),
            GIVEN => {
                let count = cursor.u32()?;
                Self::Given(Given { count, pickle: cursor.rest.into() })
            }
            KEYED => Self::Keyed(Keyed::decode(&mut cursor)?),
            END => Self::End,
            RETURNED => Self::Returned(Returned::decode(&mut cursor)?),
            LOST => Self::Lost(serde_json::from_slice(payload)?),
            LOG => Self::Log(serde_json::from_slice(payload)?),
            NOTICE => Self::Notice(serde_json::from_slice(payload)?),
            ENDED => Self::Ended(serde_json::from_slice(payload)?),
            _ => return Err(WireError::Invalid("unknown kind")),
        })
    }
}

impl Keyed {
    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let (count, size) = (cursor.u32()? as usize, cursor.u32()?);
        let (keys, pickle) = count
            .checked_mul(ItemKey::SIZE)
            .and_then(|length| cursor.rest.split_at_checked(length))
            .ok_or(WireError::Invalid("fewer keys than items"))?;
        let keys = keys.as_chunks::<{ ItemKey::SIZE }>().0.iter().map(|key| ItemKey::from_bytes(*key)).collect();
        Ok(Self { keys, size, pickle: pickle.into() })
    }
}

impl Returned {
    /// Time, size of the batch, number of items, and their indexes: the first alone if the others follow it.
    fn encode<'a>(&'a self, head: &mut Vec<u8>) -> BulkData<'a> {
        put_u64(head, self.took);
        put_u32(head, self.of);
        let count = u32::try_from(self.indexes.len()).expect("a batch of a client has at most 2^32 items");
        put_u32(head, count);
        match &self.indexes {
            Indexes::Range(range) => {
                head.push(0);
                put_u64(head, range.start);
            }
            Indexes::List(list) => {
                head.push(1);
                list.iter().for_each(|index| put_u64(head, *index));
            }
        }
        [&self.segments, &[]]
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let (took, of, count) = (cursor.u64()?, cursor.u32()?, cursor.u32()?);
        let indexes = match cursor.u8()? {
            0 => {
                let first = cursor.u64()?;
                let end = first.checked_add(u64::from(count)).ok_or(WireError::Invalid("indexes out of range"))?;
                Indexes::Range(first..end)
            }
            _ => Indexes::List(cursor.u64s(count as usize)?),
        };
        Ok(Self { indexes, took, of, segments: cursor.rest.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FrameReader, write_frame};

    fn there_and_back(message: &ClientMessage) -> ClientMessage {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, message).unwrap();
        FrameReader::default().read(&mut bytes.as_slice()).unwrap().unwrap()
    }

    #[test]
    fn items_and_results_arrive_as_they_were_sent() {
        let given = Given { count: 7, pickle: b"opaque".as_slice().into() };
        let ClientMessage::Given(back) = there_and_back(&ClientMessage::Given(given.clone())) else {
            panic!("another")
        };
        assert_eq!(back, given);
        let keyed = Keyed { keys: vec![1.into(), (1 << 90).into()], size: 3, pickle: b"opaque".as_slice().into() };
        let ClientMessage::Keyed(back) = there_and_back(&ClientMessage::Keyed(keyed.clone())) else {
            panic!("another")
        };
        assert_eq!(back, keyed);
        for indexes in [Indexes::Range(5..9), Indexes::List(vec![2, 5, 1 << 40]), Indexes::List(vec![])] {
            let returned = Returned { indexes, took: 5, of: 9, segments: vec![1, 2, 3] };
            let message = there_and_back(&ClientMessage::Returned(returned.clone()));
            let ClientMessage::Returned(back) = message else { panic!("another kind") };
            assert_eq!(back, returned);
        }
    }
}
