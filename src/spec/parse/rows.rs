//! `{csv:}`, `{jsonl:}` and `{parquet:}`: rows of files, and how to read them.

use super::bad_rows::on_bad_row;
use super::dialect::dialect;
use super::section::{Field, Section};
use super::values::{dates, reject_templates, texts, value_format};
use crate::model::{Kind, Text};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::{
    self, COMPRESSIONS, DIALECTS, FOUND_OUT, KINDS, NAMES, NOT_OF_JSON_LINES, NOT_OF_PARQUET, ON_SCHEMA_DRIFT, either,
    nearest,
};
use crate::spec::node::{NodeKind, shorten};
use crate::spec::rows::{Compression, DialectFrom, Header, Names, OnBadRow, OnSchemaDrift, RowFormat, RowsSpec, Types};
use crate::spec::setting::{Readable, Setting};
use std::collections::HashSet;

/// Reads `csv`, `jsonl` or `parquet` with its options.
pub(super) fn rows(paths: &Field<'_>, section: &mut Section<'_>, errors: &mut ErrorList) -> Option<RowsSpec> {
    let format = match paths.key {
        "csv" => RowFormat::Csv,
        "jsonl" => RowFormat::JsonLines,
        _ => RowFormat::Parquet,
    };
    refuse_useless(format, section, errors);
    let one_of = |section: &mut Section<'_>, name: &str, words: &[&'static str], errors: &mut ErrorList| {
        section.take(name).and_then(|field| field.one_of(words, errors))
    };
    let dialect_from = dialect_from(section, errors);
    let header = section.take("header").and_then(|field| header(&field, errors)).unwrap_or(Header::First);
    let (what, save_bad_rows) =
        section.take("on_bad_row").map_or((OnBadRow::Fail, None), |field| on_bad_row(&field, errors));
    let types = section.take("types").and_then(|field| types(&field, errors)).unwrap_or(Types::AsTheyAre);
    let rows = RowsSpec {
        format,
        paths: paths.patterns(errors).unwrap_or_default(),
        columns: section.take("columns").map(|field| names(&field, errors)),
        dates: section.take("dates").map(|field| dates(&field, &types, errors)).unwrap_or_default(),
        types,
        values: value_format(section, errors),
        dialect: dialect(&header, section, errors),
        dialect_from,
        header,
        names: match one_of(section, "names", NAMES, errors) {
            Some("error") => Names::Error,
            _ => Names::Repair,
        },
        encoding: section.take("encoding").and_then(|field| encoding(&field, errors)).unwrap_or(encoding_rs::UTF_8),
        null: section.take("null").map(|field| texts(&field, errors)).unwrap_or_default(),
        compression: compression(section, errors),
        where_from: section.take("where_from").and_then(|field| field.literal(errors)).map(|text| text.raw),
        partitions: section.take("partitions").and_then(|field| field.with(bool::read, errors)).unwrap_or(false),
        limit: section.take("limit").and_then(|field| field.setting(errors)),
        skip: section.take("skip").and_then(|field| skip(&field, errors)),
        on_bad_row: what,
        save_bad_rows,
        on_schema_drift: match one_of(section, "on_schema_drift", ON_SCHEMA_DRIFT, errors) {
            Some("group") => OnSchemaDrift::Group,
            Some("union") => OnSchemaDrift::Union,
            _ => OnSchemaDrift::Error,
        },
    };
    section.reject_unknown(&[&keys::SOURCES, &keys::ROWS], errors);
    (!rows.paths.is_empty()).then_some(rows)
}

/// Refuses options that have no use for a format.
fn refuse_useless(format: RowFormat, section: &mut Section<'_>, errors: &mut ErrorList) {
    let (useless, what, why): (&[&[&str]], _, _) = match format {
        RowFormat::Csv => (&[], "", ""),
        RowFormat::JsonLines => (NOT_OF_JSON_LINES, "JSON Lines", "each line has its own names and types"),
        RowFormat::Parquet => (NOT_OF_PARQUET, "Parquet", "a Parquet file defines how it is read"),
    };
    for name in useless.iter().copied().flatten() {
        if let Some(field) = section.take(name) {
            errors.push(field.error(format!("cannot be used with {what}")).help(why));
        }
    }
    if format == RowFormat::JsonLines
        && let Some(field) = section.take("nan")
    {
        if field.node.as_text().is_some_and(|text| text.raw == "keep") {
            errors.push(field.error("cannot be `keep` with JSON Lines").help("use `drop`, which makes them null"));
        } else {
            section.extend([field]);
        }
    }
}

/// Reads `dialect`, and refuses what `auto` finds out.
fn dialect_from(section: &mut Section<'_>, errors: &mut ErrorList) -> DialectFrom {
    if section.take("dialect").and_then(|field| field.one_of(DIALECTS, errors)).is_none() {
        return DialectFrom::Workflow;
    }
    for field in FOUND_OUT.iter().filter_map(|key| section.take(key)) {
        let error = field.error("cannot be used with `dialect: auto`, which finds it out");
        errors.push(error.help("remove one of them; `batchmill inspect FILE` shows what is found"));
    }
    DialectFrom::File { encoding: !section.has("encoding") }
}

/// Reads `compression`.
fn compression(section: &mut Section<'_>, errors: &mut ErrorList) -> Compression {
    match section.take("compression").and_then(|field| field.one_of(COMPRESSIONS, errors)) {
        Some("none") => Compression::Plain,
        Some("gzip") => Compression::Gzip,
        Some("zstd") => Compression::Zstd,
        Some("bzip2") => Compression::Bzip2,
        Some("xz") => Compression::Xz,
        _ => Compression::Auto,
    }
}

fn skip(field: &Field<'_>, errors: &mut ErrorList) -> Option<Setting<i64>> {
    let skip = field.setting(errors)?;
    if matches!(skip, Setting::Fixed(count) if count < 0) {
        errors.push(field.error("must not be negative"));
    }
    Some(skip)
}

/// Names of columns, without duplicates.
fn names(field: &Field<'_>, errors: &mut ErrorList) -> Vec<Text> {
    let NodeKind::List(list) = &field.node.kind else {
        errors.push(field.expected("a list of column names"));
        return Vec::new();
    };
    if list.is_empty() {
        errors.push(field.error("is empty").help("remove it to keep all columns"));
    }
    let names: Vec<Text> =
        list.iter().enumerate().filter_map(|(index, node)| field.element(index, node).text(errors)).collect();
    reject_templates(field, &names, errors);
    let mut seen = HashSet::new();
    for twice in names.iter().filter(|name| !seen.insert(name.raw.clone())) {
        errors.push(field.error(format!("contains `{}` twice", twice.raw)));
    }
    names
}

fn types(field: &Field<'_>, errors: &mut ErrorList) -> Option<Types> {
    match &field.node.kind {
        NodeKind::Text(text) if text == "infer" => Some(Types::Infer),
        NodeKind::Text(text) => {
            let error = Diagnostic::at(field.node.span, format!("unknown value `{}` for `types`", shorten(text)));
            let error = match nearest(text, ["infer"]) {
                Some(_) => error.label("did you mean `infer`?"),
                None => error.help("use `infer`, or list columns: `types: {age: integer}`"),
            };
            errors.push(error.within(field.path.clone()));
            None
        }
        NodeKind::Map(_) => {
            let entries = field.section(errors).rest();
            let named = entries.iter().filter_map(|entry| Some((entry.key.to_owned(), column_type(entry, errors)?)));
            Some(Types::Named(named.collect()))
        }
        _ => {
            errors.push(field.expected("`infer`, or a mapping of column names to types"));
            None
        }
    }
}

fn column_type(field: &Field<'_>, errors: &mut ErrorList) -> Option<Kind> {
    let name = field.literal(errors)?;
    Some(match name.raw.as_str() {
        "text" => Kind::Text,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "datetime" => Kind::Datetime,
        other => {
            let message = format!("unknown type `{}` for column `{}`", shorten(other), field.key);
            let error = Diagnostic::at(name.span, message).help(format!("use {}", either(KINDS.iter().copied())));
            errors.push(error.within(field.path.clone()));
            return None;
        }
    })
}

fn header(field: &Field<'_>, errors: &mut ErrorList) -> Option<Header> {
    match &field.node.kind {
        NodeKind::Bool(first) => Some(if *first { Header::First } else { Header::Missing }),
        NodeKind::List(_) => Some(Header::Named(names(field, errors).into_iter().map(|name| name.raw).collect())),
        _ => {
            errors.push(field.expected("`true`, `false` or a list of column names"));
            None
        }
    }
}

/// The label of an encoding that Python knows by another name.
fn label_of_python(name: &str) -> Option<&'static str> {
    Some(match name {
        "cp949" | "ms949" | "uhc" => "euc-kr",
        "cp932" | "ms932" | "mskanji" | "ms-kanji" => "shift_jis",
        "cp936" | "ms936" => "gbk",
        "cp950" | "ms950" | "big5hkscs" => "big5",
        "utf-8-sig" => "utf-8",
        "utf-16-le" => "utf-16le",
        "utf-16-be" => "utf-16be",
        "mac-roman" | "macroman" => "macintosh",
        "mac-cyrillic" | "maccyrillic" => "x-mac-cyrillic",
        "iso8859-16" | "latin10" => "iso-8859-16",
        _ => return None,
    })
}

fn encoding(field: &Field<'_>, errors: &mut ErrorList) -> Option<&'static encoding_rs::Encoding> {
    let name = field.literal(errors)?;
    let label = name.raw.trim().to_lowercase().replace('_', "-");
    let by_label = |label: &str| encoding_rs::Encoding::for_label(label.as_bytes());
    let encoding = by_label(&name.raw).or_else(|| by_label(&label)).or_else(|| by_label(label_of_python(&label)?));
    if encoding.is_none() {
        let message = format!("unknown encoding `{}`", shorten(&name.raw));
        let error = Diagnostic::at(name.span, message).within(field.path.clone());
        errors.push(error.help("for example `utf-8`, `windows-1252`, `iso-8859-15`, `utf-16le` or `shift_jis`"));
    }
    encoding
}
