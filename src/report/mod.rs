//! What people and programs see of a run: listeners that follow its events, and the summary at its end.
//!
//! Owns wording and drawing; writes only to stderr, because stdout is data. Everything for people is
//! [`Printable`](crate::text::Printable) text. A run does not depend on anything here.

mod bar;
mod bar_text;
mod failures;
mod format;
mod groups;
mod highlights;
mod json;
mod lines;
mod messages;
mod pace;
mod pattern;
mod progress;
mod scan;
mod summary;

pub use bar::{BarProgress, can_draw, columns};
pub use format::{bytes, count, duration, number, rate, will_run};
pub use groups::{FailureGroup, FailureGroups, FailureText};
pub use highlights::{Highlights, LeftHighlights};
pub use json::JsonProgress;
pub use lines::LineProgress;
pub use scan::{Scan, ScanProgress};
pub use summary::{stop_error, summary};
