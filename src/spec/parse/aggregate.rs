//! `aggregate`: Python code, or reductions.

use super::python::inputs;
use super::section::{Field, Section};
use crate::model::{OutputCompression, OutputFormat, OutputOptions};
use crate::spec::aggregate::{Aggregate, Over, Reduction, Reductions};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::field::Field as ResultField;
use crate::spec::keys;
use crate::spec::node::NodeKind;
use crate::spec::output_file::OutputFile;
use crate::spec::setting::Readable;
use crate::spec::task::{PythonProgram, PythonTask};
use std::num::NonZeroUsize;

/// Names that are defined in the code of an aggregate.
const SEEN: [&str; 3] = ["results", "failed", "stats"];

/// How many values `top` shows, unless told otherwise.
const TOP_SIZE: usize = 10;

const FORMS: &str =
    "write Python code that returns the aggregate, or reductions such as `{count: true, sum: price, group_by: city}`";

/// Reads the value of `aggregate`.
pub(super) fn aggregate(field: &Field<'_>, errors: &mut ErrorList) -> Option<(Aggregate, Option<OutputFile>)> {
    match &field.node.kind {
        NodeKind::Text(_) => code(field, None, errors).map(|aggregate| (aggregate, None)),
        NodeKind::Map(_) => {
            let mut section = field.section(errors);
            let path = section.take("path").and_then(|path| file(&path, errors));
            let program = section.take("code");
            let aggregate = match &program {
                Some(program) => {
                    let inputs = section.take("inputs");
                    refuse_reductions(&mut section, program, errors);
                    code(program, inputs, errors)
                }
                None => reductions(field, &mut section, errors).map(Aggregate::Reductions),
            };
            section.reject_unknown(&[&keys::AGGREGATE], errors);
            aggregate.map(|aggregate| (aggregate, path))
        }
        _ => {
            errors.push(field.expected("Python code or a mapping").help(FORMS));
            None
        }
    }
}

/// `path`: a file whose extension says how it is written.
fn file(field: &Field<'_>, errors: &mut ErrorList) -> Option<OutputFile> {
    let path = field.non_empty(errors)?;
    let (format, suffix) = (OutputFormat::of_path(&path.raw), OutputCompression::of_path(&path.raw).suffix());
    let error = if path.raw == "-" {
        field.error("is stdout, which an aggregate cannot be written to").help("name a file")
    } else if path.raw.contains('\0') {
        field.error("contains a NUL byte")
    } else if format == Some(OutputFormat::Parquet) && !suffix.is_empty() {
        let error = field.error(format!("ends in `{suffix}`, but a Parquet file is compressed inside"));
        error.help("use the extension `.parquet`")
    } else if format.is_none() || path.raw.ends_with('/') {
        field.error("has no known file extension").help("use `.jsonl`, `.csv` or `.parquet`")
    } else {
        let format = format?;
        return Some(OutputFile { path, format, parts: false, only_new: false, options: OutputOptions::default() });
    };
    errors.push(error);
    None
}

/// Code is never a template: its braces are Python's.
fn code(field: &Field<'_>, values: Option<Field<'_>>, errors: &mut ErrorList) -> Option<Aggregate> {
    let code = field.non_empty(errors)?;
    let values = values.map(|values| values.section(errors).rest()).unwrap_or_default();
    for value in values.iter().filter(|value| SEEN.contains(&value.key)) {
        let error = Diagnostic::at(value.key_span, format!("input name `{}` is reserved in an aggregate", value.key));
        errors.push(error.within(value.path.clone()).help("rename the input"));
    }
    let inputs = inputs(values, errors);
    let program = PythonProgram::Code(code);
    Some(Aggregate::Code(PythonTask {
        program,
        setup: None,
        teardown: None,
        max_memory: None,
        max_items_per_worker: None,
        seed: None,
        inputs,
    }))
}

fn refuse_reductions(section: &mut Section<'_>, code: &Field<'_>, errors: &mut ErrorList) {
    for name in Reduction::ALL.map(Reduction::name).into_iter().chain(["count", "group_by", "at", "top_size"]) {
        if let Some(other) = section.take(name) {
            let error = Diagnostic::at(other.key_span, format!("`code` and `{name}` cannot be used together"));
            errors.push(error.also(code.key_span, "conflicts with this").within(other.path));
        }
    }
}

fn reductions(field: &Field<'_>, section: &mut Section<'_>, errors: &mut ErrorList) -> Option<Reductions> {
    if let Some(inputs) = section.take("inputs") {
        let error = Diagnostic::at(inputs.key_span, "`inputs` requires `code`");
        errors.push(error.within(inputs.path));
    }
    let count = section.take("count");
    let before = errors.len();
    let count = count.and_then(|field| field.with(bool::read, errors)).unwrap_or(false);
    let mut over_all = Vec::new();
    for reduction in Reduction::ALL {
        let Some(field) = section.take(reduction.name()) else { continue };
        over_all.extend(over(&field, errors).map(|over| (reduction, over)));
    }
    let at = shares(section, &over_all, errors);
    let top_size = top_size(section, &over_all, errors);
    let groups = section.take("group_by");
    let group_by = groups.as_ref().and_then(|field| over(field, errors));
    // Wrong values have been reported already, and misspelt keys will be.
    let is_right = errors.len() == before && section.names().next().is_none();
    if !count && over_all.is_empty() && is_right {
        let help = "add `count: true`, fields for `sum`, `mean` or another reduction, or `code`";
        errors.push(field.error("computes nothing").help(help));
    }
    let reductions = Reductions { count, over: over_all, group_by, at, top_size };
    if let (Some(field), Some(Over::Fields(fields))) = (&groups, &reductions.group_by) {
        let shown = reductions.over.iter().map(|(reduction, _)| reduction.name()).chain(count.then_some("count"));
        for name in shown.filter(|name| fields.iter().any(|field| field.0 == *name)) {
            let error = field.error(format!("cannot contain `{name}`, which is also the name of a reduction"));
            errors.push(error.help("rename the field in the results"));
        }
    }
    Some(reductions)
}

/// `at`: the shares of `quantiles`.
fn shares(section: &mut Section<'_>, over: &[(Reduction, Over)], errors: &mut ErrorList) -> Vec<String> {
    let quartiles = || ["0.25", "0.5", "0.75"].map(str::to_owned).to_vec();
    let Some(field) = option_of(section, ("at", Reduction::Quantiles), over, errors) else { return quartiles() };
    let NodeKind::List(list) = &field.node.kind else {
        errors.push(field.expected("a list of numbers from 0 to 1").help("for example `[0.5, 0.99]`"));
        return quartiles();
    };
    if list.is_empty() {
        errors.push(field.error("is empty").help("for example `[0.5, 0.99]`"));
    }
    let mut shares: Vec<String> = Vec::new();
    for (index, node) in list.iter().enumerate() {
        let element = field.element(index, node);
        let share = match &node.kind {
            NodeKind::Number(number) => number.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share)),
            _ => None,
        };
        match share.map(|share| (share + 0.0).to_string()) {
            None => errors.push(element.expected("a list of numbers from 0 to 1").help("for example `[0.5, 0.99]`")),
            Some(share) if shares.contains(&share) => errors.push(element.error(format!("contains {share} twice"))),
            Some(share) => shares.push(share),
        }
    }
    shares
}

/// `top_size`
fn top_size(section: &mut Section<'_>, over: &[(Reduction, Over)], errors: &mut ErrorList) -> usize {
    let field = option_of(section, ("top_size", Reduction::Top), over, errors);
    let size: Option<NonZeroUsize> = field.and_then(|field| field.with(Readable::read, errors));
    size.map_or(TOP_SIZE, NonZeroUsize::get)
}

/// Takes a key that only one reduction has a use for.
fn option_of<'n>(
    section: &mut Section<'n>,
    (key, reduction): (&str, Reduction),
    over: &[(Reduction, Over)],
    errors: &mut ErrorList,
) -> Option<Field<'n>> {
    let field = section.take(key)?;
    if over.iter().any(|(other, _)| *other == reduction) {
        return Some(field);
    }
    let error = Diagnostic::at(field.key_span, format!("`{key}` requires `{}`", reduction.name()));
    errors.push(error.within(field.path));
    None
}

fn over(field: &Field<'_>, errors: &mut ErrorList) -> Option<Over> {
    let help = "for example `price`, `[price, stats.total]`, or `true` if the results are plain values";
    match &field.node.kind {
        NodeKind::Bool(true) => Some(Over::Result),
        NodeKind::Text(_) => result_field(field, errors).map(|field| Over::Fields(vec![field])),
        NodeKind::List(list) if !list.is_empty() => {
            let mut fields: Vec<ResultField> = Vec::new();
            for (index, node) in list.iter().enumerate() {
                let element = field.element(index, node);
                let Some(field) = result_field(&element, errors) else { continue };
                if fields.contains(&field) {
                    errors.push(element.error(format!("contains `{field}` twice")));
                } else {
                    fields.push(field);
                }
            }
            Some(Over::Fields(fields))
        }
        NodeKind::List(_) => {
            errors.push(field.error("is empty").help(help));
            None
        }
        _ => {
            errors.push(field.expected("a field, a list of fields, or `true`").help(help));
            None
        }
    }
}

/// A field of a result: names with dots between them.
pub(super) fn result_field(field: &Field<'_>, errors: &mut ErrorList) -> Option<ResultField> {
    let name = ResultField(field.literal(errors)?.raw);
    if name.names().any(str::is_empty) {
        let error = field.error(format!("contains an empty name: \"{name}\""));
        errors.push(error.help("separate names with a single dot: `stats.total`"));
        return None;
    }
    Some(name)
}
