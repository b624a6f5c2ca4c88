//! `batchmill run`.

use super::exit::{Exit, Stop};
use super::{Format, Given, Safety, State, print};
use crate::compile::ParamValues;
use crate::compile::{Options, Prepared, prepare};
use crate::ledger::{Durability, Reader, StateFolder};
use crate::model::{Compare, Listener, RunId, Status};
use crate::report::{Bar, JsonLines, Plain, summary, trouble};
use crate::resume::ItemSelection;
use crate::run::{self as runs, Control, RunEnd, Start};
use crate::spec::{self, Readable, Workflow};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// More results than this are named by their file in `--format json`.
const MOST_RESULTS: u64 = 1000;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    safety: Safety,
    #[command(flatten)]
    how: How,
    /// Show what would run, and run nothing: the same as `batchmill plan`
    #[arg(long)]
    dry_run: bool,
    /// Go on with the newest run of this file, if there is one, instead of starting a new one
    #[arg(long)]
    resume: bool,
    /// Run only items that are new or changed since the last good run of this file. Files are compared by size and time of
    /// change, or by what is in them
    #[arg(long, value_enum, value_name = "BY", num_args = 0..=1, require_equals = true, default_missing_value = "time",
        conflicts_with_all = ["resume", "max_items"])]
    incremental: Option<By>,
}

/// By what `--incremental` compares files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Size and time of change
    Time,
    /// What is in them
    Content,
}

impl From<By> for Compare {
    fn from(by: By) -> Self {
        match by {
            By::Time => Self::Time,
            By::Content => Self::Content,
        }
    }
}

/// How a run is shown and ended.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct How {
    /// What stdout gets at the end
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    progress: Progress,
    /// Name an item that takes longer than this while it runs, such as `30s` or `5m`; or longer than five times the average,
    /// if that is more
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(super) slow_after: Duration,
    /// After Ctrl-C or SIGTERM, give items under way so much time to end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    grace: Duration,
}

/// A time as workflows write it.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    Duration::read(&Value::from(text)).map_err(|error| error.message)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Progress {
    /// A bar on a terminal, lines elsewhere
    Auto,
    /// A bar
    Bar,
    /// Lines
    Plain,
    /// One JSON object per event
    Json,
    /// Nothing but errors
    None,
}

/// Reads and checks a workflow file.
pub(super) fn load(path: &Path) -> Result<Workflow, Stop> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("cannot read workflow file `{}`", path.display());
        let stop = Stop::new(Exit::Bad, anyhow::Error::new(error).context(message));
        stop.hint("`batchmill init` writes a starter workflow")
    })?;
    Ok(spec::parse(path, &bytes)?)
}

impl Given {
    /// Everything the engine needs to know besides the file.
    pub(super) fn options(&self, state: &State, check_only: bool) -> Result<Options, Stop> {
        Ok(Options {
            params: self.params()?,
            python: self.python.clone(),
            jobs: self.jobs,
            max_items: self.max_items,
            slow_after: Duration::MAX,
            incremental: None,
            state: StateFolder(state.state_dir.clone()),
            durability: Durability::default(),
            check_only,
        })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    fn params(&self) -> Result<ParamValues, Stop> {
        let mut params = match &self.params_file {
            Some(path) => params_file(path)?,
            None => ParamValues::new(),
        };
        params.extend(self::params(&self.params)?);
        Ok(params)
    }
}

/// Parameters as the command line gives them.
pub(super) fn params(given: &[String]) -> Result<ParamValues, Stop> {
    let mut params = ParamValues::new();
    for given in given {
        let Some((name, value)) = given.split_once('=') else {
            let message = format!("`{given}` is no parameter");
            return Err(Stop::bad(message).hint("parameters are written NAME=VALUE"));
        };
        let value =
            spec::value(value).map_err(|message| Stop::bad(format!("the value of parameter `{name}` {message}")))?;
        params.insert(name.to_owned(), value);
    }
    Ok(params)
}

fn params_file(path: &Path) -> Result<ParamValues, Stop> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read parameters file `{}`", path.display()));
    let text = text.map_err(|error| Stop::new(Exit::Bad, error))?;
    let values =
        spec::values(&text).map_err(|message| Stop::bad(format!("parameters file `{}`: {message}", path.display())))?;
    Ok(values.into_iter().collect())
}

pub(super) fn run(args: RunArgs) -> Result<Exit, Stop> {
    if args.dry_run {
        return super::look::plan(super::look::PlanArgs::new(args.given, args.state, args.resume, args.how.format));
    }
    let (slow_after, durability) = (args.how.slow_after, args.safety.into());
    let incremental = args.incremental.map(Into::into);
    let options = Options { slow_after, durability, incremental, ..args.given.options(&args.state, false)? };
    let prepared = prepare(load(args.given.file())?, options)?;
    let last = if args.resume { super::again::latest_of(&args.state.state_dir, args.given.file())? } else { None };
    let start = last.map_or(Start::New, |folder| Start::Again(folder, ItemSelection::Left));
    execute(&prepared, start, args.how)
}

/// Runs what is prepared, shows it, and says how it ended.
pub(super) fn execute(prepared: &Prepared, start: Start, how: How) -> Result<Exit, Stop> {
    let control = Arc::new(Control::new().map_err(|error| Stop::new(Exit::Bad, error.into()))?);
    let interrupts = runs::listen(&control, how.grace).map_err(|error| Stop::new(Exit::Bad, error.into()))?;
    let mut listeners = listeners(how.progress);
    let end = runs::run(prepared, start, &control, &mut listeners)?;
    if how.format == Format::Json {
        print(&format!("{}\n", to_json(&end)?))?;
    }
    if matches!(how.progress, Progress::Auto | Progress::Bar | Progress::Plain) {
        drop(io::stderr().write_all(summary(&end.summary).as_bytes()));
    }
    if matches!(how.progress, Progress::None) && end.fault.is_none() {
        drop(io::stderr().write_all(trouble(&end.summary).as_bytes()));
    }
    if let Some(faults) = end.fault.filter(|_| end.summary.status != Status::Interrupted) {
        let ran = end.summary.steps.iter().any(|step| step.stats.succeeded + step.stats.failed > 0);
        return Err(Stop::faults(if ran { Exit::Stopped } else { Exit::Bad }, faults));
    }
    Ok(Exit::of(end.summary.status, interrupts.signal()))
}

fn listeners(progress: Progress) -> Vec<Box<dyn Listener>> {
    let sink: Box<dyn Listener> = match progress {
        Progress::Auto if io::stderr().is_terminal() => Box::new(Bar::new()),
        Progress::Bar => Box::new(Bar::new()),
        Progress::Auto | Progress::Plain => Box::new(Plain::new(io::stderr())),
        Progress::Json => Box::new(JsonLines(io::stderr())),
        Progress::None => return Vec::new(),
    };
    vec![sink]
}

/// The object that `--format json` prints. An aggregate is shown as it was written, with all digits of its numbers.
#[derive(Serialize)]
struct EndJson {
    run_id: RunId,
    status: Status,
    #[serde(serialize_with = "as_map")]
    steps: Vec<(String, StepJson)>,
}

#[derive(Serialize)]
struct StepJson {
    #[serde(flatten)]
    step: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate: Option<Box<RawValue>>,
}

fn as_map<S: Serializer>(steps: &[(String, StepJson)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(steps.iter().map(|(name, step)| (name, step)))
}

fn to_json(end: &RunEnd) -> Result<String, Stop> {
    let reader = Reader::open(end.folder.clone())?;
    let mut steps = Vec::new();
    for record in reader.steps()? {
        let failed = runs::failures_json(&end.folder, &record.name)?;
        let recorded = reader.open_step(record);
        let (record, aggregate) = (&recorded.record, recorded.aggregate(None)?);
        let mut step = json!({ "status": record.status, "stats": record.stats.to_json(), "failed": failed });
        if let Some(failure) = &record.failure {
            step["error"] = json!({ "type": failure.class, "message": failure.message });
        }
        let mut results = recorded.results()?;
        if !record.is_batch {
            let line = results.next_block()?.unwrap_or_else(|| b"null".to_vec());
            step["result"] = serde_json::from_slice(&line).unwrap_or_default();
        } else if results.count() > MOST_RESULTS {
            step["results_path"] = json!(end.folder.results(&record.name));
        } else {
            step["results"] = serde_json::from_slice(&results.into_json_array()?).unwrap_or_default();
        }
        steps.push((record.name.to_string(), StepJson { step, aggregate }));
    }
    let end = EndJson { run_id: end.summary.run.clone(), status: end.summary.status, steps };
    serde_json::to_string_pretty(&end).map_err(|error| Stop::new(Exit::Stopped, error.into()))
}
