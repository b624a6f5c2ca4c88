//! A step that was assigned: compiled, with its names in scope.

use super::earlier::scope_of;
use crate::measure::{SlotClock, SlotClocks, wall_clock};
use crate::model::{Form, HostName, RunId, StepName};
use crate::spec::{self, SourceFile, StepKind, TaskKind, Workflow};
use crate::task::guard::Guard;
use crate::task::python::{Found, Host};
use crate::task::{Cancel, CurrentItems, ItemFiles, Lane, Program, StepContext, TaskHost, Withdrawal, Withdrawn};
use crate::text::{Printable, Secrets};
use crate::wire::{Assignment, HostSettings, TokenLine};
use crossbeam_channel::RecvTimeoutError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;
use tempfile::TempDir;

/// How often a host looks at the token of its step.
const LOOK: Duration = Duration::from_millis(500);

/// What this host runs.
pub(super) struct Assigned {
    program: Program,
    context: StepContext,
    name: HostName,
    /// Removed with it.
    _alone: Option<TempDir>,
}

impl Assigned {
    /// Prepares a step.
    ///
    /// # Errors
    /// Why this host cannot run it.
    pub(super) fn open(
        assignment: Assignment,
        python: Option<(PathBuf, String)>,
        cancel: &Cancel,
    ) -> Result<Self, String> {
        let Assignment { run, step, path, text, imports, folder, token, needs_files, settings, forms, scope } =
            assignment;
        let place = Place::of(&token, &run, needs_files)?;
        let Place { name, alone } = &place;
        // Other files there mean other modules at the same path.
        let (folder, imports) = alone.as_ref().map_or((&*folder, &*imports), |alone| (alone.path(), alone.path()));
        std::env::set_current_dir(folder)
            .map_err(|error| format!("host `{name}` cannot change to `{}`: {error}", Printable::path(folder)))?;
        let workflow = spec::parse(&path, text.as_bytes()).map_err(|errors| errors.to_string())?;
        let program = compile(&workflow, (&step, imports, settings.lane.width))?;
        let run = RunId(run);
        let guard =
            Guard::start(&run).map_err(|error| format!("cannot start the guard of child processes: {error}"))?;
        let host = Arc::new(task_host(&settings, python, (guard, workflow.source))?);
        // No other host, and no earlier one of this machine, has the same directory.
        let own = format!("{name}-{}-{}", std::process::id(), wall_clock().as_nanosecond());
        let item_files = settings.item_files.map(|base| Arc::new(ItemFiles::handing_over(base.join(own))));
        let slots = 1;
        let descriptors = |error: std::io::Error| error.to_string();
        let context = StepContext {
            run,
            step: StepName::new(&step).ok_or_else(|| format!("`{step}` cannot be the name of a step"))?,
            scope: Arc::new(scope_of(scope)),
            settings: Arc::new(settings.lane),
            forms: Arc::from(forms),
            file_keys: None,
            host,
            cancel: cancel.inner().map_err(descriptors)?,
            item_files,
            withdrawn: Arc::new(Withdrawn::new().map_err(descriptors)?),
            current_items: Arc::new(CurrentItems::new(slots)),
            clocks: Arc::new(SlotClocks::new(slots)),
        };
        if alone.is_none() {
            watch(token, cancel.clone(), Arc::clone(&context.withdrawn)).map_err(descriptors)?;
        }
        let name = HostName { machine: name.clone(), process: std::process::id(), shares_files: alone.is_none() };
        Ok(Self { program, context, name, _alone: place.alone })
    }

    /// The lane that runs its frames.
    pub(super) fn lane(&self) -> Box<dyn Lane> {
        self.program.lane(&self.context, 0)
    }

    /// Its name.
    pub(super) fn name(&self) -> &HostName {
        &self.name
    }

    /// How many forms items may have.
    pub(super) fn forms(&self) -> usize {
        let forms: &[Form] = &self.context.forms;
        forms.len()
    }

    /// The clock of the lane.
    pub(super) fn clock(&self) -> SlotClock<'_> {
        self.context.clocks.of(0)
    }
}

/// Where a host is.
struct Place {
    /// The name of its machine.
    name: String,
    /// A directory of its own, if it does not see the files of the engine.
    alone: Option<TempDir>,
}

impl Place {
    /// Looks for the token of the step. Before anything else: without the same files, every path means something else here.
    ///
    /// # Errors
    /// If the step needs the files of the engine and they are missing, or if it cannot tell whether they are here.
    fn of(token: &Path, run: &str, needs_files: Option<String>) -> Result<Self, String> {
        let name = machine();
        let folder = token.parent().unwrap_or(token);
        let missing = match std::fs::read(token) {
            Ok(found) if found.starts_with(run.as_bytes()) => return Ok(Self { name, alone: None }),
            Ok(_) => Some("has another file there".to_owned()),
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Some(format!("cannot read it ({error})"))
            }
            // A network file system may show a new file late.
            Err(_) if folder.exists() => {
                Some("does not see the file in it that the engine has just written".to_owned())
            }
            Err(_) => None,
        };
        let shown = Printable::path(folder);
        let advice = "hosts must share the file system of the engine; put the state directory (`--state-dir`), the workflow and its \
                      files on storage that all of them mount";
        if let Some(why) = missing {
            return Err(format!("host `{name}` looked for the directory of the run, `{shown}`, and {why}: {advice}"));
        }
        if let Some(why) = needs_files {
            return Err(format!("host `{name}` does not see the directory of the run, `{shown}`, and {why}: {advice}"));
        }
        let alone = tempfile::Builder::new().prefix("batchmill-").tempdir();
        let alone = alone.map_err(|error| format!("host `{name}` cannot create a directory: {error}"))?;
        Ok(Self { name, alone: Some(alone) })
    }
}

/// Watches the token of the step, and does what it says.
fn watch(token: PathBuf, cancel: Cancel, withdrawn: Arc<Withdrawn>) -> std::io::Result<()> {
    // Not joined: it lives as long as the process, and holds nothing that must be released.
    Builder::new().name("token".to_owned()).spawn(move || {
        let mut done = 0;
        while cancel.stop.channel().recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let text = std::fs::read_to_string(&token).unwrap_or_default();
            for line in TokenLine::all(&text).skip(done) {
                done += 1;
                // Without descriptors the item runs to its end, as if nobody had asked.
                let _ = match line {
                    TokenLine::Skip(index) => withdrawn.take_out(index, Withdrawal::Skip),
                    TokenLine::Cancel(index) => withdrawn.take_out(index, Withdrawal::Cancel),
                    TokenLine::Stop => {
                        cancel.stop.fire();
                        Ok(())
                    }
                };
            }
        }
    })?;
    Ok(())
}

/// Compiles the task of a step. The engine has checked it, so what is wrong here differs between the machines.
fn compile(workflow: &Workflow, (step, imports, width): (&str, &Path, usize)) -> Result<Program, String> {
    let found = workflow.steps.iter().find(|it| it.name.as_str() == step);
    let StepKind::Batch(batch) = &found.ok_or_else(|| format!("the workflow has no step `{step}`"))?.kind else {
        return Err(format!("step `{step}` has no items"));
    };
    let mut task = batch.task.clone();
    if let TaskKind::Http(request) = &mut task.kind {
        // An equal share: no more than `width` hosts are at work.
        request.rate_limit = request.rate_limit.map(|rate| rate / width.max(1) as f64);
    }
    Program::compile(&task, imports).map_err(|errors| {
        let errors: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        format!("host `{}`: {}", machine(), errors.join("; "))
    })
}

fn task_host(
    settings: &HostSettings,
    python: Option<(PathBuf, String)>,
    (guard, source): (Arc<Guard>, SourceFile),
) -> Result<TaskHost, String> {
    let python = python.map(|(interpreter, version)| match interpreter.to_str() {
        Some(interpreter) => Ok(Host::of_client(interpreter, &version)),
        None => {
            let found = Found { interpreter, by: "the cluster" };
            Host::settle(found, &[], &[]).map(|settled| settled.host).map_err(|error| error.to_string())
        }
    });
    Ok(TaskHost {
        env: Arc::new(settings.env.clone()),
        guard: Some(guard),
        python: python.transpose()?.map(Arc::new),
        warm: None,
        remote: None,
        logs: std::env::temp_dir(),
        samples: None,
        secrets: Arc::new(Secrets::new(settings.secrets.iter().cloned())),
        source: Arc::new(source),
    })
}

/// The name of this machine.
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
