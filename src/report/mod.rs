//! What people and programs see of a run: listeners that follow its events, and texts made of its end.
//!
//! Owns wording and drawing; writes to stderr only, because stdout is data. Everything for people leaves as
//! [`Printable`](crate::text::Printable) text. Nothing here is needed for a run to be right.

mod bar;
mod failures;
mod format;
mod json;
mod lines;
mod messages;
mod scan;
mod summary;

pub use bar::BarProgress;
pub use format::{bytes, count, duration, number, rate, will_run};
pub use json::JsonProgress;
pub use lines::LineProgress;
pub use scan::{Scan, ScanProgress};
pub use summary::{stop_error, summary};
