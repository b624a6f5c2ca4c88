//! Times on the command line.

use crate::spec::Readable;
use serde_json::Value;
use std::time::Duration;

/// Reads a time as workflows write it.
pub fn time(text: &str) -> Result<Duration, String> {
    Duration::read(&Value::from(text)).map_err(|error| error.message)
}
