//! Frames as bytes.

use super::frames::{Done, Frame, Results, Run, RunBatch, WireError};
use crate::model::{Failure, Indexes, Items, LineNumbers, Origin, ResultForm};
use serde::Serialize;
use std::io::{self, IoSlice, Read, Write};

const HELLO: u8 = 1;
const START: u8 = 2;
const READY: u8 = 3;
const BROKEN: u8 = 4;
const RUN: u8 = 5;
const RESULTS: u8 = 6;
const LOG: u8 = 7;
const DONE: u8 = 8;
const STOP: u8 = 9;

/// Writes one frame whole.
pub fn write_frame(out: &mut impl Write, frame: &Frame) -> Result<(), WireError> {
    let mut head = Vec::new();
    let (kind, tail): (u8, [&[u8]; 2]) = match frame {
        Frame::Hello(hello) => (HELLO, json(&mut head, hello)?),
        Frame::Start(start) => (START, json(&mut head, start)?),
        Frame::Ready => (READY, [&[], &[]]),
        Frame::Broken(failure) => (BROKEN, json(&mut head, failure)?),
        Frame::Run(run) => (RUN, encode_run(&mut head, run)),
        Frame::Results(results) => (RESULTS, encode_results(&mut head, results)?),
        Frame::Log(log) => (LOG, json(&mut head, log)?),
        Frame::Done(done) => {
            put_u32(&mut head, done.executed);
            (DONE, [&[], &[]])
        }
        Frame::Stop => (STOP, [&[], &[]]),
    };
    let length = head.len() + tail[0].len() + tail[1].len();
    let length = u32::try_from(length).map_err(|_| WireError::Invalid("frame over 4 GiB"))?;
    let mut start = [0; 5];
    start[0] = kind;
    start[1..].copy_from_slice(&length.to_le_bytes());
    write_all_vectored(
        out,
        &mut [IoSlice::new(&start), IoSlice::new(&head), IoSlice::new(tail[0]), IoSlice::new(tail[1])],
    )?;
    Ok(())
}

/// One system call for a frame in the usual case: the header alone would cost another wake-up of the reader.
fn write_all_vectored(out: &mut impl Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match out.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn json<'a>(head: &mut Vec<u8>, value: &impl Serialize) -> Result<[&'a [u8]; 2], WireError> {
    serde_json::to_writer(head, value)?;
    Ok([&[], &[]])
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn length(value: usize) -> u32 {
    u32::try_from(value).expect("batches are cut far below 4 GiB")
}

fn encode_run<'a>(head: &mut Vec<u8>, run: &'a Run) -> [&'a [u8]; 2] {
    head.push(u8::from(run.halt_on_failure));
    put_u32(head, length(run.batches.len()));
    for batch in &run.batches {
        put_u64(head, batch.number);
        put_u32(head, length(batch.size));
        put_u64(head, batch.total);
        put_u32(head, batch.attempt);
        match &batch.indexes {
            Indexes::Range(range) => {
                head.push(0);
                put_u64(head, range.start);
                put_u64(head, range.end);
            }
            Indexes::List(list) => {
                head.push(1);
                put_u32(head, length(list.len()));
                list.iter().for_each(|index| put_u64(head, *index));
            }
        }
        put_u32(head, length(batch.form));
        encode_origin(head, batch.origin.as_ref());
    }
    for items in [&run.items, &run.inputs] {
        let (bytes, ends) = items.as_parts();
        put_u32(head, length(ends.len()));
        put_u32(head, length(bytes.len()));
        ends.iter().for_each(|end| put_u32(head, *end));
    }
    [run.items.as_parts().0, run.inputs.as_parts().0]
}

fn encode_origin(head: &mut Vec<u8>, origin: Option<&Origin>) {
    let Some(origin) = origin else { return head.push(0) };
    let each: &[u64] = match &origin.lines {
        LineNumbers::From(first) => {
            head.push(1);
            std::slice::from_ref(first)
        }
        LineNumbers::Each(lines) => {
            head.push(2);
            put_u32(head, length(lines.len()));
            lines
        }
    };
    each.iter().for_each(|line| put_u64(head, *line));
    put_u32(head, length(origin.file.len()));
    head.extend_from_slice(origin.file.as_bytes());
}

fn encode_results<'a>(head: &mut Vec<u8>, results: &'a Results) -> Result<[&'a [u8]; 2], WireError> {
    put_u32(head, results.first);
    put_u32(head, results.count);
    put_u32(head, results.nulls);
    head.push(u8::from(results.list) | u8::from(results.form == ResultForm::Arrow) << 1);
    for failures in [&results.failures, &results.bad] {
        let failures = if failures.is_empty() { Vec::new() } else { serde_json::to_vec(failures)? };
        put_u32(head, length(failures.len()));
        head.extend_from_slice(&failures);
    }
    Ok([&results.lines, &[]])
}

/// The largest buffer that is kept from frame to frame, in bytes.
const KEPT: usize = 4 << 20;

/// The room that is made for a frame before any of it has come, in bytes.
const ROOM: usize = 1 << 20;

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    header: [u8; 5],
    have: usize,
    /// The frame's bytes stand at its beginning; what is behind them is of earlier ones.
    payload: Vec<u8>,
    /// How much of it has come.
    filled: usize,
    begun: bool,
}

impl FrameReader {
    /// Reads until one frame is whole. `None` is the end of the stream between two frames.
    /// Over a socket with a read timeout, an error of kind `WouldBlock` or `TimedOut` leaves it ready to go on.
    pub fn read(&mut self, input: &mut impl Read) -> Result<Option<Frame>, WireError> {
        while self.have < self.header.len() {
            match input.read(&mut self.header[self.have..]) {
                Ok(0) if self.have == 0 => return Ok(None),
                Ok(0) => return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !(HELLO..=STOP).contains(&self.header[0]) {
            // Found before its length is believed: foreign bytes would be waited for without end.
            return Err(WireError::Invalid("unknown kind"));
        }
        let length = u32::from_le_bytes(self.header[1..].try_into().expect("four bytes")) as usize;
        if !self.begun {
            // A buffer that one large frame has needed is not kept for small ones.
            self.payload.truncate(KEPT.max(length));
            self.payload.shrink_to(KEPT.max(length));
            (self.begun, self.filled) = (true, 0);
        }
        while self.filled < length {
            if self.filled == self.payload.len() {
                // Not all at once: a length is only a claim until the bytes have come.
                self.payload.resize(length.min(self.filled + self.filled.max(ROOM)), 0);
            }
            let end = length.min(self.payload.len());
            match input.read(&mut self.payload[self.filled..end]) {
                Ok(0) => return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        (self.have, self.begun) = (0, false);
        decode(self.header[0], &self.payload[..length]).map(Some)
    }
}

fn decode(kind: u8, payload: &[u8]) -> Result<Frame, WireError> {
    let mut cursor = Cursor { rest: payload };
    Ok(match kind {
        HELLO => Frame::Hello(serde_json::from_slice(payload)?),
        START => Frame::Start(serde_json::from_slice(payload)?),
        READY => Frame::Ready,
        BROKEN => Frame::Broken(serde_json::from_slice(payload)?),
        RUN => Frame::Run(decode_run(&mut cursor)?),
        RESULTS => Frame::Results(decode_results(&mut cursor)?),
        LOG => Frame::Log(serde_json::from_slice(payload)?),
        DONE => Frame::Done(Done { executed: cursor.u32()? }),
        STOP => Frame::Stop,
        _ => return Err(WireError::Invalid("unknown kind")),
    })
}

fn decode_run(cursor: &mut Cursor<'_>) -> Result<Run, WireError> {
    let halt_on_failure = cursor.u8()? != 0;
    let count = cursor.u32()? as usize;
    let mut batches = Vec::with_capacity(count.min(1 << 20));
    for _ in 0..count {
        let (number, size) = (cursor.u64()?, cursor.u32()? as usize);
        let (total, attempt) = (cursor.u64()?, cursor.u32()?);
        let indexes = match cursor.u8()? {
            0 => Indexes::Range(cursor.u64()?..cursor.u64()?),
            _ => {
                let len = cursor.u32()? as usize;
                Indexes::List((0..len).map(|_| cursor.u64()).collect::<Result<_, _>>()?)
            }
        };
        let form = cursor.u32()? as usize;
        let origin = decode_origin(cursor)?;
        batches.push(RunBatch { number, size, total, attempt, indexes, form, origin });
    }
    let mut shapes = [(0, Vec::new()), (0, Vec::new())];
    for (bytes, ends) in &mut shapes {
        let len = cursor.u32()? as usize;
        *bytes = cursor.u32()? as usize;
        *ends = (0..len).map(|_| cursor.u32()).collect::<Result<_, _>>()?;
    }
    let mut packed = shapes.into_iter().map(|(bytes, ends)| {
        let bytes = cursor.take(bytes)?.to_vec();
        Items::from_parts(bytes, ends).ok_or(WireError::Invalid("item ends out of order"))
    });
    let mut next = || packed.next().expect("there are two shapes");
    Ok(Run { halt_on_failure, batches, items: next()?, inputs: next()? })
}

fn decode_origin(cursor: &mut Cursor<'_>) -> Result<Option<Origin>, WireError> {
    let lines = match cursor.u8()? {
        0 => return Ok(None),
        1 => LineNumbers::From(cursor.u64()?),
        _ => {
            let len = cursor.u32()? as usize;
            LineNumbers::Each((0..len).map(|_| cursor.u64()).collect::<Result<_, _>>()?)
        }
    };
    let len = cursor.u32()? as usize;
    let file = std::str::from_utf8(cursor.take(len)?).map_err(|_| WireError::Invalid("a path that is not UTF-8"))?;
    Ok(Some(Origin { file: file.into(), lines }))
}

fn decode_results(cursor: &mut Cursor<'_>) -> Result<Results, WireError> {
    let (first, count, nulls, flags) = (cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u8()?);
    let list = flags & 1 != 0;
    let form = if flags & 2 == 0 { ResultForm::Lines } else { ResultForm::Arrow };
    let mut failures = || -> Result<Vec<(u32, Failure)>, WireError> {
        let length = cursor.u32()? as usize;
        let json = cursor.take(length)?;
        Ok(if json.is_empty() { Vec::new() } else { serde_json::from_slice(json)? })
    };
    let (failures, bad) = (failures()?, failures()?);
    Ok(Results { first, count, failures, bad, nulls, list, form, lines: cursor.rest.to_vec() })
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(WireError::Invalid("too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    fn there_and_back(frame: &Frame) -> Frame {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, frame).unwrap();
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
        let Frame::Run(back) = there_and_back(&Frame::Run(run.clone())) else { panic!("another kind") };
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
            lines: b"{}\n".to_vec(),
        };
        let Frame::Results(back) = there_and_back(&Frame::Results(results.clone())) else { panic!("another kind") };
        assert_eq!(back, results);
    }

    /// Gives a few bytes at a time, and a timeout in between.
    struct Slow<'a>(&'a [u8], usize, bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let most = buffer.len().min(self.1);
            self.0.read(&mut buffer[..most])
        }
    }

    #[test]
    fn frames_of_any_size_arrive_one_after_the_other_however_they_are_cut() {
        let empty = Results {
            first: 0,
            count: 1,
            failures: Vec::new(),
            bad: Vec::new(),
            nulls: 0,
            list: false,
            form: ResultForm::Lines,
            lines: Vec::new(),
        };
        let sizes = [0, 3 << 20, 5, KEPT + 9, 7, 2 << 20];
        let mut bytes = Vec::new();
        for size in sizes {
            let lines = (0..size).map(|at| (at % 251) as u8).collect();
            write_frame(&mut bytes, &Frame::Results(Results { lines, ..empty.clone() })).unwrap();
            write_frame(&mut bytes, &Frame::Ready).unwrap();
        }
        let mut input = Slow(&bytes, 100_003, false);
        let mut reader = FrameReader::default();
        let mut next = || loop {
            match reader.read(&mut input) {
                Err(WireError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.unwrap(),
            }
        };
        for size in sizes {
            let Some(Frame::Results(results)) = next() else { panic!("another kind") };
            assert!(results.lines.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
            assert_eq!(results.lines.len(), size);
            assert!(matches!(next(), Some(Frame::Ready)));
        }
        assert!(next().is_none());
    }

    #[test]
    fn a_frame_cut_short_is_an_error_and_none_is_the_end() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &Frame::Done(Done { executed: 1 })).unwrap();
        let mut reader = FrameReader::default();
        assert!(matches!(reader.read(&mut &bytes[..7]), Err(WireError::Io(_))));
        assert!(FrameReader::default().read(&mut [].as_slice()).unwrap().is_none());
    }
}
