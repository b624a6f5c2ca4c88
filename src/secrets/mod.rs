//! Keeps secret values out of everything that is written for people.

mod mask;

pub use mask::{MASK, Secrets};
