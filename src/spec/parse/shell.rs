//! A `shell` task, and `shell` as a key: what runs command lines.

use super::section::{Field, Section};
use super::task_type::Runs;
use crate::spec::diagnostic::ErrorList;
use crate::spec::keys::{self, BATCH_TEXTS, SHELLS};
use crate::spec::node::NodeKind;
use crate::spec::setting::Readable;
use crate::spec::task::{BatchText, Command, ShellProgram, ShellTask, Stdin};

/// Reads the inputs of a shell task.
pub(super) fn shell(fields: &mut Section<'_>, runs: Runs, errors: &mut ErrorList) -> Option<ShellTask> {
    let command = fields.require("command", errors).and_then(|field| match &field.node.kind {
        NodeKind::List(list) if !list.is_empty() => Some(Command::Argv(field.texts(list, errors))),
        NodeKind::List(_) => {
            errors.push(field.error("is empty").help("the first element is the program"));
            None
        }
        NodeKind::Text(_) => field.non_empty(errors).map(Command::Line),
        _ => {
            errors.push(field.expected("a string, or a list with a program and its arguments"));
            None
        }
    });
    let working_dir = fields.take("working_dir").and_then(|field| field.non_empty(errors));
    let env = fields.take("env").map(|field| field.scalars(errors)).unwrap_or_default();
    let program = fields.take("shell").and_then(|field| {
        if matches!(command, Some(Command::Argv(_))) {
            let error = field.error("has no effect: a command that is a list runs without a shell");
            errors.push(error.help("remove it, or write the command as a string"));
        }
        shell_program(&field, errors)
    });
    let stdin = fields.take("stdin").and_then(|field| stdin(&field, runs, errors));
    let max_memory = fields.take("max_memory").and_then(|field| field.with(Readable::read, errors));
    Some(ShellTask { command: command?, working_dir, env, shell: program, stdin, max_memory })
}

/// Reads `shell` of a task, a step or a workflow.
pub(super) fn shell_program(field: &Field<'_>, errors: &mut ErrorList) -> Option<ShellProgram> {
    let NodeKind::List(_) = &field.node.kind else {
        if !matches!(field.node.kind, NodeKind::Text(_)) {
            errors.push(field.expected("the name of a shell, or a list with a program and its options"));
            return None;
        }
        let text = field.literal(errors)?;
        let named = SHELLS.iter().find(|name| **name == text.raw).map(|name| ShellProgram::named(name));
        if named.is_none() {
            let error = field.unknown_value(&text.raw, SHELLS);
            let help = "for another program, write a list that ends with the option for a command: `[fish, -c]`";
            errors.push(if error.label.is_some() { error } else { error.help(help) });
        }
        return named;
    };
    let words: Vec<String> = field.literals(errors).into_iter().map(|word| word.raw).collect();
    if words.len() < 2 || !words.last().is_some_and(|last| last.starts_with('-')) {
        let error = field.error("must end with the option that takes a command");
        errors.push(error.help("for example `[bash, -euo, pipefail, -c]`"));
        return None;
    }
    Some(ShellProgram(words))
}

fn stdin(field: &Field<'_>, runs: Runs, errors: &mut ErrorList) -> Option<Stdin> {
    match &field.node.kind {
        NodeKind::Text(_) => return Some(Stdin::Text(field.node.to_tree())),
        NodeKind::Map(_) => {}
        _ => {
            errors.push(field.expected("a string, or a mapping with `batch`"));
            return None;
        }
    }
    let mut section = field.section(errors);
    let batch = section.require("batch", errors);
    section.reject_unknown(&[&keys::STDIN], errors);
    let batch = batch?;
    if runs == Runs::Once {
        errors.push(batch.error("requires a step with items").help("add `for_each`, or use `task: batch`"));
    }
    let text = match batch.one_of(BATCH_TEXTS, errors)? {
        "jsonl" => BatchText::JsonLines,
        "csv" => BatchText::Csv,
        _ => BatchText::Lines,
    };
    Some(Stdin::Batch(text, batch.node.span))
}
