//! Asks before a profile runs a task again and again: nobody can know what it does outside.

use super::error::CliError;
use super::stderr::tell;
use crate::compile::{Prepared, PreparedStep};
use crate::spec::{Command, HttpTask, PythonProgram, RequestBody, StepKind, TaskKind};
use crate::text::Printable;
use std::io::{self, IsTerminal};
use std::time::Duration;

/// How many lines of a task are shown.
const SHOWN: usize = 12;

/// What the user answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// The task may run.
    Given,
    /// It may not.
    Refused,
}

/// Asks whether the task of a step may run many times, unless that does no harm, or `--yes` was given.
///
/// # Errors
/// If there is nobody to ask.
pub fn consent(prepared: &Prepared, step: &PreparedStep, (yes, budget): (bool, Duration)) -> Result<Consent, CliError> {
    if yes || is_harmless(step) {
        return Ok(Consent::Given);
    }
    let shown = prepared.secrets.masked(task_text(&step.task().kind));
    let mut lines: Vec<String> = shown.lines().take(SHOWN).map(|line| format!("    {line}")).collect();
    if shown.lines().count() > SHOWN {
        lines.push("    ..".to_owned());
    }
    let what = format!(
        "`profile` runs the task of step `{}` on a sample of its items, again and again, for up to {budget:?}",
        step.name()
    );
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let message = format!("{what}:\n{}", lines.join("\n"));
        return Err(
            CliError::bad(message).help("if that does no harm, pass `--yes`, or give the step `repeatable: true`")
        );
    }
    tell(Printable::lines(format!("{what}:\n{}", lines.join("\n"))));
    tell("Whatever the task changes outside, it changes many times. Run it? [y/N]");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| CliError::bad("cannot read the answer").caused_by(&error))?;
    let given = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    Ok(if given { Consent::Given } else { Consent::Refused })
}

/// Whether a task can run again and again without harm.
fn is_harmless(step: &PreparedStep) -> bool {
    let is_marked = matches!(&step.step.kind, StepKind::Batch(batch) if batch.repeatable);
    is_marked
        || match &step.task().kind {
            TaskKind::Echo(_) => true,
            TaskKind::Http(request) => only_reads_from_here(request),
            TaskKind::Shell(_) | TaskKind::Python(_) => false,
        }
}

/// Whether a request is a GET or HEAD to this machine.
fn only_reads_from_here(request: &HttpTask) -> bool {
    let reads = match &request.method {
        Some(method) => ["GET", "HEAD"].contains(&method.raw.trim().to_uppercase().as_str()),
        None => matches!(request.body, RequestBody::None),
    };
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]", "https://127.0.0.1", "https://localhost"];
    let url = request.url.raw.trim();
    // The host ends there: what follows is a port or a path, and no template could continue the name.
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', '/', '?', '#']);
    let is_here = here.iter().any(|host| url.strip_prefix(host).is_some_and(ends));
    // A user name in front of an `@` would make what is before it no host.
    reads && is_here && !url.contains('@') && request.response.save_to.is_none()
}

/// The task as the file has it, in short.
fn task_text(task: &TaskKind) -> String {
    match task {
        TaskKind::Shell(shell) => match &shell.command {
            Command::Line(line) => line.raw.trim_end().to_owned(),
            Command::Argv(words) => words.iter().map(|word| word.raw.as_str()).collect::<Vec<_>>().join(" "),
        },
        TaskKind::Python(python) => match &python.program {
            PythonProgram::Code(code) => code.raw.trim_end().to_owned(),
            PythonProgram::Script(path) => format!("script: {}", path.raw),
            PythonProgram::Function { module, name, .. } => format!("function: {module}:{name}"),
            PythonProgram::Operation { name, .. } => format!("operation: {name}"),
        },
        TaskKind::Http(request) => {
            let method = request.method.as_ref().map_or("GET or POST", |method| method.raw.as_str());
            format!("{method} {}", request.url.raw)
        }
        TaskKind::Echo(_) => "echo".to_owned(),
    }
}
