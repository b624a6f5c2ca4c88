//! Jobs that people run day after day, on real data, with what befalls such jobs: new files, bad and mended ones, a changed threshold, a
//! vanished file, a kill, a full disk, a second run beside the first. After each day the folder holds what a fresh run in a copy of it
//! makes, byte for byte, and no item ran that did not have to.
//!
//! The short one runs in `make test`, those marked `#[ignore = "heavy: .."]` in `make test-full`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and helpers are called by tests alone")]

/// Rows of CSV files into a database that refuses a row twice.
mod database;
/// The events of every run, and their schema.
#[path = "../it/event_files.rs"]
mod event_files;
/// A file per file, made by a command.
mod extracts;
/// A directory of CSV files through pandas.
mod flights;
/// A folder that is worked on from day to day.
mod job;
/// Lines through a program that reads whole batches.
mod lines;
/// A folder that moves to a colleague.
mod moved;
/// A job that is larger than a night.
mod nights;
/// Small files of large ones.
mod pictures;
/// Requests against a server that has bad days.
mod requests;
/// JSON Lines whose rows are checked.
mod rows_checked;
/// The sandbox and the server that all tests share.
#[expect(dead_code, reason = "shared with tests/it, and not all of it is used here")]
#[path = "../it/support.rs"]
mod support;
/// Settings in a grid.
mod sweep;
