//! `batchmill inspect`: what files of rows hold, which of them stand out, and how a workflow reads them.

mod json;
mod snippet;
mod text;

use crate::cli::args::Format;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{print, print_json};
use crate::report::ScanProgress;
use crate::sources::SurveyRequest;
use crate::survey::survey;
use clap::Args;
use std::io::{self, IsTerminal};

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Files, and patterns such as "data/*.csv": CSV, or JSON Lines where the name ends in .jsonl or .ndjson; .gz and .zst
    /// are unpacked
    #[arg(required = true)]
    files: Vec<String>,
    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl InspectArgs {
    /// Prints what is found.
    pub fn run(self) -> Result<Exit, CliError> {
        for path in &self.files {
            if request(std::slice::from_ref(path))?.is_empty() {
                return Err(CliError::bad(format!("no file matches `{path}`")));
            }
        }
        let request = request(&self.files)?;
        let size = (request.len() as u64, request.bytes());
        let bar = io::stderr().is_terminal().then(|| ScanProgress::new("looking at", size, (true, "")));
        let survey = survey(&request, &mut |read| bar.iter().for_each(|bar| bar.read(read)));
        bar.into_iter().for_each(ScanProgress::end);
        match self.format {
            Format::Text => print(&text::to_text(&survey, &self.files))?,
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
