//! The messages of a host, which runs frames of a step on another machine.
//!
//! The host sends `Hello`. Whoever started it sends `Assign`, and the host answers `Ready` or `Refused`. Then it answers each
//! `Frame` with one `Outcome`. Closing the connection ends the host, and what it is running.

use super::assignment::Assignment;
use super::bytes::Cursor;
use super::error::WireError;
use super::frame_outcome::HostOutcome;
use super::framing::{BulkData, Message, NO_BULK, encode_json};
use super::hello::{HELLO, Hello};
use super::run::Run;
use std::ops::RangeInclusive;

const ASSIGN: u8 = 2;
const READY: u8 = 3;
const REFUSED: u8 = 4;
const FRAME: u8 = 5;
const OUTCOME: u8 = 6;

/// A message between a host and what has started it.
#[derive(Debug, Clone)]
pub enum HostMessage {
    /// Host: the greeting.
    Hello(Hello),
    /// To the host: what to run.
    Assign(Box<Assignment>),
    /// Host: it can run that.
    Ready,
    /// Host: why it cannot.
    Refused(String),
    /// To the host: items. Each batch is of the form of a worker's `Run`.
    Frame(Run),
    /// Host: their outcomes.
    Outcome(HostOutcome),
}

impl Message for HostMessage {
    const KINDS: RangeInclusive<u8> = HELLO..=OUTCOME;

    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => HELLO,
            Self::Assign(_) => ASSIGN,
            Self::Ready => READY,
            Self::Refused(_) => REFUSED,
            Self::Frame(_) => FRAME,
            Self::Outcome(_) => OUTCOME,
        }
    }

    fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError> {
        match self {
            Self::Hello(hello) => encode_json(head, hello),
            Self::Assign(assignment) => encode_json(head, assignment),
            Self::Refused(why) => encode_json(head, why),
            Self::Ready => Ok(NO_BULK),
            Self::Frame(run) => Ok(run.encode(head)),
            Self::Outcome(outcome) => outcome.encode(head),
        }
    }

    fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor { rest: payload };
        Ok(match kind {
            HELLO => Self::Hello(serde_json::from_slice(payload)?),
            ASSIGN => Self::Assign(serde_json::from_slice(payload)?),
            READY => Self::Ready,
            REFUSED => Self::Refused(serde_json::from_slice(payload)?),
            FRAME => Self::Frame(Run::decode(&mut cursor)?),
            OUTCOME => Self::Outcome(HostOutcome::decode(&mut cursor)?),
            _ => return Err(WireError::Invalid("unknown kind")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, FailureKind, HostName, ItemTime, ResultForm};
    use crate::wire::{FrameReader, HostBatch, HostLog, HostOutcomeHead, write_frame};
    use std::time::Duration;

    #[test]
    fn an_outcome_arrives_as_it_was_sent() {
        let failure = Failure::new(FailureKind::HttpStatus, "HttpStatus", "429").with_code(Some(429));
        let batch = |bytes, failures| HostBatch { bytes, failures, ..HostBatch::default() };
        let head = HostOutcomeHead {
            host: HostName { machine: "node-1".to_owned(), process: 7, shares_files: true },
            batches: vec![
                batch(4, vec![(1, failure.clone(), Some(Duration::from_secs(7)))]),
                HostBatch { unrun: vec![0, 2], form: ResultForm::Arrow, list: true, nulls: 3, ..batch(2, Vec::new()) },
            ],
            fatal: Some(failure),
            logs: vec![HostLog { batch: 1, position: None, stream: "stderr".to_owned(), text: "ä\n".to_owned() }],
            spent: (1, 2, 3),
            requests: (4, 5, 6),
        };
        let times = vec![(0, ItemTime { first: 0, count: 2, nanoseconds: 1 << 40 }), (1, ItemTime::default())];
        let outcome = HostOutcome { head, times, results: b"11\n2xx".to_vec() };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &HostMessage::Outcome(outcome.clone())).unwrap();
        let back = FrameReader::default().read(&mut bytes.as_slice()).unwrap().unwrap();
        let HostMessage::Outcome(back) = back else { panic!("another kind") };
        assert_eq!(back, outcome);
    }

    #[test]
    fn results_of_another_length_than_announced_are_refused() {
        let head = HostOutcomeHead {
            batches: vec![HostBatch { bytes: usize::MAX, ..HostBatch::default() }; 2],
            ..HostOutcomeHead::default()
        };
        let outcome = HostOutcome { head, ..HostOutcome::default() };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &HostMessage::Outcome(outcome)).unwrap();
        let read = FrameReader::default().read::<HostMessage>(&mut bytes.as_slice());
        assert!(matches!(read, Err(WireError::Invalid(_))));
    }
}
