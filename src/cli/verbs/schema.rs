//! `batchmill schema`: the JSON Schemas of workflow files and of events.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stderr::tell;
use crate::cli::stdout::{print_data, print_json};
use crate::cli::workflow_schema::workflow_schema;
use crate::report::EVENTS_SCHEMA;
use crate::spec;
use crate::text::Printable;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Print the schema of the lines of `--events` instead
    #[arg(long)]
    events: bool,
    /// Write the schema to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl SchemaArgs {
    /// Prints or writes the schema.
    pub fn run(self) -> Result<Exit, CliError> {
        match self.output {
            Some(path) => {
                let text = if self.events { EVENTS_SCHEMA.to_owned() } else { workflow_schema() };
                let shown = Printable::path(&path);
                std::fs::write(&path, text).map_err(|error| {
                    let error = CliError::bad(format!("cannot write `{shown}`")).caused_by(&error);
                    error.help("name a file in a directory that exists: `batchmill schema -o FILE`")
                })?;
                tell(format!("wrote {shown}"));
            }
            None if self.events => print_data(EVENTS_SCHEMA.as_bytes())?,
            None => print_json(&spec::schema())?,
        }
        Ok(Exit::Done)
    }
}
