//! `batchmill schema`: the JSON Schema of workflow files.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::print_json;
use crate::spec;
use clap::Args;

/// Arguments of `schema`: none.
#[derive(Debug, Args)]
pub struct SchemaArgs {}

impl SchemaArgs {
    /// Prints the schema.
    pub fn run(self) -> Result<Exit, CliError> {
        print_json(&spec::schema())?;
        Ok(Exit::Done)
    }
}
