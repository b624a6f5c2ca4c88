//! A plan for people.

use super::row_count::RowCount;
use super::steps::PlannedStep;
use crate::cli::table::shorten;
use crate::compile::{OpenBatch, Prepared};
use crate::report::{count, number};
use crate::spec::{BatchSize, StepKind};
use std::fmt::Write;

/// The lines of a plan.
pub fn to_text(prepared: &Prepared, steps: &[PlannedStep<'_>]) -> String {
    let workflow = &prepared.workflow;
    let mut text = format!("{} ({})\n", workflow.name, workflow.source.path.display());
    if let Some(python) = &prepared.python {
        let _ = writeln!(text, "python: {} (CPython {}, from {})", python.executable, python.version, python.found.by);
    }
    for (place, planned) in steps.iter().enumerate() {
        let _ = writeln!(text, "{}. {} ({})", place + 1, planned.step.name(), planned.step.program.type_name());
        match (&planned.open, &planned.step.step.kind) {
            (Some(open), _) => text.push_str(&work(open, planned.rows.as_ref())),
            (None, StepKind::Batch(_)) => text.push_str("   items are known once the earlier steps have run\n"),
            (None, StepKind::Single(_)) => text.push_str("   runs once\n"),
        }
    }
    text
}

fn work(open: &OpenBatch, rows: Option<&RowCount>) -> String {
    let mut text = format!("   {}, {}\n", amount(open, rows), count(open.settings.lane.width as u64, "worker"));
    let what = if open.settings.lane.batched { "the batch" } else { "one item" };
    let _ = writeln!(text, "   `item` is {what}, because {}", open.settings.batched_because);
    if let Some(first) = open.items.first_json() {
        let _ = writeln!(text, "   first item: {}", shorten(&String::from_utf8_lossy(&first), 100));
    }
    text.extend(rows.map(RowCount::odd_text));
    if let Some(attempts) = Some(open.settings.retry.max_attempts.get()).filter(|attempts| *attempts > 1) {
        let _ = writeln!(text, "   {attempts} attempts, {:?} apart", open.settings.retry.delay);
    }
    text
}

/// How many items and batches there are.
fn amount(open: &OpenBatch, rows: Option<&RowCount>) -> String {
    let (items, batches) = match rows {
        Some(rows) => (rows.text(), rows.totals.batches),
        None => {
            let counted_later = || "items, counted as they are read,".to_owned();
            (open.settings.total.map_or_else(counted_later, |total| count(total, "item")), open.settings.lane.batches)
        }
    };
    let batches = batches.map_or(String::new(), |batches| format!(" in {}", count(batches, "batch")));
    format!("{items}{batches} of {}", size(open.settings.batch_size))
}

fn size(size: BatchSize) -> String {
    match size {
        BatchSize::Auto => "a size learnt as it runs".to_owned(),
        BatchSize::Exactly(size) => number(size.get() as u64),
    }
}
