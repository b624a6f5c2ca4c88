//! `batchmill init`: creates a starter workflow.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stderr::tell;
use crate::text::Printable;
use clap::Args;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// File to create; an existing file is never overwritten
    #[arg(default_value = "workflow.yaml")]
    file: PathBuf,
}

/// The starter workflow: runs anywhere, needs no Python.
const STARTER: &str = include_str!("starter.yaml");

impl InitArgs {
    /// Writes the file.
    pub fn run(self) -> Result<Exit, CliError> {
        let path = Printable::path(&self.file);
        let written = File::create_new(&self.file).and_then(|mut file| file.write_all(STARTER.as_bytes()));
        written.map_err(|error| {
            let taken = error.kind() == io::ErrorKind::AlreadyExists;
            let error = CliError::new(Exit::Bad, format!("cannot create `{path}`")).caused_by(&error);
            if taken { error.help("choose another name: `batchmill init FILE`") } else { error }
        })?;
        tell(format!("created {path}\nnext: batchmill run {path}"));
        Ok(Exit::Done)
    }
}
