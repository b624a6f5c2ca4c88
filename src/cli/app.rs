//! The program: its verbs, and which function runs which.

use super::error::CliError;
use super::exit::{EXIT_CODES, Exit};
use super::verbs;
use crate::run;
use crate::task::guard;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Runs a task over every item of a list, a folder of files or a table, on all cores, and loses nothing.
#[derive(Debug, Parser)]
#[command(name = "batchmill", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a workflow
    Run(verbs::RunArgs),
    /// Go on with a run: what has no result yet is run, what changed is run again
    Resume(verbs::ResumeVerb),
    /// Run the failed items of a run again
    Retry(verbs::RetryArgs),
    /// Run one failed item again, alone and in the foreground
    Repro(verbs::ReproArgs),
    /// Check a workflow file without running anything
    Validate(verbs::ValidateArgs),
    /// Show what would run: steps, items, batches, workers, and what `item` is
    Plan(verbs::PlanArgs),
    /// Look through all of some files of rows: columns, types, rows, and which files stand out
    Inspect(verbs::InspectArgs),
    /// List past and present runs
    Runs(verbs::RunsArgs),
    /// Print the results of a run as JSON Lines, in item order
    Results(verbs::ResultsArgs),
    /// List the failed items of a run
    Failures(verbs::FailuresArgs),
    /// Check from a run's files that every item has one outcome and every result is whole
    Audit(verbs::AuditArgs),
    /// Show what batchmill finds on this machine: cores, Python, state folder
    Doctor(verbs::DoctorArgs),
    /// Print the JSON Schema of workflow files, for editors
    Schema(verbs::SchemaArgs),
    /// Write a starter workflow that runs
    Init(verbs::InitArgs),
    /// Started by `run` itself: ends the children of an engine that was killed
    #[command(name = guard::VERB, hide = true)]
    Guard,
}

impl Verb {
    fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Run(args) => args.run(),
            Self::Resume(args) => args.run(),
            Self::Retry(args) => args.run(),
            Self::Repro(args) => args.run(),
            Self::Validate(args) => args.run(),
            Self::Plan(args) => args.run(),
            Self::Inspect(args) => args.run(),
            Self::Runs(args) => args.run(),
            Self::Results(args) => args.run(),
            Self::Failures(args) => args.run(),
            Self::Audit(args) => args.run(),
            Self::Doctor(args) => args.run(),
            Self::Schema(args) => args.run(),
            Self::Init(args) => args.run(),
            Self::Guard => guard::watch().map(|()| Exit::Done).map_err(|error| CliError::new(Exit::Bad, error)),
        }
    }
}

/// Runs the command line; the whole program.
pub fn main() -> ExitCode {
    // Where it is refused, a write beyond the limit ends the program, as it ends any other.
    drop(run::outlive_file_limit());
    match Cli::parse().verb.run() {
        Ok(exit) => exit.code(),
        Err(error) => error.report(),
    }
}
