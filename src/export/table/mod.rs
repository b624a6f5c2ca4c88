//! Tables of databases as outputs: results become rows.
//!
//! Owns which columns the results have, how a result becomes a row, and how a table is filled: in parts, each of which goes in
//! with a note of what it is made of, in one transaction. Leaves to others which results there are, and which of them are
//! written already.

mod columns;
mod error;
mod output;
mod rows;
mod target;

pub use columns::TableColumns;
pub use error::TableError;
pub use output::{Chunk, Place, TableOutput};
pub use target::TableTarget;
