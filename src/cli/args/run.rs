//! The run that a verb is about.

use super::state::StateArgs;
use crate::cli::find_run::find_run;
use crate::ledger::{LedgerError, Reader};
use clap::Args;

/// A run, the latest by default.
#[derive(Debug, Args)]
pub struct RunSelector {
    /// Run ID, its beginning or end, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    #[command(flatten)]
    state: StateArgs,
}

impl RunSelector {
    /// Opens another run of the same state directory.
    pub fn open_other(&self, run: &str) -> Result<Reader, LedgerError> {
        Reader::open(find_run(&self.state.folder(), run)?)
    }

    /// Opens the run's ledger for reading.
    pub fn open(&self) -> Result<Reader, LedgerError> {
        Reader::open(find_run(&self.state.folder(), &self.run)?)
    }
}
