//! One step of a run, from its history to its output file.

use super::advice::one_worker;
use super::aggregate::compute_aggregate;
use super::aggregate_file::write_aggregate;
use super::env::StepEnv;
use super::error::EngineError;
use super::hashed_rows::HashedRows;
use super::history::{Prior, compare};
use super::mode::StepMode;
use super::output::{Writable, item_files, type_check, write_output};
use super::output_paths::Refused;
use super::recorder::LedgerRecorder;
use super::remote::context;
use super::room::fit_to_files;
use super::saved_rows::write_saved_rows;
use super::step_end::{StepOutcome, cannot_start, count_standing_failures, late, outcome, unfit};
use super::table_check::{check_table, refusal};
use super::table_output::write_table;
use crate::compile::{OpenStep, StartError, open_step, timeout_of};
use crate::export::{Claim, StreamedOutput, Target, real_path};
use crate::ledger::{DoneBatch, FailedItems, RowHashWriter, StepHistory, ToldItems};
use crate::model::{Event, Lines, Stats, Status, StepReport, message_of};
use crate::pipeline::{Alarm, Carried, Feed, StepJob, StepStart, Width, run_step};
use crate::resume::{Comparison, Counts};
use crate::sources::{Printed, RowHasher, Source, SourceHost, take};
use crate::spec::{BatchSize, StepKind};
use crate::task::{StepContext, Withdrawal, capture};
use crate::template::ItemScope;
use std::process::Command;
use std::sync::Arc;
use tempfile::tempfile_in;

/// How many items a notice names.
const MOST_NAMED: usize = 10;

/// Runs what is left of a step.
pub(super) fn run(env: &mut StepEnv<'_>, history: StepHistory) -> Result<StepOutcome, EngineError> {
    let names = Arc::new(ItemScope::of_step(Arc::clone(&env.scope)));
    let limit = match timeout_of(&env.step.step, &names) {
        Ok(limit) => limit,
        Err(error) => return Ok(cannot_start(env, &error)),
    };
    // Opening the source and comparing what it gives take of the step's time as well.
    let alarm = Alarm::set(limit, &env.cancel)?;
    let outcome = run_with(env, history, (&names, &alarm))?;
    match limit {
        Some(limit) if alarm.has_rung() && !outcome.started => Ok(late(env, limit)),
        _ => Ok(outcome),
    }
}

fn run_with(
    env: &mut StepEnv<'_>,
    history: StepHistory,
    (names, alarm): (&Arc<ItemScope>, &Alarm),
) -> Result<StepOutcome, EngineError> {
    let (stop, guard) = (Arc::clone(&env.cancel.stop), env.run.host.guard.clone());
    let run = {
        let stop = Arc::clone(&stop);
        let folder = env.run.folder.path.clone();
        move |command: &mut Command| {
            let stdout = tempfile_in(&folder)?;
            let (status, stderr) = capture(command, &stdout, &stop, guard.as_ref())?;
            Ok(Printed { status, stdout, stderr })
        }
    };
    let host = SourceHost { run: &run, stop: stop.channel() };
    let mut open = match open_step(env.step, env.run.prepared, names, host) {
        Ok(open) => open,
        Err(error) => return Ok(cannot_start(env, &error)),
    };
    // Until the step has ended.
    let _claims = match claim_outputs(env, &open) {
        Ok(claims) => claims,
        Err(error) => return Ok(cannot_start(env, &error)),
    };
    let appended = match check_table(env, &open) {
        Ok(appended) => appended,
        Err(error) => return Ok(cannot_start(env, &error)),
    };
    let (ended, told) = (history.ended.clone(), history.told.clone());
    match compare(env, &mut open, history, &appended)? {
        Ok(Prior::Compared(compared)) => {
            open.source = with_hashes(env, open.source)?;
            work(env, open, (Some(*compared), told), alarm)
        }
        Ok(Prior::Fresh) => {
            open.source = with_hashes(env, open.source)?;
            if let Some(most) = env.run.prepared.options.max_items.filter(|_| env.step.is_batch()) {
                open.source = take(open.source, most);
            }
            work(env, open, (None, told), alarm)
        }
        Ok(Prior::Vanished) => Ok(vanished(env, ended)),
        Ok(Prior::Refused(why)) => Ok(cannot_start(env, &refusal(env, &open, &why))),
        Err(error) => Ok(cannot_start(env, &StartError::Items(error, env.step.items_span()))),
    }
}

/// Claims the paths of the files for the results and for the aggregate, if the step has them.
fn claim_outputs(env: &mut StepEnv<'_>, open: &OpenStep) -> Result<Vec<Claim>, StartError> {
    let step = &env.step.step;
    let aggregate = match &step.kind {
        StepKind::Batch(batch) => batch.aggregate_file.as_ref(),
        StepKind::Single(_) => None,
    };
    let results = open.target.as_ref().zip(step.outputs.file.as_ref());
    let aggregate = open.aggregate_target.as_ref().zip(aggregate);
    if let (Some((one, _)), Some((other, file))) = (results, aggregate)
        && real_path(&other.path).starts_with(real_path(&one.path))
        && !one.is_stdout()
    {
        let message = format!("`path`: `outputs` of the step also writes to {}; choose another path", one.shown());
        return Err(StartError::Setting(message, file.path.span));
    }
    let saved = open.saved_target.as_ref().zip(step.save_bad_rows());
    let taken = |target: &Target| real_path(&target.path);
    if let Some((target, file)) = saved
        && results.iter().chain(&aggregate).any(|(other, _)| taken(target).starts_with(taken(other)))
    {
        let message = format!("`save`: the step also writes its results to {}; choose another path", target.shown());
        return Err(StartError::Setting(message, file.path.span));
    }
    let mut claims = Vec::new();
    let of_path = results.into_iter().chain(aggregate).map(|claimed| ("path", claimed));
    for (key, (target, file)) in of_path.chain(saved.map(|claimed| ("save", claimed))) {
        let claim = env.output_paths.claim(target, &step.name);
        let refused = |refused| match refused {
            Refused::Busy(why) => StartError::Busy(format!("`{key}`: {why}"), file.path.span),
            Refused::Taken(why) => StartError::Setting(format!("`{key}`: {why}"), file.path.span),
        };
        claims.extend(claim.map_err(refused)?);
    }
    Ok(claims)
}

/// The source, which records the hashes of its items if they are rows of files.
fn with_hashes(env: &StepEnv<'_>, source: Box<dyn Source>) -> Result<Box<dyn Source>, EngineError> {
    if !env.step.reads_rows() {
        return Ok(source);
    }
    let (writer, forms) = (RowHashWriter::open(&env.run.folder, env.name())?, source.forms());
    Ok(Box::new(HashedRows { source, hasher: RowHasher::default(), writer: Some(writer), forms }))
}

/// Leaves a step as it is.
pub(super) fn keep(env: &mut StepEnv<'_>, history: &StepHistory) -> StepOutcome {
    let report = history.ended.clone().unwrap_or_else(|| {
        let succeeded = history.batches.iter().map(DoneBatch::done).sum();
        let count = |items: &FailedItems| items.values().map(|items| items.len() as u64).sum();
        let (failed, cancelled): (u64, u64) = (count(&history.failed), count(&history.cancelled));
        let total = succeeded + failed + cancelled;
        let stats = Stats { total, succeeded, failed, cancelled, ..Stats::default() };
        StepReport { name: env.name().clone(), status: Status::Failed, stats, failure: None }
    });
    let (whole, lost) = (matches!(report.status, Status::Succeeded | Status::Partial), history.lost_items());
    if lost > 0 {
        env.notice(format!("warning: the results of {lost} items are lost; `batchmill resume` runs these items again"));
    } else if !whole {
        env.notice("some items have not run yet; `batchmill resume` runs them");
    }
    let status = if whole && lost == 0 { report.status } else { Status::Failed };
    // All of its outcomes are from earlier executions.
    let stats = Stats { kept: report.stats.succeeded + report.stats.failed, ..report.stats };
    StepOutcome { report: StepReport { status, stats, ..report }, started: true, fault: None }
}

/// Handles a step that had items and has none now: its results stay.
fn vanished(env: &mut StepEnv<'_>, ended: Option<StepReport>) -> StepOutcome {
    env.notice(
        "the source has no items, so results and outputs stay as they are; set `allow_empty: true` to empty them",
    );
    let stats = ended.map(|ended| ended.stats).unwrap_or_default();
    let report = StepReport { name: env.name().clone(), status: Status::Empty, stats, failure: None };
    StepOutcome { report, started: true, fault: None }
}

/// Runs the items that are left, then the aggregate and the output file.
fn work(
    env: &mut StepEnv<'_>,
    mut open: OpenStep,
    (compared, told): (Option<Comparison>, ToldItems),
    alarm: &Alarm,
) -> Result<StepOutcome, EngineError> {
    let files = open.item_files.clone().map(|into| item_files(env, into)).transpose()?.map(Arc::new);
    let is_fresh = compared.is_none();
    // Results of earlier executions are not in order with new ones.
    let streamed = open.target.as_ref().filter(|_| env.step.is_batch() && is_fresh).and_then(StreamedOutput::of);
    // Results that are all there are checked when they are written, and not at all if they have been.
    let target = open.target.as_ref().filter(|_| compared.as_ref().is_none_or(|compared| compared.to_run() > 0));
    let types = match target.map(|target| type_check(env, target)).transpose() {
        Ok(types) => types.flatten(),
        Err(error) => return Ok(unfit(env, &error, compared.as_ref())),
    };
    fit_to_files(env, &mut open);
    let context = match context(env, &open, files.clone())? {
        Ok(context) => context,
        Err(error) => return Ok(cannot_start(env, &error)),
    };
    let settings = open.settings.clone();
    let total = compared.as_ref().map_or(settings.total, |compared| Some(compared.total));
    leave_out(env, &context, (&told, total))?;
    let into = open.item_files.clone();
    let start = start(env, &mut open, compared, (&env.run.control.width, alarm));
    if let Some(total) = start.total.filter(|_| env.step.is_batch()) {
        env.ledger.expect_items(total)?;
    }
    let done_before = start.carried.done;
    let job = StepJob::new(&env.step.program, env.step.handler.as_ref(), context, &settings);
    let steered = env.run.control.begin(job.steered(&env.run.prepared.secrets));
    let shows_message = !env.step.is_batch() && env.step.program.result_is_message();
    let message = shows_message.then(Lines::default);
    let mut recorder = LedgerRecorder { ledger: env.ledger, streamed, types, item_files: into, message };
    let end = run_step(start, &job, &mut recorder, env.announcer.reborrow())?;
    drop(steered);
    let (streamed, message) = (recorder.streamed.take(), recorder.message.take());
    open.source.notices().into_iter().for_each(|notice| env.notice(notice));
    if let (Some(files), Some(into)) = (&files, &open.item_files) {
        files.clear();
        env.output_paths.add_files(into, files.claimed(), env.step.name());
    }
    let mut outcome = outcome(env, end);
    count_standing_failures(env, &mut outcome.report.stats)?;
    one_worker(env.step, &outcome.report.stats).into_iter().for_each(|advice| env.notice(advice));
    let ran = outcome.report.stats.succeeded > done_before;
    compute_aggregate(env, &mut outcome.report, settings.step_timeout)?;
    write_outputs(env, (&mut open, streamed), &mut outcome.report)?;
    if let Some(Lines(line)) = message.filter(|_| ran) {
        env.notice(message_of(line.strip_suffix(b"\n").unwrap_or(&line)));
    }
    Ok(outcome)
}

/// Writes results and aggregate to where they are to go.
fn write_outputs(
    env: &mut StepEnv<'_>,
    (open, streamed): (&mut OpenStep, Option<StreamedOutput>),
    report: &mut StepReport,
) -> Result<(), EngineError> {
    if let Some(target) = &open.saved_target {
        write_saved_rows(env, (target, open.source.originals()), report)?;
    }
    if let Some(target) = &open.aggregate_target {
        write_aggregate(env, target, report)?;
    }
    if let Some(target) = &open.target {
        let source = &mut *open.source;
        write_output(env, Writable { target, streamed, source }, report)?;
    }
    if let Some(table) = &open.table {
        write_table(env, table, report)?;
    }
    Ok(())
}

/// Leaves out what the execution before this one was told to leave out and had not come to. Only the indexes of these items
/// are known: if there are more or fewer items now, they may be others.
fn leave_out(
    env: &mut StepEnv<'_>,
    context: &StepContext,
    (told, total): (&ToldItems, Option<u64>),
) -> Result<(), EngineError> {
    if told.indexes.is_empty() || env.mode != StepMode::Resume {
        return Ok(());
    }
    let which = told.indexes.iter().take(MOST_NAMED).map(u64::to_string).collect::<Vec<_>>().join(", ");
    let more = if told.indexes.len() > MOST_NAMED { " and more" } else { "" };
    if told.total.zip(total).is_some_and(|(then, now)| then != now) {
        env.notice(format!("items {which}{more} were to be skipped, but the items have changed since: they run"));
        return Ok(());
    }
    told.indexes.iter().try_for_each(|index| context.withdrawn.take_out(*index, Withdrawal::Skip))?;
    env.ledger.leave_out_again(&told.indexes)?;
    env.notice(format!("skipping items {which}{more}, as told before"));
    Ok(())
}

/// What the pipeline starts with. Announces the step.
fn start<'a>(
    env: &mut StepEnv<'_>,
    open: &'a mut OpenStep,
    compared: Option<Comparison>,
    (width, alarm): (&'a Width, &'a Alarm),
) -> StepStart<'a> {
    let bytes = open.source.bytes();
    let (total, carried) = match &compared {
        Some(compared) => (Some(compared.total), carried(compared, bytes)),
        None => (open.settings.total, Carried::default()),
    };
    let name = env.name().clone();
    let (done, bytes_done, slots) =
        (carried.done, carried.bytes_done, open.settings.first_width.unwrap_or(open.settings.lane.width));
    env.announcer.tell(&Event::StepStarted { name: name.clone(), total, done, bytes, bytes_done, slots });
    let source = &mut *open.source;
    let feed = match compared {
        Some(compared) => {
            let (unfinished, total) = compared.into_unfinished(bytes);
            Feed::Rest(source, Box::new(unfinished), total)
        }
        None => {
            if open.settings.batch_size == BatchSize::Auto {
                source.largest_first(u64::MAX);
            }
            Feed::Fresh(source)
        }
    };
    StepStart { name, feed, total, carried, slow_after: env.run.prepared.options.slow_after, width, alarm }
}

fn carried(compared: &Comparison, bytes: Option<u64>) -> Carried {
    let Counts { done, failed, unchanged, bad_rows, cancelled, .. } = compared.counts;
    Carried { done, failed, bad_rows, cancelled, unchanged, bytes_done: compared.bytes_done(bytes) }
}
