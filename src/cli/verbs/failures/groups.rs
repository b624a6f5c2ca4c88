//! Similar failures, counted.

use super::list::Failed;
use crate::cli::error::CliError;
use crate::cli::stdout::{print, print_json};
use crate::cli::table::Table;
use crate::report::number;
use crate::text::Printable;
use serde_json::json;
use std::cmp::Reverse;

/// Failures of one step whose errors differ in numbers alone.
struct Group<'a> {
    count: u64,
    /// The first of them.
    example: &'a Failed,
}

/// The groups, the largest first.
fn groups(all: &[Failed]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let plain = |failed: &Failed| without_numbers(&failed.error());
    for failed in all {
        let alike = |group: &&mut Group<'_>| group.example.step == failed.step && plain(group.example) == plain(failed);
        match groups.iter_mut().find(alike) {
            Some(group) => group.count += 1,
            None => groups.push(Group { count: 1, example: failed }),
        }
    }
    groups.sort_by_key(|group| Reverse(group.count));
    groups
}

/// The text with `#` in place of each number.
fn without_numbers(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>().replace("##", "#")
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
