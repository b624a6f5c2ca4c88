//! `batchmill host`: a slot of an engine on another machine.
//!
//! Owns what runs there: it takes the [assignment](assigned) of a step and frames of its items over stdin, runs them in the same
//! lanes as the engine would, and writes outcomes to stdout. It has no ledger, and decides nothing: retries, failures and results
//! are the engine's. It ends with its stdin.

mod assigned;
mod earlier;
mod serve;

pub use serve::{VERB, serve};
