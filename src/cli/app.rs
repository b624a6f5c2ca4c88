//! The program: its verbs, and which function runs which.

use super::args::process;
use super::client;
use super::completers;
use super::error::CliError;
use super::exit::{EXIT_CODES, Exit};
use super::file_help;
use super::stderr::tell;
use super::verbs;
use crate::run;
use crate::task::guard;
use crate::text::Printable;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run a task for each item of a list, a directory of files or a table, and save every result
#[derive(Debug, Parser)]
#[command(name = "batchmill", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    /// How the error that ends the program is printed to stderr
    #[arg(long, hide = true, value_enum, default_value_t = Errors::Text)]
    errors: Errors,
    /// The process that this one works for: when it ends, this one does, as after SIGTERM
    #[arg(long, hide = true, value_name = "PID", value_parser = process, allow_negative_numbers = true)]
    client: Option<i32>,
    #[command(subcommand)]
    verb: Verb,
}

/// How errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Errors {
    /// For people.
    Text,
    /// As a line of JSON.
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a workflow
    Run(verbs::RunArgs),
    /// Resume a run: run items that failed, changed or have not run
    Resume(verbs::ResumeVerb),
    /// Rerun the failed items of a run
    Retry(verbs::RetryArgs),
    /// Rerun one failed item in the foreground
    Repro(verbs::ReproArgs),
    /// Check a workflow file without running it
    Validate(verbs::ValidateArgs),
    /// Show what would run: steps, items, batches and workers
    Plan(verbs::PlanArgs),
    /// Find out how fast a step runs, what limits it, and which setting to change
    Profile(verbs::ProfileArgs),
    /// Inspect CSV and JSON Lines files: columns, types, rows, odd files
    Inspect(verbs::InspectArgs),
    /// List runs, or delete old ones
    Runs(verbs::RunsArgs),
    /// Show how far a run is, or how it ended
    Status(verbs::StatusArgs),
    /// Steer a run in progress: pause it, change its width, cancel items
    Ctl(verbs::CtlArgs),
    /// Show runs in a browser, live, and steer them
    Ui(verbs::UiArgs),
    /// Print the results of a run as JSON Lines, in item order
    Results(verbs::ResultsArgs),
    /// List the failed items of a run
    Failures(verbs::FailuresArgs),
    /// Print what the tasks of a run printed
    Logs(verbs::LogsArgs),
    /// Explain a run on one HTML page: what failed, where the time went
    Report(verbs::ReportArgs),
    /// Check that every item has one outcome and every result is intact
    Audit(verbs::AuditArgs),
    /// Check this machine: cores, Python, state directory
    Doctor(verbs::DoctorArgs),
    /// Print the JSON Schema of workflow files, or of events
    Schema(verbs::SchemaArgs),
    /// Create a starter workflow
    Init(verbs::InitArgs),
    /// Print what makes your shell complete commands, runs, steps and parameters
    Completions(verbs::CompletionsArgs),
    /// Print a manual page, or write all of them
    Man(verbs::ManArgs),
    /// Started by `run`: ends the children of an engine that was killed
    #[command(name = guard::VERB, hide = true)]
    Guard,
    /// Started by the Python package: calls functions for many items
    #[command(name = crate::client::VERB, hide = true)]
    Client,
    /// Started by a cluster's process: runs items for an engine on another machine
    #[command(name = crate::host::VERB, hide = true)]
    Host {
        /// The interpreter of Python tasks, which has the batchmill package.
        #[arg(long, requires = "python_version")]
        python: Option<PathBuf>,
        /// Its version.
        #[arg(long, requires = "python")]
        python_version: Option<String>,
    },
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
            Self::Profile(args) => args.run(),
            Self::Inspect(args) => args.run(),
            Self::Runs(args) => args.run(),
            Self::Status(args) => args.run(),
            Self::Ctl(args) => args.run(),
            Self::Ui(args) => args.run(),
            Self::Results(args) => args.run(),
            Self::Failures(args) => args.run(),
            Self::Logs(args) => args.run(),
            Self::Report(args) => args.run(),
            Self::Audit(args) => args.run(),
            Self::Doctor(args) => args.run(),
            Self::Schema(args) => args.run(),
            Self::Init(args) => args.run(),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(Cli::command()),
            Self::Client => {
                crate::client::serve().map(|()| Exit::Done).map_err(|error| CliError::of(Exit::Bad, &error))
            }
            Self::Host { python, python_version } => {
                let served = crate::host::serve(python.zip(python_version));
                served.map(|()| Exit::Done).map_err(|error| CliError::of(Exit::Bad, &error))
            }
            Self::Guard => guard::watch().map(|()| Exit::Done).map_err(|error| CliError::of(Exit::Bad, &error)),
        }
    }
}

/// Says what is wrong with the arguments. The error repeats them, and they may come from an untrusted source; so it is that of the
/// same arguments, escaped, each on its line.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::InvalidUtf8
        && let Some(odd) = std::env::args_os().find(|argument| argument.to_str().is_none())
    {
        let odd = Printable::line(odd.as_bytes());
        let help =
            "files of workflows, outputs and states may have such names; put any other value into a file: `NAME@=FILE`";
        return CliError::bad(format!("the argument `{odd}` is not UTF-8")).help(help).report();
    }
    let escaped = std::env::args_os().map(|argument| Printable::line(argument.as_bytes()).to_string());
    let escaped = Cli::try_parse_from(escaped).err().filter(clap::Error::use_stderr);
    match &escaped {
        Some(error) => tell(error.render().to_string().trim_end()),
        // Escaped, they are right.
        None => tell(Printable::lines(error.render().to_string().trim_end()).indented("  ")),
    }
    Exit::Bad.code()
}

/// Runs the command line: the whole program.
pub fn main() -> ExitCode {
    match completers::answer(Cli::command) {
        Ok(None) => {}
        Ok(Some(exit)) => return exit.code(),
        Err(error) => return error.report(),
    }
    // If this is refused, a write beyond the limit ends the program, like any other program.
    drop(run::outlive_file_limit());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse(&error),
        Err(help) if help.kind() == ErrorKind::DisplayHelp => {
            let words: Vec<_> = std::env::args_os().collect();
            file_help::with_params(Cli::command, &words).unwrap_or(help).exit()
        }
        Err(version) => version.exit(),
    };
    let accompanied = cli.client.map_or(Ok(()), client::end_with);
    let accompanied = accompanied.map_err(|error| CliError::bad("cannot watch the client").caused_by(&error));
    match (accompanied.and_then(|()| cli.verb.run()), cli.errors) {
        (Ok(exit), _) => exit.code(),
        (Err(error), Errors::Text) => error.report(),
        (Err(error), Errors::Json) => error.report_json(),
    }
}
