//! A ledger that cannot be read, for whoever expects an error of reading.

use crate::ledger::LedgerError;
use std::error::Error;
use std::io;

pub(super) fn io_error(error: &LedgerError) -> io::Error {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    io::Error::other(format!("{error}{cause}"))
}
