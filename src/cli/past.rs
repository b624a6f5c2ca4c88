//! `batchmill runs`, `results` and `failures`: what the ledgers say.

use super::exit::{Exit, Stop};
use super::{Format, State, print, written};
use crate::ledger::{FailureRecord, Reader, StateFolder, StepRecord};
use crate::model::StepName;
use crate::report::{duration, number};
use crate::spec::Workflow;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::error::Error;
use std::io;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    clean: Option<RunsVerb>,
    #[command(flatten)]
    state: State,
    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum RunsVerb {
    /// Delete old runs with their results; those under way stay
    Clean(CleanArgs),
}

#[derive(Debug, Args)]
struct CleanArgs {
    /// Delete runs that were started longer ago than this, such as `30d` or `12h`
    #[arg(long, value_name = "TIME", value_parser = super::run::time, required_unless_present = "keep")]
    older_than: Option<Duration>,
    /// Keep the newest N runs, however old they are
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    state: State,
}

fn clean(args: &CleanArgs) -> Result<Exit, Stop> {
    let mut folders = StateFolder(args.state.state_dir.clone()).runs_by_age()?;
    folders.truncate(folders.len().saturating_sub(args.keep.unwrap_or(0)));
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
    for folder in folders {
        let run = folder.run.clone();
        let record = match Reader::open(folder.clone()).and_then(|reader| reader.run()) {
            Ok(record) => record,
            Err(error) => {
                // Nobody knows how old it is, and what is left of it may be dear to somebody.
                eprintln!("run {run} stays, because it cannot be read: {error}");
                continue;
            }
        };
        let started = u64::try_from(record.started).unwrap_or(0);
        let old = args.older_than.is_none_or(|age| Duration::from_millis(now.saturating_sub(started)) >= age);
        if !old || folder.is_locked() {
            continue;
        }
        if !args.dry_run {
            folder.delete()?;
        }
        print(&format!("{run}\n"))?;
    }
    Ok(Exit::Done)
}

#[derive(Debug, Args)]
pub(super) struct ResultsArgs {
    /// The run: its id, the beginning or end of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// The step; by default the last one that ran, `on_failure` and `finally` left aside
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    #[command(flatten)]
    state: State,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// The run: its id, the beginning or end of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    #[command(flatten)]
    state: State,
}

#[derive(Debug, Args)]
pub(super) struct FailuresArgs {
    /// The run: its id, the beginning or end of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Only this step
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Show tracebacks too, and what was printed
    #[arg(long, conflicts_with = "group")]
    detail: bool,
    /// Count failures that are alike, instead of listing each
    #[arg(long)]
    group: bool,
    #[command(flatten)]
    state: State,
    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn open(state: &State, run: &str) -> Result<Reader, Stop> {
    Ok(Reader::open(StateFolder(state.state_dir.clone()).find(run)?)?)
}

pub(super) fn runs(args: &RunsArgs) -> Result<Exit, Stop> {
    if let Some(RunsVerb::Clean(args)) = &args.clean {
        return clean(args);
    }
    let mut rows = Vec::new();
    for folder in StateFolder(args.state.state_dir.clone()).runs_by_age()? {
        // A run that was killed while its ledger was made, or that a newer version wrote, must not hide the others.
        let name = folder.run.clone();
        let opened = Reader::open(folder).and_then(|reader| Ok((reader.run()?, reader.steps()?, reader)));
        let (run, steps, reader) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
                eprintln!("run {name} cannot be read: {error}{cause}");
                continue;
            }
        };
        let sum = |count: fn(&StepRecord) -> u64| steps.iter().map(count).fold(0, u64::saturating_add);
        let (succeeded, failed) = (sum(|step| step.stats.succeeded), sum(|step| step.stats.failed));
        let took = run
            .finished
            .and_then(|finished| u64::try_from(finished.saturating_sub(run.started)).ok())
            .map(Duration::from_millis);
        rows.push((reader.folder().run.clone(), run, succeeded, failed, took));
    }
    if args.format == Format::Json {
        let rows = rows.iter().map(|(id, run, succeeded, failed, took)| {
            json!({
                "run_id": id, "workflow": run.workflow, "path": run.path, "status": run.status, "started": run.started,
                "finished": run.finished, "duration": took.map(|took| took.as_secs_f64()), "succeeded": succeeded, "failed": failed,
            })
        });
        print(&format!("{:#}\n", Value::from(rows.collect::<Vec<_>>())))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        eprintln!("there are no runs in `{}`", args.state.state_dir.display());
        return Ok(Exit::Done);
    }
    let mut table = table(["run", "workflow", "status", "took", "done", "failed"]);
    for (id, run, succeeded, failed, took) in rows {
        let status = serde_json::to_value(run.status).ok().and_then(|status| status.as_str().map(str::to_owned));
        let took = took.map_or(String::new(), duration);
        table.add_row([id.0, run.workflow, status.unwrap_or_default(), took, number(succeeded), number(failed)]);
    }
    print(&lines(&table))?;
    Ok(Exit::Done)
}

pub(super) fn results(args: &ResultsArgs) -> Result<Exit, Stop> {
    let reader = open(&args.state, &args.run)?;
    reader.check()?;
    let steps = reader.steps()?;
    let step = match &args.step {
        Some(name) => named(&steps, name)?,
        None => steps
            .iter()
            .rev()
            .find(|step| !is_closing(step))
            .or(steps.last())
            .ok_or_else(|| Stop::bad(format!("no step of run `{}` was started", reader.folder().run)))?,
    };
    written(reader.open_step(step.clone()).results()?.copy_to(&mut io::stdout().lock())?)?;
    Ok(Exit::Done)
}

/// Whether it is what runs at the end of a run; its result is asked for by name.
fn is_closing(step: &StepRecord) -> bool {
    matches!(step.name.as_str(), Workflow::ON_FAILURE | Workflow::FINALLY)
}

fn named<'a>(steps: &'a [StepRecord], name: &str) -> Result<&'a StepRecord, Stop> {
    steps.iter().find(|step| step.name.as_str() == name).ok_or_else(|| {
        let names: Vec<String> = steps.iter().map(|step| format!("`{}`", step.name)).collect();
        Stop::bad(format!("the run has no step `{name}`")).hint(format!("it has {}", names.join(", ")))
    })
}

pub(super) fn audit(args: &AuditArgs) -> Result<Exit, Stop> {
    let reader = open(&args.state, &args.run)?;
    reader.check()?;
    let mut good = true;
    for step in reader.steps()? {
        let name = step.name.clone();
        let audit = reader.open_step(step).audit()?;
        let counts = format!("{} succeeded, {} failed", number(audit.succeeded), number(audit.failed));
        if audit.problems.is_empty() {
            print(&format!("{}: {counts}: every item has one outcome, every result is whole\n", name))?;
        } else {
            good = false;
            print(&format!("{}: {counts}\n", name))?;
            print(&audit.problems.iter().map(|problem| format!("  {problem}\n")).collect::<String>())?;
        }
    }
    Ok(if good { Exit::Done } else { Exit::SomeFailed })
}

/// Failures with the same step, type and message, numbers in it left aside.
fn groups(rows: &[(StepName, FailureRecord)]) -> Vec<(u64, String, String, u64)> {
    let mut groups: Vec<(u64, String, String, u64)> = Vec::new();
    let plain = |text: &str| {
        text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>().replace("##", "#")
    };
    for (step, failure) in rows {
        let error = format!("{}: {}", failure.class, failure.message);
        match groups.iter_mut().find(|(_, name, known, _)| *name == step.as_str() && plain(known) == plain(&error)) {
            Some(group) => group.0 += 1,
            None => groups.push((1, step.to_string(), error, failure.index)),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.0));
    groups
}

pub(super) fn failures(args: &FailuresArgs) -> Result<Exit, Stop> {
    let reader = open(&args.state, &args.run)?;
    reader.check()?;
    let steps = reader.steps()?;
    let steps = match &args.step {
        Some(name) => std::slice::from_ref(named(&steps, name)?),
        None => &steps,
    };
    let mut rows = Vec::new();
    let mut printed = Vec::new();
    for step in steps {
        let step = reader.open_step(step.clone());
        let failures = step.failures()?;
        if args.detail || args.format == Format::Json && !args.group {
            printed.extend(step.printed(&failures)?);
        }
        rows.extend(failures.into_iter().map(|failure| (step.record.name.clone(), failure)));
    }
    if args.group {
        return show_groups(groups(&rows), args.format);
    }
    if args.format == Format::Json {
        let rows = rows.iter().zip(&printed).map(|((step, failure), log)| failure_json(step, failure, log));
        print(&format!("{:#}\n", Value::from(rows.collect::<Vec<_>>())))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        eprintln!("no item of run {} failed", reader.folder().run);
        return Ok(Exit::Done);
    }
    if args.detail {
        for ((step, failure), log) in rows.into_iter().zip(printed) {
            print(&failure_detail(&step, failure, log))?;
        }
        return Ok(Exit::Done);
    }
    let mut table = table(["step", "index", "item", "attempts", "took", "error"]);
    for (step, failure) in rows {
        let error = format!("{}: {}", failure.class, failure.message);
        let cells = [
            step.to_string(),
            number(failure.index),
            shorten(&failure.item, 40),
            failure.attempts.to_string(),
            failure.took.map_or(String::new(), duration),
            shorten(&error, 100),
        ];
        table.add_row(cells);
    }
    print(&lines(&table))?;
    Ok(Exit::Done)
}

/// Shows how many items failed with which error.
fn show_groups(groups: Vec<(u64, String, String, u64)>, format: Format) -> Result<Exit, Stop> {
    if format == Format::Json {
        let group = |(count, step, error, index): &(u64, String, String, u64)| json!({ "count": count, "step": step, "error": error, "index": index });
        print(&format!("{:#}\n", Value::from(groups.iter().map(group).collect::<Vec<_>>())))?;
        return Ok(Exit::Done);
    }
    let mut table = table(["count", "step", "error", "for instance"]);
    for (count, step, error, index) in groups {
        table.add_row([number(count), step, shorten(&error, 100), format!("item {index}")]);
    }
    print(&lines(&table))?;
    Ok(Exit::Done)
}

fn failure_json(step: &StepName, failure: &FailureRecord, log: &str) -> Value {
    let item: Value = serde_json::from_str(&failure.item).unwrap_or_else(|_| failure.item.clone().into());
    json!({
        "step": step, "index": failure.index, "key": failure.key, "item": item, "type": failure.class,
        "error": failure.message, "attempts": failure.attempts, "duration": failure.took.map(|took| took.as_secs_f64()),
        "detail": failure.detail, "log": log, "on_item_error": failure.handler,
    })
}

fn failure_detail(step: &StepName, failure: FailureRecord, log: String) -> String {
    let log = if log.is_empty() { log } else { format!("printed:\n{}\n", log.trim_end()) };
    let detail = failure.detail.map_or(String::new(), |detail| format!("{}\n", detail.trim_end()));
    let handler = failure.handler.map_or(String::new(), |handler| format!("on_item_error failed: {handler}\n"));
    let (index, item, class, message) = (failure.index, failure.item, failure.class, failure.message);
    format!("{step}[{index}] {item}\n{class}: {message}\n{detail}{log}{handler}\n")
}

/// One line, no longer than `most` characters.
fn shorten(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= most { line.to_owned() } else { line.chars().take(most - 1).chain(['…']).collect() }
}

pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

pub(super) fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim())).collect()
}
