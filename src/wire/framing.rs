//! Frames: how messages of any set travel over a stream.
//!
//! A frame is a header of five bytes (the kind of the message, then the length of the payload as u32, little-endian) and the
//! payload. What payloads contain is up to the set of [`Message`]s. The header is written by hand, and so are payloads with
//! bulk data: items and results must go from one buffer to the socket without a copy, which serde formats cannot do. Payloads
//! that are sent once per worker or per failure are JSON.

use super::error::WireError;
use serde::Serialize;
use std::io::{self, IoSlice, Read, Write};
use std::ops::RangeInclusive;

/// The largest buffer to keep between frames, in bytes.
const KEPT: usize = 4 << 20;

/// How much memory to reserve for a frame before any of it has arrived, in bytes.
const ROOM: usize = 1 << 20;

/// A set of messages. Both ends of a connection use the same set.
pub trait Message: Sized {
    /// The kinds of the set. Other kinds are rejected.
    const KINDS: RangeInclusive<u8>;

    /// The kind of this message.
    fn kind(&self) -> u8;

    /// Appends the payload to `head`, apart from bulk data at its end, which is returned.
    ///
    /// # Errors
    /// If the payload cannot be encoded.
    fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError>;

    /// Decodes a payload.
    ///
    /// # Errors
    /// If the payload is not valid.
    fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError>;
}

/// The end of a payload that is sent without copying it.
pub type BulkData<'a> = [&'a [u8]; 2];

/// A payload without bulk data.
pub(super) const NO_BULK: BulkData<'static> = [&[], &[]];

/// Writes a payload of JSON.
pub(super) fn encode_json(head: &mut Vec<u8>, value: &impl Serialize) -> Result<BulkData<'static>, WireError> {
    serde_json::to_writer(head, value)?;
    Ok(NO_BULK)
}

/// Writes a whole frame.
///
/// # Errors
/// If the stream fails, or the message cannot be encoded.
pub fn write_frame(out: &mut impl Write, message: &impl Message) -> Result<(), WireError> {
    let mut head = Vec::new();
    let bulk = message.encode(&mut head)?;
    let length = head.len() + bulk[0].len() + bulk[1].len();
    let length = u32::try_from(length).map_err(|_| WireError::Invalid("larger than 4 GiB"))?;
    let mut header = [0; 5];
    header[0] = message.kind();
    header[1..].copy_from_slice(&length.to_le_bytes());
    write_all_vectored(
        out,
        &mut [IoSlice::new(&header), IoSlice::new(&head), IoSlice::new(bulk[0]), IoSlice::new(bulk[1])],
    )?;
    Ok(())
}

/// Usually one system call per frame. Writing the header on its own would wake up the reader twice.
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

/// Reads frames from a stream.
#[derive(Debug, Default)]
pub struct FrameReader {
    header: [u8; 5],
    /// How many bytes of the header have arrived.
    header_filled: usize,
    /// The payload is at the start. What follows it is left over from earlier frames.
    payload: Vec<u8>,
    /// How many bytes of the payload have arrived.
    payload_filled: usize,
    payload_started: bool,
}

impl FrameReader {
    /// Reads one message. `None` is the end of the stream between two frames.
    ///
    /// # Errors
    /// If the stream fails or a frame is not valid. After `WouldBlock` or `TimedOut`, call it again to continue.
    pub fn read<M: Message>(&mut self, input: &mut impl Read) -> Result<Option<M>, WireError> {
        while self.header_filled < self.header.len() {
            match input.read(&mut self.header[self.header_filled..]) {
                Ok(0) if self.header_filled == 0 => return Ok(None),
                Ok(0) => return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.header_filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let kind = self.header[0];
        if !M::KINDS.contains(&kind) {
            // Checked before the length is trusted: otherwise garbage could make us wait forever.
            return Err(WireError::Invalid("unknown kind"));
        }
        let length = u32::from_le_bytes(self.header[1..].try_into().expect("four bytes")) as usize;
        self.fill(input, length)?;
        (self.header_filled, self.payload_started) = (0, false);
        M::decode(kind, &self.payload[..length]).map(Some)
    }

    fn fill(&mut self, input: &mut impl Read, length: usize) -> Result<(), WireError> {
        if !self.payload_started {
            // Don't keep the buffer of one large frame for many small ones.
            self.payload.truncate(KEPT.max(length));
            self.payload.shrink_to(KEPT.max(length));
            (self.payload_started, self.payload_filled) = (true, 0);
        }
        while self.payload_filled < length {
            if self.payload_filled == self.payload.len() {
                // Not all at once: a length is only a claim until the bytes have arrived.
                self.payload.resize(length.min(self.payload_filled + self.payload_filled.max(ROOM)), 0);
            }
            let end = length.min(self.payload.len());
            match input.read(&mut self.payload[self.payload_filled..end]) {
                Ok(0) => return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.payload_filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of two messages: bytes, and a mark without a payload.
    #[derive(Debug, PartialEq, Eq)]
    enum Test {
        Bytes(Vec<u8>),
        Mark,
    }

    impl Message for Test {
        const KINDS: RangeInclusive<u8> = 1..=2;

        fn kind(&self) -> u8 {
            if *self == Self::Mark { 2 } else { 1 }
        }

        fn encode<'a>(&'a self, head: &mut Vec<u8>) -> Result<BulkData<'a>, WireError> {
            let Self::Bytes(bytes) = self else { return Ok(NO_BULK) };
            let (start, end) = bytes.split_at(bytes.len().min(3));
            head.extend_from_slice(start);
            Ok([end, &[]])
        }

        fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
            Ok(if kind == 1 { Self::Bytes(payload.to_vec()) } else { Self::Mark })
        }
    }

    /// Returns a few bytes at a time, and a timeout in between.
    struct Slow<'a> {
        bytes: &'a [u8],
        most: usize,
        ready: bool,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.ready = !self.ready;
            if self.ready {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let most = buffer.len().min(self.most);
            self.bytes.read(&mut buffer[..most])
        }
    }

    #[test]
    fn frames_of_any_size_arrive_one_after_the_other_however_they_are_cut() {
        let sizes = [0, 3 << 20, 5, KEPT + 9, 7, 2 << 20];
        let message = |size: usize| Test::Bytes((0..size).map(|at| (at % 251) as u8).collect());
        let mut bytes = Vec::new();
        for size in sizes {
            write_frame(&mut bytes, &message(size)).unwrap();
            write_frame(&mut bytes, &Test::Mark).unwrap();
        }
        let mut input = Slow { bytes: &bytes, most: 100_003, ready: false };
        let mut reader = FrameReader::default();
        let mut next = || loop {
            match reader.read::<Test>(&mut input) {
                Err(WireError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.unwrap(),
            }
        };
        for size in sizes {
            assert!(next().unwrap() == message(size), "{size}");
            assert_eq!(next().unwrap(), Test::Mark);
        }
        assert!(next().is_none());
    }

    #[test]
    fn a_truncated_frame_is_an_error_and_no_frame_is_the_end() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &Test::Bytes(vec![1, 2, 3, 4])).unwrap();
        assert!(matches!(FrameReader::default().read::<Test>(&mut &bytes[..7]), Err(WireError::Io(_))));
        assert!(FrameReader::default().read::<Test>(&mut [].as_slice()).unwrap().is_none());
    }

    #[test]
    fn a_kind_of_another_set_is_refused_before_its_length_is_believed() {
        let error = FrameReader::default().read::<Test>(&mut [3, 255, 255, 255, 255].as_slice()).unwrap_err();
        assert!(matches!(error, WireError::Invalid("unknown kind")));
    }
}
