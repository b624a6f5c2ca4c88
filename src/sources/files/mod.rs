//! Files of rows: which ones there are, and how each is opened and decoded.

mod decode;
mod delimiters;
mod meter;
mod row_file;
mod transcoder;

pub(crate) use decode::decode;
pub(crate) use delimiters::COMMON_DELIMITERS;
pub use meter::Meter;
pub(crate) use row_file::{RowFile, expand, read_error};
