//! Messages on stderr. Everything is escaped on its way.

use crate::text::{Printable, escape_json};
use serde_json::Value;
use std::io::{self, Write};

/// Writes a line, or several.
pub fn tell(text: impl AsRef<[u8]>) {
    write(&Printable::lines(text));
}

/// The same, with its colours.
pub fn tell_styled(text: impl AsRef<[u8]>) {
    write(&Printable::styled(text));
}

/// Writes one JSON value as a line. What a terminal would obey is in JSON escapes, which mean the same.
pub fn tell_json(value: &Value) {
    write_line(&escape_json(&value.to_string()));
}

fn write(text: &Printable) {
    write_line(text.as_str());
}

fn write_line(text: &str) {
    // If stderr is closed, the message has nowhere to go.
    drop(io::stderr().write_all(format!("{text}\n").as_bytes()));
}
