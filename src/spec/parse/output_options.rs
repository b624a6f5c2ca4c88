//! The options of `path` in `outputs`: how the file is written, besides its format.

use super::section::{Field, Section};
use crate::model::{CsvQuote, CsvStyle, Include, OnTypeConflict, OutputCompression, OutputFormat, OutputOptions, Text};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::{CSV_QUOTES, INCLUDES, ON_TYPE_CONFLICT, OUTPUT_COMPRESSIONS, either};
use crate::spec::node::NodeKind;
use crate::spec::setting::Readable;
use std::collections::HashSet;

/// The keys that are read here.
pub(super) const OPTIONS: [&str; 9] =
    ["include", "compression", "delimiter", "quote", "null", "bom", "columns", "drop_null", "on_type_conflict"];

/// The options of CSV alone.
const OF_CSV: [&str; 4] = ["delimiter", "quote", "null", "bom"];

/// Takes the options out of their mapping, to be read once the format is known.
pub(super) fn take_options<'n>(section: &mut Section<'n>) -> Vec<Field<'n>> {
    OPTIONS.iter().filter_map(|key| section.take(key)).collect()
}

/// Reads the options for a file of this format.
pub(super) fn options(fields: Vec<Field<'_>>, format: OutputFormat, errors: &mut ErrorList) -> OutputOptions {
    let mut options = OutputOptions::default();
    for field in &fields {
        if let Some((what, help)) = useless(field.key, format) {
            errors.push(field.error(format!("cannot be used with {what}")).help(help));
            continue;
        }
        match field.key {
            "compression" => options.compression = field.one_of(OUTPUT_COMPRESSIONS, errors).map(compression),
            "delimiter" => options.csv.delimiter = delimiter(field, errors).unwrap_or(b','),
            "quote" => {
                let all = field.one_of(CSV_QUOTES, errors) == Some("all");
                options.csv.quote = if all { CsvQuote::All } else { CsvQuote::Minimal };
            }
            "null" => options.csv.null = null(field, errors).unwrap_or_default(),
            "bom" => options.csv.bom = field.with(bool::read, errors).unwrap_or(false),
            "columns" => options.columns = columns(field, errors),
            "include" => options.include = include(field, errors),
            "on_type_conflict" => {
                let text = field.one_of(ON_TYPE_CONFLICT, errors) == Some("text");
                options.on_type_conflict = if text { OnTypeConflict::Text } else { OnTypeConflict::Error };
            }
            _ => options.drop_null = field.with(bool::read, errors).unwrap_or(false),
        }
    }
    if let Some(field) = fields.iter().find(|field| field.key == "null") {
        check_null(field, &options.csv, errors);
    }
    options
}

/// The format that has no use for an option, and what to do.
fn useless(key: &str, format: OutputFormat) -> Option<(&'static str, &'static str)> {
    match (format, key) {
        (OutputFormat::Jsonl, key) if OF_CSV.contains(&key) => {
            Some(("JSON Lines", "remove it, or write CSV with `format: csv`"))
        }
        (OutputFormat::Parquet, key) if OF_CSV.contains(&key) => {
            Some(("Parquet", "remove it, or write CSV with `format: csv`"))
        }
        (OutputFormat::Parquet, "compression") => Some(("Parquet", "remove it; a Parquet file is compressed inside")),
        (OutputFormat::Csv, "drop_null") => Some(("CSV", "remove it; a null result is never a row")),
        (OutputFormat::Parquet, "drop_null") => Some(("Parquet", "remove it; a null result is never a row")),
        (OutputFormat::Jsonl, "on_type_conflict") => {
            Some(("JSON Lines", "remove it; in JSON Lines each value has its own type"))
        }
        (OutputFormat::Csv, "on_type_conflict") => Some(("CSV", "remove it; in CSV all values are text")),
        _ => None,
    }
}

fn compression(word: &str) -> OutputCompression {
    match word {
        "gzip" => OutputCompression::Gzip,
        "zstd" => OutputCompression::Zstd,
        _ => OutputCompression::None,
    }
}

/// One ASCII character.
fn delimiter(field: &Field<'_>, errors: &mut ErrorList) -> Option<u8> {
    match field.text(errors)?.raw.as_str() {
        "tab" => return Some(b'\t'),
        "\"" => errors.push(field.error("cannot be `\"`, which goes around fields").help("for example `';'`")),
        one if one.len() == 1 && !matches!(one, "\n" | "\r" | "\0") => return Some(one.as_bytes()[0]),
        _ => {
            let error = field.expected("one ASCII character, or `tab`");
            errors.push(error.help("for example `delimiter: ';'`"));
        }
    }
    None
}

fn null(field: &Field<'_>, errors: &mut ErrorList) -> Option<String> {
    let text = field.text(errors)?;
    if text.is_template() {
        errors.push(field.error("cannot be a template").help("write the value itself"));
        return None;
    }
    Some(text.raw)
}

/// A text that needs quotes would not be read as null.
fn check_null(field: &Field<'_>, csv: &CsvStyle, errors: &mut ErrorList) {
    let what = if csv.null.as_bytes().contains(&csv.delimiter) {
        "the delimiter"
    } else if csv.null.contains('"') {
        "a quote"
    } else if csv.null.contains(['\n', '\r']) {
        "a line break"
    } else {
        return;
    };
    let error = field.error(format!("contains {what}, so it would have to be quoted"));
    errors.push(error.help("choose a text without it, for example `NA`"));
}

/// What rows have besides the result.
fn include(field: &Field<'_>, errors: &mut ErrorList) -> Vec<Include> {
    let NodeKind::List(list) = &field.node.kind else {
        errors.push(field.expected("a list").help(format!("of {}", either(INCLUDES.iter().copied()))));
        return Vec::new();
    };
    if list.is_empty() {
        errors.push(field.error("is empty").help("remove it to write the results alone"));
    }
    let mut included = Vec::new();
    for element in list.iter().enumerate().map(|(index, node)| field.element(index, node)) {
        let what = match element.one_of(INCLUDES, errors) {
            Some("item") => Include::Item,
            Some("index") => Include::Index,
            Some("attempts") => Include::Attempts,
            Some(_) => Include::Error,
            None => continue,
        };
        if included.contains(&what) {
            errors.push(element.error("contains a part twice").help("remove one of them"));
        } else {
            included.push(what);
        }
    }
    included
}

/// Names of columns, without duplicates.
fn columns(field: &Field<'_>, errors: &mut ErrorList) -> Option<Vec<String>> {
    let NodeKind::List(list) = &field.node.kind else {
        errors.push(field.expected("a list of column names").help("for example `[id, name]`"));
        return None;
    };
    if list.is_empty() {
        errors.push(field.error("is empty").help("remove it to write all columns"));
        return None;
    }
    let names: Vec<Text> =
        list.iter().enumerate().filter_map(|(index, node)| field.element(index, node).text(errors)).collect();
    let mut seen = HashSet::new();
    for name in &names {
        let error = |message: String| Diagnostic::at(name.span, message).within(field.path.clone());
        if name.is_template() {
            errors.push(error("`columns` cannot contain a template".to_owned()).help("write the name itself"));
        } else if !seen.insert(&name.raw) {
            errors.push(error(format!("`columns` contains `{}` twice", name.raw)).help("remove one of them"));
        }
    }
    Some(names.into_iter().map(|name| name.raw).collect())
}
