//! The command line: flags, verbs, exit codes, and the only place where errors are printed.
//!
//! Each verb is a file of [`verbs`] that imports nothing from other verbs; what several need is beside them: arguments in
//! `args`, then a file for each thing that is done with them. Leaves everything else to the other modules of the crate.

mod app;
mod args;
mod error;
mod execute;
mod exit;
mod lookup;
mod odd_files;
mod output;
mod params;
mod prepare;
mod preview;
mod run_json;
mod table;
mod verbs;

pub use app::main;
