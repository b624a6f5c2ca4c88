//! The report that a run writes about itself, for `on_failure` and `finally`.

use crate::explain::{Figures, page};
use crate::export::replace;
use crate::ledger::{Reader, RunFolder};
use crate::model::Status;
use crate::spec::Workflow;
use std::error::Error;
use std::path::PathBuf;

/// The steps that may ask for it.
const CLOSING: [&str; 2] = [Workflow::ON_FAILURE, Workflow::FINALLY];

/// Writes the report about a run whose steps have ended like this into its directory, and returns the path.
pub fn write_report(folder: &RunFolder, status: Status) -> Result<PathBuf, String> {
    write(folder, status).map_err(|error| match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

fn write(folder: &RunFolder, status: Status) -> Result<PathBuf, Box<dyn Error>> {
    let figures = Figures::read(&Reader::open(folder.clone())?)?.before_closing(status, &CLOSING);
    let path = folder.report();
    path.check_replaceable()?;
    replace(&path, page(&figures, None)?.as_bytes())?;
    Ok(path.to_path_buf())
}
