//! Failures that are alike, counted.

use super::list::Failed;
use crate::cli::error::CliError;
use crate::cli::output::{print, print_json};
use crate::cli::table::{lines, shorten, table};
use crate::report::number;
use serde_json::json;

/// Failures with the same step, type and message, numbers in it left aside.
struct Group {
    count: u64,
    step: String,
    error: String,
    /// One of them.
    index: u64,
}

fn groups(all: &[Failed]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let plain = |text: &str| {
        text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>().replace("##", "#")
    };
    for failed in all {
        let (step, error) = (failed.step.as_str(), failed.error());
        match groups.iter_mut().find(|group| group.step == step && plain(&group.error) == plain(&error)) {
            Some(group) => group.count += 1,
            None => groups.push(Group { count: 1, step: step.to_owned(), error, index: failed.record.index }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// A line for each group.
pub fn print_groups(all: &[Failed]) -> Result<(), CliError> {
    let mut table = table(["count", "step", "error", "for instance"]);
    for group in groups(all) {
        let Group { count, step, error, index } = group;
        table.add_row([number(count), step, shorten(&error, 100), format!("item {index}")]);
    }
    print(&lines(&table))
}

/// The groups, for programs.
pub fn print_groups_json(all: &[Failed]) -> Result<(), CliError> {
    let groups = groups(all).into_iter().map(|group| {
        let Group { count, step, error, index } = group;
        json!({ "count": count, "step": step, "error": error, "index": index })
    });
    print_json(&groups.collect::<Vec<_>>())
}
