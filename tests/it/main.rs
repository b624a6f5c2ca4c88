//! Behaviour through the program: each test runs `batchmill` in a folder of its own.
//!
//! `make test` sets BATCHMILL_TEST_PYTHON (an interpreter with the packages of `tests/requirements.txt`, whose workers
//! `batchmill-python` hosts). Tests marked `#[ignore = "heavy: .."]` run in `make test-full`, which also sets
//! BATCHMILL_TEST_WHEEL_PYTHON (an interpreter that has the batchmill wheel).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and helpers are called by tests alone")]

/// What is made of all results of a step.
mod aggregate;
/// What `on_failure` and `finally` tell.
mod alerts;
/// All faults of a file.
mod all_faults;
/// Members of zip archives.
mod archives;
/// Which module may import which, and where the heavy crates live.
mod arrows;
/// Rows and files that cannot be read.
mod bad_rows;
/// Signals.
mod cancel;
/// Engine and workers killed at random.
mod chaos;
mod chaos_steered;
/// No circle of imports between files.
mod circles;
/// Flags, exit codes, output formats.
mod cli;
/// The engine as other programs use it.
mod clients;
/// Clocks that were set wrong.
mod clocks;
/// The alert and the cleaning up.
mod closing;
/// Damaged, cut and missing files of a run.
mod damage;
/// What a result depends on.
mod depends;
/// The examples of the user's document.
mod document;
/// Random values through every door.
mod doors;
/// What an editor makes of the schema.
mod editor;
/// Random workflows under random edits.
mod edits;
/// Batches, slots, retries, failures.
mod engine;
/// Hostile text on its way to people.
mod escape;
/// Child processes that leave the process group of their item.
mod escaped;
/// The events of every run of the suite, and their schema.
mod event_files;
/// Events and metrics for programs.
mod events;
/// What people see every day: lines about failures, the list of runs, limits of commands.
mod everyday;
/// What fingerprints are made of.
mod fingerprints;
mod flags;
/// Batches as data frames, and data frames as results.
mod frames;
/// A closed terminal, a full stdout, null.
mod hang_up;
/// One hostile text in every place.
mod hostile;
/// Run folders that somebody else has made.
mod hostile_folder;
/// HTTP servers that do what they like.
mod hostile_server;
/// HTTP requests against a local server.
mod http;
/// Connections that are closed, and redirects.
mod http_connections;
/// What requests send besides text and JSON, and what results take from responses.
mod http_forms;
/// Proxies between requests and servers.
mod http_proxies;
/// Certificates.
mod http_tls;
/// Rows that know their item.
mod included;
/// What is new since the last good run.
mod incremental;
/// The days after the first incremental run.
mod incremental_again;
/// Wrong input of every kind.
mod input;
/// Files of rows looked at beforehand, and progress by their bytes.
mod inspect;
/// Runs that are being made, or deleted.
mod instants;
/// Which Python interpreter is used.
mod interpreters;
/// What later steps see of earlier ones.
mod later;
/// Tolerated failures, times, memory.
mod limits;
/// What tasks print.
mod logs;
/// Runs that earlier versions made.
mod messy;
mod migrations;
/// NaN and infinities in files of rows.
mod nan;
/// Values in code for another program.
mod nested_code;
/// Names that are not UTF-8.
mod odd_names;
/// Who owns a path that results are written to.
mod output_columns;
mod output_files;
mod output_types;
mod owners;
/// What is given to a run.
mod params;
/// Rows of Parquet files.
mod parquet;
/// Parts of paths as columns.
mod partitions;
/// Where errors are shown, and names beyond ASCII.
mod places;
/// Trials of a step, and what follows from them.
mod profile;
/// Runs on a terminal.
mod progress;
/// Small proxies.
mod proxies;
/// The Python lane: hosts, crashes, timeouts.
mod python;
mod python_names;
mod python_processes;
mod python_results;
mod python_state;
/// Python as people write it.
mod python_written;
/// Random damage to the files of a run.
mod random_damage;
/// Values that are made at random.
mod random_values;
mod recipes;
mod reductions;
/// Failures looked at closely.
mod report;
mod repro;
/// Going on with a run: after a failure, a change, a kill.
mod resume;
/// The failed items of a step, and nothing else of it.
mod retry;
/// Rows of CSV and JSON Lines files.
mod rows;
/// Going on with a run over rows, and its memory.
mod rows_again;
/// Files of rows that were edited.
mod rows_mended;
/// Rows that cannot be read, kept in a file.
mod saved_rows;
/// The JSON Schema for editors, against the parser.
mod schema;
/// Secrets, which nothing keeps and nothing shows.
mod secrets;
/// Secrets, which no page and no answer shows.
mod secrets_served;
mod seeds;
/// Combinations of values, and `where`.
mod selection;
/// A machine shared with others, a limited time.
mod shared_machine;
/// Templates and shell commands, injection above all.
mod shell;
/// The shell that runs commands.
mod shell_programs;
/// Completion in real shells, and manual pages.
mod shells;
/// Little room: limits of files and processes, long paths.
mod shortages;
/// Results as files, and files of items.
mod sinks;
/// Files, functions and structs stay small.
mod sizes;
mod sniffed;
/// The source files of the crate, as text.
mod source_tree;
/// Rows that databases give for queries.
mod sql;
/// Names of tables and columns.
mod sql_names;
/// Results as rows of tables.
mod sql_outputs;
mod sql_outputs_killed;
/// How far a run is.
mod status;
/// What commands read.
mod stdin;
mod steering;
/// Pipes, and files that change while they are read.
mod streams;
/// Words of other tools, and keys of the user's own.
mod suggestions;
/// The sandbox and the servers that tests use.
mod support;
/// Templates that take too much.
mod template_bounds;
/// A TLS server.
mod tls_server;
/// Full disks, limits, missing permissions, a second engine.
mod trouble;
/// Pages about runs.
mod ui;
/// Errors of files for programs, and the help of a file.
mod validate;
/// Values on their way from sources to results, and through templates.
mod values;
mod written_values;
