//! The messages between the engine and a driver: a Python process that hands frames to a distributed engine.
//!
//! The driver sends `Hello` and then `Ready`, or `Refused`. The engine sends each `Program` once, then `Submit`s frames for
//! it, and may `Cancel` them. The driver answers each `Submit` with an `Outcome` or as `Lost`. What a driver passes on are whole
//! messages of a [host](super::host_message), which it never opens. Closing the connection ends the driver.

use super::bytes::{Cursor, put_length, put_u32, put_u64};
use super::error::WireError;
use super::framing::{BulkData, Message, NO_BULK, encode_json};
use super::hello::{HELLO, Hello};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

const READY: u8 = 2;
const REFUSED: u8 = 3;
const PROGRAM: u8 = 4;
const SUBMIT: u8 = 5;
const CANCEL: u8 = 6;
const OUTCOME: u8 = 7;
const LOST: u8 = 8;

/// A message between the engine and a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverMessage {
    /// Driver: the greeting.
    Hello(Hello),
    /// Driver: connected.
    Ready(DriverReady),
    /// Driver: why no frame can run, now or ever.
    Refused(Refusal),
    /// Engine: what to run, under this number.
    Program(u32, Vec<u8>),
    /// Engine: a frame.
    Submit(Submit),
    /// Engine: nobody waits for this ticket any more.
    Cancel(u64),
    /// Driver: the outcome of the frame with this ticket.
    Outcome(u64, Vec<u8>),
    /// Driver: the frame with this ticket was lost with the process that ran it.
    Lost(LostFrame),
}

/// What a driver is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverReady {
    /// How many frames can run side by side.
    pub slots: usize,
    /// Its name for people.
    pub name: String,
}

/// Why nothing can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// One line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A frame to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// Identifies it.
    pub ticket: u64,
    /// The number of its program.
    pub program: u32,
    /// Its name for people, which no other frame has.
    pub name: String,
    /// The message for a host.
    pub frame: Vec<u8>,
}

/// A frame without an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostFrame {
    /// Its ticket.
    pub ticket: u64,
    /// What happened, such as the name and text of an exception.
    pub why: String,
    /// Whether others were lost with it, so that nobody knows whose fault it is.
    pub shared: bool,
}

impl Message for DriverMessage {
    const KINDS: RangeInclusive<u8> = HELLO..=LOST;

    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => HELLO,
            Self::Ready(_) => READY,
            Self::Refused(_) => REFUSED,
            Self::Program(..) => PROGRAM,
            Self::Submit(_) => SUBMIT,
            Self::Cancel(_) => CANCEL,
            Self::Outcome(..) => OUTCOME,
            Self::Lost(_) => LOST,
        }
    }

    fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError> {
        match self {
            Self::Hello(hello) => encode_json(head, hello),
            Self::Ready(ready) => encode_json(head, ready),
            Self::Refused(refusal) => encode_json(head, refusal),
            Self::Lost(lost) => encode_json(head, lost),
            Self::Program(number, bytes) => {
                put_u32(head, *number);
                Ok([bytes, &[]])
            }
            Self::Submit(submit) => {
                put_u64(head, submit.ticket);
                put_u32(head, submit.program);
                put_length(head, submit.name.len());
                head.extend_from_slice(submit.name.as_bytes());
                Ok([&submit.frame, &[]])
            }
            Self::Cancel(ticket) => {
                put_u64(head, *ticket);
                Ok(NO_BULK)
            }
            Self::Outcome(ticket, bytes) => {
                put_u64(head, *ticket);
                Ok([bytes, &[]])
            }
        }
    }

    fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor { rest: payload };
        Ok(match kind {
            HELLO => Self::Hello(serde_json::from_slice(payload)?),
            READY => Self::Ready(serde_json::from_slice(payload)?),
            REFUSED => Self::Refused(serde_json::from_slice(payload)?),
            LOST => Self::Lost(serde_json::from_slice(payload)?),
            PROGRAM => Self::Program(cursor.u32()?, cursor.rest.to_vec()),
            SUBMIT => {
                let (ticket, program, length) = (cursor.u64()?, cursor.u32()?, cursor.length()?);
                let name =
                    std::str::from_utf8(cursor.take(length)?).map_err(|_| WireError::Invalid("name is not UTF-8"))?;
                Self::Submit(Submit { ticket, program, name: name.to_owned(), frame: cursor.rest.to_vec() })
            }
            CANCEL => Self::Cancel(cursor.u64()?),
            OUTCOME => Self::Outcome(cursor.u64()?, cursor.rest.to_vec()),
            _ => return Err(WireError::Invalid("unknown kind")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FrameReader, write_frame};

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        let messages = [
            DriverMessage::Ready(DriverReady { slots: 4, name: "dask".to_owned() }),
            DriverMessage::Refused(Refusal { message: "no".to_owned(), help: None }),
            DriverMessage::Program(3, vec![1, 2]),
            DriverMessage::Submit(Submit { ticket: 1 << 40, program: 3, name: "ä/1".to_owned(), frame: vec![9; 5] }),
            DriverMessage::Cancel(7),
            DriverMessage::Outcome(7, vec![]),
            DriverMessage::Lost(LostFrame { ticket: 7, why: "KilledWorker".to_owned(), shared: true }),
        ];
        for message in messages {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, &message).unwrap();
            assert_eq!(FrameReader::default().read(&mut bytes.as_slice()).unwrap(), Some(message));
        }
    }
}
