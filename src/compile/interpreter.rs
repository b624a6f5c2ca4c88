//! Chooses the interpreter, and has it check all Python code and modules of a workflow.

use super::prepared::Compiled;
use super::warning::{Level, Warning};
use crate::model::Span;
use crate::spec::{Diagnostic, SourceFile, StepKind, Workflow};
use crate::task::PythonNeeds;
use crate::task::python::{Check, CheckFault, Found, Host, HostError, Settled};
use std::sync::Arc;

/// What the interpreter was asked about.
enum Asked {
    /// Code, at this place.
    Code(Span),
    /// A script that is named at this place: its path, and its text.
    Script { path: String, text: String, span: Span },
    /// A module that is named at this place.
    Module(String, Span),
    /// The library of a `batch_format`.
    Library(&'static str, Span),
}

/// The interpreter, and what it reports.
pub(super) struct Checked {
    /// The interpreter, if a task needs one.
    pub(super) host: Option<Arc<Host>>,
    /// The errors that it found.
    pub(super) errors: Vec<Diagnostic>,
    /// What may be wrong.
    pub(super) warnings: Vec<Warning>,
}

/// Chooses the interpreter if a task needs one, and has it check all code.
pub(super) fn check_python(workflow: &Workflow, steps: &[Compiled], found: Found) -> Result<Checked, HostError> {
    // In this order, so that the code of steps is reported before that of aggregates.
    let aggregates = steps.iter().filter_map(|step| step.of_aggregate.as_ref());
    let tasks: Vec<&PythonNeeds> = steps.iter().flat_map(|step| &step.python).chain(aggregates).collect();
    let Some(first) = tasks.first() else {
        return Ok(Checked { host: None, errors: Vec::new(), warnings: Vec::new() });
    };
    let import_path = first.import_path.clone();
    let checks = tasks.into_iter().flat_map(|task| task.checks.clone()).map(|(check, span)| {
        let asked = match &check {
            Check::Module { name } => Asked::Module(name.clone(), span),
            Check::Code { source, file: Some(path), .. } => {
                Asked::Script { path: path.clone(), text: source.clone(), span }
            }
            Check::Code { file: None, .. } => Asked::Code(span),
        };
        (check, asked)
    });
    let libraries =
        libraries(workflow).map(|(name, span)| (Check::Module { name: name.to_owned() }, Asked::Library(name, span)));
    let (checks, asked): (Vec<Check>, Vec<Asked>) = checks.chain(libraries).unzip();
    let Settled { host, faults: mut wrong, doubts } = Host::settle(found, &import_path, &checks)?;
    wrong.sort_by_key(|fault| fault.check);
    let host = Arc::new(host);
    let warning = |fault: CheckFault| Some(asked.get(fault.check)?.warning(&workflow.source, &fault));
    let warnings = doubts.into_iter().filter_map(warning).collect();
    let error = |fault: CheckFault| Some(asked.get(fault.check)?.fault(&workflow.source, &fault, &host));
    let errors = wrong.into_iter().filter_map(error).collect();
    Ok(Checked { host: Some(host), errors, warnings })
}

/// The libraries that make data frames of batches.
fn libraries(workflow: &Workflow) -> impl Iterator<Item = (&'static str, Span)> + '_ {
    let batches = workflow.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Batch(batch) => Some(batch.batch_format),
        StepKind::Single(_) => None,
    });
    batches.filter_map(|(format, span)| Some((format.library()?, span)))
}

impl Asked {
    /// An error that the interpreter found, at its own line if the code is in the workflow file.
    fn fault(&self, source: &SourceFile, fault: &CheckFault, host: &Host) -> Diagnostic {
        match self {
            Self::Code(span) => {
                let place = fault.line.and_then(|line| code_line(source, *span, line));
                let error = Diagnostic::at(place.unwrap_or(*span), &fault.message);
                fault.help.iter().fold(error, |error, help| error.help(help.as_str()))
            }
            Self::Script { path, text, span } => {
                let line = fault.line.map_or(String::new(), |line| format!(":{line}"));
                let error = Diagnostic::at(*span, format!("`{path}{line}`: {}", fault.message));
                let source = fault.line.and_then(|line| text.lines().nth(line - 1)).map(str::trim);
                let source = source.filter(|source| !source.is_empty());
                source.into_iter().fold(error, |error, source| error.help(format!("the line is `{source}`")))
            }
            Self::Module(name, span) => Diagnostic::at(source.locate(*span, name), &fault.message)
                .help("put the module next to the workflow file, or install it for this interpreter"),
            Self::Library(library, span) => {
                let python = &host.executable;
                Diagnostic::at(*span, format!("`batch_format: {library}` requires {library}: {}", fault.message))
                    .help(format!("install it: `{python} -m pip install {library}`"))
            }
        }
    }
}

impl Asked {
    /// Something that may be wrong.
    fn warning(&self, source: &SourceFile, fault: &CheckFault) -> Warning {
        let (file, line) = match self {
            Self::Script { path, .. } => (path.clone(), fault.line.unwrap_or(1)),
            Self::Code(span) | Self::Module(_, span) | Self::Library(_, span) => {
                let place = fault.line.and_then(|line| code_line(source, *span, line)).unwrap_or(*span);
                (source.path.display().to_string(), source.line_column(place.start).0)
            }
        };
        Warning { level: Level::Warning, file, line, message: fault.message.clone(), help: fault.help.clone() }
    }
}

/// The position of line `line` (from 1) in the block of code at `span`.
fn code_line(source: &SourceFile, span: Span, line: usize) -> Option<Span> {
    let block = source.text.get(span.start..span.end)?;
    // A block scalar's span begins with its indicator, `|` or `>`: its first line of code is the next one.
    let skip = if block.starts_with('>') {
        folded_line(block, line)?
    } else if block.starts_with('|') {
        line
    } else {
        line - 1
    };
    let mut start = span.start;
    for (number, text) in block.split_inclusive('\n').enumerate() {
        if number == skip {
            let indent = text.len() - text.trim_start().len();
            let end = start + text.trim_end().len();
            return Some(Span::new((start + indent).min(end), end));
        }
        start += text.len();
    }
    None
}

/// The number of the line of a folded block (`>`) in which line `line` (from 1) of its text begins.
fn folded_line(block: &str, line: usize) -> Option<usize> {
    let lines = || block.split('\n').enumerate().skip(1);
    let indent_of = |text: &str| text.len() - text.trim_start_matches(' ').len();
    let indent = lines().map(|(_, text)| text).find(|text| !text.trim().is_empty()).map(indent_of)?;
    let (mut at, mut blank, mut before) = (1, 0, None);
    for (number, text) in lines() {
        if text.trim().is_empty() {
            blank += 1;
            continue;
        }
        // Lines that are indented further, and those around them, keep their breaks.
        let kept = text.get(indent..).is_some_and(|text| text.starts_with([' ', '\t']));
        at += match before {
            None => blank,
            Some(before) if before || kept => blank + 1,
            Some(_) => blank,
        };
        if at >= line {
            return Some(number);
        }
        (blank, before) = (0, Some(kept));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_folded_code_is_where_it_begins() {
        let block = ">-\n  a\n  a\n\n  b\n    c\n    d\n  e\n\n\n  f\n";
        let lines: Vec<_> = (1..9).map(|line| folded_line(block, line)).collect();
        // The text is "a a", "b", "  c", "  d", "e", "", "f".
        assert_eq!(lines, [Some(1), Some(4), Some(5), Some(6), Some(7), Some(10), Some(10), None]);
        assert_eq!(folded_line(">\n\n  a\n", 2), Some(2));
    }
}
