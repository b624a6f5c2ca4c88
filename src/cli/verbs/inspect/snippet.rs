//! The `items` of a workflow that reads the inspected files.

use crate::model::Delimiter;
use crate::report::count;
use crate::spec::RowFormat;
use crate::survey::{ColumnProfile, Group, Survey};
use encoding_rs::UTF_8;
use indexmap::IndexMap;
use std::fmt::Write;

/// The `items` that read the largest group and every file with the same layout; `None` if there is no group.
pub fn snippet(survey: &Survey, given: &[String]) -> Option<String> {
    let most = survey.groups.first()?;
    let kin: Vec<&Group> = survey.groups.iter().filter(|group| is_kin(group, most)).collect();
    let stands_apart = |at: &usize| {
        let group = survey.group_of(*at).map(|group| &survey.groups[group]);
        group.map_or(survey.files[*at].error.is_some(), |group| !is_kin(group, most))
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
    let key = if most.format == RowFormat::Csv { "csv" } else { "jsonl" };
    match paths.as_slice() {
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
    if most.format == RowFormat::Csv {
        settings(&mut text, most, &kin);
    }
    Some(text)
}

/// Whether the same settings read both.
fn is_kin(group: &Group, most: &Group) -> bool {
    let layout = |group: &Group| (group.format, group.header, group.encoding);
    let delimiter = group.dialect == most.dialect || group.columns.len() == 1;
    layout(group) == layout(most) && (delimiter || group.format == RowFormat::JsonLines)
}

fn settings(text: &mut String, most: &Group, kin: &[&Group]) {
    match &most.dialect.delimiter {
        Delimiter::Byte(b',') => {}
        Delimiter::Byte(b'\t') => text.push_str("  delimiter: tab\n"),
        Delimiter::Whitespace => text.push_str("  delimiter: whitespace\n"),
        other => {
            let _ = writeln!(text, "  delimiter: '{}'", String::from_utf8_lossy(other.text()));
        }
    }
    if !most.header {
        text.push_str("  header: false\n");
    }
    if most.encoding != UTF_8 {
        let _ = writeln!(text, "  encoding: {}", most.encoding.name().to_lowercase());
    }
    if kin.len() > 1 {
        text.push_str("  on_schema_drift: union\n");
    }
    let mut columns: IndexMap<&str, ColumnProfile> = IndexMap::new();
    for column in kin.iter().flat_map(|group| &group.columns) {
        columns.entry(&column.name).and_modify(|known| known.widen(column)).or_insert_with(|| column.clone());
    }
    let typed = columns.values().filter(|column| column.is_typed());
    let typed: Vec<String> = typed.map(|column| format!("    {}: {}\n", word(&column.name), column.kind())).collect();
    if !typed.is_empty() {
        let _ = write!(text, "  types:\n{}", typed.concat());
    }
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
