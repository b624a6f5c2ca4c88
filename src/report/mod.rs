//! What people and programs see of a run: listeners that follow its events, and the summary at its end.
//!
//! Owns wording and drawing; writes to stderr, because stdout is data, and to where others say that events and metrics go.
//! Everything for people is [`Printable`](crate::text::Printable) text. A run does not depend on anything here.

mod audience;
mod bar;
mod bar_text;
mod failures;
mod format;
mod highlights;
mod json;
mod lines;
mod messages;
mod metrics;
mod metrics_text;
mod noted;
mod pace;
mod progress;
mod run_metrics;
mod scan;
mod step_words;
mod summary;
mod under_way;

pub use audience::{Audience, EventsOutput};
pub use bar::{BarProgress, can_draw, columns};
pub use format::{bytes, count, duration, number, rate, will_run};
pub use highlights::{Highlights, LeftHighlights};
pub use json::{EVENTS_SCHEMA, EVENTS_START, JsonProgress};
pub use lines::LineProgress;
pub use metrics::{MetricsFile, Replace};
pub use metrics_text::METRICS_START;
pub use noted::{KeepNote, NoteKeeper};
pub use scan::{Scan, ScanProgress};
pub use step_words::StepWords;
pub use summary::{shell_word, stop_error, summary};
pub use under_way::{RunningStep, UnderWay};
