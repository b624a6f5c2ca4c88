//! A `python` task: one program, and inputs that are variables for it.

use super::names::is_identifier;
use super::section::{Field, Section, unknown};
use super::task_type::Runs;
use crate::model::{Text, Tree};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys::{self, OPERATIONS};
use crate::spec::setting::Readable;
use crate::spec::task::{PythonProgram, PythonTask};

const PROGRAMS: [&str; 4] = ["code", "function", "script", "operation"];

/// Names that the code sees already.
const RESERVED: &[&str] = &["index", "batch", "params", "env", "steps", "inputs"];

const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Reads the inputs of a python task.
pub(super) fn python(fields: &mut Section<'_>, runs: Runs, errors: &mut ErrorList) -> Option<PythonTask> {
    let programs: Vec<Field<'_>> = PROGRAMS.iter().filter_map(|name| fields.take(name)).collect();
    if let [first, rest @ ..] = programs.as_slice() {
        for other in rest {
            let error =
                Diagnostic::at(other.key_span, format!("`{}` and `{}` cannot stand together", first.key, other.key));
            errors.push(error.also(first.key_span, "the other program").within(other.path.clone()));
        }
    } else {
        // A misspelt `code` beside `type` is reported as an unknown key with what was meant.
        if !PROGRAMS.iter().any(|name| fields.has_similar_inline(name)) {
            let error = Diagnostic::at(fields.span, "a python task has no program").within(fields.path.clone());
            errors.push(error.help("give one of `code`, `function`, `script` and `operation`"));
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
        // Beside `operation` these two are inputs, wherever they stand.
        fields.iter_mut().filter(|field| is_operand(field)).for_each(|field| field.inline = false);
    }
    let mut inputs = inputs(fields, errors);
    if let Some(operation) = operation {
        operands(operation, &mut inputs, runs, errors);
    }
    Some(PythonTask { program: program?, setup, teardown, max_memory, max_items_per_worker, inputs })
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

/// Code is no template: braces in it are Python's.
fn code(field: &Field<'_>, errors: &mut ErrorList) -> Option<Text> {
    field.non_empty(errors)
}

fn function(field: &Field<'_>, errors: &mut ErrorList) -> Option<PythonProgram> {
    let text = field.literal(errors)?;
    let dotted =
        |name: &str| !name.is_empty() && name.split('.').all(|part| is_identifier(part) && !KEYWORDS.contains(&part));
    match text.raw.split_once(':') {
        Some((module, name)) if dotted(module) && dotted(name) => {
            Some(PythonProgram::Function { module: module.to_owned(), name: name.to_owned(), span: text.span })
        }
        _ => {
            let error = field.error(format!("must be `module:name`; found \"{}\"", text.raw));
            errors.push(error.help("for instance `function: mypackage.resize:run`"));
            None
        }
    }
}

/// Reads inputs that are variables for the code.
pub(super) fn inputs(fields: Vec<Field<'_>>, errors: &mut ErrorList) -> Vec<(String, Tree)> {
    let mut inputs = Vec::new();
    for field in fields {
        if field.inline {
            if is_operand(&field) {
                let error = Diagnostic::at(field.key_span, format!("`{}` stands only beside `operation`", field.key));
                errors.push(error.within(field.path).help("put variables for the code under `inputs`"));
                continue;
            }
            let error = unknown(&field, &[&keys::PYTHON, &keys::TASK]);
            let free = error.label.is_none();
            errors.push(if free { error.help("put variables for the code under `inputs`") } else { error });
            continue;
        }
        let wrong = if !is_identifier(field.key) {
            Some("is not a name that Python can use")
        } else if KEYWORDS.contains(&field.key) {
            Some("is a keyword of Python")
        } else if RESERVED.contains(&field.key) {
            Some("has a meaning in Python code already")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let error =
                Diagnostic::at(field.key_span, format!("input `{}` {wrong}", field.key)).within(field.path.clone());
            errors.push(error.help("give it another name"));
        }
        inputs.push((field.key.to_owned(), field.node.to_tree()));
    }
    inputs
}

fn is_operand(field: &Field<'_>) -> bool {
    matches!(field.key, "item" | "factor")
}

/// Sees that an operation has `item` and `factor`.
fn operands(operation: &Field<'_>, inputs: &mut Vec<(String, Tree)>, runs: Runs, errors: &mut ErrorList) {
    let has = |inputs: &[(String, Tree)], name: &str| inputs.iter().any(|(input, _)| input == name);
    let missing = |name: &str| {
        Diagnostic::at(operation.key_span, format!("`{name}` is missing: `operation` works on `item` and `factor`"))
            .within(operation.path.clone())
    };
    if !has(inputs, "factor") {
        errors.push(missing("factor").help("for instance `factor: 2`"));
    }
    if !has(inputs, "item") {
        if runs == Runs::PerItem {
            let span = operation.node.span;
            let raw = "{{ item }}".to_owned();
            inputs.insert(0, ("item".to_owned(), Tree::Text(Text { raw, span })));
        } else {
            errors.push(missing("item").help("without `for_each` there is no item to take"));
        }
    }
}
