//! `batchmill inspect`: what files of rows contain, which of them are odd, and how a workflow reads them.

mod json;
mod snippet;
mod text;

use crate::cli::args::Format;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::{print, print_json};
use crate::report::{Scan, ScanProgress};
use crate::sources::SurveyRequest;
use crate::survey::survey;
use crate::text::Printable;
use clap::Args;
use std::io::{self, IsTerminal};

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Files or patterns such as "data/*.csv": CSV, or JSON Lines if the name ends in .jsonl or .ndjson; .gz and .zst files
    /// are decompressed
    #[arg(required = true)]
    files: Vec<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl InspectArgs {
    /// Prints what is found.
    pub fn run(self) -> Result<Exit, CliError> {
        for path in &self.files {
            if request(std::slice::from_ref(path))?.is_empty() {
                return Err(CliError::bad(format!("no file matches `{}`", Printable::line(path))));
            }
        }
        let request = request(&self.files)?;
        let scan = Scan { action: "reading", files: request.len() as u64, bytes: request.bytes() };
        let progress = io::stderr().is_terminal().then(|| ScanProgress::bar(&scan));
        let survey = survey(&request, &mut |read| progress.iter().for_each(|progress| progress.read(read)));
        progress.into_iter().for_each(ScanProgress::end);
        match self.format {
            Format::Text => print(text::to_text(&survey, &self.files))?,
            Format::Json => print_json(&json::to_json(&survey, &self.files))?,
        }
        let readable = survey.files.iter().any(|file| file.error.is_none() || !file.columns.is_empty());
        Ok(match (readable, survey.outliers.is_empty()) {
            (false, _) => Exit::Bad,
            (true, false) => Exit::SomeFailed,
            (true, true) => Exit::Done,
        })
    }
}

fn request(paths: &[String]) -> Result<SurveyRequest, CliError> {
    SurveyRequest::of_paths(paths).map_err(|error| CliError::bad(error.to_string()))
}
