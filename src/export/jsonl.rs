//! JSON Lines: the results, unchanged.

use super::encoder::Encoder;
use super::error::WriteError;
use std::fs::File;
use std::io::Write;

/// Writes a JSON Lines file, without a buffer, because the pieces are large.
pub(super) struct JsonLinesEncoder(pub(super) File);

impl Encoder for JsonLinesEncoder {
    fn write(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        Ok(self.0.write_all(lines)?)
    }

    fn finish(self: Box<Self>) -> Result<(), WriteError> {
        Ok(())
    }
}
