//! Where pages about runs are served.

use super::error::CliError;
use super::stderr::tell;
use crate::serve::{Address, Token};
use std::net::TcpListener;

/// Listens there. `option` is what the user gave the address with.
pub fn listen(address: Address, option: &str) -> Result<TcpListener, CliError> {
    let listener = address.bind().map_err(|error| {
        CliError::bad(format!("cannot listen on `{address}`"))
            .caused_by(&error)
            .help(format!("choose another address for `{option}`, or a free port: `{option}=127.0.0.1:0`"))
    })?;
    if address.is_public() {
        tell(format!("warning: other machines reach `{address}`, and nothing is encrypted"));
    }
    Ok(listener)
}

/// What to type into a browser to see this page.
pub fn page_address(address: Address, path: &str, token: &Token) -> String {
    format!("{}{path}?token={}", address.url(), token.reveal())
}
