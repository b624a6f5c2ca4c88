//! `batchmill ctl`: steers a run in progress from another terminal.

use crate::cli::args::{ItemName, StateArgs, at_least_one};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::find_run::find_run;
use crate::cli::stdout::print;
use crate::control::{Answer, AskError, Command, RunState, RunningItem, StepState, ask};
use crate::ledger::RunFolder;
use crate::model::StepName;
use crate::report::duration;
use crate::text::Printable;
use clap::{Args, Subcommand};
use std::num::NonZeroUsize;
use std::time::Duration;

/// Arguments of `ctl`.
#[derive(Debug, Args)]
// The state directory may be named before and after the command.
#[command(mut_arg("state_dir", |arg| arg.global(true)))]
#[command(
    subcommand_precedence_over_arg = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands"
)]
pub struct CtlArgs {
    /// Run ID, its beginning or end; the newest run that is running by default
    #[arg(value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    state: StateArgs,
    #[command(subcommand)]
    command: CtlCommand,
}

#[derive(Debug, Subcommand)]
enum CtlCommand {
    /// Start nothing new until `continue`; running items finish
    Pause,
    /// End a pause
    Continue,
    /// Set how many items run at a time
    Jobs {
        /// From 1 up to the limit of the step
        #[arg(value_parser = at_least_one, allow_negative_numbers = true)]
        jobs: NonZeroUsize,
    },
    /// End an item that is running; it does not count as failed
    Cancel {
        /// `STEP:INDEX` or `STEP[INDEX]`
        item: ItemName,
    },
    /// Leave out an item that has not begun
    Skip {
        /// `STEP:INDEX` or `STEP[INDEX]`
        item: ItemName,
    },
    /// Run the failed items of the current step again
    RetryFailed,
    /// Start nothing new, and end when the running items have finished
    Stop,
    /// Show the current step and the items that are running
    State,
}

impl CtlCommand {
    fn command(self) -> Command {
        match self {
            Self::Pause => Command::Pause,
            Self::Continue => Command::Continue,
            Self::Jobs { jobs } => Command::Jobs { jobs },
            Self::Cancel { item: ItemName { step, item } } => Command::Cancel { step, item },
            Self::Skip { item: ItemName { step, item } } => Command::Skip { step, item },
            Self::RetryFailed => Command::RetryFailed,
            Self::Stop => Command::Stop,
            Self::State => Command::State,
        }
    }
}

impl CtlArgs {
    /// Gives the run the command.
    pub fn run(self) -> Result<Exit, CliError> {
        let folder = self.folder()?;
        let answer = ask(&folder.path, &self.command.command()).map_err(|error| unanswered(&folder, &error))?;
        match answer {
            Answer::Done { text } => print(format!("{}\n", Printable::line(text)))?,
            Answer::State(state) => print(state_text(&folder, &state))?,
            Answer::Refused { message, help } => {
                let error = CliError::bad(message);
                return Err(match help {
                    Some(help) => error.help(help),
                    None => error,
                });
            }
        }
        Ok(Exit::Done)
    }

    fn folder(&self) -> Result<RunFolder, CliError> {
        let state = self.state.folder();
        if let Some(run) = self.run.as_deref().filter(|run| *run != "latest") {
            return Ok(find_run(&state, run)?);
        }
        let running = state.runs_by_age()?.into_iter().rev().find(RunFolder::is_locked);
        running.ok_or_else(|| {
            CliError::bad(format!("no run is running in `{}`", Printable::path(&state.0)))
                .help("name its folder with `--state-dir`; `batchmill runs` lists the runs")
        })
    }
}

fn unanswered(folder: &RunFolder, error: &AskError) -> CliError {
    let run = Printable::line(&folder.run.0);
    match error {
        AskError::NotRunning(_) if !folder.is_locked() => CliError::bad(format!("run `{run}` is not running"))
            .help(format!("`batchmill status {run}` shows how it ended; `batchmill resume {run}` continues it")),
        AskError::NotRunning(cause) => {
            CliError::bad(format!("run `{run}` is running, but takes no commands")).caused_by(cause).help(
                "an older version of batchmill runs it, it is just starting, or its file system has no sockets; Ctrl-C stops it",
            )
        }
        other => CliError::of(Exit::Bad, other),
    }
}

fn state_text(folder: &RunFolder, state: &RunState) -> String {
    let how = match (state.stopping, state.paused) {
        (true, _) => "stopping",
        (false, true) => "paused",
        (false, false) => "running",
    };
    let mut text = format!("run {} is {how}\n", Printable::line(&folder.run.0));
    if let Some(step) = &state.step {
        let StepState { name, jobs, most_jobs, auto, running } = step;
        let auto = if *auto { ", chosen by `max_parallel: auto`" } else { "" };
        text.push_str(&format!("{name}: up to {jobs} at a time{auto}; at most {most_jobs}\n"));
        text.extend(running.iter().map(|item| running_text(name, item)));
    }
    text
}

fn running_text(step: &StepName, running: &RunningItem) -> String {
    let took = duration(Duration::try_from_secs_f64(running.seconds).unwrap_or_default());
    let item = running.item.as_ref().map_or(String::new(), |item| format!("  {}", Printable::excerpt(item, 80)));
    format!("  {step}:{}  {took}{item}\n", running.index)
}
