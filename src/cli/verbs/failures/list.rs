//! Failures one by one. There may be many, so they are read and printed in turn.

use crate::cli::error::CliError;
use crate::cli::stdout::{JsonList, TextWriter, print};
use crate::cli::table::{Table, TableLines};
use crate::ledger::{FailureRecord, LedgerError, PrintedTexts, Reader, StepReader, StepRecord};
use crate::model::StepName;
use crate::report::duration;
use crate::text::Printable;
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;

/// A failed item.
pub struct Failed<'a> {
    /// Its step.
    pub step: &'a StepName,
    /// Its record in the ledger.
    pub record: FailureRecord,
    /// What it printed, if that was read.
    pub printed: String,
}

impl Failed<'_> {
    /// The error in one line.
    fn error(&self) -> String {
        format!("{}: {}", self.record.class, self.record.message)
    }
}

/// Takes failed items, until it breaks.
type Visit<'v> = dyn FnMut(Failed<'_>) -> Result<ControlFlow<()>, CliError> + 'v;

/// The failed items of some steps.
pub struct AllFailures<'a> {
    /// The run.
    pub reader: &'a Reader,
    /// The steps.
    pub steps: &'a [StepRecord],
    /// The most that are visited.
    pub most: u64,
}

impl AllFailures<'_> {
    /// Whether there are none.
    pub fn is_empty(&self) -> Result<bool, CliError> {
        let mut is_empty = true;
        self.each(&mut |_| {
            is_empty = false;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(is_empty)
    }

    /// Gives each to `visit`.
    pub fn each(&self, visit: &mut Visit<'_>) -> Result<(), CliError> {
        self.each_with(&|_| Ok(PrintedTexts::default()), visit)
    }

    /// The same, together with what it printed.
    fn each_with_printed(&self, visit: &mut Visit<'_>) -> Result<(), CliError> {
        self.each_with(&|step| step.printed(), visit)
    }

    fn each_with(
        &self,
        printed: &dyn Fn(&StepReader<'_>) -> Result<PrintedTexts, LedgerError>,
        visit: &mut Visit<'_>,
    ) -> Result<(), CliError> {
        let mut left = self.most;
        for step in self.steps {
            if left == 0 {
                return Ok(());
            }
            let step = self.reader.open_step(step.clone());
            let printed = printed(&step)?;
            let mut failures = step.failures_in_turn()?;
            while let Some(record) = failures.next_failure()? {
                let printed = printed.of(&record);
                left -= 1;
                if visit(Failed { step: &step.record.name, record, printed })?.is_break() || left == 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

const HEADINGS: [&str; 6] = ["step", "index", "item", "attempts", "duration", "error"];

fn row(failed: &Failed<'_>) -> [Printable; 6] {
    let record = &failed.record;
    [
        failed.step.as_str().into(),
        // Without separators, as `repro` and `retry --only` take it.
        record.index.to_string().into(),
        Printable::excerpt(&record.item, 40),
        record.attempts.to_string().into(),
        record.took.map_or(String::new(), duration).into(),
        Printable::excerpt(failed.error(), 100),
    ]
}

/// A line for each.
pub fn print_list(all: &AllFailures<'_>) -> Result<(), CliError> {
    if io::stdout().is_terminal() {
        let mut table = Table::new(HEADINGS).wrap("error");
        all.each(&mut |failed| {
            table.row(row(&failed));
            Ok(ControlFlow::Continue(()))
        })?;
        return print(table.to_string());
    }
    let mut lines = TableLines::new(HEADINGS);
    all.each(&mut |failed| {
        lines.measure(&row(&failed));
        Ok(ControlFlow::Continue(()))
    })?;
    let mut out = TextWriter::new();
    if out.write(lines.heading())?.is_continue() {
        all.each(&mut |failed| out.write(lines.line(&row(&failed))))?;
    }
    out.finish()
}

/// All details of each.
pub fn print_details(all: &AllFailures<'_>) -> Result<(), CliError> {
    let mut out = TextWriter::new();
    all.each_with_printed(&mut |failed| {
        let Failed { step, record, printed } = &failed;
        let item = Printable::line(&record.item);
        let error = Printable::lines(failed.error()).indented("  ");
        let mut text = format!("{step}[{}] {item}\n{error}\n", record.index);
        // Indented, so that no line of it can pass for one of ours.
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
        out.write(format!("{text}\n"))
    })?;
    out.finish()
}

/// Whether the detail contains everything that was printed, as for a command that printed little.
fn is_shown_by(detail: Option<&str>, printed: &str) -> bool {
    detail.is_some_and(|detail| printed.lines().all(|line| detail.contains(line)))
}

/// All details of each, for programs.
pub fn print_list_json(all: &AllFailures<'_>) -> Result<(), CliError> {
    let mut list = JsonList::new();
    all.each_with_printed(&mut |Failed { step, record, printed }| {
        let item: Value = serde_json::from_str(&record.item).unwrap_or_else(|_| record.item.clone().into());
        list.push(&json!({
            "step": step, "index": record.index, "key": record.key, "item": item, "type": record.class,
            "error": record.message, "attempts": record.attempts, "duration": record.took.map(|took| took.as_secs_f64()),
            "detail": record.detail, "log": printed, "on_item_error": record.handler,
        }))
    })?;
    list.finish()
}
