//! `batchmill runs clean`: deletes old runs.

use crate::cli::args::{StateArgs, time};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::unreadable_run;
use crate::cli::stderr::tell;
use crate::cli::stdout::print;
use crate::ledger::Reader;
use crate::text::Printable;
use clap::Args;
use std::time::Duration;

/// Arguments of `runs clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Delete runs that started longer ago than this, such as `30d` or `12h`
    #[arg(long, value_name = "TIME", value_parser = time, required_unless_present = "keep")]
    older_than: Option<Duration>,
    /// Keep the latest N runs regardless of age
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Print the runs that would be deleted without deleting them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    state: StateArgs,
}

impl CleanArgs {
    /// Deletes the runs and prints their ids.
    pub fn run(self) -> Result<Exit, CliError> {
        let mut folders = self.state.folder().runs_by_age()?;
        folders.truncate(folders.len().saturating_sub(self.keep.unwrap_or(0)));
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        for folder in folders {
            let run = folder.run.clone();
            let record = match Reader::open(folder.clone()).and_then(|reader| reader.run()) {
                Ok(record) => record,
                Err(error) => {
                    // Its age is unknown, and what is left of it may be needed.
                    tell(format!("{}; it is kept", unreadable_run(&run, &error)));
                    continue;
                }
            };
            let started = u64::try_from(record.started).unwrap_or(0);
            let old = self.older_than.is_none_or(|age| Duration::from_millis(now.saturating_sub(started)) >= age);
            if !old || folder.is_locked() {
                continue;
            }
            if !self.dry_run {
                folder.delete()?;
            }
            print(format!("{}\n", Printable::line(&run.0)))?;
        }
        Ok(Exit::Done)
    }
}
