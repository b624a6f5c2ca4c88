//! The results to write.

use super::error::WriteError;
use std::io;

/// Results as JSON Lines in item order, which can be read as often as a format needs.
pub trait Results {
    /// Goes back to the first result.
    ///
    /// # Errors
    /// If they cannot be read.
    fn rewind(&mut self) -> io::Result<()>;

    /// Replaces the content of `piece` with the next whole lines, some hundred KiB or more; false at the end.
    ///
    /// # Errors
    /// If they cannot be read.
    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool>;
}

/// Results that can be read and make no rows say so themselves.
fn unreadable(error: io::Error) -> WriteError {
    match error.kind() {
        io::ErrorKind::InvalidData => WriteError::Records(error.to_string()),
        _ => WriteError::Results(error),
    }
}

/// Reads all results, from the first to the last.
pub(super) fn each_piece(
    results: &mut dyn Results,
    mut take: impl FnMut(&[u8]) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    results.rewind().map_err(unreadable)?;
    let mut piece = Vec::new();
    while results.next_piece(&mut piece).map_err(unreadable)? {
        take(&piece)?;
    }
    Ok(())
}
