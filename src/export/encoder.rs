//! The interface of all formats.

use super::error::WriteError;

/// Writes one file, line by line.
pub(super) trait Encoder {
    /// Writes whole lines.
    fn write(&mut self, lines: &[u8]) -> Result<(), WriteError>;

    /// Writes what is left. The caller flushes the file to disk.
    fn finish(self: Box<Self>) -> Result<(), WriteError>;
}
