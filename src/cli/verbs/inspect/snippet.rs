//! The `items` of a workflow that reads the inspected files.

use crate::report::count;
use crate::spec::{RowFormat, dialect_settings};
use crate::survey::{ColumnProfile, Group, Survey};
use encoding_rs::UTF_8;
use indexmap::IndexMap;
use serde_json::Value;
use std::fmt::Write;

/// The `items` that read the largest group and every file with the same layout; `None` if there is no group.
pub fn snippet(survey: &Survey, given: &[String]) -> Option<String> {
    let most = survey.groups.first()?;
    let kin: Vec<&Group> = survey.groups.iter().filter(|group| is_kin(group, most)).collect();
    // Files that differ from these in nothing but how they are written can each be found out.
    let is_like = |group: &Group| kin.iter().any(|kin| is_kin(group, most) || has_same_columns(group, kin));
    let found_out: Vec<&Group> = survey.groups.iter().filter(|group| is_like(group)).collect();
    let is_auto = found_out.len() > kin.len() && kin.iter().all(|group| brings_names(group));
    let kin = if is_auto { found_out } else { kin };
    let stands_apart = |at: &usize| {
        let group = survey.group_of(*at).map(|group| &survey.groups[group]);
        let is_read = |group: &Group| kin.iter().any(|kin| std::ptr::eq(*kin, group));
        group.map_or(survey.files[*at].error.is_some(), |group| !is_read(group))
    };
    let (apart, fit): (Vec<usize>, Vec<usize>) = (0..survey.files.len()).partition(stands_apart);
    let paths = if apart.is_empty() {
        given.to_vec()
    } else {
        fit.iter().map(|at| survey.files[*at].path.to_string()).collect()
    };
    let mut text = "items:\n".to_owned();
    if !apart.is_empty() {
        let _ = writeln!(text, "  # without {} that these settings cannot read", count(apart.len() as u64, "file"));
    }
    add_paths(&mut text, most.format, &paths);
    if most.format == RowFormat::Csv {
        if is_auto {
            text.push_str("  dialect: auto\n");
            if kin.iter().any(|group| !has_same_columns(group, most)) {
                text.push_str("  on_schema_drift: union\n");
            }
        } else {
            add_settings(&mut text, most, &kin);
        }
        add_values(&mut text, most, &kin);
    }
    Some(text)
}

fn add_paths(text: &mut String, format: RowFormat, paths: &[String]) {
    let key = if format == RowFormat::Csv { "csv" } else { "jsonl" };
    match paths {
        [one] => {
            let _ = writeln!(text, "  {key}: {}", word(one));
        }
        many => {
            let _ = writeln!(text, "  {key}:");
            many.iter().for_each(|path| {
                let _ = writeln!(text, "    - {}", word(path));
            });
        }
    }
}

/// Whether the files of both have the same columns in the same order.
fn has_same_columns(group: &Group, other: &Group) -> bool {
    let names = |group: &Group| group.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    brings_names(group) && names(group) == names(other)
}

/// Whether these are CSV files that name their columns.
fn brings_names(group: &Group) -> bool {
    group.format == RowFormat::Csv && group.header && group.told_names().is_none()
}

/// Whether the same settings read both.
fn is_kin(group: &Group, most: &Group) -> bool {
    let layout = |group: &Group| (group.format, group.header, group.encoding);
    let delimiter = group.is_written_like(most) || group.columns.len() == 1 && group.dialect.as_plain().is_some();
    layout(group) == layout(most) && (delimiter || group.format == RowFormat::JsonLines)
}

fn add_settings(text: &mut String, most: &Group, kin: &[&Group]) {
    let mut all = most.clone();
    kin.iter().for_each(|group| all.mend(&group.dialect, group.finding.as_ref()));
    for (key, value) in dialect_settings(&all.dialect, all.told_names()) {
        let value = match &value {
            Value::Array(names) => flow(names.iter().filter_map(Value::as_str).map(word), ["[", "]"]),
            // In quotes, a delimiter is easy to see.
            Value::String(text)
                if text.len() == 1 && text != "'" && text != "\\" && text.is_ascii() && !is_control(text) =>
            {
                format!("'{text}'")
            }
            Value::String(text) => word(text),
            other => other.to_string(),
        };
        let _ = writeln!(text, "  {key}: {value}");
    }
    if !most.header && most.told_names().is_none() {
        text.push_str("  header: false\n");
    }
    if most.encoding != UTF_8 {
        let _ = writeln!(text, "  encoding: {}", most.encoding.name().to_lowercase());
    }
    if kin.len() > 1 {
        text.push_str("  on_schema_drift: union\n");
    }
    let null = all.finding.map(|finding| finding.null).unwrap_or_default();
    if !null.is_empty() {
        let _ = writeln!(text, "  null: {}", flow(null.iter().map(|null| word(null)), ["[", "]"]));
    }
}

/// How values are written, and their types.
fn add_values(text: &mut String, most: &Group, kin: &[&Group]) {
    let numbers = &most.values.numbers;
    if kin.iter().all(|group| group.values.numbers == *numbers) {
        let marks = [("decimal", numbers.decimal), ("thousands", numbers.thousands)];
        for (key, mark) in marks.into_iter().filter_map(|(key, mark)| Some((key, mark?))) {
            let _ = writeln!(text, "  {key}: '{mark}'");
        }
    }
    let mut columns: IndexMap<&str, ColumnProfile> = IndexMap::new();
    for column in kin.iter().flat_map(|group| &group.columns) {
        columns.entry(&column.name).and_modify(|known| known.widen(column)).or_insert_with(|| column.clone());
    }
    if kin.iter().any(|group| group.values.numbers != *numbers) {
        columns.values_mut().for_each(ColumnProfile::forget_numbers);
    }
    let formats = |name: &str| -> Vec<&str> {
        let dates = kin.iter().flat_map(|group| &group.values.dates);
        dates.filter(|(column, _)| column == name).map(|(_, format)| *format).collect()
    };
    let mut dates = Vec::new();
    for (name, column) in &mut columns {
        let formats = formats(name);
        let Some(first) = formats.first() else { continue };
        // In files that differ, a column with dates is text.
        if column.is_typed() && formats.iter().all(|format| format == first) {
            dates.push(format!("{}: {}", word(name), word(first)));
        }
        column.forget_type();
    }
    if !dates.is_empty() {
        let _ = writeln!(text, "  dates:\n    {}", dates.join("\n    "));
    }
    types(text, columns.values().filter(|column| column.is_typed()));
}

/// The types of columns: each on a line, or many to a line if there are many.
fn types<'a>(text: &mut String, columns: impl Iterator<Item = &'a ColumnProfile>) {
    const MOST_LINES: usize = 20;
    let typed: Vec<String> = columns.map(|column| format!("{}: {}", word(&column.name), column.kind())).collect();
    if typed.len() > MOST_LINES {
        let _ = writeln!(text, "  types: {}", flow(typed.into_iter(), ["{", "}"]));
    } else if !typed.is_empty() {
        let _ = writeln!(text, "  types:\n    {}", typed.join("\n    "));
    }
}

/// A list or mapping in brackets, with as many items to a line as fit.
fn flow(items: impl Iterator<Item = String>, brackets: [&str; 2]) -> String {
    const WIDTH: usize = 110;
    let (mut text, mut column) = (brackets[0].to_owned(), 0);
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(',');
            let fits = column + item.len() < WIDTH;
            text.push_str(if fits { " " } else { "\n    " });
            column = if fits { column } else { 0 };
        }
        column += item.len() + 2;
        text.push_str(&item);
    }
    text + brackets[1]
}

fn is_control(text: &str) -> bool {
    text.chars().all(char::is_control)
}

/// A YAML string, in quotes if it needs them. serde_yaml is not used, because it breaks long strings into blocks.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-' | b'*' | b'?');
    let means_more = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'_' | b'/'));
    if begins && text.bytes().all(plain) && !means_more.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    serde_json::to_string(text).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn words_that_yaml_would_take_for_something_else_are_quoted() {
        assert_eq!(word("data/*.csv"), "data/*.csv");
        assert_eq!(word("*.csv"), "\"*.csv\"");
        assert_eq!(word("on"), "\"on\"");
        assert_eq!(word("net: price"), "\"net: price\"");
        assert_eq!(word("1st"), "\"1st\"");
    }
}
