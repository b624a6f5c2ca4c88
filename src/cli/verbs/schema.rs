//! `batchmill schema`: the JSON Schemas of workflow files and of events.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::{print_data, print_json};
use crate::report::EVENTS_SCHEMA;
use crate::spec;
use clap::Args;

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Print the schema of the lines of `--events` instead
    #[arg(long)]
    events: bool,
}

impl SchemaArgs {
    /// Prints the schema.
    pub fn run(self) -> Result<Exit, CliError> {
        if self.events {
            print_data(EVENTS_SCHEMA.as_bytes())?;
        } else {
            print_json(&spec::schema())?;
        }
        Ok(Exit::Done)
    }
}
