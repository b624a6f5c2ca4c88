//! The protocol between batchmill's processes.
//!
//! Owns [frames](framing), the [greeting](hello) that starts every connection, and the sets of [`Message`]s: between the engine
//! and a [Python worker](worker_message), between a [Python client](client_message) and the engine, between
//! the engine and a [driver](driver_message), and those of a [host](host_message). Who starts a process, and what it does with a message, is up
//! to others. Next to the socket, engine and worker share a [`page`] of memory.

mod assignment;
mod bytes;
mod client_message;
mod driver_message;
mod error;
mod frame_outcome;
mod framing;
mod hello;
mod host_message;
pub mod page;
mod results;
mod run;
mod samples;
mod segments;
mod start;
mod token;
mod worker_message;

pub use assignment::{Assignment, HostFile, HostScope, HostSettings, HostStep};
pub use client_message::{
    CallEnd, CallLedger, CallSettings, ClientMessage, Given, Growth, Keyed, LogText, Lost, Retry, Returned,
};
pub use driver_message::{DriverMessage, DriverReady, LostFrame, RemoteProgram, Room, Submit};
pub use error::WireError;
pub use frame_outcome::{HostBatch, HostLog, HostOutcome, HostOutcomeHead};
pub use framing::{BulkData, FrameReader, Message, write_frame};
pub use hello::{HELLO, Hello, PROTOCOL, Role};
pub use host_message::HostMessage;
pub use results::Results;
pub use run::{Run, RunBatch};
pub use samples::{SAMPLE_PERIOD, Samples};
pub use segments::{Segments, single_results};
pub use start::{ForegroundJob, ItemSettings, Program, ScopeValues, Small, Start, Stored, StoredTarget};
pub use token::TokenLine;
pub use worker_message::{Done, Log, WorkerMessage};
