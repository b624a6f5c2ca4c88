//! What people and programs see of a run: sinks that follow its events, and texts made of its end.
//!
//! Owns wording and drawing; writes to stderr only, because stdout is data. Nothing here is needed for a run to be right.

mod bar;
mod format;
mod json;
mod lines;
mod scan;
mod summary;

pub use bar::BarProgress;
pub use format::{bytes, count, duration, number, will_run};
pub use json::JsonProgress;
pub use lines::LineProgress;
pub use scan::ScanProgress;
pub use summary::{stop_error, summary};
