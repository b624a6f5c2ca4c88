//! What people and programs see of a run: sinks that follow its events, and texts made of its end.
//!
//! Owns wording and drawing; writes to stderr only, because stdout is data. Nothing here is needed for a run to be right.

mod bar;
mod counting;
mod json;
mod plain;
mod summary;
mod words;

pub use bar::Bar;
pub use counting::Counting;
pub use json::JsonLines;
pub use plain::Plain;
pub use summary::{summary, trouble};
pub use words::{bytes, count, duration, number, will_run};
