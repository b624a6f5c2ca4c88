//! A survey for people.

use super::snippet::snippet;
use crate::cli::odd_files::odd_lines;
use crate::cli::table::Table;
use crate::report::{bytes, count, number};
use crate::sniff::Alternative;
use crate::spec::{RowFormat, dialect_settings};
use crate::survey::{Group, Survey, delimiter_name};
use crate::text::Printable;
use std::fmt::Write;

/// The lines of a survey.
pub fn to_text(survey: &Survey, given: &[String]) -> String {
    /// The maximum number of columns to list.
    const MOST: usize = 60;
    let mut text = String::new();
    for group in &survey.groups {
        let (rows, files) = (count(group.rows, "row"), count(group.files.len() as u64, "file"));
        let _ = writeln!(text, "{rows} in {files}, {}: {}", bytes(group.bytes), layout(group));
        let _ = writeln!(text, "{}", span(survey, group));
        let mut columns = Table::new(["column", "type"]).wrap("column");
        for column in group.columns.iter().take(MOST) {
            columns.row([column.name.as_str().into(), column.kind().into()]);
        }
        columns.to_string().lines().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
        if group.columns.len() > MOST {
            let _ = writeln!(text, "  and {} more", count((group.columns.len() - MOST) as u64, "column"));
        }
        findings(&mut text, survey, group);
        text.push('\n');
    }
    if !survey.outliers.is_empty() {
        let odd = survey.outliers.len();
        let _ = writeln!(text, "odd files: {odd} of {}", number(survey.files.len() as u64));
        let _ = writeln!(text, "{}", odd_lines(survey, "  "));
    }
    if let Some(snippet) = snippet(survey, given) {
        let _ = write!(text, "to read them, put this under the `inputs` of a batch step:\n\n{snippet}");
    }
    text
}

/// How the files of a group are written, and why, unless they are plain.
fn findings(text: &mut String, survey: &Survey, group: &Group) {
    let Some(finding) = &group.finding else { return };
    let is_plain = dialect_settings(&group.dialect, group.told_names()).is_empty() && group.header;
    let close: Vec<&Alternative> =
        finding.alternatives.iter().filter(|other| other.score > 0.8 * finding.confidence).collect();
    if is_plain && close.is_empty() {
        return;
    }
    let file = Printable::line(&*survey.files[group.files[0]].path);
    let _ = writeln!(text, "  found in {file}, {}:", certainty(finding.confidence));
    for reason in &finding.reasons {
        let _ = writeln!(text, "    {}: {reason}", reason.key());
    }
    for other in close {
        let _ = writeln!(text, "    delimiter: {} would give a table too", delimiter_name(&other.delimiter));
    }
}

/// How sure a finding is.
fn certainty(confidence: f64) -> &'static str {
    match confidence {
        0.75.. => "surely",
        0.5.. => "probably",
        _ => "perhaps",
    }
}

/// The format of the files of a group.
fn layout(group: &Group) -> String {
    let encoding = group.encoding.name().to_lowercase();
    if group.format == RowFormat::JsonLines {
        return format!("JSON Lines, {encoding}");
    }
    let header = if group.header { "header" } else { "no header" };
    format!("CSV, delimiter {}, {header}, {encoding}", delimiter_name(&group.dialect.delimiter))
}

/// As many files of a group as fit on a line.
fn span(survey: &Survey, group: &Group) -> String {
    let path = |file: &usize| Printable::line(&*survey.files[*file].path).to_string();
    match group.files.as_slice() {
        [first, _, _, .., last] => format!("{} .. {}", path(first), path(last)),
        few => few.iter().map(path).collect::<Vec<_>>().join(", "),
    }
}
