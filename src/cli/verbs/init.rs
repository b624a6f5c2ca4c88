//! `batchmill init`: creates a starter workflow, and the schema that tells editors its keys.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stderr::tell;
use crate::cli::workflow_schema::{SCHEMA_FILE, workflow_schema};
use crate::text::Printable;
use clap::Args;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// File to create, next to `batchmill.schema.json` for editors; an existing file is never overwritten
    #[arg(default_value = "workflow.yaml")]
    file: PathBuf,
}

/// The starter workflow: runs anywhere, needs no Python. Its first line names the schema.
const STARTER: &str = include_str!("starter.yaml");

impl InitArgs {
    /// Writes the files.
    pub fn run(self) -> Result<Exit, CliError> {
        let path = Printable::path(&self.file);
        create(&self.file, STARTER).map_err(|error| {
            let taken = error.kind() == io::ErrorKind::AlreadyExists;
            let error = CliError::new(Exit::Bad, format!("cannot create `{path}`")).caused_by(&error);
            if taken { error.help("choose another name: `batchmill init FILE`") } else { error }
        })?;
        let schema = self.file.with_file_name(SCHEMA_FILE);
        let shown = Printable::path(&schema);
        match create(&schema, &workflow_schema()) {
            Ok(()) => tell(format!("created {path}, and {shown} for editors")),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                tell(format!(
                    "created {path}\nnote: `{shown}` is there already; `batchmill schema -o {shown}` renews it"
                ));
            }
            // The workflow runs without it.
            Err(error) => tell(format!("created {path}\nwarning: cannot create `{shown}`: {error}")),
        }
        tell(format!("next: batchmill run {path}"));
        Ok(Exit::Done)
    }
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()))
}
