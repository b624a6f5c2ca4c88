//! `batchmill profile`: how fast a step runs, what limits it, and which setting to change.

use crate::cli::args::{Format, StateArgs, WorkflowArgs, time};
use crate::cli::consent::{Consent, consent};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::latest_run_of;
use crate::cli::prepare::{load, options};
use crate::cli::save::{check_targets, save};
use crate::cli::stderr::tell;
use crate::cli::stdout::{print, print_json};
use crate::compile::{Prepared, PreparedStep, prepare};
use crate::explain::{profile_page, speedscope};
use crate::ledger::{Reader, RunFolder, StateFolder};
use crate::profile::{Key, Outcome, ProfileError, ProfileRequest, SAMPLE_PERIOD, profile, text};
use crate::report::shell_word;
use crate::run::{Control, Stopper};
use crate::spec::{Place, Setting, StepKind, TaskKind, parse, set};
use crate::text::Printable;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long items may go on after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

/// Arguments of `profile`.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    state: StateArgs,
    /// Step to profile, if several have items
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, allow_negative_numbers = true)]
    budget: Duration,
    /// Don't ask before tasks run
    #[arg(long, short)]
    yes: bool,
    /// Compare with an earlier profile of the step: a file with what `--format json` printed
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Write the advice into the workflow file
    #[arg(long)]
    apply: bool,
    /// Also write a page with charts: one HTML file; `-` for stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also write which Python functions used the CPU, for https://www.speedscope.app: a JSON file
    #[arg(long, value_name = "FILE")]
    flame: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl ProfileArgs {
    /// Profiles the step.
    pub fn run(self) -> Result<Exit, CliError> {
        self.check_files()?;
        let file = self.workflow.file.clone();
        let state = self.state.folder();
        let prepared = prepare(load(&file)?, options(&self.workflow, &self.state)?)?;
        let step = self.step(&prepared)?;
        if self.flame.is_some() && !matches!(step.task().kind, TaskKind::Python(_)) {
            let message =
                format!("the task of step `{}` is not Python code, and `--flame` shows Python functions", step.name());
            return Err(CliError::bad(message).help("remove `--flame`"));
        }
        let earlier = earlier(&prepared, step, (&file, &state))?;
        let before = self.against.as_deref().map(|path| std::fs::read(path).map_err(|error| unreadable(path, &error)));
        let before = before.transpose()?;
        if consent(&prepared, step, (self.yes, self.budget))? == Consent::Refused {
            tell("nothing ran");
            return Ok(Exit::Bad);
        }
        let control = Arc::new(Control::new().map_err(|error| CliError::of(Exit::Bad, &error))?);
        let stopper = Stopper::listen(&control, GRACE).map_err(|error| CliError::of(Exit::Bad, &error))?;
        tell(format!("profiling {} for up to {:?}", step.name(), self.budget));
        let request = ProfileRequest {
            prepared: &prepared,
            step,
            earlier: earlier.as_ref(),
            budget: self.budget,
            cancel: control.cancel().clone(),
        };
        let mut outcome = match profile(&request) {
            Ok(outcome) => outcome,
            Err(ProfileError::Interrupted) => return Ok(Exit::interrupted(stopper.stopped_by())),
            Err(error) => return Err(error_of(&error).masked(&prepared.secrets)),
        };
        if let (Some(before), Some(path)) = (&before, &self.against) {
            outcome
                .compare(before)
                .map_err(|why| CliError::bad(format!("cannot compare with `{}`: {why}", Printable::path(path))))?;
        }
        let name = shell_word(&file);
        match self.format {
            _ if self.files().any(|(_, path)| path == Path::new("-")) => {}
            Format::Json => print_json(&outcome)?,
            Format::Text => print(text(&outcome, &name))?,
        }
        self.save(&outcome, &name)?;
        if self.apply {
            apply(&prepared, step, &outcome)?;
        }
        Ok(Exit::Done)
    }

    /// The files to write, each with its option.
    fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let option = |name: &'static str, path| Option::map(path, |path| (name, path));
        let output = option("`--output`", self.output.as_deref());
        output.into_iter().chain(option("`--flame`", self.flame.as_deref()))
    }

    /// Checks the files to write before anything is measured, which takes a minute.
    fn check_files(&self) -> Result<(), CliError> {
        check_targets(&self.files().collect::<Vec<_>>(), &self.workflow.file)
    }

    /// Writes the files that were asked for.
    fn save(&self, outcome: &Outcome, file: &str) -> Result<(), CliError> {
        if let Some(path) = &self.output {
            let page = profile_page(outcome, file).map_err(|error| CliError::of(Exit::Stopped, &error))?;
            save(path, |out| out.write_all(page.as_bytes()))?;
        }
        if let Some(path) = &self.flame {
            let Some(sampled) = &outcome.sampled else {
                let path = Printable::path(path);
                let message = format!("`{path}` was not written: the task hardly used the CPU");
                return Err(CliError::bad(message).help("`batchmill report` shows where a run spent its time"));
            };
            let value = speedscope(&sampled.stacks, &outcome.step, SAMPLE_PERIOD.as_secs_f64());
            save(path, |out| serde_json::to_writer(out, &value).map_err(Into::into))?;
        }
        Ok(())
    }

    /// The step to profile.
    fn step<'a>(&self, prepared: &'a Prepared) -> Result<&'a PreparedStep, CliError> {
        let with_items: Vec<&PreparedStep> = prepared.steps.iter().filter(|step| step.is_batch()).collect();
        let names = || with_items.iter().map(|step| format!("`{}`", step.name())).collect::<Vec<_>>().join(", ");
        if with_items.is_empty() {
            let message = "no step of the workflow has items, so there is nothing to run side by side";
            return Err(CliError::bad(message).help("give a step `for_each`, or use `task: batch`"));
        }
        match (&self.step, &with_items[..]) {
            (None, [step]) => Ok(step),
            (None, _) => {
                let message = format!("several steps have items: {}", names());
                Err(CliError::bad(message).help("choose one with `--step NAME`"))
            }
            (Some(name), _) => {
                let shown = Printable::line(name);
                let found = with_items.iter().find(|step| step.name().as_str() == name);
                found.copied().ok_or_else(|| {
                    let exists = prepared.steps.iter().any(|step| step.name().as_str() == name);
                    let what = if exists {
                        format!("step `{shown}` has no items")
                    } else {
                        format!("the workflow has no step `{shown}`")
                    };
                    CliError::bad(what).help(format!("steps with items: {}", names()))
                })
            }
        }
    }
}

/// The run with the results of earlier steps, if the step reads any.
fn earlier(
    prepared: &Prepared,
    step: &PreparedStep,
    (file, state): (&Path, &StateFolder),
) -> Result<Option<RunFolder>, CliError> {
    let mut needed = step.upstream.iter().chain(&step.items_upstream).map(|upstream| &upstream.name).peekable();
    let Some(first) = needed.peek().map(|name| (*name).clone()) else { return Ok(None) };
    let missing = |name| {
        let message =
            format!("step `{}` reads the results of step `{name}`, and no run of this file has them", step.name());
        CliError::bad(message)
            .help(format!("run the workflow first: batchmill run {}", shell_word(&prepared.workflow.source.path)))
    };
    let Some(folder) = latest_run_of(file, state)? else { return Err(missing(&first)) };
    let reader = Reader::open(folder.clone())?;
    for name in needed {
        if reader.step(name)?.is_none() {
            return Err(missing(name));
        }
    }
    Ok(Some(folder))
}

/// Whether the step has `parallel: false`.
fn is_sequential(step: &PreparedStep) -> bool {
    matches!(&step.step.kind, StepKind::Batch(batch) if matches!(batch.parallel, Some(Setting::Fixed(false))))
}

/// Writes the advice into the workflow file.
fn apply(prepared: &Prepared, step: &PreparedStep, outcome: &Outcome) -> Result<(), CliError> {
    let Some(advice) = &outcome.advice else {
        tell("nothing to apply");
        return Ok(());
    };
    let path = &prepared.workflow.source.path;
    let mut source = prepared.workflow.source.clone();
    for change in &advice.changes {
        let place = match &change.key {
            Key::Env(name) => Place::Env(name),
            key => Place::Batch(step.name(), key.name()),
        };
        let cannot = |error: &dyn std::error::Error| {
            let message = format!("cannot change `{}` in `{}`", change.key.name(), Printable::path(path));
            CliError::bad(message).caused_by(error).help(format!(
                "write it yourself: `{}: {}`",
                change.key.name(),
                change.to
            ))
        };
        source.text = set(&source, &place, &change.to).map_err(|error| cannot(&error))?;
        if change.key == Key::MaxParallel && is_sequential(step) {
            // It would win over `max_parallel`.
            source.text =
                set(&source, &Place::Batch(step.name(), "parallel"), "true").map_err(|error| cannot(&error))?;
        }
    }
    // What does not read back must not be written.
    parse(path, source.text.as_bytes())?;
    std::fs::write(path, &source.text)
        .map_err(|error| CliError::bad(format!("cannot write `{}`", Printable::path(path))).caused_by(&error))?;
    let changes: Vec<String> =
        advice.changes.iter().map(|change| format!("{}: {}", change.key.name(), change.to)).collect();
    tell(format!("wrote {} to {}", changes.join(", "), Printable::path(path)));
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let help = "save a profile with `batchmill profile FILE --format json > before.json`";
    CliError::bad(format!("cannot read `{}`", Printable::path(path))).caused_by(error).help(help)
}

fn error_of(error: &ProfileError) -> CliError {
    let help = match error {
        ProfileError::TooShort { .. } => Some("give it more time, for example `--budget 5m`"),
        ProfileError::Failing { .. } => Some("mend the task first: `batchmill run`, then `batchmill failures`"),
        ProfileError::NoItems(_) => Some("`batchmill plan` shows where items come from"),
        _ => None,
    };
    help.into_iter().fold(CliError::of(Exit::Bad, error), CliError::help)
}
