//! A profile: how fast a step runs on this machine, what limits it, and which setting to change.
//!
//! ```text
//!  source -> sample -> session per setting (width, batch size, threads): pool, workers, endless feed; all but one paused
//!                          |
//!                       windows: one session runs for a moment, in turn, again and again
//!                          |
//!  frames, clocks, CPU  -> throughput with intervals -> law, evidence -> cause and advice
//! ```
//!
//! Trials run through `pipeline` with a recorder that keeps only times. They write no ledger and no output, and files of items
//! go to a temporary directory. Owns what is tried and what follows from it; leaves asking the user and the wording of errors
//! to `cli`, and editing the file to `spec`.

mod advice;
mod against;
mod balance;
mod calibrate;
mod cause;
mod evidence;
mod grid;
mod interval;
mod law;
mod outcome;
mod plan;
mod run;
mod samples;
mod session;
mod sweep;
mod text;
mod throughput;
mod trial;
mod words;

pub use crate::wire::SAMPLE_PERIOD;
pub use advice::{Advice, Change, Key};
pub use against::{Compared, Verdict};
pub use cause::Cause;
pub use grid::Setup;
pub use interval::Interval;
pub use law::speedup;
pub use outcome::{Outcome, Row};
pub use run::{ProfileError, ProfileRequest, profile};
pub use samples::Sampled;
pub use text::{advised, text};
