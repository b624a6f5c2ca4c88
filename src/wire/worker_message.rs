//! The messages between the engine and a Python worker.
//!
//! The worker sends `Hello`, the engine sends `Start`, and the worker answers `Ready` or `Broken`. Then the engine sends any
//! number of `Run`s. `Rest` ends the program with its
//! `teardown`; after that, another `Start` may follow. The worker answers each with `Results` and `Log` messages and one `Done`. `Stop`, or closing the
//! connection, ends the worker, which says when its `teardown` has ended.

use super::bytes::{Cursor, put_u32, put_u64};
use super::error::WireError;
use super::framing::{BulkData, Message, NO_BULK, encode_json};
use super::hello::{HELLO, Hello};
use super::results::{Results, decode_times, encode_times};
use super::run::Run;
use super::start::Start;
use crate::model::{Failure, ItemTime, WorkerTimes};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

const START: u8 = 2;
const READY: u8 = 3;
const BROKEN: u8 = 4;
const RUN: u8 = 5;
const RESULTS: u8 = 6;
const LOG: u8 = 7;
const DONE: u8 = 8;
const STOP: u8 = 9;
const TORN_DOWN: u8 = 10;
const REST: u8 = 11;

/// A message between the engine and a worker.
#[derive(Debug, Clone)]
pub enum WorkerMessage {
    /// Worker: the greeting.
    Hello(Hello),
    /// Engine: what to run.
    Start(Box<Start>),
    /// Worker: set up, and waiting for work.
    Ready,
    /// Worker: compiling, importing or `setup` failed. The worker ends.
    Broken(Failure),
    /// Engine: work.
    Run(Run),
    /// Worker: outcomes.
    Results(Results),
    /// Worker: printed text.
    Log(Log),
    /// Worker: the end of a `Run`.
    Done(Done),
    /// Engine: run `teardown` and end.
    Stop,
    /// Worker: `teardown` has ended. After `Stop`, all that is left is what Python does at its end.
    TornDown,
    /// Engine: run `teardown` and wait for the next `Start`.
    Rest,
}

/// What user code has printed or logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The position of the item; none for setup and teardown.
    pub position: Option<u32>,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The text as printed.
    pub text: String,
}

/// The end of a [`Run`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The number of positions that were run; fewer than sent if the worker halted.
    pub executed: u32,
    /// How long the last positions ran.
    pub times: Vec<ItemTime>,
    /// How the worker spent its time.
    pub spent: WorkerTimes,
}

impl Message for WorkerMessage {
    const KINDS: RangeInclusive<u8> = HELLO..=REST;

    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => HELLO,
            Self::Start(_) => START,
            Self::Ready => READY,
            Self::Broken(_) => BROKEN,
            Self::Run(_) => RUN,
            Self::Results(_) => RESULTS,
            Self::Log(_) => LOG,
            Self::Done(_) => DONE,
            Self::Stop => STOP,
            Self::TornDown => TORN_DOWN,
            Self::Rest => REST,
        }
    }

    fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError> {
        match self {
            Self::Hello(hello) => encode_json(head, hello),
            Self::Start(start) => encode_json(head, start),
            Self::Broken(failure) => encode_json(head, failure),
            Self::Log(log) => encode_json(head, log),
            Self::Run(run) => Ok(run.encode(head)),
            Self::Results(results) => results.encode(head),
            Self::Done(done) => {
                put_u32(head, done.executed);
                encode_times(head, &done.times);
                let WorkerTimes { decode, task, encode } = done.spent;
                [decode, task, encode].into_iter().for_each(|time| put_u64(head, time));
                Ok(NO_BULK)
            }
            Self::Ready | Self::Stop | Self::TornDown | Self::Rest => Ok(NO_BULK),
        }
    }

    fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor { rest: payload };
        Ok(match kind {
            HELLO => Self::Hello(serde_json::from_slice(payload)?),
            START => Self::Start(serde_json::from_slice(payload)?),
            READY => Self::Ready,
            BROKEN => Self::Broken(serde_json::from_slice(payload)?),
            RUN => Self::Run(Run::decode(&mut cursor)?),
            RESULTS => Self::Results(Results::decode(&mut cursor)?),
            LOG => Self::Log(serde_json::from_slice(payload)?),
            DONE => Self::Done(decode_done(&mut cursor)?),
            STOP => Self::Stop,
            TORN_DOWN => Self::TornDown,
            REST => Self::Rest,
            _ => return Err(WireError::Invalid("unknown kind")),
        })
    }
}

fn decode_done(cursor: &mut Cursor<'_>) -> Result<Done, WireError> {
    let (executed, times) = (cursor.u32()?, decode_times(cursor)?);
    let spent = WorkerTimes { decode: cursor.u64()?, task: cursor.u64()?, encode: cursor.u64()? };
    Ok(Done { executed, times, spent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FailureKind, Indexes, Items, LineNumbers, Origin, ResultForm};
    use crate::wire::framing::{FrameReader, write_frame};
    use crate::wire::run::RunBatch;

    fn there_and_back(message: &WorkerMessage) -> WorkerMessage {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, message).unwrap();
        let mut input = bytes.as_slice();
        let back = FrameReader::default().read(&mut input).unwrap().unwrap();
        assert!(input.is_empty());
        back
    }

    #[test]
    fn work_arrives_as_it_was_sent() {
        let mut items = Items::default();
        ["1", "\"two\"", "[3]"].iter().for_each(|item| items.push(item.as_bytes()));
        let origin = |lines| Some(Origin { file: "data/ä.csv".into(), lines });
        let batch =
            |number, indexes, origin| RunBatch { number, size: 2, total: 9, attempt: 2, indexes, form: 3, origin };
        let run = Run {
            halt_on_failure: true,
            batches: vec![
                batch(1, Indexes::Range(0..2), origin(LineNumbers::From(7))),
                batch(7, Indexes::List(vec![40]), origin(LineNumbers::Each(vec![9]))),
                batch(8, Indexes::List(vec![]), None),
            ],
            items,
            inputs: Items::default(),
        };
        let WorkerMessage::Run(back) = there_and_back(&WorkerMessage::Run(run.clone())) else { panic!("another kind") };
        assert_eq!(back, run);
    }

    #[test]
    fn results_arrive_with_their_failures() {
        let failure = Failure::new(FailureKind::Exception, "ValueError", "no").with_detail("Traceback");
        let results = Results {
            first: 3,
            count: 2,
            failures: vec![(4, failure.clone())],
            bad: vec![(1, failure)],
            nulls: 1,
            list: true,
            form: ResultForm::Arrow,
            times: vec![ItemTime { first: 1, count: 4, nanoseconds: 1 << 40 }],
            lines: b"{}\n".to_vec(),
        };
        let message = WorkerMessage::Results(results.clone());
        let WorkerMessage::Results(back) = there_and_back(&message) else { panic!("another kind") };
        assert_eq!(back, results);
    }
}
