//! Where runs are kept.

use crate::ledger::StateFolder;
use clap::Args;
use std::path::PathBuf;

/// Where runs are kept.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// Directory that holds the runs
    #[arg(long, value_name = "DIR", env = "BATCHMILL_STATE_DIR", default_value = ".batchmill")]
    pub state_dir: PathBuf,
}

impl StateArgs {
    /// The directory with the runs.
    pub fn folder(&self) -> StateFolder {
        StateFolder(self.state_dir.clone())
    }
}
