//! Numbers on the command line.

use std::num::NonZeroUsize;
use std::str::FromStr;

/// Reads a number from 1 up.
pub fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    number(text, "a number from 1 up")
}

/// Reads a number of items from 1 up.
pub fn items(text: &str) -> Result<u64, String> {
    at_least_one(text).map(|items| items.get() as u64)
}

/// Reads a number from 0 up.
pub fn count(text: &str) -> Result<usize, String> {
    number(text, "a number from 0 up")
}

/// Reads the index of an item.
pub fn index(text: &str) -> Result<u64, String> {
    number(text, "the index of an item, which is 0 for the first")
}

/// Reads the number of a process.
pub fn process(text: &str) -> Result<i32, String> {
    const EXPECTED: &str = "the number of a process";
    let process: i32 = number(text, EXPECTED)?;
    if process > 0 { Ok(process) } else { Err(format!("expected {EXPECTED}")) }
}

/// Reads by how much to lower the priority of a process.
pub fn nice(text: &str) -> Result<i32, String> {
    const EXPECTED: &str = "a number from 1 to 19";
    let nice: i32 = number(text, EXPECTED)?;
    if (1..=19).contains(&nice) { Ok(nice) } else { Err(format!("expected {EXPECTED}")) }
}

fn number<T: FromStr>(text: &str, expected: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("expected {expected}"))
}
