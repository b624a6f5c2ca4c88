//! The causes of failures: failures that differ only in what varies from item to item are one group.
//!
//! Everything that counts failures by cause uses it, whether it shows them to people or passes them to programs.

mod groups;
mod pattern;

pub use groups::{FailureGroup, FailureGroups, FailureText};
