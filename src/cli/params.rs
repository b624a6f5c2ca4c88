//! Parameters, from the command line and from a file.

use super::error::CliError;
use super::exit::Exit;
use crate::compile::{GivenParam, GivenParams};
use crate::spec;
use crate::text::Printable;
use std::io::{self, Read};
use std::path::Path;

/// The parameters of a file, if there is one, and of the command line, which wins.
pub fn given(file: Option<&Path>, arguments: &[String]) -> Result<GivenParams, CliError> {
    let mut params = file.map_or_else(|| Ok(GivenParams::new()), from_file)?;
    params.extend(from_arguments(arguments)?);
    Ok(params)
}

/// Reads the parameters of the command line, each `NAME=VALUE`, or `NAME@=FILE` for what is in a file.
fn from_arguments(arguments: &[String]) -> Result<GivenParams, CliError> {
    let mut params = GivenParams::new();
    for argument in arguments {
        let Some((name, value)) = argument.split_once('=') else {
            let message = format!("`{}` is not a parameter", Printable::line(argument));
            return Err(CliError::bad(message).help("write parameters as NAME=VALUE, or NAME@=FILE"));
        };
        match name.strip_suffix('@') {
            Some(name) => params.insert(name.to_owned(), GivenParam::Typed(text_of(name, Path::new(value))?)),
            None => params.insert(name.to_owned(), GivenParam::Typed(value.to_owned())),
        };
    }
    Ok(params)
}

/// The text of a file without the line break at its end.
fn text_of(name: &str, path: &Path) -> Result<String, CliError> {
    let (name, shown) = (Printable::line(name), Printable::path(path));
    let bytes = read(path).map_err(|error| {
        let message = format!("cannot read `{shown}`, which has the value of parameter `{name}`");
        CliError::bad(message).caused_by(&error).help("name a file, or `-` for stdin")
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let message = format!("`{shown}`, which has the value of parameter `{name}`, is not UTF-8");
        CliError::bad(message).help("save it as UTF-8 text")
    })?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(text.to_owned())
}

/// Reads a file, or stdin if its name is `-`.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the parameters of a YAML or JSON file, or of stdin if its name is `-`.
fn from_file(path: &Path) -> Result<GivenParams, CliError> {
    let shown = Printable::path(path);
    let bytes = read(path).map_err(|error| {
        CliError::new(Exit::Bad, format!("cannot read parameters file `{shown}`")).caused_by(&error)
    })?;
    let values = spec::values(path, &bytes)?;
    Ok(values.into_iter().map(|(name, value)| (name, GivenParam::Value(value))).collect())
}
