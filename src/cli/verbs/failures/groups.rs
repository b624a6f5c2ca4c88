//! Similar failures, counted.

use super::list::{AllFailures, Failed};
use crate::causes::{FailureGroup, FailureGroups, FailureText};
use crate::cli::error::CliError;
use crate::cli::stdout::{print, print_json};
use crate::cli::table::Table;
use crate::report::number;
use crate::text::Printable;
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// The groups of these failures.
fn groups(all: &AllFailures<'_>) -> Result<FailureGroups, CliError> {
    let mut groups = FailureGroups::default();
    all.each(&mut |Failed { step, record, .. }| {
        groups.add(FailureText { step, index: record.index, class: &record.class, message: &record.message });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(groups)
}

/// A line for each group.
pub fn print_groups(all: &AllFailures<'_>) -> Result<(), CliError> {
    let groups = groups(all)?;
    let mut table = Table::new(["count", "step", "error", "items"]).wrap("error");
    for group in groups.largest() {
        table.row([
            number(group.count).into(),
            group.step.as_str().into(),
            Printable::excerpt(format!("{}: {}", group.class, group.message()), 100),
            samples(group).into(),
        ]);
    }
    if groups.other() > 0 {
        table.row([number(groups.other()).into(), "".into(), "other failures, each different".into(), "".into()]);
    }
    print(table.to_string())
}

/// `1, 5, 9, …`
fn samples(group: &FailureGroup) -> String {
    let indexes: Vec<String> = group.samples.iter().map(u64::to_string).collect();
    let more = if group.count > indexes.len() as u64 { ", …" } else { "" };
    format!("{}{more}", indexes.join(", "))
}

/// The groups, for programs.
pub fn print_groups_json(all: &AllFailures<'_>) -> Result<(), CliError> {
    let groups = groups(all)?;
    let group = |group: &FailureGroup| {
        json!({
            "count": group.count, "step": group.step, "type": group.class, "message": group.message(),
            "indexes": group.samples, "example": group.first,
        })
    };
    let mut values: Vec<Value> = groups.largest().into_iter().map(group).collect();
    if groups.other() > 0 {
        values.push(json!({ "count": groups.other(), "step": null, "type": null, "message": null, "indexes": [] }));
    }
    print_json(&values)
}
