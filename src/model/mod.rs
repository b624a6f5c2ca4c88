//! The values that all modules share: items, batches, outcomes, events, counts.
//!
//! Owns plain values only: no files, threads, processes or clocks, and no other module of the crate is imported here.

mod batch;
mod compare;
mod csv_dialect;
mod event;
mod fingerprint;
mod form;
mod host_name;
mod item_time;
mod items;
mod keys;
mod lane_settings;
mod outcome;
mod output;
mod refusal;
mod resources;
mod results;
mod run;
mod source;
mod value_format;

pub use batch::{Batch, Indexes};
pub use compare::Compare;
pub use csv_dialect::{CsvDialect, Delimiter, Ragged, StrayQuotes, TableBounds};
pub use event::{
    BatchReport, BatchSpan, Event, ItemAttempt, ItemFailure, Listener, LogEntry, RunSummary, StepLoad, StepReport,
};
pub use fingerprint::Fingerprint;
pub use form::{BatchFormat, Column, CsvForm, Form, From, Kind, LineNumbers, Origin};
pub use host_name::HostName;
pub use item_time::{ItemTime, RequestTimes, WorkerTimes};
pub use items::{Items, line_breaks};
pub use keys::{ItemKey, Keys};
pub use lane_settings::LaneSettings;
pub use outcome::{About, Failure, FailureKind, Lines, Outcome, ResultForm, message_of};
pub use output::{
    CsvQuote, CsvStyle, IfExists, Include, OnTypeConflict, OutputCompression, OutputFormat, OutputOptions,
};
pub use refusal::Refusal;
pub use resources::Resources;
pub use results::{ResultsFile, ResultsSize};
pub use run::{RunId, Stats, Status, StepName};
pub use source::{Span, Text, Tree};
pub use value_format::{Nan, ValueFormat};

/// With exact numbers (feature `arbitrary_precision`), serde_json hands a number that is not a 64-bit integer to a
/// visitor as a mapping with this one key, whose value is the text of the number.
pub const NUMBER_TOKEN: &str = "$serde_json::private::Number";
