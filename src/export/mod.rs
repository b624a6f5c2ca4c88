//! Output files: the results of a step as a file, or a directory of files, at a path that the user chose.
//!
//! Owns the formats, and how a file is written: at a temporary path, flushed to disk, then renamed. Always holds: the
//! path keeps its old content until the new file is complete, and if anything fails. Takes results as JSON Lines in item
//! order from anyone. Leaves steps, runs and the ledger to others.

mod as_text;
mod byte_sink;
mod claim;
mod columns;
mod csv;
mod encoder;
mod error;
mod frames;
mod header;
mod infer;
mod jsonl;
mod parquet;
mod record;
mod records;
mod replace;
mod results;
mod size_limit;
mod staged;
mod staged_file;
mod staged_parts;
mod streamed;
mod table;
mod target;
mod temporary;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod type_check;
mod type_state;
mod value_types;
mod write;

pub use claim::{Busy, Claim, real_path};
pub use error::ExportError;
pub use frames::write_frames;
pub use records::open_frames;
pub use replace::replace;
pub use results::Results;
pub use streamed::StreamedOutput;
pub use table::{Chunk, Place, TableColumns, TableError, TableOutput, TableTarget};
pub use target::{Target, Written, file_state, is_stdout};
pub use type_check::TypeCheck;
pub use write::write;
