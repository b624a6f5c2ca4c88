//! The worker: a process that contains CPython and runs the user's code, item by item.
//!
//! Owns everything inside the process: its descriptors, the messages on the socket, the shared page, code blocks, values in
//! both directions, and printed text. `task` starts workers and decides what they run. A worker is hosted by
//! `batchmill-python` ([`main`]), which embeds CPython, or by any interpreter that has the wheel ([`hosted`]).
//!
//! Invariants: only this module writes to the socket. Every position started in a `Run` has exactly one entry in a `Results`
//! message, unless the process is dead; then the shared page has the position. No exception in user code, not even
//! `SystemExit`, ends the process.

mod bare;
mod batch;
mod bundle;
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
mod memory;
mod outbox;
mod page;
mod pickle;
mod pickled;
mod record;
mod run;
mod sampler;
mod seeds;
mod serve;
mod shared_lists;
mod support;
mod task;
mod timer;

pub use foreground::foreground;
pub use host::{hosted, main};
