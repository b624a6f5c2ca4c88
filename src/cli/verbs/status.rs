//! `batchmill status`: the progress of a run, also from another terminal, or how it ended. Shows what the terminal of the run
//! shows.

mod ended;
mod json;

use crate::cli::args::{Format, RunSelector};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::{print_data, print_styled};
use crate::explain::RunStatus;
use crate::ledger::{LedgerError, Reader};
use crate::model::Status;
use clap::Args;
use console::Term;
use ended::ended;
use std::time::Duration;

/// How often to show the status with `--watch`.
const TICK: Duration = Duration::from_secs(1);

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    run: RunSelector,
    /// Show it again every second until the run ends
    #[arg(long, short)]
    watch: bool,
    /// Output format; `json` prints one object per line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl StatusArgs {
    /// Prints the status.
    pub fn run(self) -> Result<Exit, CliError> {
        let reader = self.run.open()?;
        let terminal = Term::stdout();
        let (mut shown, mut lines) = (String::new(), 0);
        loop {
            let status = RunStatus::read(&reader)?;
            let columns = terminal.is_term().then(|| usize::from(terminal.size().1));
            let text = match self.format {
                Format::Json => format!("{}\n", status.to_json(&reader)?),
                Format::Text => text(&status, &reader, columns)?,
            };
            if columns.is_some() && self.format == Format::Text {
                // An error means that the terminal is gone; printing finds that out.
                let _ = terminal.clear_last_lines(lines);
                lines = text.lines().count();
                print_styled(&text)?;
            } else if text != shown {
                match self.format {
                    Format::Json => print_data(text.as_bytes())?,
                    Format::Text => print_styled(&text)?,
                }
            }
            if !self.watch || status.record.status != Status::Running {
                return Ok(Exit::Done);
            }
            shown = text;
            std::thread::sleep(TICK);
        }
    }
}

/// What a terminal of this width shows of the run.
fn text(status: &RunStatus, reader: &Reader, columns: Option<usize>) -> Result<String, LedgerError> {
    if status.record.status != Status::Running {
        return ended(status, reader, columns);
    }
    let note = reader.folder().read_note();
    Ok(status.under_way(note.as_deref()).text(columns))
}
