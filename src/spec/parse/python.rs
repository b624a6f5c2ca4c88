//! A `python` task: one program, and inputs that are variables for it.

use super::section::{Given, Section, Sink, unknown};
use super::{choice, is_identifier};
use crate::model::{Text, Tree};
use crate::spec::keys::{self, OPERATIONS};
use crate::spec::setting::Readable;
use crate::spec::{Diagnostic, PythonProgram, PythonTask};

const PROGRAMS: [&str; 4] = ["code", "function", "script", "operation"];

/// Names that the code sees already.
const RESERVED: &[&str] = &["index", "batch", "params", "env", "steps", "inputs"];

const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Reads the inputs of a python task; `in_loop` says whether there is an item.
pub(super) fn python(fields: &mut Section<'_>, in_loop: bool, sink: &mut Sink) -> Option<PythonTask> {
    let programs: Vec<Given<'_>> = PROGRAMS.iter().filter_map(|name| fields.take(name)).collect();
    if let [first, rest @ ..] = programs.as_slice() {
        for other in rest {
            let error =
                Diagnostic::at(other.key_span, format!("`{}` and `{}` cannot stand together", first.key, other.key));
            sink.push(error.also(first.key_span, "the other program").within(other.path.clone()));
        }
    } else {
        // A misspelt `code` beside `type` is reported as an unknown key with what was meant.
        if !PROGRAMS.iter().any(|name| fields.has_nearly_flat(name)) {
            let error = Diagnostic::at(fields.span, "a python task has no program").within(fields.path.clone());
            sink.push(error.help("give one of `code`, `function`, `script` and `operation`"));
        }
    }
    let program = programs.first().and_then(|given| program(given, sink));
    let setup = fields.take("setup").and_then(|given| given.plain(sink));
    let teardown = fields.take("teardown").and_then(|given| given.plain(sink));
    let max_memory = fields.take("max_memory").and_then(|given| given.with(Readable::read, sink));
    let max_items_per_worker = fields.take("max_items_per_worker").and_then(|given| given.with(Readable::read, sink));
    let operation = programs.first().filter(|given| given.key == "operation");
    let mut inputs = inputs(fields.rest(), operation.is_some(), sink);
    if let Some(operation) = operation {
        operands(operation, &mut inputs, in_loop, sink);
    }
    Some(PythonTask { program: program?, setup, teardown, max_memory, max_items_per_worker, inputs })
}

fn program(given: &Given<'_>, sink: &mut Sink) -> Option<PythonProgram> {
    match given.key {
        "code" => code(given, sink).map(PythonProgram::Code),
        "script" => given.word(sink).map(PythonProgram::Script),
        "function" => function(given, sink),
        _ => choice(given, OPERATIONS, sink)
            .map(|name| PythonProgram::Operation { name: name.to_owned(), span: given.node.span }),
    }
}

/// Code is no template: braces in it are Python's.
fn code(given: &Given<'_>, sink: &mut Sink) -> Option<Text> {
    given.filled(sink)
}

fn function(given: &Given<'_>, sink: &mut Sink) -> Option<PythonProgram> {
    let text = given.word(sink)?;
    let dotted =
        |name: &str| !name.is_empty() && name.split('.').all(|part| is_identifier(part) && !KEYWORDS.contains(&part));
    match text.raw.split_once(':') {
        Some((module, name)) if dotted(module) && dotted(name) => {
            Some(PythonProgram::Function { module: module.to_owned(), name: name.to_owned(), span: text.span })
        }
        _ => {
            let error = given.error(format!("must be `module:name`; found \"{}\"", text.raw));
            sink.push(error.help("for instance `function: mypackage.resize:run`"));
            None
        }
    }
}

/// Reads inputs that are variables for the code.
pub(super) fn inputs(left: Vec<Given<'_>>, operation: bool, sink: &mut Sink) -> Vec<(String, Tree)> {
    let mut inputs = Vec::new();
    for given in left {
        if given.flat && !(operation && matches!(given.key, "item" | "factor")) {
            if matches!(given.key, "item" | "factor") {
                let error = Diagnostic::at(given.key_span, format!("`{}` stands only beside `operation`", given.key));
                sink.push(error.within(given.path).help("put variables for the code under `inputs`"));
                continue;
            }
            let error = unknown(&given, &[&keys::PYTHON, &keys::TASK]);
            let free = error.label.is_none();
            sink.push(if free { error.help("put variables for the code under `inputs`") } else { error });
            continue;
        }
        let wrong = if !is_identifier(given.key) {
            Some("is not a name that Python can use")
        } else if KEYWORDS.contains(&given.key) {
            Some("is a keyword of Python")
        } else if RESERVED.contains(&given.key) {
            Some("has a meaning in Python code already")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let error =
                Diagnostic::at(given.key_span, format!("input `{}` {wrong}", given.key)).within(given.path.clone());
            sink.push(error.help("give it another name"));
        }
        inputs.push((given.key.to_owned(), given.node.to_tree()));
    }
    inputs
}

/// Sees that an operation has `item` and `factor`.
fn operands(operation: &Given<'_>, inputs: &mut Vec<(String, Tree)>, in_loop: bool, sink: &mut Sink) {
    let has = |inputs: &[(String, Tree)], name: &str| inputs.iter().any(|(input, _)| input == name);
    let missing = |name: &str| {
        Diagnostic::at(operation.key_span, format!("`{name}` is missing: `operation` works on `item` and `factor`"))
            .within(operation.path.clone())
    };
    if !has(inputs, "factor") {
        sink.push(missing("factor").help("for instance `factor: 2`"));
    }
    if !has(inputs, "item") {
        if in_loop {
            let span = operation.node.span;
            let raw = "{{ item }}".to_owned();
            inputs.insert(0, ("item".to_owned(), Tree::Text(Text { raw, span })));
        } else {
            sink.push(missing("item").help("without `for_each` there is no item to take"));
        }
    }
}
