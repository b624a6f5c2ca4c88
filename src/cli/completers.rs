//! What a shell completes besides commands and options: runs, steps, parameters, workflow files.
//!
//! The shell calls the program with `BATCHMILL_COMPLETE` in its environment and the words that are typed as arguments; `completions` prints
//! what makes it do so. Nothing here writes to stderr, where a shell would show it in the middle of the line.

use super::bash::{JoinedBash, joined};
use super::error::CliError;
use super::exit::Exit;
use super::typed::{Typed, takes_workflow};
use crate::ledger::Reader;
use crate::spec::{Param, ParamKind, Workflow};
use crate::text::Printable;
use clap::{Arg, Command};
use clap_complete::env::{Fish, Shells, Zsh};
use clap_complete::{ArgValueCompleter, CompleteEnv, CompletionCandidate, PathCompleter};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The variable in the environment that asks for completions.
pub const VARIABLE: &str = "BATCHMILL_COMPLETE";

/// The shells that can be completed for.
pub const SHELLS: Shells<'static> = Shells(&[&JoinedBash, &Zsh, &Fish]);

/// How many of the newest runs are described.
const DESCRIBED: usize = 20;

/// Answers a shell that asks for completions. None if none does.
///
/// # Errors
/// If the variable names another shell.
pub fn answer(command: fn() -> Command) -> Result<Option<Exit>, CliError> {
    let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty() && name != "0") else { return Ok(None) };
    let stem = Path::new(&name).file_stem().unwrap_or(&name).to_string_lossy();
    if SHELLS.completer(&stem).is_none() {
        // A shell that is set up names itself.
        let shown = Printable::line(name.as_encoded_bytes());
        let error = CliError::bad(format!(
            "`{VARIABLE}` is set to `{shown}`, but batchmill completes only for bash, zsh and fish"
        ));
        return Err(
            error.help(format!("type `unset {VARIABLE}`; `batchmill completions --help` shows how to set up a shell"))
        );
    }
    let here = std::env::current_dir().ok();
    let factory = move || with_completers(command(), command);
    let complete = CompleteEnv::with_factory(factory).var(VARIABLE).shells(SHELLS);
    // Where nothing fits, the shell is to go on in silence.
    let answered = complete.try_complete(std::env::args_os(), here.as_deref());
    Ok(Some(if answered.is_ok() { Exit::Done } else { Exit::Bad }))
}

/// The command, each argument of which knows what completes it.
fn with_completers(verb: Command, whole: fn() -> Command) -> Command {
    let of_workflow = takes_workflow(&verb);
    let verb = verb.mut_args(|argument| with_completer(argument, of_workflow, whole));
    verb.mut_subcommands(|inner| with_completers(inner, whole))
}

fn with_completer(argument: Arg, of_workflow: bool, whole: fn() -> Command) -> Arg {
    let value = argument.get_value_names().and_then(|names| names.first()).map(|name| name.to_string());
    let completer = match (argument.get_id().as_str(), value.as_deref()) {
        ("file", _) if of_workflow => ArgValueCompleter::new(PathCompleter::any().filter(is_workflow)),
        ("run", _) | (_, Some("RUN")) => ArgValueCompleter::new(move |word: &OsStr| runs(whole, word)),
        ("step", _) => ArgValueCompleter::new(move |word: &OsStr| steps(whole, word)),
        (_, Some("NAME=VALUE")) => ArgValueCompleter::new(move |word: &OsStr| params(whole, word)),
        _ => return argument,
    };
    argument.add(completer)
}

fn is_workflow(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// The words that the shell has given, the program first.
fn words() -> Vec<OsString> {
    joined(std::env::args_os().skip_while(|word| word != "--").skip(1).collect()).0
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    let help = Printable::line(help).to_string();
    CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.into()))
}

/// `latest`, then the runs whose ID begins or ends with the word, newest first.
fn runs(command: fn() -> Command, word: &OsStr) -> Vec<CompletionCandidate> {
    let word = word.to_string_lossy();
    let state = Typed::read(command(), words()).and_then(|typed| typed.state());
    let runs = state.and_then(|state| state.runs_by_age().ok()).unwrap_or_default();
    let latest = (!runs.is_empty() && "latest".starts_with(&*word)).then(|| candidate("latest", "the newest run"));
    let fits = |id: &str| id.starts_with(&*word) || id.ends_with(&*word);
    let fitting = runs.into_iter().rev().filter(|folder| fits(&folder.run.0)).enumerate();
    let named = fitting.map(|(index, folder)| {
        let id = folder.run.0.clone();
        let record = (index < DESCRIBED).then(|| Reader::open(folder).and_then(|reader| reader.run()).ok()).flatten();
        let status = record.as_ref().and_then(|run| serde_json::to_value(run.status).ok());
        let status = status.as_ref().and_then(|status| status.as_str()).unwrap_or_default();
        candidate(&id, status)
    });
    latest.into_iter().chain(named).collect()
}

/// The steps of the run or of the file that is typed.
fn steps(command: fn() -> Command, word: &OsStr) -> Vec<CompletionCandidate> {
    let word = word.to_string_lossy();
    let steps = Typed::read(command(), words()).map(|typed| typed.steps()).unwrap_or_default();
    let named = steps.iter().map(|step| step.as_str()).filter(|name| name.starts_with(&*word));
    named.map(|name| candidate(name, "")).collect()
}

/// The parameters of the workflow that is typed, or the values of the one whose name is typed.
fn params(command: fn() -> Command, word: &OsStr) -> Vec<CompletionCandidate> {
    let word = word.to_string_lossy();
    let Some(typed) = Typed::read(command(), words()) else { return Vec::new() };
    let Some(params) = typed.workflow().and_then(|workflow: Workflow| workflow.params) else { return Vec::new() };
    if let Some((name, value)) = word.split_once('=') {
        let prefix = format!("{name}=");
        let values = params.iter().filter(|param| param.name == name).flat_map(|param| values(param, value));
        return values.map(|value| value.add_prefix(prefix.clone())).collect();
    }
    let given = typed.given();
    let left = params.iter().filter(|param| !given.contains(&param.name) && param.name.starts_with(&*word));
    left.map(|param| candidate(&format!("{}=", param.name), param.description.as_deref().unwrap_or_default())).collect()
}

/// What a parameter may be: both of two, or its default.
fn values(param: &Param, word: &str) -> Vec<CompletionCandidate> {
    let default = param.default_json().map(|value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    });
    let values = match param.kind {
        Some(ParamKind::Boolean) => vec!["true".to_owned(), "false".to_owned()],
        _ => default.clone().into_iter().collect(),
    };
    let fitting = values.into_iter().filter(|value| value.starts_with(word));
    fitting.map(|value| candidate(&value, if Some(&value) == default.as_ref() { "default" } else { "" })).collect()
}
