//! A `python` task: one program, and inputs that become its variables.

use super::names::is_identifier;
use super::section::{Field, Section, unknown};
use super::task_type::Runs;
use crate::model::{Text, Tree};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::{self, OPERATIONS, PYTHON_KEYWORDS, RESERVED_INPUTS};
use crate::spec::node::shorten;
use crate::spec::setting::Readable;
use crate::spec::task::{PythonProgram, PythonTask};

const PROGRAMS: [&str; 4] = ["code", "function", "script", "operation"];

/// Reads the inputs of a python task.
pub(super) fn python(fields: &mut Section<'_>, runs: Runs, errors: &mut ErrorList) -> Option<PythonTask> {
    let programs: Vec<Field<'_>> = PROGRAMS.iter().filter_map(|name| fields.take(name)).collect();
    if let [first, rest @ ..] = programs.as_slice() {
        for other in rest {
            let error =
                Diagnostic::at(other.key_span, format!("`{}` and `{}` cannot be used together", first.key, other.key));
            errors.push(error.also(first.key_span, "conflicts with this").within(other.path.clone()));
        }
    } else {
        // A misspelt `code` next to `type` is reported as an unknown key, with a suggestion.
        if !PROGRAMS.iter().any(|name| fields.has_similar_inline(name)) {
            let error =
                Diagnostic::at(fields.span, "a Python task requires `code`, `function`, `script` or `operation`")
                    .within(fields.path.clone());
            errors.push(error.help("for example `code: return item * 2`"));
        }
    }
    let program = programs.first().and_then(|field| program(field, errors));
    let setup = fields.take("setup").and_then(|field| field.plain(errors));
    let teardown = fields.take("teardown").and_then(|field| field.plain(errors));
    let max_memory = fields.take("max_memory").and_then(|field| field.with(Readable::read, errors));
    let max_items_per_worker = fields.take("max_items_per_worker").and_then(|field| field.with(Readable::read, errors));
    let operation = programs.first().filter(|field| field.key == "operation");
    let mut fields = fields.rest();
    if operation.is_some() {
        // With `operation`, these two are inputs wherever they are.
        fields.iter_mut().filter(|field| is_operand(field)).for_each(|field| field.inline = false);
    }
    let mut inputs = inputs(fields, errors);
    if let Some(operation) = operation {
        operands(operation, &mut inputs, runs, errors);
    }
    Some(PythonTask { program: program?, setup, teardown, max_memory, max_items_per_worker, seed: None, inputs })
}

fn program(field: &Field<'_>, errors: &mut ErrorList) -> Option<PythonProgram> {
    match field.key {
        "code" => code(field, errors).map(PythonProgram::Code),
        "script" => field.literal(errors).map(PythonProgram::Script),
        "function" => function(field, errors),
        _ => field
            .one_of(OPERATIONS, errors)
            .map(|name| PythonProgram::Operation { name: name.to_owned(), span: field.node.span }),
    }
}

/// Code is never a template: its braces are Python's.
fn code(field: &Field<'_>, errors: &mut ErrorList) -> Option<Text> {
    field.non_empty(errors)
}

fn function(field: &Field<'_>, errors: &mut ErrorList) -> Option<PythonProgram> {
    let text = field.literal(errors)?;
    let dotted = |name: &str| {
        !name.is_empty() && name.split('.').all(|part| is_identifier(part) && !PYTHON_KEYWORDS.contains(&part))
    };
    match text.raw.split_once(':') {
        Some((module, name)) if dotted(module) && dotted(name) => {
            Some(PythonProgram::Function { module: module.to_owned(), name: name.to_owned(), span: text.span })
        }
        _ => {
            let error = field.error(format!("must have the form `module:name`; found \"{}\"", shorten(&text.raw)));
            errors.push(error.help("for example `function: mypackage.resize:run`"));
            None
        }
    }
}

/// Reads the inputs that become variables of the code.
pub(super) fn inputs(fields: Vec<Field<'_>>, errors: &mut ErrorList) -> Vec<(String, Tree)> {
    let mut inputs = Vec::new();
    for field in fields.into_iter().filter(|field| !field.key.starts_with(keys::EXTENSION)) {
        if field.inline {
            if is_operand(&field) {
                let error = Diagnostic::at(field.key_span, format!("`{}` requires `operation`", field.key));
                errors.push(error.within(field.path).help("to define a variable for the code, put it under `inputs`"));
                continue;
            }
            let error = unknown(&field, &[&keys::PYTHON, &keys::TASK]);
            let free = error.label.is_none();
            errors.push(if free {
                error.help("to define a variable for the code, put it under `inputs`")
            } else {
                error
            });
            continue;
        }
        let wrong = if !is_identifier(field.key) {
            Some("is not a valid Python identifier")
        } else if PYTHON_KEYWORDS.contains(&field.key) {
            Some("is a Python keyword")
        } else if RESERVED_INPUTS.contains(&field.key) {
            Some("is reserved")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let error = Diagnostic::at(field.key_span, format!("input name `{}` {wrong}", field.key))
                .within(field.path.clone());
            errors.push(error.help("rename the input"));
        }
        inputs.push((field.key.to_owned(), field.node.to_tree()));
    }
    inputs
}

fn is_operand(field: &Field<'_>) -> bool {
    matches!(field.key, "item" | "factor")
}

/// Checks that an operation has `item` and `factor`. Adds the default of `item`.
fn operands(operation: &Field<'_>, inputs: &mut Vec<(String, Tree)>, runs: Runs, errors: &mut ErrorList) {
    let has = |inputs: &[(String, Tree)], name: &str| inputs.iter().any(|(input, _)| input == name);
    let missing = |name: &str| {
        Diagnostic::at(operation.key_span, format!("missing key `{name}`: `operation` requires `item` and `factor`"))
            .within(operation.path.clone())
    };
    if !has(inputs, "factor") {
        errors.push(missing("factor").help("for example `factor: 2`"));
    }
    if !has(inputs, "item") {
        if runs == Runs::PerItem {
            let span = operation.node.span;
            let raw = "{{ item }}".to_owned();
            inputs.insert(0, ("item".to_owned(), Tree::Text(Text { raw, span })));
        } else {
            errors.push(missing("item").help("`item` has a default only in steps with items"));
        }
    }
}
