//! `batchmill init`: writes a starter workflow.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use clap::Args;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The file to write; one that is there already is never overwritten
    #[arg(default_value = "workflow.yaml")]
    file: PathBuf,
}

/// The starter workflow: runs anywhere, needs no Python.
const STARTER: &str = include_str!("starter.yaml");

impl InitArgs {
    /// Writes the file.
    pub fn run(self) -> Result<Exit, CliError> {
        let path = self.file.display();
        let written = File::create_new(&self.file).and_then(|mut file| file.write_all(STARTER.as_bytes()));
        written.map_err(|error| {
            let taken = error.kind() == io::ErrorKind::AlreadyExists;
            let error = anyhow::Error::new(error).context(format!("cannot write `{path}`"));
            let error = CliError::new(Exit::Bad, error);
            if taken { error.help("name another file: `batchmill init FILE`") } else { error }
        })?;
        eprintln!("wrote {path}\nnext: batchmill run {path}");
        Ok(Exit::Done)
    }
}
