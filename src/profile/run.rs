//! Profiles a step.

use super::against::VERSION;
use super::balance::Balance;
use super::calibrate::{Machine, Shell, start_of_process};
use super::cause::{Facts, Finding};
use super::evidence::Evidence;
use super::grid::Setup;
use super::law::{Law, Point};
use super::outcome::{Outcome, Row};
use super::plan::{Plan, Tried, evidence};
use super::samples::Sampled;
use super::sweep::{Halt, Sweep, Window};
use super::trial::Trial;
use crate::compile::{OpenStep, Prepared, PreparedStep, StartError, open_step};
use crate::ledger::{LedgerError, RunFolder};
use crate::measure::wall_clock;
use crate::model::{RunId, StepName};
use crate::run::{scope_before, step_scope};
use crate::sources::{Printed, Sample, SampleLimits, SourceError, SourceHost};
use crate::spec::{BatchSize, Command as ShellCommand, TaskKind};
use crate::task::guard::Guard;
use crate::task::python::THREAD_VARIABLES;
use crate::task::{Cancel, TaskHost, capture};
use crate::template::{ItemScope, Scope};
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// From so many cores on, what others do is worth a word.
const MUCH_OF_OTHERS: f64 = 0.3;

/// Items that take no longer to read hold up nobody.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The most items that are read for a sample.
const MOST_ITEMS: u64 = 200_000;

/// The share of the budget that reading the list of items may take.
const READING: u32 = 4;

/// What to profile.
pub struct ProfileRequest<'a> {
    /// The workflow.
    pub prepared: &'a Prepared,
    /// The step, which has items.
    pub step: &'a PreparedStep,
    /// The run that the results of earlier steps are taken from.
    pub earlier: Option<&'a RunFolder>,
    /// How long it may take.
    pub budget: Duration,
    /// Ends it early.
    pub cancel: Cancel,
}

/// Why a step cannot be profiled.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The user stopped it.
    #[error("the profile was interrupted")]
    Interrupted,
    /// The step cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its items cannot be read.
    #[error("cannot read the items of step `{0}`")]
    Items(StepName, #[source] SourceError),
    /// There are none.
    #[error("step `{0}` has no items")]
    NoItems(StepName),
    /// Too many items fail.
    #[error("{failed} of {ran} items of step `{step}` failed; the first: {first}")]
    Failing {
        /// The step.
        step: StepName,
        /// How many failed.
        failed: u64,
        /// How many ran.
        ran: u64,
        /// The first failure.
        first: String,
    },
    /// A trial ended by itself.
    #[error("a trial of step `{0}` ended: {1}")]
    Ended(StepName, String),
    /// There is too little time.
    #[error("{budget} s is too short to try step `{step}` with each number of workers: an item takes {item}")]
    TooShort {
        /// The time that was given, in seconds.
        budget: f64,
        /// The step.
        step: StepName,
        /// How long an item takes.
        item: String,
    },
    /// The results of earlier steps cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system refused something.
    #[error("the system refused what a profile needs")]
    Io(#[from] io::Error),
}

/// Profiles a step: runs trials, and says what limits it.
///
/// # Errors
/// If it cannot run, or fails, or needs more time.
pub fn profile(request: &ProfileRequest<'_>) -> Result<Outcome, ProfileError> {
    let started = Instant::now();
    let ProfileRequest { prepared, step, budget, cancel, .. } = request;
    let run = RunId(format!("profile-{}-{}", std::process::id(), wall_clock().as_millisecond()));
    let folder = tempfile::Builder::new().prefix("batchmill-profile-").tempdir()?;
    let scope = Arc::new(scope(request, &run)?);
    let guard = step.has_children().then(|| Guard::start(&run)).transpose()?;
    let began = Instant::now();
    let open = open(request, &scope, guard.as_ref())?;
    let OpenStep { mut source, settings, item_files, .. } = open;
    let most = prepared.options.max_items.unwrap_or(MOST_ITEMS).min(MOST_ITEMS);
    let limits = SampleLimits { items: most, bytes: 64 << 20, time: *budget / READING };
    let name = || step.name().clone();
    let sample = Sample::take(&mut *source, limits).map_err(|error| ProfileError::Items(name(), error))?;
    drop(source);
    // A command or a query takes its time before the first item.
    let reading = began.elapsed();
    if sample.is_empty() {
        return Err(ProfileError::NoItems(name()));
    }
    let (env, python) = (Arc::clone(&prepared.own_env), prepared.python.clone());
    let (logs, secrets) = (folder.path().to_path_buf(), Arc::clone(&prepared.secrets));
    let source = Arc::new(prepared.workflow.source.clone());
    let host =
        Arc::new(TaskHost { env, guard, python, warm: None, remote: None, logs, samples: None, secrets, source });
    let trial = Trial {
        prepared,
        step,
        settings: &settings,
        sample: &sample,
        scope,
        run,
        host,
        cancel: cancel.inner()?,
        folder: folder.path(),
        makes_files: item_files.is_some(),
        reading,
    };
    let machine = Machine::measure(std::thread::available_parallelism().map_or(1, Into::into));
    let own = Setup {
        width: settings.first_width.unwrap_or(settings.lane.width),
        batch_size: match settings.batch_size {
            BatchSize::Exactly(size) => Some(size.get()),
            BatchSize::Auto => None,
        },
        threads: None,
    };
    let plan = Plan { trial: &trial, machine, own };
    let tried = tried(&plan, started + *budget).map_err(|halt| error_of(halt, step.name(), *budget))?;
    Ok(Outcome { seconds: started.elapsed().as_secs_f64(), ..outcome(&plan, &tried) })
}

/// The names in scope of the step.
fn scope(request: &ProfileRequest<'_>, run: &RunId) -> Result<Scope, LedgerError> {
    match request.earlier {
        Some(folder) => scope_before(request.prepared, folder, request.step.name()),
        None => Ok(step_scope(request.prepared, run, wall_clock())),
    }
}

fn open(request: &ProfileRequest<'_>, scope: &Arc<Scope>, guard: Option<&Arc<Guard>>) -> Result<OpenStep, StartError> {
    let names = Arc::new(ItemScope::of_step(Arc::clone(scope)));
    let (stop, guard) = (Arc::clone(&request.cancel.stop), guard.cloned());
    let run = {
        let stop = Arc::clone(&stop);
        move |command: &mut Command| {
            let stdout = tempfile::tempfile()?;
            let (status, stderr) = capture(command, &stdout, &stop, guard.as_ref())?;
            Ok(Printed { status, stdout, stderr })
        }
    };
    open_step(request.step, request.prepared, &names, SourceHost { run: &run, stop: stop.channel() })
}

/// Runs the trials.
fn tried(plan: &Plan<'_>, deadline: Instant) -> Result<Tried, Halt> {
    let trial = plan.trial;
    std::thread::scope(|threads| {
        let mut sweep = Sweep::new(threads, trial, deadline);
        let ran = plan.run(&mut sweep);
        // Whatever still runs is of no use.
        trial.cancel.stop.fire();
        trial.cancel.kill.fire();
        let Sweep { sessions, windows, cold, .. } = sweep;
        ran.map(|()| Tried { sessions, windows, is_cold: !cold.is_empty() })
    })
}

/// What follows from the trials.
fn outcome(plan: &Plan<'_>, tried: &Tried) -> Outcome {
    let Plan { trial, machine, own } = plan;
    let mut evidence = evidence(&tried.sessions, &tried.windows);
    for row in &mut evidence {
        if let Some(session) = tried.sessions.iter().find(|session| session.setup == row.setup) {
            row.finish(&session.log());
        }
    }
    evidence.sort_by_key(|row| row.setup);
    let pick = |wanted: &dyn Fn(Setup) -> bool| -> Vec<Evidence> {
        evidence.iter().filter(|row| wanted(row.setup)).cloned().collect()
    };
    let widths = pick(&|setup| Setup { width: own.width, ..setup } == *own);
    let sizes = pick(&|setup| setup != *own && Setup { batch_size: own.batch_size, ..setup } == *own);
    let threads = pick(&|setup| setup != *own && Setup { threads: None, ..setup } == *own);
    let points: Vec<Point> =
        widths.iter().map(|row| Point { width: row.setup.width, throughputs: row.rates.clone() }).collect();
    let law = Law::fit(&points, machine.cores);
    let session = tried.sessions.iter().find(|session| session.setup == *own).unwrap_or(&tried.sessions[0]);
    let balanced = || Balance::of(&session.log().frames, trial.sample.read, own.width);
    let balance = trial.sample.is_all.then(balanced).flatten();
    let base = evidence.iter().find(|row| row.setup == *own).unwrap_or(&evidence[0]);
    let facts = Facts {
        machine: *machine,
        base,
        widths: &widths,
        sizes: &sizes,
        threads: &threads,
        balance: balance.as_ref(),
        thread_variables: &thread_variables(trial.prepared),
        source: source_rate(trial),
        process_start: process_start(trial.step),
        is_echo: matches!(trial.step.task().kind, TaskKind::Echo(_)),
    };
    let Finding { cause, why, advice } = facts.finding();
    let one = widths.first().filter(|row| row.setup.width == 1);
    let failed = tried.sessions.iter().map(|session| session.log().failed).sum();
    Outcome {
        version: VERSION,
        step: trial.step.name().to_string(),
        cause,
        why,
        ceiling: facts.ceiling(),
        advice,
        own: *own,
        cores: machine.cores,
        rows: evidence.iter().map(|row| Row::of(row, one)).collect(),
        law,
        sampled: Sampled::of(session.samples()),
        items: session.log().measurements.items.clone(),
        balance,
        sample: trial.sample.len(),
        is_whole: trial.sample.is_all,
        failed,
        notes: notes(trial, tried, failed),
        against: None,
        trials: tried.windows.len(),
        seconds: 0.0,
    }
}

/// The variables that set the number of threads of libraries; the first of them if none is set.
fn thread_variables(prepared: &Prepared) -> Vec<(String, String)> {
    let set = |name: &&str| Some(((*name).to_owned(), prepared.env.get(*name)?.clone()));
    let found: Vec<_> = THREAD_VARIABLES.iter().filter_map(set).collect();
    if found.is_empty() { vec![(THREAD_VARIABLES[0].to_owned(), String::new())] } else { found }
}

/// What else to know.
fn notes(trial: &Trial<'_>, tried: &Tried, failed: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if tried.is_cold {
        notes.push("the files were not in memory, so each trial read them from storage".to_owned());
    }
    let others = cores_of_others(tried);
    if others > MUCH_OF_OTHERS {
        notes.push(format!("other processes kept {others:.1} cores busy meanwhile, so the figures are too low"));
    }
    if failed > 0 {
        notes.push(format!("{failed} items failed in trials; the figures include them"));
    }
    if !trial.sample.is_all && trial.sample.files().is_empty() {
        notes.push(format!("the sample is from the first {} items", trial.sample.read));
    }
    notes
}

/// How many cores processes kept busy that have nothing to do with the profile.
fn cores_of_others(tried: &Tried) -> f64 {
    let sum = |part: fn(&Window) -> f64| tried.windows.iter().map(part).sum::<f64>();
    let own = sum(|window| {
        let tasks = (window.usage.task_cpu as f64).max(window.threads.on_cpu as f64 / 1e3);
        window.usage.engine_cpu as f64 + tasks
    });
    let wall = sum(|window| (window.to - window.from).as_secs_f64() * 1e6);
    (sum(|window| window.machine as f64) - own).max(0.0) / wall.max(1.0)
}

/// Items per second that the source gives; without end if all were there at once.
fn source_rate(trial: &Trial<'_>) -> f64 {
    if trial.reading < AT_ONCE { f64::INFINITY } else { trial.sample.read as f64 / trial.reading.as_secs_f64() }
}

/// How long a process takes that does nothing, if the task starts one for each item.
fn process_start(step: &PreparedStep) -> Option<f64> {
    let TaskKind::Shell(shell) = &step.task().kind else { return None };
    let through = if matches!(shell.command, ShellCommand::Line(_)) { Shell::Yes } else { Shell::No };
    Some(start_of_process(through))
}

fn error_of(halt: Halt, step: &StepName, budget: Duration) -> ProfileError {
    let step = step.clone();
    match halt {
        Halt::Interrupted => ProfileError::Interrupted,
        Halt::Ended(why) => ProfileError::Ended(step, why),
        Halt::Io(error) => ProfileError::Io(error),
        Halt::Failing { failed, ran, first } => ProfileError::Failing { step, failed, ran, first },
        Halt::TooSlow(item) => ProfileError::TooShort { budget: budget.as_secs_f64(), step, item },
    }
}
