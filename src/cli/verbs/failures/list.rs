//! Failures one by one.

use crate::cli::error::CliError;
use crate::cli::output::{print, print_json};
use crate::cli::table::{lines, shorten, table};
use crate::ledger::FailureRecord;
use crate::model::StepName;
use crate::report::{duration, number};
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
    let mut table = table(["step", "index", "item", "attempts", "took", "error"]);
    for failed in all {
        let record = &failed.record;
        table.add_row([
            failed.step.to_string(),
            number(record.index),
            shorten(&record.item, 40),
            record.attempts.to_string(),
            record.took.map_or(String::new(), duration),
            shorten(&failed.error(), 100),
        ]);
    }
    print(&lines(&table))
}

/// All that is known of each.
pub fn print_details(all: &[Failed]) -> Result<(), CliError> {
    for failed in all {
        let Failed { step, record, printed } = failed;
        let log = if printed.is_empty() { String::new() } else { format!("printed:\n{}\n", printed.trim_end()) };
        let detail = record.detail.as_ref().map_or(String::new(), |detail| format!("{}\n", detail.trim_end()));
        let handler =
            record.handler.as_ref().map_or(String::new(), |handler| format!("on_item_error failed: {handler}\n"));
        let (index, item, error) = (record.index, &record.item, failed.error());
        print(&format!("{step}[{index}] {item}\n{error}\n{detail}{log}{handler}\n"))?;
    }
    Ok(())
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
