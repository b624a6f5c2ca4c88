//! Similar failures, counted.

use super::list::Failed;
use crate::cli::error::CliError;
use crate::cli::stdout::{print, print_json};
use crate::cli::table::Table;
use crate::report::number;
use crate::text::Printable;
use indexmap::IndexMap;
use serde_json::json;
use std::cmp::Reverse;

/// Failures of one step whose errors differ only in numbers.
struct Group<'a> {
    count: u64,
    /// The first of them.
    example: &'a Failed,
}

/// The groups, the largest first.
fn groups(all: &[Failed]) -> Vec<Group<'_>> {
    let mut groups: IndexMap<(&str, String), Group<'_>> = IndexMap::new();
    for failed in all {
        let key = (failed.step.as_str(), without_numbers(&failed.error()));
        groups.entry(key).or_insert(Group { count: 0, example: failed }).count += 1;
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse(group.count));
    groups
}

/// The text with `#` in place of each number.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

/// A line for each group.
pub fn print_groups(all: &[Failed]) -> Result<(), CliError> {
    let mut table = Table::new(["count", "step", "error", "example"]).wrap("error");
    for Group { count, example } in groups(all) {
        table.row([
            number(count).into(),
            example.step.as_str().into(),
            Printable::excerpt(example.error(), 100),
            format!("item {}", example.record.index).into(),
        ]);
    }
    print(table.to_string())
}

/// The groups, for programs.
pub fn print_groups_json(all: &[Failed]) -> Result<(), CliError> {
    let groups = groups(all).into_iter().map(|Group { count, example }| {
        json!({ "count": count, "step": example.step, "error": example.error(), "index": example.record.index })
    });
    print_json(&groups.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn numbers_of_any_length_are_alike() {
        assert_eq!(without_numbers("item 12345678 of 9: 3.5"), "item # of #: #.#");
        assert_eq!(without_numbers("item 1 of 1000: 10.25"), "item # of #: #.#");
    }
}
