//! `outputs` of a step: a name, or a mapping that says where the results go.

use super::section::{Given, Section, Sink};
use super::{choice, is_identifier};
use crate::model::{OutputFormat, Span, Text};
use crate::spec::keys::{self, FORMATS};
use crate::spec::setting::Readable;
use crate::spec::tree::NodeKind;
use crate::spec::{Diagnostic, OutputFile, Outputs};
use std::collections::HashMap;

/// Names that templates give a meaning already.
const RESERVED: &[&str] = &["item", "item_dir", "index", "batch", "error", "params", "env", "steps", "run"];
/// Words of the template language.
const WORDS: &[&str] = &["true", "false", "none", "not", "and", "or", "in", "is", "if", "else"];

/// The names and paths of the steps so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    names: HashMap<String, Span>,
    paths: HashMap<String, Span>,
}

/// Reads `outputs`; `plain` says that the step has no items.
pub(super) fn outputs(given: &Given<'_>, plain: bool, seen: &mut Seen, sink: &mut Sink) -> Outputs {
    match &given.node.kind {
        NodeKind::Text(_) => Outputs { name: name(given, seen, sink), ..Outputs::default() },
        NodeKind::Map(entries) if !entries.is_empty() => mapping(&mut given.section(sink), plain, seen, sink),
        NodeKind::Map(_) | NodeKind::Null => {
            sink.push(given.error("is empty").help("give a name, or a mapping with a `path`"));
            Outputs::default()
        }
        _ => {
            sink.push(given.wrong("a name, or a mapping"));
            Outputs::default()
        }
    }
}

fn mapping(section: &mut Section<'_>, plain: bool, seen: &mut Seen, sink: &mut Sink) -> Outputs {
    let name = section.take("name").and_then(|given| name(&given, seen, sink));
    let path = section.take("path");
    let format = section.take("format");
    let parts = section.take("parts");
    let file = match path {
        Some(path) => file(&path, (format, parts), plain, seen, sink),
        None => {
            for given in [format, parts].into_iter().flatten() {
                let error = Diagnostic::at(given.key_span, format!("`{}` has no use without `path`", given.key));
                sink.push(error.within(given.path.clone()));
            }
            None
        }
    };
    let item_files = section.take("item_files").and_then(|given| {
        if plain {
            let error = Diagnostic::at(given.key_span, "`item_files` needs a step with items");
            sink.push(
                error.within(given.path.clone()).help("a step that runs once writes its files where it wants them"),
            );
        }
        given.filled(sink)
    });
    section.finish(&[&keys::OUTPUTS], sink);
    Outputs { name, file, item_files }
}

fn file(
    given: &Given<'_>,
    (format, parts): (Option<Given<'_>>, Option<Given<'_>>),
    plain: bool,
    seen: &mut Seen,
    sink: &mut Sink,
) -> Option<OutputFile> {
    let path = path(given, seen, sink);
    let parts = parts.is_some_and(|given| {
        let parts = given.with(Readable::read, sink).unwrap_or(false);
        if parts && plain {
            let error = Diagnostic::at(given.key_span, "`parts` needs a step with items: this one has a single result");
            sink.push(
                error.within(given.path.clone()).help("leave it out; the list that a plain step gives is one file"),
            );
        }
        parts
    });
    let format = match format {
        Some(given) => match choice(&given, FORMATS, sink)? {
            "csv" => OutputFormat::Csv,
            "parquet" => OutputFormat::Parquet,
            _ => OutputFormat::Jsonl,
        },
        None => {
            let format = OutputFormat::of_path(&path.as_ref()?.raw);
            if format.is_none() {
                let error = given.error("does not tell the format of the file");
                sink.push(error.help("let it end in `.jsonl`, `.csv` or `.parquet`, or give `format`"));
            }
            format?
        }
    };
    Some(OutputFile { path: path?, format, parts })
}

fn path(given: &Given<'_>, seen: &mut Seen, sink: &mut Sink) -> Option<Text> {
    let text = given.filled(sink)?;
    if text.raw.contains('\0') {
        sink.push(given.error("holds a NUL byte, which no path can"));
        return None;
    }
    if let Some(first) = seen.paths.insert(text.raw.trim_end_matches('/').to_owned(), text.span) {
        sink.push(given.error("is the path of another step already").also(first, "first given here"));
    }
    Some(text)
}

fn name(given: &Given<'_>, seen: &mut Seen, sink: &mut Sink) -> Option<Text> {
    let text = given.word(sink)?;
    let name = text.raw.as_str();
    if !is_identifier(name) || WORDS.contains(&name) {
        let error = given.error(format!("must be a name that templates can use; found \"{name}\""));
        sink.push(error.help("use letters, digits and `_`, and start with a letter"));
    } else if RESERVED.contains(&name) {
        let taken = keys::listed(RESERVED.iter().copied());
        sink.push(
            given.error(format!("cannot be `{name}`: templates use it already")).help(format!("taken are {taken}")),
        );
    } else if let Some(first) = seen.names.insert(name.to_owned(), text.span) {
        sink.push(given.error(format!("is `{name}` at another step already")).also(first, "first given here"));
    }
    Some(text)
}
