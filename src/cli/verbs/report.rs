//! `batchmill report`: explains a run, as a page, as JSON or as a trace.

use crate::cli::args::RunSelector;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::save::{check_targets, save};
use crate::explain::{Against, Figures, page, trace};
use crate::ledger::Reader;
use crate::text::Printable;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    run: RunSelector,
    /// File to write; `-` for stdout [default: `report-RUN.html` or `.json`]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    format: ReportFormat,
    /// Compare with an earlier run: its ID, its beginning or end
    #[arg(long, value_name = "RUN")]
    against: Option<String>,
    /// Also write a trace for Perfetto (https://ui.perfetto.dev) or `chrome://tracing`
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// One HTML page that needs no network
    Html,
    /// All figures as one JSON object
    Json,
}

impl ReportArgs {
    /// Writes the report.
    pub fn run(self) -> Result<Exit, CliError> {
        let reader = self.run.open()?;
        reader.check()?;
        let path = self.target(&reader)?;
        let figures = Figures::read(&reader)?;
        let against = self.against.as_deref().map(|run| self.compare((&figures, &reader), run)).transpose()?;
        let report = match self.format {
            ReportFormat::Html => {
                page(&figures, against.as_ref()).map_err(|error| CliError::of(Exit::Stopped, &error))?
            }
            ReportFormat::Json => {
                let mut value = json!(figures);
                if let Some(against) = against {
                    value["against"] = json!(against);
                }
                format!("{value:#}\n")
            }
        };
        if let Some(to) = &self.trace {
            save(to, |out| trace(&figures, out))?;
        }
        save(&path, |out| out.write_all(report.as_bytes()))?;
        Ok(Exit::Done)
    }

    /// The file of the report. Checks the files to write before the run is read, which may take a while.
    fn target(&self, reader: &Reader) -> Result<PathBuf, CliError> {
        let extension = if self.format == ReportFormat::Html { "html" } else { "json" };
        let named = || PathBuf::from(format!("report-{}.{extension}", reader.folder().run.0));
        let path = self.output.clone().unwrap_or_else(named);
        let record = reader.run()?;
        let trace = self.trace.as_deref().map(|trace| ("`--trace`", trace));
        let targets: Vec<_> = trace.into_iter().chain([("the report", &*path)]).collect();
        check_targets(&targets, &record.folder.join(&record.path))?;
        Ok(path)
    }

    fn compare(&self, (figures, now): (&Figures, &Reader), run: &str) -> Result<Against, CliError> {
        let reader = self.run.open_other(run)?;
        let before = Figures::read(&reader)?;
        if before.run == figures.run {
            return Err(CliError::bad(format!("run `{}` cannot be compared with itself", Printable::line(run)))
                .help("`batchmill runs` lists the other runs"));
        }
        if before.workflow != figures.workflow {
            let names = [&before.workflow, &figures.workflow].map(Printable::line);
            let message = format!("run `{}` is of another workflow: `{}`, not `{}`", before.run, names[0], names[1]);
            return Err(CliError::bad(message).help("`batchmill runs` lists the runs of each workflow"));
        }
        Ok(Against::of((figures, now), (&before, &reader))?)
    }
}
