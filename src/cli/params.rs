//! Parameters, from the command line and from a file.

use super::error::CliError;
use super::exit::Exit;
use crate::compile::ParamValues;
use crate::spec;
use crate::text::Printable;
use std::path::Path;

/// Reads the parameters of the command line, each `NAME=VALUE`.
pub fn from_arguments(arguments: &[String]) -> Result<ParamValues, CliError> {
    let mut params = ParamValues::new();
    for argument in arguments {
        let Some((name, value)) = argument.split_once('=') else {
            let message = format!("`{}` is not a parameter", Printable::line(argument));
            return Err(CliError::bad(message).help("write parameters as NAME=VALUE"));
        };
        let value = spec::value(value).map_err(|message| {
            CliError::bad(format!("the value of parameter `{}` {message}", Printable::line(name)))
        })?;
        params.insert(name.to_owned(), value);
    }
    Ok(params)
}

/// Reads the parameters of a YAML or JSON file.
pub fn from_file(path: &Path) -> Result<ParamValues, CliError> {
    let shown = Printable::path(path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::new(Exit::Bad, format!("cannot read parameters file `{shown}`")).caused_by(&error)
    })?;
    let values =
        spec::values(&text).map_err(|message| CliError::bad(format!("parameters file `{shown}`: {message}")))?;
    Ok(values.into_iter().collect())
}
