//! JSON Lines: the results, unchanged, or some of their keys.

use super::byte_sink::ByteSink;
use super::encoder::Encoder;
use super::error::WriteError;
use super::header::Header;
use super::record::{Fields, Place, VALUE, lines, unreadable};
use serde_json::value::RawValue;
use std::io::Write;

/// Writes a JSON Lines file, without a buffer, because the pieces are large.
pub(super) struct JsonLinesEncoder(pub(super) ByteSink);

impl Encoder for JsonLinesEncoder {
    fn write(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        Ok(self.0.write_all(lines)?)
    }

    fn finish(self: Box<Self>) -> Result<(), WriteError> {
        Ok(self.0.finish()?)
    }
}

/// Writes a JSON Lines file of mappings that all have the same keys.
pub(super) struct JsonColumnsEncoder<'a> {
    header: &'a Header,
    /// The keys as JSON.
    keys: Vec<String>,
    file: ByteSink,
    records: u64,
}

impl<'a> JsonColumnsEncoder<'a> {
    /// Begins a file of mappings with these keys.
    pub(super) fn begin(file: ByteSink, header: &'a Header) -> Self {
        let keys = header.names().iter().map(|name| serde_json::Value::from(name.as_str()).to_string()).collect();
        Self { header, keys, file, records: 0 }
    }

    fn push(&self, line: &[u8], out: &mut Vec<u8>) -> Result<(), WriteError> {
        let mut values = vec!["null"; self.keys.len()];
        if line.starts_with(b"{") {
            for (at, (key, value)) in Fields::read(line, self.records)?.0.into_iter().enumerate() {
                if let Some(position) = self.header.position(at, &key) {
                    values[position] = value.get();
                }
            }
        } else if let Some(position) = self.header.position(0, VALUE) {
            let value: &RawValue =
                serde_json::from_slice(line).map_err(|error| unreadable(Place::Record(self.records), &error))?;
            values[position] = value.get();
        }
        for (at, (key, value)) in self.keys.iter().zip(values).enumerate() {
            out.push(if at == 0 { b'{' } else { b',' });
            out.extend_from_slice(key.as_bytes());
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

impl Encoder for JsonColumnsEncoder<'_> {
    fn write(&mut self, piece: &[u8]) -> Result<(), WriteError> {
        let mut out = Vec::with_capacity(piece.len());
        for line in lines(piece) {
            self.push(line, &mut out)?;
            self.records += 1;
        }
        Ok(self.file.write_all(&out)?)
    }

    fn finish(self: Box<Self>) -> Result<(), WriteError> {
        Ok(self.file.finish()?)
    }
}
