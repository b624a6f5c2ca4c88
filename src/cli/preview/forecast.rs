//! What would run if a run were resumed, and why.

use crate::cli::args::Format;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::{print, print_json};
use crate::compile::Prepared;
use crate::ledger::Reader;
use crate::report::will_run;
use crate::run::Forecast;
use crate::spec::Step;
use crate::text::Printable;
use serde_json::{Value, json};
use std::fmt::Write;

/// Prints the forecast of each step.
pub fn show_forecasts(
    prepared: &Prepared,
    reader: &Reader,
    forecasts: &[Forecast],
    format: Format,
) -> Result<Exit, CliError> {
    let run = Printable::line(&reader.folder().run.0);
    let steps = prepared.workflow.steps.iter().zip(forecasts);
    match format {
        Format::Json => {
            let steps: Vec<Value> = steps.map(|(step, forecast)| forecast_json(step, forecast)).collect();
            print_json(&json!({ "run_id": run, "steps": steps }))?;
        }
        Format::Text => {
            let name = Printable::line(&prepared.workflow.name);
            let path = Printable::path(&prepared.workflow.source.path);
            let mut text = format!("{name} ({path}), run {run}\n");
            for (step, forecast) in steps {
                let _ = writeln!(text, "{}: {}", step.name, forecast_text(forecast));
            }
            print(text)?;
        }
    }
    Ok(Exit::Done)
}

fn forecast_text(forecast: &Forecast) -> String {
    match forecast {
        Forecast::New => "everything will run: the step has not started yet".to_owned(),
        Forecast::Everything(why) => format!("everything runs again, because {}", why.join(", ")),
        Forecast::Some { total, reasons } => will_run(*total, reasons),
        Forecast::Waits(earlier) => format!("depends on step `{earlier}`, which will run"),
    }
}

fn forecast_json(step: &Step, forecast: &Forecast) -> Value {
    match forecast {
        Forecast::New => json!({ "name": step.name, "will_run": "everything", "because": ["not run yet"] }),
        Forecast::Everything(why) => json!({ "name": step.name, "will_run": "everything", "because": why }),
        Forecast::Some { total, reasons } => {
            let why: serde_json::Map<_, _> = reasons.iter().map(|(why, count)| (why.clone(), json!(count))).collect();
            let run: u64 = reasons.iter().map(|(_, count)| count).sum();
            json!({ "name": step.name, "total": total, "will_run": run, "because": why })
        }
        Forecast::Waits(earlier) => json!({ "name": step.name, "will_run": null, "depends_on": earlier }),
    }
}
