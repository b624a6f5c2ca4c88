//! `batchmill validate` and `batchmill plan`: look, and run nothing but the `$(command)` or the query of a list of items.

mod counting;

use super::again::latest_of;
use super::exit::{Exit, Stop};
use super::run::load;
use super::{Format, Given, State, print};
use crate::compile::{OpenBatch, Prepared, PreparedStep, StartError, open_batch, prepare};
use crate::ledger::Reader;
use crate::model::RunId;
use crate::report::{count, number, will_run};
use crate::run::{Forecast, ForecastError, forecast, step_scope};
use crate::sources::SourceHost;
use crate::spec::{BatchSize, BatchSpec, ItemsSpec, Setting, StepKind};
use crate::task::Program;
use crate::template::{ItemScope, Template};
use clap::Args;
use counting::Counted;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    state: State,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    state: State,
    /// Show what going on with the newest run of this file would run, and why
    #[arg(long)]
    resume: bool,
    /// Do not read files of rows through to count their rows
    #[arg(long)]
    no_count: bool,
    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl PlanArgs {
    pub(super) fn new(given: Given, state: State, resume: bool, format: Format) -> Self {
        Self { given, state, resume, no_count: false, format }
    }
}

pub(super) fn validate(args: ValidateArgs) -> Result<Exit, Stop> {
    let workflow = load(args.given.file())?;
    let prepared = prepare(workflow, args.given.options(&args.state, true)?)?;
    let path = prepared.workflow.source.path.display();
    let mut text = format!("{path} is valid: {}\n", count(prepared.workflow.steps.len() as u64, "step"));
    for step in &prepared.steps {
        if let StepKind::Batch(batch) = &step.step.kind {
            let _ = writeln!(text, "  {}: {}", step.name(), item_is(batch, &step.program));
        }
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// What `item` is, as far as the file alone tells.
fn item_is(batch: &BatchSpec, program: &Program) -> &'static str {
    let python = program.takes_batches();
    let size_one = matches!(&batch.batch_size, Setting::Fixed(BatchSize::Exactly(size)) if size.get() == 1);
    match batch.batched {
        Some(true) if batch.batch_format.0.library().is_some() => "`item` is the batch, because `batch_format` says so",
        Some(true) => "`item` is the batch, because `batched: true` says so",
        Some(false) => "`item` is one item, because `batched: false` says so",
        None if !python => "`item` is one item, because only python tasks take whole batches",
        None if size_one => "`item` is one item, because `batch_size` is 1",
        None => "`item` is the batch if the first item is a record (a mapping), else one item",
    }
}

pub(super) fn plan(args: PlanArgs) -> Result<Exit, Stop> {
    let workflow = load(args.given.file())?;
    let prepared = prepare(workflow, args.given.options(&args.state, false)?)?;
    let last = if args.resume { latest_of(&args.state.state_dir, args.given.file())? } else { None };
    if let Some(folder) = last {
        let reader = Reader::open(folder)?;
        let forecasts = forecast(&prepared, &reader).map_err(cannot_foresee)?;
        return show_forecasts(&prepared, &reader, &forecasts, args.format);
    }
    if args.resume {
        eprintln!("there is no run of this file yet: all of it would run");
    }
    let scope = step_scope(&prepared, &RunId("plan".to_owned()));
    let scope = Arc::new(ItemScope::of_step(Arc::new(scope)));
    let mut steps = Vec::new();
    let never = crossbeam_channel::never();
    let host = SourceHost { run: &|command| command.output(), stop: &never };
    for step in &prepared.steps {
        let open = match &step.step.kind {
            StepKind::Single(_) => None,
            StepKind::Batch(batch) if waits(batch, &prepared) => None,
            StepKind::Batch(batch) => {
                Some(open_batch(step, batch, &prepared, (&scope, host)).map_err(|error| at_step(&error, step))?)
            }
        };
        let counted = open.as_ref().filter(|_| !args.no_count).and_then(|open| counting::rows(open, &prepared));
        steps.push(PlannedStep { step, open, counted });
    }
    match args.format {
        Format::Text => print(&text(&prepared, &steps))?,
        Format::Json => print(&format!("{:#}\n", to_json(&prepared, &steps)))?,
    }
    Ok(Exit::Done)
}

fn cannot_foresee(error: ForecastError) -> Stop {
    match error {
        ForecastError::Ledger(error) => error.into(),
        error => Stop::bad(error.to_string()),
    }
}

/// Shows what going on with a run would run.
fn show_forecasts(prepared: &Prepared, reader: &Reader, forecasts: &[Forecast], format: Format) -> Result<Exit, Stop> {
    let run = &reader.folder().run;
    let steps = prepared.workflow.steps.iter().zip(forecasts);
    if format == Format::Json {
        let steps = steps.map(|(step, forecast)| match forecast {
            Forecast::New => json!({ "name": step.name, "will_run": "everything", "because": ["not run yet"] }),
            Forecast::Everything(why) => json!({ "name": step.name, "will_run": "everything", "because": why }),
            Forecast::Some { total, reasons } => {
                let why: serde_json::Map<_, _> =
                    reasons.iter().map(|(why, count)| (why.clone(), json!(count))).collect();
                let run: u64 = reasons.iter().map(|(_, count)| count).sum();
                json!({ "name": step.name, "total": total, "will_run": run, "because": why })
            }
            Forecast::Waits(earlier) => json!({ "name": step.name, "will_run": null, "depends_on": earlier }),
        });
        print(&format!("{:#}\n", json!({ "run_id": run, "steps": steps.collect::<Vec<_>>() })))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("{} ({}), run {run}\n", prepared.workflow.name, prepared.workflow.source.path.display());
    for (step, forecast) in steps {
        let what = match forecast {
            Forecast::New => "everything will run: it was not started yet".to_owned(),
            Forecast::Everything(why) => format!("everything runs again, because {}", why.join(", ")),
            Forecast::Some { total, reasons } => will_run(*total, reasons),
            Forecast::Waits(earlier) => format!("depends on what step `{earlier}` gives, which will run"),
        };
        let _ = writeln!(text, "{}: {what}", step.name);
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn at_step(error: &StartError, step: &PreparedStep) -> Stop {
    let stop = Stop::bad(format!("step `{}`: {error}", step.name()));
    match error {
        StartError::Items(error, _) => error.hint().into_iter().fold(stop, Stop::hint),
        StartError::Setting(..) => stop,
    }
}

/// Whether its items or settings come from an earlier step.
fn waits(batch: &BatchSpec, prepared: &Prepared) -> bool {
    let ItemsSpec::Template(text) = &batch.items else { return false };
    let outputs: Vec<&str> =
        prepared.workflow.steps.iter().filter_map(|step| Some(step.outputs.name.as_ref()?.raw.as_str())).collect();
    let root = |name: &String| name.split('.').next().unwrap_or_default().to_owned();
    let uses = Template::compile(text).map_or_else(|_| Vec::new(), |template| template.uses());
    uses.iter().map(root).any(|root| root == "steps" || outputs.contains(&root.as_str()))
}

struct PlannedStep<'a> {
    step: &'a PreparedStep,
    open: Option<OpenBatch>,
    /// What its files hold, where its items are rows.
    counted: Option<Counted>,
}

fn text(prepared: &Prepared, steps: &[PlannedStep<'_>]) -> String {
    let workflow = &prepared.workflow;
    let mut text = format!("{} ({})\n", workflow.name, workflow.source.path.display());
    if let Some(python) = &prepared.python {
        let _ = writeln!(text, "python: {} (CPython {}, from {})", python.executable, python.version, python.found.by);
    }
    for (place, PlannedStep { step, open, counted }) in steps.iter().enumerate() {
        let _ = writeln!(text, "{}. {} ({})", place + 1, step.name(), step.program.type_name());
        match (open, &step.step.kind) {
            (Some(open), _) => {
                let _ = writeln!(
                    text,
                    "   {}, {}",
                    amount(open, counted.as_ref()),
                    count(open.settings.lane.width as u64, "worker")
                );
                let what = if open.settings.lane.batched { "the batch" } else { "one item" };
                let _ = writeln!(text, "   `item` is {what}, because {}", open.settings.batched_because);
                if let Some(first) = open.items.first_json() {
                    let _ = writeln!(text, "   first item: {}", shorten(&String::from_utf8_lossy(&first)));
                }
                if let Some(counted) = counted {
                    text.push_str(&counted.odd_text());
                }
                if let Some(attempts) = Some(open.settings.retry.max_attempts.get()).filter(|attempts| *attempts > 1) {
                    let _ = writeln!(text, "   {attempts} attempts, {:?} apart", open.settings.retry.delay);
                }
            }
            (None, StepKind::Batch(_)) => text.push_str("   items are known once the earlier steps have run\n"),
            (None, StepKind::Single(_)) => text.push_str("   runs once\n"),
        }
    }
    text
}

/// How many items and batches there are.
fn amount(open: &OpenBatch, counted: Option<&Counted>) -> String {
    let (items, batches) = match counted {
        Some(counted) => (counted.text(), counted.totals.batches),
        None => {
            let counted_later = || "items, counted as they are read,".to_owned();
            (open.settings.total.map_or_else(counted_later, |total| count(total, "item")), open.settings.lane.batches)
        }
    };
    let batches = batches.map_or(String::new(), |batches| format!(" in {}", count(batches, "batch")));
    format!("{items}{batches} of {}", size(open.settings.batch_size))
}

fn size(size: BatchSize) -> String {
    match size {
        BatchSize::Auto => "a size learnt as it runs".to_owned(),
        BatchSize::Exactly(size) => number(size.get() as u64),
    }
}

fn size_json(size: BatchSize) -> Value {
    match size {
        BatchSize::Auto => json!("auto"),
        BatchSize::Exactly(size) => json!(size),
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 100 { text.to_owned() } else { text.chars().take(99).chain(['…']).collect() }
}

fn to_json(prepared: &Prepared, steps: &[PlannedStep<'_>]) -> Value {
    let steps = steps.iter().map(|PlannedStep { step, open, counted }| {
        let work = open.as_ref().map(|open| {
            let totals = counted.as_ref().map(|counted| counted.totals);
            let items = totals.map_or(open.settings.total, |totals| Some(totals.items));
            let batches = totals.map_or(open.settings.lane.batches, |totals| totals.batches);
            json!({
                "items": items, "batch_size": size_json(open.settings.batch_size), "batches": batches, "workers": open.settings.lane.width,
                "files": counted.as_ref().map(Counted::to_json),
                "batched": open.settings.lane.batched, "batched_because": open.settings.batched_because,
                "first_item": open.items.first_json().and_then(|item| serde_json::from_slice::<Value>(&item).ok()),
                "max_attempts": open.settings.retry.max_attempts, "known_total": open.items.source.total().is_some(),
            })
        });
        json!({ "name": step.name(), "type": step.program.type_name(), "is_batch": step.is_batch(), "work": work })
    });
    let python = prepared
        .python
        .as_ref()
        .map(|python| json!({ "executable": python.executable, "version": python.version, "from": python.found.by }));
    json!({ "workflow": prepared.workflow.name, "python": python, "steps": steps.collect::<Vec<_>>() })
}
