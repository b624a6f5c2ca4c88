//! The far side of the Python lane: a process that holds CPython and runs the user's code, item by item.
//!
//! Owns the worker's whole life: its descriptors, the conversation on the socket, the shared page, code blocks, values in
//! both directions, printed text. Who starts it and why is the engine's matter. It is hosted by `batchmill-python`
//! ([`main`]), which embeds CPython, or by any interpreter that has the wheel ([`hosted`]).
//!
//! What always holds: nothing but this module writes to the socket; every position begun in a `Run` ends in exactly one
//! entry of a `Results` frame, or the process is dead and the shared page names the position; no exception of user code,
//! `SystemExit` included, ends the process.

mod bare;
mod batch;
mod call;
mod capture;
mod decode;
mod embedded;
mod encode;
mod flat;
mod foreground;
mod frame;
mod host;
mod json;
mod key_cache;
mod outbox;
mod page;
mod record;
mod run;
mod serve;
mod support;
mod task;

pub use foreground::foreground;
pub use host::{hosted, main};
