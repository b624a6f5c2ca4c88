//! A plan for people.

use super::row_count::RowCount;
use super::steps::PlannedStep;
use crate::compile::{OpenBatch, Prepared};
use crate::report::{count, number};
use crate::spec::{BatchSize, StepKind};
use crate::text::{Printable, Secrets};
use std::fmt::Write;

/// The maximum width of an item.
const WIDEST_ITEM: usize = 100;

/// The lines of a plan.
pub fn to_text(prepared: &Prepared, steps: &[PlannedStep<'_>]) -> String {
    let workflow = &prepared.workflow;
    let path = Printable::path(&workflow.source.path);
    let mut text = format!("{} ({path})\n", Printable::line(&workflow.name));
    if let Some(python) = &prepared.python {
        let executable = Printable::line(&python.executable);
        let _ = writeln!(text, "python: {executable} (CPython {}, from {})", python.version, python.found.by);
    }
    for (place, planned) in steps.iter().enumerate() {
        let _ = writeln!(text, "{}. {} ({})", place + 1, planned.step.name(), planned.step.program.type_name());
        match (&planned.open, &planned.step.step.kind) {
            (Some(open), _) => text.push_str(&work(open, planned.rows.as_ref(), &prepared.secrets)),
            (None, StepKind::Batch(_)) => text.push_str("   items or settings come from an earlier step\n"),
            (None, StepKind::Single(_)) => text.push_str("   runs once\n"),
        }
    }
    text
}

fn work(open: &OpenBatch, rows: Option<&RowCount>, secrets: &Secrets) -> String {
    let width = count(open.settings.lane.width as u64, "worker");
    let width = if open.settings.first_width.is_some() { format!("up to {width}, found as it runs") } else { width };
    let mut text = format!("   {}, {width}\n", amount(open, rows));
    let what = if open.settings.lane.batched { "the batch" } else { "one item" };
    let _ = writeln!(text, "   `item` is {what}, because {}", open.settings.batched_because);
    if let Some(first) = open.items.first_json() {
        let first = Printable::excerpt(secrets.masked_json(&first), WIDEST_ITEM);
        let _ = writeln!(text, "   first item: {first}");
    }
    text.extend(rows.map(RowCount::odd_text));
    if let Some(attempts) = Some(open.settings.retry.max_attempts.get()).filter(|attempts| *attempts > 1) {
        let delay = open.settings.retry.delay;
        let apart = if delay.is_zero() { String::new() } else { format!(", {delay:?} apart") };
        let _ = writeln!(text, "   up to {attempts} attempts{apart}");
    }
    text
}

/// How many items and batches there are.
fn amount(open: &OpenBatch, rows: Option<&RowCount>) -> String {
    let (items, batches) = match rows {
        Some(rows) => (rows.text(), rows.totals.batches),
        None => {
            let unknown = || "items, counted as they are read,".to_owned();
            (open.settings.total.map_or_else(unknown, |total| count(total, "item")), open.settings.lane.batches)
        }
    };
    match (batches, open.settings.batch_size) {
        (Some(batches), BatchSize::Exactly(size)) => {
            format!("{items} in {} of {}", count(batches, "batch"), number(size.get() as u64))
        }
        (_, BatchSize::Exactly(size)) => format!("{items} in batches of {}", number(size.get() as u64)),
        (_, BatchSize::Auto) => format!("{items} in batches whose size adapts"),
    }
}
