//! Messages on stderr. Everything is escaped on its way.

use crate::text::Printable;
use std::io::{self, Write};

/// Writes a line, or several.
pub fn tell(text: impl AsRef<[u8]>) {
    write(&Printable::lines(text));
}

/// The same, with its colours.
pub fn tell_styled(text: impl AsRef<[u8]>) {
    write(&Printable::styled(text));
}

fn write(text: &Printable) {
    // If stderr is closed, the message has nowhere to go.
    drop(io::stderr().write_all(format!("{text}\n").as_bytes()));
}
