//! The first failures of a step, as they happen.

use crate::model::{ItemFailure, StepName};
use crate::text::Printable;

/// The maximum number of failures of a step to show as they happen.
const MOST: u64 = 5;

/// Counts the failures of a step, and shows the first.
#[derive(Default)]
pub(super) struct FirstFailures(u64);

impl FirstFailures {
    /// Lines for those of these failures that are shown.
    pub(super) fn show(&mut self, name: &StepName, failed: &[ItemFailure]) -> Vec<Printable> {
        let mut lines = Vec::new();
        // Skipped rows are counted at the end of the step.
        for item in failed.iter().filter(|item| !item.left_out) {
            self.0 += 1;
            if self.0 <= MOST {
                lines.push(line(name, item));
            } else if self.0 == MOST + 1 {
                lines.push(Printable::line(format!("{name}: more items failed; `batchmill failures` lists them")));
            }
        }
        lines
    }
}

fn line(name: &StepName, item: &ItemFailure) -> Printable {
    let (class, message) = (&item.failure.class, &item.failure.message);
    let attempts = if item.attempts > 1 { format!(" after {} attempts", item.attempts) } else { String::new() };
    let mut text = format!("{name}[{}] failed{attempts}: {class}: {message}", item.index);
    if let Some(handler) = &item.handler {
        text.push_str(&format!("\n`on_item_error` failed too: {}", handler.message));
    }
    Printable::lines(text).indented("  ")
}
