//! Parameters, from the command line and from a file.

use super::error::CliError;
use super::exit::Exit;
use crate::compile::{GivenParam, GivenParams};
use crate::spec;
use crate::text::Printable;
use std::path::Path;

/// Reads the parameters of the command line, each `NAME=VALUE`.
pub fn from_arguments(arguments: &[String]) -> Result<GivenParams, CliError> {
    let mut params = GivenParams::new();
    for argument in arguments {
        let Some((name, value)) = argument.split_once('=') else {
            let message = format!("`{}` is not a parameter", Printable::line(argument));
            return Err(CliError::bad(message).help("write parameters as NAME=VALUE"));
        };
        params.insert(name.to_owned(), GivenParam::Typed(value.to_owned()));
    }
    Ok(params)
}

/// Reads the parameters of a YAML or JSON file.
pub fn from_file(path: &Path) -> Result<GivenParams, CliError> {
    let shown = Printable::path(path);
    let bytes = std::fs::read(path).map_err(|error| {
        CliError::new(Exit::Bad, format!("cannot read parameters file `{shown}`")).caused_by(&error)
    })?;
    let values = spec::values(path, &bytes)?;
    Ok(values.into_iter().map(|(name, value)| (name, GivenParam::Value(value))).collect())
}
