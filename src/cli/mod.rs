//! The command line: flags, verbs, exit codes, and the only place where errors are printed.
//!
//! Owns all reading of arguments and all writing to stdout. Leaves everything else to the other modules of the crate.
//!
//! Each verb is a file of [`verbs`] that imports nothing from other verbs. What several verbs need has its own file here:
//! shared arguments in `args`, then `params`, `prepare`, `execute` and so on. No two files import each other. To add a
//! verb, add its file, a line to `verbs/mod.rs`, and a variant to `app.rs`.

mod app;
mod args;
mod bash;
mod beside;
mod client;
mod completers;
mod consent;
mod error;
mod execute;
mod exit;
mod file_help;
mod find_run;
mod finding;
mod lookup;
mod odd_files;
mod outlets;
mod page_address;
mod params;
mod prepare;
mod preview;
mod run_json;
mod run_report;
mod save;
mod stderr;
mod stdout;
mod table;
mod typed;
mod verbs;
mod workflow_schema;

pub use app::main;
