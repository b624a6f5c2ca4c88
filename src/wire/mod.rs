//! The language that the engine and a Python worker speak over a socket, one frame after another.
//!
//! Owns the frames and their bytes, and nothing else: who starts a worker is `task`'s matter, what it does with a
//! frame is `worker`'s. A frame is a header of five bytes (kind, then the length of the payload as u32) and the payload;
//! all numbers are little-endian, both ends being one machine. Bulk data (items, results) is raw bytes; what is sent once
//! per worker or per failure is JSON.
//!
//! The conversation: the worker says `Hello`, the engine sends `Start`, the worker answers `Ready` or `Broken`; then any
//! number of times the engine sends `Run` and the worker answers with `Results` and `Log` frames and one `Done`. `Stop`,
//! or the closing of the socket, ends it. Beside the socket there is a [`page`] of shared memory.

mod codec;
mod frames;
pub mod page;

pub use codec::{FrameReader, write_frame};
pub use frames::{
    Done, ForegroundJob, Frame, Hello, ItemSettings, Log, Program, Results, Run, RunBatch, ScopeValues, Start, Stored,
    StoredTarget, WireError,
};

/// The version of this language; both ends must agree.
pub const PROTOCOL: u32 = 3;
