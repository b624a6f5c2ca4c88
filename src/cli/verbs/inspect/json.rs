//! A survey for programs.

use super::snippet::snippet;
use crate::cli::finding::{Finding, Place};
use crate::cli::odd_files::odd_json;
use crate::model::CsvDialect;
use crate::sniff::{self, Alternative, FoundHeader, Reason};
use crate::spec::{RowFormat, dialect_settings};
use crate::survey::{Anomaly, ColumnProfile, FileProfile, Outlier, Survey};
use serde_json::{Map, Value, json};

/// The survey as one JSON object.
pub fn to_json(survey: &Survey, given: &[String]) -> Value {
    let mut outliers = survey.outliers.iter().peekable();
    let files = survey.files.iter().enumerate().map(|(at, file)| {
        let odd = outliers.next_if(|outlier| outlier.file == at).map_or(&[][..], |outlier| &outlier.anomalies);
        file_json(file, survey.group_of(at), odd)
    });
    let groups = survey.groups.iter().map(|group| {
        let files: Vec<&str> = group.files.iter().map(|file| &*survey.files[*file].path).collect();
        json!({
            "files": files, "rows": group.rows, "bytes": group.bytes, "format": format_name(group.format),
            "delimiter": delimiter(group.format, &group.dialect), "header": group.header,
            "encoding": group.encoding.name().to_lowercase(), "columns": columns(&group.columns),
        })
    });
    json!({
        "files": files.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>(), "odd": odd_json(survey),
        "rows": survey.files.iter().map(FileProfile::rows).sum::<u64>(),
        "bytes": survey.files.iter().map(|file| file.bytes).sum::<u64>(),
        "items": snippet(survey, given), "diagnostics": diagnostics(survey),
    })
}

/// What is odd about each file, in the form of `validate`, with the first line where it is so.
fn diagnostics(survey: &Survey) -> Vec<Finding> {
    let of_file = |outlier: &'_ Outlier| {
        let file = survey.files[outlier.file].path.to_string();
        let finding = |anomaly: &Anomaly| {
            let line = anomaly.line();
            let place = Place { line, end_line: line, ..Place::default() };
            Finding { place, ..Finding::of_file(file.clone(), anomaly.to_string()) }
        };
        outlier.anomalies.iter().map(finding).collect::<Vec<_>>()
    };
    survey.outliers.iter().flat_map(of_file).collect()
}

fn file_json(file: &FileProfile, group: Option<usize>, odd: &[Anomaly]) -> Value {
    json!({
        "path": file.path, "bytes": file.bytes, "rows": file.rows(), "format": format_name(file.format),
        "compression": file.compression.is.name(), "encoding": file.text.encoding.map(|encoding| encoding.name().to_lowercase()),
        "byte_order_mark": file.text.mark, "encoding_guessed": file.text.guessed,
        "delimiter": delimiter(file.format, &file.dialect), "header": file.header, "columns": columns(&file.columns),
        "group": group, "odd": odd, "found": file.finding.as_ref().map(found),
    })
}

/// How a file is written, and what shows it.
fn found(finding: &sniff::Finding) -> Value {
    let names = match &finding.header {
        FoundHeader::Named(names) => Some(names.as_slice()),
        _ => None,
    };
    let settings: Map<String, Value> =
        dialect_settings(&finding.dialect, names).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let reason = |reason: &Reason| json!({ "key": reason.key(), "line": reason.line, "why": reason.to_string() });
    let other = |other: &Alternative| json!({ "delimiter": String::from_utf8_lossy(other.delimiter.text()), "score": rounded(other.score) });
    json!({
        "settings": settings, "null": finding.null, "confidence": rounded(finding.confidence),
        "reasons": finding.reasons.iter().map(reason).collect::<Vec<_>>(),
        "alternatives": finding.alternatives.iter().map(other).collect::<Vec<_>>(),
    })
}

/// With two digits.
fn rounded(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

fn format_name(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Csv => "csv",
        RowFormat::JsonLines => "jsonl",
        RowFormat::Parquet => "parquet",
    }
}

fn delimiter(format: RowFormat, dialect: &CsvDialect) -> Option<String> {
    (format == RowFormat::Csv).then(|| String::from_utf8_lossy(dialect.delimiter.text()).into_owned())
}

fn columns(columns: &[ColumnProfile]) -> Vec<Value> {
    columns.iter().map(|column| json!({ "name": column.name, "type": column.kind() })).collect()
}
