//! The command line: flags, one function per verb, exit codes, and the only place where errors are printed.

mod again;
mod doctor;
mod exit;
mod init;
mod inspect;
mod look;
mod past;
mod repro;
mod run;

use crate::ledger;
use crate::task::guard;
use clap::{Args, Parser, Subcommand, ValueEnum};
use exit::{Exit, Stop};
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs a task over every item of a list, a folder of files or a table, on all cores, and loses nothing.
#[derive(Debug, Parser)]
#[command(name = "batchmill", version, arg_required_else_help = true, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a workflow
    Run(run::RunArgs),
    /// Go on with a run: what has no result yet is run, what changed is run again
    Resume(again::AgainArgs),
    /// Run the failed items of a run again
    Retry(again::RetryArgs),
    /// Run one failed item again, alone and in the foreground
    Repro(repro::ReproArgs),
    /// Check a workflow file without running anything
    Validate(look::ValidateArgs),
    /// Show what would run: steps, items, batches, workers, and what `item` is
    Plan(look::PlanArgs),
    /// Look through all of some files of rows: columns, types, rows, and which files stand out
    Inspect(inspect::InspectArgs),
    /// List past and present runs
    Runs(past::RunsArgs),
    /// Print the results of a run as JSON Lines, in item order
    Results(past::ResultsArgs),
    /// List the failed items of a run
    Failures(past::FailuresArgs),
    /// Check from a run's files that every item has one outcome and every result is whole
    Audit(past::AuditArgs),
    /// Show what batchmill finds on this machine: cores, Python, state folder
    Doctor(doctor::DoctorArgs),
    /// Print the JSON Schema of workflow files, for editors
    Schema,
    /// Write a starter workflow that runs
    Init(init::InitArgs),
    /// Started by `run` itself: ends the children of an engine that was killed
    #[command(name = guard::VERB, hide = true)]
    Guard,
}

/// A workflow file and what is given to it.
#[derive(Debug, Args)]
struct Given {
    /// The workflow file
    file: PathBuf,
    /// Parameters; values are read as YAML
    #[arg(value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// A YAML or JSON file with parameters; those on the command line win
    #[arg(long, value_name = "FILE")]
    params_file: Option<PathBuf>,
    /// The Python interpreter for python tasks
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// The most workers per step; `max_parallel` of the workflow is not exceeded
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Take no more than the first N items of each batch step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_items: Option<u64>,
}

/// Where runs are kept.
#[derive(Debug, Args)]
struct State {
    /// Where runs are kept
    #[arg(long, value_name = "DIR", env = "BATCHMILL_STATE_DIR", default_value = ".batchmill")]
    state_dir: PathBuf,
}

/// How safe what is done is.
#[derive(Debug, Clone, Copy, Args)]
struct Safety {
    /// What finished batches survive
    #[arg(long, value_enum, default_value_t = Durability::Normal)]
    durability: Durability,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Durability {
    /// A kill at any instant; a power cut may take the last ones
    Normal,
    /// A power cut too; each commit waits for the disk
    Full,
}

impl From<Safety> for ledger::Durability {
    fn from(safety: Safety) -> Self {
        match safety.durability {
            Durability::Normal => Self::Normal,
            Durability::Full => Self::Full,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON value on stdout
    Json,
}

/// Runs the command line; the whole program.
pub fn main() -> ExitCode {
    // Where it is refused, a write beyond the limit ends the program, as it ends any other.
    drop(crate::run::outlive_file_limit());
    let stop = match Cli::parse().verb {
        Verb::Run(args) => run::run(args),
        Verb::Resume(args) => again::resume(args),
        Verb::Retry(args) => again::retry(args),
        Verb::Repro(args) => repro::repro(args),
        Verb::Validate(args) => look::validate(args),
        Verb::Plan(args) => look::plan(args),
        Verb::Inspect(args) => inspect::inspect(&args),
        Verb::Runs(args) => past::runs(&args),
        Verb::Results(args) => past::results(&args),
        Verb::Failures(args) => past::failures(&args),
        Verb::Audit(args) => past::audit(&args),
        Verb::Doctor(args) => doctor::doctor(&args),
        Verb::Schema => print(&format!("{:#}\n", crate::spec::schema())).map(|()| Exit::Done),
        Verb::Init(args) => init::init(&args),
        Verb::Guard => guard::watch().map(|()| Exit::Done).map_err(|error| Stop::new(Exit::Bad, error.into())),
    };
    match stop {
        Ok(exit) => exit.code(),
        Err(stop) => stop.report(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()),
    }
}

/// Writes data to stdout. A reader that has seen enough is no error.
fn print(text: &str) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

fn written(result: io::Result<()>) -> Result<(), Stop> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stop::new(Exit::Bad, anyhow::Error::new(error).context("cannot write to stdout")))
        }
        _ => Ok(()),
    }
}
