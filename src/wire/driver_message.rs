//! The messages between the engine and a driver: a Python process that hands frames to a distributed engine.
//!
//! The driver sends `Hello` and then `Ready`, or `Refused`. For each step the engine `Ask`s how many frames have `Room`, sends the
//! `Program`, then `Submit`s frames for it, and may `Cancel` them. The driver answers each `Submit` with an `Outcome` or as `Lost`.
//! What a driver passes on are whole messages of a [host](super::host_message), which it never opens. Closing the connection ends
//! the driver.

use super::bytes::{Cursor, put_length, put_u32, put_u64};
use super::error::WireError;
use super::framing::{BulkData, Message, NO_BULK, encode_json};
use super::hello::{HELLO, Hello};
use crate::model::{Refusal, Resources};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

const READY: u8 = 2;
const REFUSED: u8 = 3;
const PROGRAM: u8 = 4;
const SUBMIT: u8 = 5;
const CANCEL: u8 = 6;
const OUTCOME: u8 = 7;
const LOST: u8 = 8;
const ASK: u8 = 9;
const ROOM: u8 = 10;

/// A message between the engine and a driver.
#[derive(Debug, Clone, PartialEq)]
pub enum DriverMessage {
    /// Driver: the greeting.
    Hello(Hello),
    /// Driver: connected.
    Ready(DriverReady),
    /// Driver: why no frame can run, now or ever.
    Refused(Refusal),
    /// Engine: how many frames that need this have room?
    Ask(Resources),
    /// Driver: the answer.
    Room(Room),
    /// Engine: what to run.
    Program(RemoteProgram),
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

/// How many frames can run side by side that need something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// So many: one at least.
    pub slots: usize,
    /// Why none can ever run.
    pub refusal: Option<Refusal>,
}

/// What to run.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteProgram {
    /// Its number.
    pub number: u32,
    /// What each of its frames needs.
    pub resources: Resources,
    /// The message for a host.
    pub message: Vec<u8>,
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
    const KINDS: RangeInclusive<u8> = HELLO..=ROOM;

    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => HELLO,
            Self::Ready(_) => READY,
            Self::Refused(_) => REFUSED,
            Self::Program(_) => PROGRAM,
            Self::Ask(_) => ASK,
            Self::Room(_) => ROOM,
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
            Self::Ask(resources) => encode_json(head, resources),
            Self::Room(room) => encode_json(head, room),
            Self::Program(program) => {
                put_u32(head, program.number);
                let resources = serde_json::to_vec(&program.resources)?;
                put_length(head, resources.len());
                head.extend_from_slice(&resources);
                Ok([&program.message, &[]])
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
            ASK => Self::Ask(serde_json::from_slice(payload)?),
            ROOM => Self::Room(serde_json::from_slice(payload)?),
            PROGRAM => {
                let (number, length) = (cursor.u32()?, cursor.length()?);
                let resources = serde_json::from_slice(cursor.take(length)?)?;
                Self::Program(RemoteProgram { number, resources, message: cursor.rest.to_vec() })
            }
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
        let resources = Resources {
            cpus: Some(0.5),
            memory: Some(1 << 40),
            gpus: None,
            custom: [("license".to_owned(), 2.0)].into(),
        };
        let messages = [
            DriverMessage::Ready(DriverReady { slots: 4, name: "dask".to_owned() }),
            DriverMessage::Refused(Refusal { message: "no".to_owned(), help: None }),
            DriverMessage::Ask(resources.clone()),
            DriverMessage::Room(Room { slots: 3, refusal: None }),
            DriverMessage::Program(RemoteProgram { number: 3, resources, message: vec![1, 2] }),
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
