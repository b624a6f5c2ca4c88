//! `{csv:}`, `{jsonl:}` and `{parquet:}`: rows of files, and how they are read.

use super::choice;
use super::items::patterns;
use super::section::{Given, Section, Sink};
use crate::model::{Kind, Text};
use crate::spec::keys::{self, COMPRESSIONS, KINDS, ON_BAD_ROW, ON_SCHEMA_DRIFT};
use crate::spec::tree::NodeKind;
use crate::spec::{Compression, Header, OnBadRow, OnSchemaDrift, RowFormat, RowsSpec, Setting, Types};
use std::collections::HashSet;

/// What says nothing about JSON Lines.
const CSV_ONLY: [&str; 8] =
    ["columns", "types", "delimiter", "quote", "header", "null", "where_from", "on_schema_drift"];

/// What says nothing about Parquet.
const TEXT_ONLY: [&str; 7] = ["types", "delimiter", "quote", "header", "encoding", "null", "compression"];

/// Reads what stands beside `csv`, `jsonl` or `parquet`.
pub(super) fn rows(paths: &Given<'_>, section: &mut Section<'_>, sink: &mut Sink) -> Option<RowsSpec> {
    let format = match paths.key {
        "csv" => RowFormat::Csv,
        "jsonl" => RowFormat::JsonLines,
        _ => RowFormat::Parquet,
    };
    let (useless, what, why): (&[&str], _, _) = match format {
        RowFormat::Csv => (&[], "", ""),
        RowFormat::JsonLines => (&CSV_ONLY, "JSON Lines", "each line brings its own names and types"),
        RowFormat::Parquet => (&TEXT_ONLY, "Parquet", "the file says itself how it is to be read"),
    };
    for name in useless {
        if let Some(given) = section.take(name) {
            sink.push(given.error(format!("has no use for {what}")).help(why));
        }
    }
    let one_of = |section: &mut Section<'_>, name: &str, words: &[&'static str], sink: &mut Sink| {
        section.take(name).and_then(|given| choice(&given, words, sink))
    };
    let rows = RowsSpec {
        format,
        paths: patterns(paths, sink).unwrap_or_default(),
        columns: section.take("columns").map(|given| names(&given, sink)),
        types: section.take("types").and_then(|given| types(&given, sink)).unwrap_or(Types::AsTheyAre),
        delimiter: section.take("delimiter").and_then(|given| delimiter(&given, sink)).unwrap_or(b','),
        quote: section.take("quote").map_or(Some(b'"'), |given| quote(&given, sink)),
        header: section.take("header").and_then(|given| header(&given, sink)).unwrap_or(Header::First),
        encoding: section.take("encoding").and_then(|given| encoding(&given, sink)).unwrap_or(encoding_rs::UTF_8),
        null: section.take("null").map(|given| texts(&given, sink)).unwrap_or_default(),
        compression: match one_of(section, "compression", COMPRESSIONS, sink) {
            Some("none") => Compression::Plain,
            Some("gzip") => Compression::Gzip,
            Some("zstd") => Compression::Zstd,
            _ => Compression::ByName,
        },
        where_from: section.take("where_from").and_then(|given| given.word(sink)).map(|text| text.raw),
        limit: section.take("limit").and_then(|given| given.setting(sink)),
        skip: section.take("skip").and_then(|given| skip(&given, sink)),
        on_bad_row: match one_of(section, "on_bad_row", ON_BAD_ROW, sink) {
            Some("skip") => OnBadRow::Skip,
            Some("error") => OnBadRow::Error,
            _ => OnBadRow::Fail,
        },
        on_schema_drift: match one_of(section, "on_schema_drift", ON_SCHEMA_DRIFT, sink) {
            Some("group") => OnSchemaDrift::Group,
            Some("union") => OnSchemaDrift::Union,
            _ => OnSchemaDrift::Error,
        },
    };
    if rows.quote == Some(rows.delimiter) && format == RowFormat::Csv {
        sink.push(paths.error("has the same character for `quote` and `delimiter`"));
    }
    section.finish(&[&keys::SOURCES, &keys::ROWS], sink);
    (!rows.paths.is_empty()).then_some(rows)
}

fn skip(given: &Given<'_>, sink: &mut Sink) -> Option<Setting<i64>> {
    let skip = given.setting(sink)?;
    if matches!(skip, Setting::Fixed(count) if count < 0) {
        sink.push(given.error("must not be negative"));
    }
    Some(skip)
}

/// Names of columns, each once.
fn names(given: &Given<'_>, sink: &mut Sink) -> Vec<Text> {
    let NodeKind::List(list) = &given.node.kind else {
        sink.push(given.wrong("a list of column names"));
        return Vec::new();
    };
    if list.is_empty() {
        sink.push(given.error("is empty").help("leave it out to keep all columns"));
    }
    let names: Vec<Text> =
        list.iter().enumerate().filter_map(|(index, node)| given.element(index, node).text(sink)).collect();
    let mut seen = HashSet::new();
    for twice in names.iter().filter(|name| !seen.insert(name.raw.clone())) {
        sink.push(given.error(format!("names `{}` twice", twice.raw)));
    }
    names
}

fn types(given: &Given<'_>, sink: &mut Sink) -> Option<Types> {
    match &given.node.kind {
        NodeKind::Text(_) => choice(given, &["infer"], sink).map(|_| Types::Infer),
        NodeKind::Map(_) => {
            let entries = given.section(sink).rest();
            let named = entries.iter().filter_map(|entry| {
                let kind = match choice(entry, KINDS, sink)? {
                    "integer" => Kind::Integer,
                    "number" => Kind::Number,
                    "boolean" => Kind::Boolean,
                    "date" => Kind::Date,
                    "datetime" => Kind::Datetime,
                    _ => Kind::Text,
                };
                Some((entry.key.to_owned(), kind))
            });
            Some(Types::Named(named.collect()))
        }
        _ => {
            sink.push(given.wrong("`infer`, or a mapping of column names to types"));
            None
        }
    }
}

/// One character of one byte.
fn delimiter(given: &Given<'_>, sink: &mut Sink) -> Option<u8> {
    match given.text(sink)?.raw.as_str() {
        "tab" => Some(b'\t'),
        one if one.len() == 1 && !matches!(one, "\n" | "\r" | "\"") => Some(one.as_bytes()[0]),
        _ => {
            let error = given.wrong("one ASCII character, or `tab`");
            sink.push(error.help("for instance `delimiter: ';'`"));
            None
        }
    }
}

fn quote(given: &Given<'_>, sink: &mut Sink) -> Option<u8> {
    match given.text(sink)?.raw.as_str() {
        "none" => None,
        one if one.len() == 1 && !matches!(one, "\n" | "\r") => Some(one.as_bytes()[0]),
        _ => {
            sink.push(given.wrong("one ASCII character, or `none`"));
            None
        }
    }
}

fn header(given: &Given<'_>, sink: &mut Sink) -> Option<Header> {
    match &given.node.kind {
        NodeKind::Bool(first) => Some(if *first { Header::First } else { Header::Missing }),
        NodeKind::List(_) => Some(Header::Named(names(given, sink).into_iter().map(|name| name.raw).collect())),
        _ => {
            sink.push(given.wrong("`true`, `false` or a list of column names"));
            None
        }
    }
}

fn encoding(given: &Given<'_>, sink: &mut Sink) -> Option<&'static encoding_rs::Encoding> {
    let name = given.word(sink)?;
    let encoding = encoding_rs::Encoding::for_label(name.raw.as_bytes());
    if encoding.is_none() {
        let error = given.error(format!("names no encoding: \"{}\"", name.raw));
        sink.push(error.help("for instance `utf-8`, `windows-1252`, `iso-8859-15`, `utf-16le` or `shift_jis`"));
    }
    encoding
}

/// A text, or a list of texts.
fn texts(given: &Given<'_>, sink: &mut Sink) -> Vec<String> {
    match &given.node.kind {
        NodeKind::List(list) => given.texts(list, sink).into_iter().map(|text| text.raw).collect(),
        _ => given.text(sink).map(|text| text.raw).into_iter().collect(),
    }
}
