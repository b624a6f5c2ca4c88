//! The files of a survey that differ from the rest.

use crate::report::count;
use crate::survey::{Anomaly, Outlier, Survey};
use crate::text::Printable;
use serde_json::{Value, json};
use std::fmt::Write;

/// The odd files of a survey, a line for each.
pub fn odd_lines(survey: &Survey, indent: &str) -> String {
    /// If there are many, people read only the first ones.
    const MOST: usize = 100;
    let line = |outlier: &Outlier| {
        let anomalies: Vec<String> = outlier.anomalies.iter().map(Anomaly::to_string).collect();
        let path = Printable::line(&*survey.files[outlier.file].path);
        format!("{indent}{path}: {}\n", Printable::line(anomalies.join("; ")))
    };
    let mut text: String = survey.outliers.iter().take(MOST).map(line).collect();
    if survey.outliers.len() > MOST {
        let _ = writeln!(text, "{indent}and {} more", count((survey.outliers.len() - MOST) as u64, "file"));
    }
    text
}

/// The odd files of a survey, for programs.
pub fn odd_json(survey: &Survey) -> Vec<Value> {
    let json = |outlier: &Outlier| json!({ "path": survey.files[outlier.file].path, "odd": outlier.anomalies });
    survey.outliers.iter().map(json).collect()
}
