//! Runs a prepared workflow and shows its progress.

use super::args::{DisplayArgs, FileArg, Format, Progress, ResumeArgs};
use super::beside::Beside;
use super::error::CliError;
use super::exit::Exit;
use super::find_run::find_run;
use super::outlets::Outlets;
use super::params;
use super::prepare::{Overrides, absolute, prepare_again};
use super::run_json::RunJson;
use super::run_report::write_report;
use super::stderr::tell;
use super::stdout::print_json;
use crate::compile::Prepared;
use crate::ledger::{RunFolder, StateFolder};
use crate::model::{Listener, RunId, RunSummary, Status, StepName, StepReport};
use crate::report::{
    BarProgress, Highlights, JsonProgress, KeepNote, LeftHighlights, LineProgress, NoteKeeper, can_draw, columns,
    stop_error, summary,
};
use crate::resume::ItemSelection;
use crate::run::{Control, Limits, Observers, Start, StoppedBy, Stopper, check_tables, run};
use crate::spec::Workflow;
use crate::text::Printable;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Runs a prepared workflow, shows its progress and returns the exit code. `file` is the workflow file as the user would
/// type it.
pub fn execute(prepared: &Prepared, start: Start, display: &DisplayArgs, file: &Path) -> Result<Exit, CliError> {
    let beside = Beside::open(display)?;
    let mut outlets = Outlets::open(display, prepared, &beside.metrics)?;
    let ended = execute_with(prepared, start, (display, file), (&mut outlets, beside));
    outlets.finish(ended.as_ref().map_or_else(CliError::exit, |exit| *exit));
    ended
}

fn execute_with(
    prepared: &Prepared,
    start: Start,
    (display, file): (&DisplayArgs, &Path),
    (outlets, beside): (&mut Outlets, Beside),
) -> Result<Exit, CliError> {
    let control = Arc::new(Control::new().map_err(|error| CliError::of(Exit::Bad, &error))?);
    if let Some(nice) = display.nice {
        // Before the first thread, so that all of them have it, and all children.
        let lowered = rustix::process::nice(nice).map_err(io::Error::from);
        lowered.map_err(|error| CliError::bad("cannot lower the priority (`--nice`)").caused_by(&error))?;
    }
    let stopper = Stopper::listen(&control, display.grace).map_err(|error| {
        let failed = CliError::bad("cannot start the thread that waits for signals").caused_by(&error);
        failed.help("check the resource limits: `ulimit -a` shows them")
    })?;
    let kept = limits(&prepared.workflow, display).keep(&stopper);
    kept.map_err(|error| CliError::of(Exit::Bad, &error))?;
    let highlights = LeftHighlights::default();
    let state = &prepared.options.state;
    // First, so that the metrics of the start have a place.
    let mut listeners =
        [beside.listener(state), outlets.audience(shown(display, prepared, &highlights)), note_keeper(state)];
    let again = match &start {
        Start::New => None,
        Start::Again(folder, _) => Some(&folder.run),
    };
    check_tables(prepared, again).map_err(|wrong| CliError::diagnostics(Exit::Bad, wrong))?;
    let observers = Observers { listeners: &mut listeners, files: &outlets.files, report: write_report };
    let end = run(prepared, start, &stopper, observers)?;
    if display.format == Format::Json {
        // What ran has run.
        let saved = || format!("the results are saved: `batchmill results {}`", Printable::line(&end.summary.run.0));
        print_json(&RunJson::of(&end)?).map_err(|error| error.ending_with(Exit::Stopped).help(saved()))?;
    }
    if let (Status::Interrupted, Some(StoppedBy::TimeLimit(limit))) = (end.summary.status, stopper.stopped_by())
        && display.progress() != Progress::Json
    {
        tell(out_of_time(limit, &end.summary, &prepared.workflow));
    }
    match display.progress() {
        Progress::Auto | Progress::Bar | Progress::Plain => {
            let none = Highlights::default();
            tell(summary(&end.summary, highlights.get().unwrap_or(&none), file, columns()));
        }
        Progress::None if end.fault.is_none() => stop_error(&end.summary).into_iter().for_each(tell),
        Progress::None | Progress::Json => {}
    }
    if let Some(diagnostics) = end.fault.filter(|_| end.summary.status != Status::Interrupted) {
        let ran = end.summary.steps.iter().any(|step| step.stats.succeeded + step.stats.failed > 0);
        return Err(CliError::diagnostics(if ran { Exit::Stopped } else { Exit::Bad }, diagnostics));
    }
    Ok(Exit::of(end.summary.status, stopper.stopped_by()))
}

/// What the run keeps to; the command line wins over the file.
fn limits(workflow: &Workflow, display: &DisplayArgs) -> Limits {
    let machine = workflow.machine;
    Limits {
        time: display.time_limit.or(machine.time_limit),
        min_free_memory: machine.min_free_memory,
        max_load: machine.max_load.map(|load| load.get() as f64),
    }
}

/// What is left of a run that has reached its time limit.
fn out_of_time(limit: Duration, summary: &RunSummary, workflow: &Workflow) -> String {
    let left = |step: &StepReport| {
        let count = step.stats.skipped;
        let items = if count == 1 { "item" } else { "items" };
        (count > 0).then(|| format!("{count} {items} of step `{}`", step.name))
    };
    let mut left: Vec<String> = summary.steps.iter().filter_map(left).collect();
    let begun = |name: &StepName| summary.steps.iter().any(|step| step.name == *name);
    let later = workflow.steps.iter().filter(|step| !begun(&step.name)).map(|step| format!("step `{}`", step.name));
    left.extend(later);
    let what = if left.is_empty() { "nothing".to_owned() } else { left.join(", ") };
    format!("stopped by the time limit of {limit:?}; left: {what}")
}

/// What notes the progress for `status`.
fn note_keeper(state: &StateFolder) -> Box<dyn Listener> {
    let state = state.clone();
    let open = move |run: &RunId| -> KeepNote {
        let folder = state.run(run.clone());
        // Whether it can be written or not: it is not missed.
        Box::new(move |note| drop(folder.keep_note(note)))
    };
    Box::new(NoteKeeper::new(Box::new(open)))
}

/// What shows the progress.
fn shown(display: &DisplayArgs, prepared: &Prepared, highlights: &LeftHighlights) -> Option<Box<dyn Listener>> {
    // A bar and data on the same terminal would overwrite each other.
    let mut outputs = prepared.steps.iter().filter_map(|step| step.step.outputs.file.as_ref());
    let has_data = display.events.as_ref().is_some_and(FileArg::is_stdout) || outputs.any(|file| file.path.raw == "-");
    let is_shared = has_data && io::stdout().is_terminal();
    Some(match display.progress() {
        Progress::Auto if can_draw() && !is_shared => Box::new(BarProgress::new(Arc::clone(highlights))),
        Progress::Bar => Box::new(BarProgress::new(Arc::clone(highlights))),
        Progress::Auto | Progress::Plain => Box::new(LineProgress::new(io::stderr(), Arc::clone(highlights))),
        Progress::Json => Box::new(JsonProgress(io::stderr())),
        Progress::None => return None,
    })
}

/// Resumes a run: the items that `select` picks.
pub fn execute_again(
    mut args: ResumeArgs,
    select: impl FnOnce(&RunFolder) -> Result<ItemSelection, CliError>,
) -> Result<Exit, CliError> {
    if args.run.contains('=') {
        // No run ID contains `=`: this is a parameter, and the run was omitted.
        args.params.insert(0, std::mem::replace(&mut args.run, "latest".to_owned()));
    }
    let state = StateFolder(absolute(&args.state.state_dir)?);
    let folder = find_run(&state, &args.run)?;
    let selection = select(&folder)?;
    let overrides = Overrides {
        params: params::given(args.params_file.as_deref(), &args.params)?,
        python: args.python,
        jobs: args.jobs,
        max_items: None,
        slow_after: args.display.slow_after,
        executor: args.executor.name(),
        durability: args.durability.into(),
        state,
    };
    resume_run(folder, selection, overrides, args.display)
}

/// Resumes the run in this folder.
pub fn resume_run(
    folder: RunFolder,
    selection: ItemSelection,
    overrides: Overrides,
    display: DisplayArgs,
) -> Result<Exit, CliError> {
    let here = std::env::current_dir().ok();
    let prepared = prepare_again(&folder, overrides)?;
    let path = &prepared.workflow.source.path;
    // The working directory is now that of the run, and the user's shell may be elsewhere.
    let file = if std::env::current_dir().ok() == here { path.clone() } else { absolute(path)? };
    execute(&prepared, Start::Again(folder, selection), &display, &file)
}
