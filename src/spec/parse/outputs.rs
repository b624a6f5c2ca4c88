//! `outputs` of a step: a name, or a mapping that says where results go.

use super::names::is_identifier;
use super::output_options::{OPTIONS, options, take_options};
use super::section::{Field, Section};
use super::sql_output;
use super::task_type::Runs;
use crate::model::{OutputCompression, OutputFormat, Span, Text};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::{self, FORMATS, ON_MISSING, RESERVED_OUTPUTS, TEMPLATE_KEYWORDS};
use crate::spec::node::NodeKind;
use crate::spec::output_file::OutputFile;
use crate::spec::setting::Readable;
use crate::spec::workflow::{OnMissing, Outputs, names_folder};
use std::collections::HashMap;
use std::path::Path;

/// The names and paths of earlier steps.
#[derive(Debug, Default)]
pub(super) struct Seen {
    names: HashMap<String, Span>,
    paths: HashMap<String, Span>,
}

/// Reads the `outputs` of one step.
pub(super) struct OutputsParser<'a> {
    pub runs: Runs,
    pub seen: &'a mut Seen,
}

/// The path that means stdout.
const STDOUT: &str = "-";

const FOR_STDOUT: &str = "set `format: jsonl` or `format: csv`; `./-` is a file with this name";

/// Stdout takes a stream of text.
fn check_stdout(path: &Field<'_>, (format, parts): (OutputFormat, bool), errors: &mut ErrorList) {
    if format == OutputFormat::Parquet {
        errors.push(path.error("is stdout, which Parquet cannot be written to").help(FOR_STDOUT));
    }
    if parts {
        errors.push(
            path.error("is stdout, but `parts` requires a directory").help("remove `parts`, or name a directory"),
        );
    }
}

impl OutputsParser<'_> {
    pub fn outputs(&mut self, field: &Field<'_>, errors: &mut ErrorList) -> Outputs {
        match &field.node.kind {
            NodeKind::Text(_) => Outputs { name: self.name(field, errors), ..Outputs::default() },
            NodeKind::Map(entries) if !entries.is_empty() => self.mapping(&mut field.section(errors), errors),
            NodeKind::Map(_) | NodeKind::Null => {
                errors.push(field.error("is empty").help("use a name, or a mapping with a `path`"));
                Outputs::default()
            }
            _ => {
                errors.push(field.expected("a name or a mapping"));
                Outputs::default()
            }
        }
    }

    fn mapping(&mut self, section: &mut Section<'_>, errors: &mut ErrorList) -> Outputs {
        let name = section.take("name").and_then(|field| self.name(&field, errors));
        let file = match section.take("path") {
            Some(path) => self.file(&path, section, errors),
            None => {
                let keys = ["format", "parts", "only_new"].into_iter().chain(OPTIONS);
                let has_table = section.has("sql");
                for field in keys.filter_map(|key| section.take(key)) {
                    let error = Diagnostic::at(field.key_span, format!("`{}` requires `path`", field.key));
                    let error = match field.key {
                        "include" if has_table => {
                            error.help("a table has the results alone: add what you need to the result")
                        }
                        _ => error,
                    };
                    errors.push(error.within(field.path.clone()));
                }
                None
            }
        };
        let item_files = section.take("item_files").and_then(|field| {
            if self.runs == Runs::Once {
                let error = Diagnostic::at(field.key_span, "`item_files` requires a step with items");
                errors.push(
                    error
                        .within(field.path.clone())
                        .help("remove it; a step without items can write its files anywhere"),
                );
            }
            field.non_empty(errors)
        });
        let on_missing = section.take("on_missing").and_then(|field| {
            let what = match field.one_of(ON_MISSING, errors)? {
                "ignore" => OnMissing::Ignore,
                _ => OnMissing::Run,
            };
            Some((what, field.key_span))
        });
        let table = sql_output::table(section, errors);
        section.reject_unknown(&[&keys::OUTPUTS], errors);
        Outputs { name, file, table, item_files, on_missing }
    }

    /// Reads `path`, and its options from `section`.
    fn file(&mut self, field: &Field<'_>, section: &mut Section<'_>, errors: &mut ErrorList) -> Option<OutputFile> {
        let path = self.path(field, errors);
        let format = section.take("format");
        let parts = section.take("parts").is_some_and(|field| {
            let parts = field.with(Readable::read, errors).unwrap_or(false);
            if parts && self.runs == Runs::Once {
                let error = Diagnostic::at(field.key_span, "`parts` requires a step with items");
                errors.push(
                    error.within(field.path.clone()).help("remove it; the result of a step without items is one file"),
                );
            }
            parts
        });
        let only_new = section.take("only_new").and_then(|field| field.with(Readable::read, errors)).unwrap_or(false);
        let fields = take_options(section);
        if let Some(field) = fields.iter().find(|field| field.key == "include" && self.runs == Runs::Once) {
            let error = Diagnostic::at(field.key_span, "`include` requires a step with items");
            errors.push(error.within(field.path.clone()).help("remove it"));
        }
        let format = match format {
            Some(format) => match format.one_of(FORMATS, errors)? {
                "csv" => OutputFormat::Csv,
                "parquet" => OutputFormat::Parquet,
                _ => OutputFormat::Jsonl,
            },
            None => {
                let format = OutputFormat::of_path(&path.as_ref()?.raw);
                if format.is_none() {
                    errors.push(match path.as_ref()?.raw.as_str() {
                        STDOUT => field.error("is stdout, which has no file extension").help(FOR_STDOUT),
                        _ => field
                            .error("has no known file extension")
                            .help("use `.jsonl`, `.csv` or `.parquet`, or set `format`"),
                    });
                }
                format?
            }
        };
        let options = options(fields, format, errors);
        let path = path?;
        let suffix = OutputCompression::of_path(&path.raw).suffix();
        if format == OutputFormat::Parquet && !suffix.is_empty() {
            let error = field.error(format!("ends in `{suffix}`, but a Parquet file is compressed inside"));
            errors.push(error.help("use the extension `.parquet`"));
        }
        if path.raw == STDOUT {
            check_stdout(field, (format, parts), errors);
        }
        if !parts && !path.is_template() && names_folder(Path::new(&path.raw)) {
            let help = match self.runs {
                Runs::Once => "add the name of a file",
                _ => "add the name of a file, or set `parts: true` for a directory of files",
            };
            errors.push(field.error("is the name of a directory").help(help));
        }
        Some(OutputFile { path, format, parts, only_new, options })
    }

    fn path(&mut self, field: &Field<'_>, errors: &mut ErrorList) -> Option<Text> {
        let text = field.non_empty(errors)?;
        if text.raw.contains('\0') {
            errors.push(field.error("contains a NUL byte"));
            return None;
        }
        if let Some(first) = self.seen.paths.insert(text.raw.trim_end_matches('/').to_owned(), text.span) {
            errors.push(field.error("is already used by another step").also(first, "first used here"));
        }
        Some(text)
    }

    fn name(&mut self, field: &Field<'_>, errors: &mut ErrorList) -> Option<Text> {
        let text = field.literal(errors)?;
        let name = text.raw.as_str();
        if !is_identifier(name) || TEMPLATE_KEYWORDS.contains(&name) {
            let error = field.error(format!("must be an identifier; found \"{name}\""));
            errors.push(error.help("use letters, digits and `_`, and start with a letter"));
        } else if RESERVED_OUTPUTS.contains(&name) {
            let reserved = keys::listed(RESERVED_OUTPUTS.iter().copied());
            errors.push(
                field
                    .error(format!("cannot be `{name}`, which is reserved"))
                    .help(format!("reserved names: {reserved}")),
            );
        } else if let Some(first) = self.seen.names.insert(name.to_owned(), text.span) {
            let error = Diagnostic::at(text.span, format!("duplicate output name `{name}`"));
            errors.push(error.also(first, "first used here").within(field.path.clone()));
        }
        Some(text)
    }
}
