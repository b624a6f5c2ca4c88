//! JSON Lines: the results as they are.

use super::error::Trouble;
use super::write::Encoder;
use std::fs::File;
use std::io::Write;

/// A file of JSON Lines. Pieces are large, so there is no buffer in between.
pub(super) struct JsonLines(pub(super) File);

impl Encoder for JsonLines {
    fn write(&mut self, lines: &[u8]) -> Result<(), Trouble> {
        Ok(self.0.write_all(lines)?)
    }

    fn finish(self: Box<Self>) -> Result<(), Trouble> {
        Ok(())
    }
}
