//! What is left to move.

mod secrets;

pub use secrets::{MASK, Secrets};
