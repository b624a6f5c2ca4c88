//! Fuzzers: hostile input of every kind, made at random, with what must hold whatever comes.
//!
//! `make test` runs a short round of each, with the same seeds every time. `make fuzz` runs each for minutes with seeds of its own, and
//! prints the smallest input that it found to fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and helpers are called by tests alone")]

/// What HTTP servers answer.
mod answers;
/// Commands for the shell.
mod commands;
/// CSV files.
mod csvs;
/// Run folders.
mod folders;
/// What workers send.
mod frames;
/// How long a fuzzer runs, and with which seeds.
mod fuzzer;
/// Bytes that were cut, swapped, doubled and overwritten.
mod mutation;
/// Parquet files and compressed text.
mod packed;
/// The program in a folder of its own.
mod program;
/// Requests to pages.
mod requests;
/// Secrets.
mod secrets;
/// Strings of a workflow with expressions and statements.
mod templates;
/// Workflow files.
mod yaml;
