//! Sinks: the results of a step as a file, or a folder of files, that the user named.
//!
//! Owns the formats and the way a file comes into being: aside, flushed to the disk, renamed into place. What stood at the
//! path before is there until then, and stays where anything fails. Takes results as JSON Lines, in item order, from
//! whoever has them; knows nothing of steps, runs and ledgers.

mod columns;
mod csv;
mod error;
mod jsonl;
mod leftover;
mod look;
mod parquet;
mod parts;
mod place;
mod record;
mod streamed;
mod write;

pub use error::ExportError;
pub use parquet::write_frames;
pub use streamed::StreamedOutput;
pub use write::{Results, Target, Written, write};
