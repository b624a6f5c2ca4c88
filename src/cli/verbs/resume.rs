//! `batchmill resume`: resumes a run.

use crate::cli::args::ResumeArgs;
use crate::cli::error::CliError;
use crate::cli::execute::execute_again;
use crate::cli::exit::Exit;
use crate::resume::ItemSelection;
use clap::Args;

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeVerb {
    #[command(flatten)]
    resume: ResumeArgs,
}

impl ResumeVerb {
    /// Resumes the run.
    pub fn run(self) -> Result<Exit, CliError> {
        execute_again(self.resume, |_| Ok(ItemSelection::Left))
    }
}
