//! The files of a survey that differ from the rest.

use crate::report::count;
use crate::survey::{Anomaly, Outlier, Survey};
use crate::text::Printable;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::fmt::Write;

/// The odd files of a survey: a line for each way in which they are odd, with the first such file as an example.
pub fn odd_lines(survey: &Survey, indent: &str) -> String {
    /// If there are many, people read only the first ones.
    const MOST: usize = 100;
    let mut groups: IndexMap<String, (&Outlier, u64)> = IndexMap::new();
    for outlier in &survey.outliers {
        groups.entry(without_numbers(&anomalies(outlier))).or_insert((outlier, 0)).1 += 1;
    }
    let mut text = String::new();
    for (outlier, files) in groups.values().take(MOST) {
        let path = Printable::line(&*survey.files[outlier.file].path);
        let more = if *files > 1 { format!(" (and {} like it)", count(files - 1, "file")) } else { String::new() };
        let _ = writeln!(text, "{indent}{path}: {}{more}", Printable::line(anomalies(outlier)));
    }
    let left: u64 = groups.values().skip(MOST).map(|(_, files)| files).sum();
    if left > 0 {
        let _ = writeln!(text, "{indent}and {} more", count(left, "file"));
    }
    text
}

fn anomalies(outlier: &Outlier) -> String {
    outlier.anomalies.iter().map(Anomaly::to_string).collect::<Vec<_>>().join("; ")
}

/// What files have in common that are odd in the same way: their lines and counts differ.
fn without_numbers(text: &str) -> String {
    text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("0")
}

/// The odd files of a survey, for programs.
pub fn odd_json(survey: &Survey) -> Vec<Value> {
    let json = |outlier: &Outlier| json!({ "path": survey.files[outlier.file].path, "odd": outlier.anomalies });
    survey.outliers.iter().map(json).collect()
}
