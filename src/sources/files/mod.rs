//! Files of rows: which ones there are, and how each is opened and decoded.

mod archive;
mod compressed;
mod csv_layout;
mod decode;
mod delimiters;
mod encoding;
mod expand;
mod file_state;
mod gzip;
mod input;
mod member;
mod meter;
mod originals;
mod reading;
mod row_file;
mod stream;
mod transcoder;
mod whole_file;

pub(crate) use csv_layout::HEAD;
pub(crate) use decode::decode;
pub(crate) use delimiters::COMMON_DELIMITERS;
pub(crate) use encoding::{DetectedEncoding, guess};
pub(crate) use expand::expand;
pub(super) use input::{Input, Purpose, is_stopped};
pub use meter::Meter;
pub use originals::Originals;
pub(crate) use reading::reading;
pub(super) use row_file::grown;
pub(crate) use row_file::{RowFile, read_error};
