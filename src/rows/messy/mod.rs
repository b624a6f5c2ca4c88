//! Messy CSV files, read as plain ones.
//!
//! A file of any dialect is rewritten while it is read: fields separated by commas, quoted with double quotes where needed, one
//! record a line. So there is one reader of records everywhere else, and clean files pay nothing. Each line that is left out
//! (a title, a comment, a footer) leaves an empty line behind, so that line numbers stay those of the file.
//!
//! No crate: `csv` knows neither comments within the width of a table, nor delimiters of several characters, nor repairs, and
//! gives no line numbers of records that it skips.

mod fields;
mod record;
mod repair;
mod rewriter;
#[cfg(test)]
mod tests;

pub use fields::record_end;
pub use repair::REST;
pub(super) use rewriter::Rewriter;
