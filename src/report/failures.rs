//! The first failures of each kind, as they happen.

use crate::causes::{FailureGroup, FailureGroups, FailureText};
use crate::model::{ItemFailure, StepName, message_of};
use crate::text::Printable;

/// The maximum number of lines about the failures of a step.
const MOST_LINES: u64 = 8;

/// From how many alike on they are only counted.
const ALIKE: u64 = 3;

/// How much of an item a line shows, in columns.
const LONGEST_ITEM: usize = 50;

/// Shows the first failures of a step, and of those that are alike the first two.
#[derive(Default)]
pub(super) struct FirstFailures {
    lines: u64,
}

impl FirstFailures {
    /// Lines for those of these failures that are shown. Counts all of them.
    pub(super) fn show(
        &mut self,
        name: &StepName,
        failed: &[ItemFailure],
        groups: &mut FailureGroups,
    ) -> Vec<Printable> {
        let mut lines = Vec::new();
        // Skipped rows are counted at the end of the step.
        for item in failed.iter().filter(|item| !item.left_out) {
            let (class, message) = (&*item.failure.class, &*item.failure.message);
            let group = groups.add(FailureText { step: name, index: item.index, class, message });
            let count = group.map_or(1, |group| group.count);
            if count > ALIKE || self.lines > MOST_LINES {
                continue;
            }
            self.lines += 1;
            lines.push(match group {
                _ if self.lines > MOST_LINES => {
                    Printable::line(format!("{name}: more items failed; `batchmill failures --group` counts them"))
                }
                Some(group) if count == ALIKE => alike(group),
                _ => line(name, item),
            });
        }
        lines
    }
}

fn line(name: &StepName, item: &ItemFailure) -> Printable {
    let (class, message) = (&item.failure.class, &item.failure.message);
    let attempts = if item.attempts > 1 { format!(" after {} attempts", item.attempts) } else { String::new() };
    let of = match short(&item.item) {
        Some(of) => format!(" ({of})"),
        None => String::new(),
    };
    let mut text = format!("{name}[{}]{of} failed{attempts}: {class}: {message}", item.index);
    if let Some(handler) = &item.handler {
        text.push_str(&format!("\n`on_item_error` failed too: {}", handler.message));
    }
    Printable::lines(text).indented("  ")
}

/// The item, if it says more than its index: a name of at most some fifty characters, or the beginning of anything else.
fn short(json: &[u8]) -> Option<String> {
    if json.is_empty() || json.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some(Printable::excerpt(message_of(json), LONGEST_ITEM).as_str().to_owned())
}

fn alike(group: &FailureGroup) -> Printable {
    let error = Printable::excerpt(format!("{}: {}", group.class, group.message()), 200);
    Printable::line(format!(
        "{}: more items fail like this (`batchmill failures --group` counts them): {error}",
        group.step
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, FailureKind, ItemKey};

    /// What is shown of these messages of failed items.
    fn shown(messages: &[&str]) -> String {
        let (mut first, mut groups) = (FirstFailures::default(), FailureGroups::default());
        let name = StepName::new("price").unwrap();
        let failed = |(index, message): (u64, &&str)| ItemFailure {
            index,
            key: ItemKey::of(b""),
            item: Vec::new(),
            attempts: 1,
            failure: Failure::new(FailureKind::Exception, "E", *message),
            handler: None,
            left_out: false,
        };
        let failed: Vec<_> = (0..).zip(messages).map(failed).collect();
        let lines = first.show(&name, &failed, &mut groups);
        assert_eq!(groups.total(), messages.len() as u64);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn from_the_third_alike_on_failures_are_counted() {
        insta::assert_snapshot!(shown(&["no row 1", "no row 2", "no row 3", "lost", "no row 4", "lost"]), @r"
        price[0] failed: E: no row 1
        price[1] failed: E: no row 2
        price: more items fail like this (`batchmill failures --group` counts them): E: no row …
        price[3] failed: E: lost
        price[5] failed: E: lost
        ");
    }

    #[test]
    fn failures_that_all_differ_end_too() {
        let messages = ["ga", "gb", "gc", "gd", "ge", "gf", "gg", "gh", "gi", "gj", "gk"];
        let shown = shown(&messages);
        assert_eq!(shown.lines().count(), 9);
        assert!(shown.ends_with("\nprice: more items failed; `batchmill failures --group` counts them\n"), "{shown}");
    }
}
