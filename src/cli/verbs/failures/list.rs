//! Failures one by one.

use crate::cli::error::CliError;
use crate::cli::stdout::{print, print_json};
use crate::cli::table::Table;
use crate::ledger::FailureRecord;
use crate::model::StepName;
use crate::report::duration;
use crate::text::Printable;
use serde_json::{Value, json};

/// A failed item.
pub struct Failed {
    /// Its step.
    pub step: StepName,
    /// What the ledger has of it.
    pub record: FailureRecord,
    /// What it printed, if that was read.
    pub printed: String,
}

impl Failed {
    /// The error in one line.
    pub fn error(&self) -> String {
        format!("{}: {}", self.record.class, self.record.message)
    }
}

/// A line for each.
pub fn print_list(all: &[Failed]) -> Result<(), CliError> {
    let mut table = Table::new(["step", "index", "item", "attempts", "duration", "error"]).wrap("error");
    for failed in all {
        let record = &failed.record;
        table.row([
            failed.step.as_str().into(),
            // Without separators, as `repro` and `retry --only` take it.
            record.index.to_string().into(),
            Printable::excerpt(&record.item, 40),
            record.attempts.to_string().into(),
            record.took.map_or(String::new(), duration).into(),
            Printable::excerpt(failed.error(), 100),
        ]);
    }
    print(table.to_string())
}

/// All that is known of each.
pub fn print_details(all: &[Failed]) -> Result<(), CliError> {
    for failed in all {
        let Failed { step, record, printed } = failed;
        let item = Printable::line(&record.item);
        let error = Printable::lines(failed.error()).indented("  ");
        let mut text = format!("{step}[{}] {item}\n{error}\n", record.index);
        // Indented, so that no line of it can pose as one of ours.
        for (title, part) in [
            (None, record.detail.as_deref()),
            (Some("output:"), Some(printed.as_str()).filter(|printed| !is_shown_by(record.detail.as_deref(), printed))),
            (Some("`on_item_error` failed:"), record.handler.as_deref()),
        ] {
            if let Some(part) = part.map(str::trim_end).filter(|part| !part.is_empty()) {
                text.extend(title.map(|title| format!("{title}\n")));
                text.push_str(&format!("  {}\n", Printable::lines(part).indented("  ")));
            }
        }
        print(format!("{text}\n"))?;
    }
    Ok(())
}

/// Whether the detail has all that was printed, as it does for a command that printed little.
fn is_shown_by(detail: Option<&str>, printed: &str) -> bool {
    detail.is_some_and(|detail| printed.lines().all(|line| detail.contains(line)))
}

/// All that is known of each, for programs.
pub fn print_list_json(all: &[Failed]) -> Result<(), CliError> {
    let rows = all.iter().map(|Failed { step, record, printed }| {
        let item: Value = serde_json::from_str(&record.item).unwrap_or_else(|_| record.item.clone().into());
        json!({
            "step": step, "index": record.index, "key": record.key, "item": item, "type": record.class,
            "error": record.message, "attempts": record.attempts, "duration": record.took.map(|took| took.as_secs_f64()),
            "detail": record.detail, "log": printed, "on_item_error": record.handler,
        })
    });
    print_json(&rows.collect::<Vec<_>>())
}
