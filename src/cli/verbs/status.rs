//! `batchmill status`: the progress of a run, also from another terminal, or how it ended.

use crate::cli::args::{Format, RunSelector};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::{print, print_data};
use crate::cli::table::Table;
use crate::ledger::{Reader, RunRecord, StepRecord};
use crate::model::{RunId, Status};
use crate::report::{duration, number, rate};
use crate::text::Printable;
use clap::Args;
use console::Term;
use serde_json::json;
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
            let text = match self.format {
                Format::Json => format!("{}\n", status.to_json()),
                Format::Text => status.to_text(),
            };
            if terminal.is_term() && self.format == Format::Text {
                // An error means that the terminal is gone; printing finds that out.
                let _ = terminal.clear_last_lines(lines);
                lines = text.lines().count();
                print(&text)?;
            } else if text != shown {
                match self.format {
                    Format::Json => print_data(text.as_bytes())?,
                    Format::Text => print(&text)?,
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

/// The status of a run.
struct RunStatus {
    id: RunId,
    record: RunRecord,
    steps: Vec<StepStatus>,
    /// Milliseconds since 1970, UTC.
    now: i64,
}

/// The status of a step.
struct StepStatus {
    record: StepRecord,
    /// For how long it ran, or has been running.
    took: Duration,
    items_per_second: f64,
    /// The remaining time, if it can be estimated.
    left: Option<Duration>,
}

impl RunStatus {
    fn read(reader: &Reader) -> Result<Self, CliError> {
        let now = jiff::Timestamp::now().as_millisecond();
        let (record, steps) = (reader.run()?, reader.steps()?);
        let steps = steps.into_iter().map(|step| StepStatus::read(reader, step, now)).collect::<Result<_, _>>()?;
        Ok(Self { id: reader.folder().run.clone(), record, steps, now })
    }

    fn took(&self) -> Duration {
        let end = self.record.finished.filter(|_| self.record.status != Status::Running).unwrap_or(self.now);
        milliseconds(end.saturating_sub(self.record.started))
    }

    fn to_text(&self) -> String {
        let run = Printable::line(&self.id.0);
        let workflow = Printable::line(&self.record.workflow);
        let status = self.record.status;
        let when = match (status, self.record.finished) {
            // The process was killed, so the end time is unknown.
            (Status::Interrupted, None) => String::new(),
            (Status::Running, _) => format!(" for {}", duration(self.took())),
            _ => format!(" after {}", duration(self.took())),
        };
        let mut table = Table::new(["step", "status", "items", "failed", "time", "rate", "left"]);
        for step in &self.steps {
            table.row(step.cells().map(Printable::from));
        }
        let failed: u64 = self.steps.iter().map(|step| step.record.stats.failed).sum();
        let next = match status {
            Status::Running => "",
            Status::Interrupted => "next: batchmill resume ",
            _ if failed > 0 => "next: batchmill failures ",
            Status::Failed | Status::Empty => "next: batchmill resume ",
            Status::Succeeded | Status::Partial => "next: batchmill results ",
        };
        let next = if next.is_empty() { String::new() } else { format!("{next}{run}\n") };
        format!("{workflow}: run {run} {}{when}\n{table}{next}", words(status))
    }

    fn to_json(&self) -> serde_json::Value {
        let steps = self.steps.iter().map(|step| {
            let StepRecord { name, status, stats, .. } = &step.record;
            json!({
                "name": name, "status": status, "total": stats.total, "succeeded": stats.succeeded,
                "failed": stats.failed, "retried": stats.retried, "skipped": stats.skipped,
                "duration": step.took.as_secs_f64(), "items_per_second": step.items_per_second,
                "seconds_left": step.left.map(|left| left.as_secs_f64()),
            })
        });
        json!({
            "run_id": self.id, "workflow": self.record.workflow, "status": self.record.status,
            "started": self.record.started, "finished": self.record.finished,
            "duration": self.took().as_secs_f64(), "steps": steps.collect::<Vec<_>>(),
        })
    }
}

impl StepStatus {
    fn read(reader: &Reader, record: StepRecord, now: i64) -> Result<Self, CliError> {
        let is_running = record.status == Status::Running;
        let took = if is_running { milliseconds(now.saturating_sub(record.started)) } else { record.stats.duration };
        let step = reader.open_step(record);
        let items_per_second = step.done_lately()? as f64 / took.as_secs_f64().max(0.001);
        let record = step.record;
        if !is_running {
            return Ok(Self { record, took, items_per_second, left: None });
        }
        let stats = &record.stats;
        let rest = stats.total.saturating_sub(stats.settled());
        let left = Duration::try_from_secs_f64(rest as f64 / items_per_second).ok().filter(|_| rest > 0);
        Ok(Self { record, took, items_per_second, left })
    }

    fn cells(&self) -> [String; 7] {
        let StepRecord { name, status, stats, .. } = &self.record;
        let settled = stats.settled();
        let items = if settled < stats.total {
            let percent = u128::from(settled) * 100 / u128::from(stats.total);
            format!("{} of {} ({percent}%)", number(settled), number(stats.total))
        } else {
            number(settled)
        };
        let is_measured = self.record.is_batch && self.items_per_second > 0.0;
        [
            name.to_string(),
            words(*status).to_owned(),
            items,
            number(stats.failed),
            duration(self.took),
            if is_measured { rate(self.items_per_second, "items") } else { String::new() },
            self.left.map_or(String::new(), duration),
        ]
    }
}

/// A status as a word.
fn words(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Partial => "finished with failures",
        Status::Failed => "failed",
        Status::Interrupted => "interrupted",
        Status::Empty => "has no items",
    }
}

fn milliseconds(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}
