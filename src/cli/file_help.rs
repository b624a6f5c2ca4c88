//! `run FILE --help`: the parameters of the file, below the options of the verb.

use super::typed::{Typed, takes_workflow};
use crate::spec::{self, Param, ParamKind, Workflow};
use crate::text::Printable;
use clap::{Command, Error};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

/// The help that was asked for, with the parameters of the file that was named. None if there was none, or none of this verb.
pub fn with_params(command: fn() -> Command, words: &[OsString]) -> Option<Error> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let without = words[..end].iter().filter(|word| *word != "--help" && *word != "-h").cloned();
    let name = command().ignore_errors(true).try_get_matches_from(without.clone()).ok()?.subcommand_name()?.to_owned();
    if !command().find_subcommand(&name).is_some_and(takes_workflow) {
        return None;
    }
    let file = Typed::read(command(), without)?.file()?;
    let help = parameters(&file);
    command().mut_subcommand(&name, |verb| verb.after_help(help)).try_get_matches_from(words).err()
}

/// The parameters of a file, or why they cannot be told.
fn parameters(file: &Path) -> String {
    let shown = Printable::path(file);
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return format!("The parameters of `{shown}` are not known: cannot read it: {error}"),
    };
    let Ok(workflow) = spec::parse(file, &bytes) else {
        return format!(
            "The parameters of `{shown}` are not known: it has errors; `batchmill validate {shown}` lists them"
        );
    };
    match &workflow.params {
        None => format!("{shown} declares no parameters, so it takes any"),
        Some(params) if params.is_empty() => format!("{shown} has no parameters"),
        Some(params) => {
            let mut text = format!("Parameters of {shown}:");
            for param in params {
                let _ = write!(text, "\n  {}", describe(param, &workflow));
            }
            text
        }
    }
}

/// The name, what it is for, and its type and default in brackets, as clap shows an option.
fn describe(param: &Param, workflow: &Workflow) -> String {
    let kind = match param.kind {
        Some(ParamKind::String) => "string",
        Some(ParamKind::Integer) => "integer",
        Some(ParamKind::Number) => "number",
        Some(ParamKind::Boolean) => "boolean",
        Some(ParamKind::List) => "list",
        Some(ParamKind::Mapping) => "mapping",
        None => "any",
    };
    let secret = workflow.secrets.iter().any(|secret| secret.raw == param.name);
    let default = match param.default_json() {
        Some(_) if secret => ", default: ***".to_owned(),
        Some(serde_json::Value::String(text)) => format!(", default: {}", Printable::line(text)),
        Some(value) => format!(", default: {}", Printable::line(value.to_string())),
        None if param.required => ", required".to_owned(),
        None => String::new(),
    };
    let about =
        param.description.as_deref().map_or_else(String::new, |text| format!("  {}", Printable::line(text.trim())));
    format!("{}={about}  [{kind}{default}]", param.name)
}
