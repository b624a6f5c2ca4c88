//! Where items come from.
//!
//! Owns one source for each form of `items`, and the files of rows: which ones there are, how they are opened. A source
//! returns its items in order, in chunks of the requested size, as bytes in a form that it announces, each with its key.
//! Leaves to others: how the bytes of a row are read (`rows`), what whole files contain (`survey`), which items run (the
//! engine).

mod by_index;
mod chunk;
mod command;
mod error;
mod file_key;
mod files;
mod filtered;
mod glob;
mod host;
mod limited;
mod lines;
mod list;
mod open;
mod pattern;
mod peeked;
mod product;
mod range;
mod results;
mod row_hash;
mod sample;
mod settings;
mod source;
mod sql;
mod survey_request;
mod table;
#[cfg(test)]
mod testing;
mod window;

pub use by_index::ItemsByIndex;
pub use chunk::Chunk;
pub use error::{ErrorText, SourceError};
pub use file_key::key_of;
pub(crate) use files::{DetectedEncoding, HEAD, RowFile, decode, guess, read_error, reading};
pub use files::{Meter, Originals};
pub use host::{Printed, RunCommand, SourceHost, run_alone};
pub use limited::take;
pub use open::{OpenSource, Selection, open};
pub use row_hash::RowHasher;
pub use sample::{Sample, SampleLimits};
pub use settings::resolve;
pub use source::{Reread, Source};
pub(crate) use survey_request::ReadingOptions;
pub use survey_request::SurveyRequest;
pub(crate) use table::{Naming, column_names};
