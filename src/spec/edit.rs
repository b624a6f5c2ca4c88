//! Changes a setting in the text of a workflow file, and leaves everything else as it is: comments, order, quotes, spaces.
//!
//! A key that is there gets another value in its place. One that is not gets a line of its own, next to keys like it.

use super::dialect::Dialect;
use super::native::Native;
use super::node::{Entry, Node, NodeKind};
use super::source_file::SourceFile;
use super::yaml;
use crate::model::StepName;

/// Where a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    /// A key of a step with items.
    Batch(&'a StepName, &'a str),
    /// A variable in the workflow's `env`.
    Env(&'a str),
}

/// Why a setting cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EditError(String);

/// Behind these keys a new setting of a step is put, if they are there, on one line.
const NEIGHBOURS: [&str; 6] = ["max_parallel", "parallel", "batch_size", "batched", "items", "for_each"];

/// The text of the workflow with another value for a setting. The value is YAML for a scalar.
///
/// # Errors
/// If the place cannot be found, or has no line of its own.
pub fn set(source: &SourceFile, place: &Place<'_>, value: &str) -> Result<String, EditError> {
    let (root, mut errors) = yaml::load(source, Native.templates()).map_err(|error| EditError(error.message))?;
    let root = Native.lower(root, &mut errors);
    let text = source.text.as_str();
    match place {
        Place::Batch(step, key) => {
            let entries =
                batch_of(&root, step).ok_or_else(|| EditError(format!("there is no step `{step}` with items")))?;
            set_in(text, entries, (key, value))
        }
        Place::Env(name) => set_env(text, &root, (name, value)),
    }
}

/// The mapping with the settings of a batch step.
fn batch_of<'n>(root: &'n Node, step: &StepName) -> Option<&'n [Entry]> {
    let NodeKind::List(steps) = &entry(map(root)?, "steps")?.value.kind else { return None };
    let name = |node: &&Node| {
        map(node)
            .and_then(|entries| entry(entries, "name")?.value.as_text())
            .is_some_and(|name| name.raw == step.as_str())
    };
    let entries = map(steps.iter().find(name)?)?;
    let inputs = entry(entries, "inputs").and_then(|inputs| map(&inputs.value));
    inputs.filter(|inputs| entry(inputs, "items").is_some()).or(Some(entries))
}

fn map(node: &Node) -> Option<&[Entry]> {
    if let NodeKind::Map(entries) = &node.kind { Some(entries) } else { None }
}

fn entry<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key == key)
}

fn set_in(text: &str, entries: &[Entry], (key, value): (&str, &str)) -> Result<String, EditError> {
    if let Some(entry) = entry(entries, key) {
        return replace(text, entry, value);
    }
    // If the step's key became its `name`, that entry has no line of its own.
    let own_line = |entry: &&Entry| indent_of(text, entry.key_span.start).is_some() && entry.key != "name";
    let one_line = |entry: &&Entry| own_line(entry) && !text[entry.key_span.start..entry.value.span.end].contains('\n');
    let neighbour = NEIGHBOURS.iter().find_map(|name| entry(entries, name).filter(one_line));
    let (at, by) = match (neighbour, entries.iter().find(own_line)) {
        (Some(entry), _) => (line_end(text, entry.value.span.end), entry),
        (None, Some(entry)) => (line_start(text, entry.key_span.start), entry),
        (None, None) => {
            return Err(EditError(format!("cannot add `{key}`: the step is written on one line, in braces")));
        }
    };
    let indent = indent_of(text, by.key_span.start).unwrap_or_default();
    Ok(insert(text, at, &format!("{indent}{key}: {value}\n")))
}

fn set_env(text: &str, root: &Node, (name, value): (&str, &str)) -> Result<String, EditError> {
    let top = map(root).unwrap_or_default();
    let Some(env) = entry(top, "env") else {
        let steps = entry(top, "steps").ok_or_else(|| EditError("there are no steps".to_owned()))?;
        return Ok(insert(text, line_start(text, steps.key_span.start), &format!("env:\n  {name}: {value}\n")));
    };
    let entries = map(&env.value).unwrap_or_default();
    if let Some(entry) = entry(entries, name) {
        return replace(text, entry, value);
    }
    let own_line = |entry: &&Entry| indent_of(text, entry.key_span.start).is_some();
    let Some(first) = entries.iter().find(own_line) else {
        return Err(EditError(format!("cannot add `{name}`: `env` is written on one line, in braces")));
    };
    let indent = indent_of(text, first.key_span.start).unwrap_or_default();
    Ok(insert(text, line_start(text, first.key_span.start), &format!("{indent}{name}: {value}\n")))
}

fn replace(text: &str, entry: &Entry, value: &str) -> Result<String, EditError> {
    if matches!(entry.value.kind, NodeKind::List(_) | NodeKind::Map(_)) {
        return Err(EditError(format!("`{}` is not a plain value", entry.key)));
    }
    let (start, end) = (entry.value.span.start, entry.value.span.end);
    Ok(format!("{}{value}{}", &text[..start], &text[end..]))
}

fn insert(text: &str, at: usize, line: &str) -> String {
    // The last line of a file may lack its end.
    let gap = if at > 0 && !text[..at].ends_with('\n') { "\n" } else { "" };
    format!("{}{gap}{line}{}", &text[..at], &text[at..])
}

/// What stands before a key on its line, if that is only space.
fn indent_of(text: &str, at: usize) -> Option<&str> {
    let before = &text[line_start(text, at)..at];
    before.chars().all(|c| c == ' ').then_some(before)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |feed| feed + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{MaxParallel, Setting, StepKind, parse};
    use std::path::Path;

    fn edited(text: &str, key: &str, value: &str) -> Result<String, EditError> {
        let workflow = parse(Path::new("flow.yaml"), text.as_bytes()).unwrap();
        let step = StepName::new("a").unwrap();
        set(&workflow.source, &Place::Batch(&step, key), value)
    }

    fn width(text: &str) -> Option<Setting<MaxParallel>> {
        let workflow = parse(Path::new("flow.yaml"), text.as_bytes()).unwrap();
        match &workflow.steps[0].kind {
            StepKind::Batch(batch) => batch.max_parallel.clone(),
            StepKind::Single(_) => None,
        }
    }

    #[test]
    fn a_value_is_replaced_and_nothing_else_changes() {
        for (value, text) in [
            (
                "2",
                "steps:\n  - name: a\n    task: echo\n    for_each: [1]\n    max_parallel: 2   # cores\n    inputs: {message: x}\n",
            ),
            (
                "'2'",
                "steps:\n  a:\n    task: batch\n    inputs: {items: [1], max_parallel: '2', task: {type: echo, message: x}}\n",
            ),
            (
                "\"{{ 1 + 1 }}\"",
                "steps:\n- {name: a, task: echo, for_each: [ä], max_parallel: \"{{ 1 + 1 }}\", inputs: {message: x}}",
            ),
            (
                "{{ 2 }}",
                "steps:\n  a:\n    task: echo\n    for_each: [1]\n    max_parallel: {{ 2 }}\n    inputs: {message: x}\n",
            ),
        ] {
            let after = edited(text, "max_parallel", "12").unwrap();
            assert_eq!(after, text.replace(&format!("max_parallel: {value}"), "max_parallel: 12"));
            assert!(matches!(width(&after), Some(Setting::Fixed(MaxParallel::Exactly(count))) if count.get() == 12));
        }
    }

    #[test]
    fn a_new_key_gets_a_line_next_to_keys_like_it() {
        let text = "steps:\n  - name: a # first\n    task: batch\n    inputs:\n      # what\n      items: [1]\n      # how\n      parallel: true\n      task:\n        type: echo\n        message: x\n";
        let after = edited(text, "max_parallel", "4").unwrap();
        assert_eq!(after, text.replace("parallel: true\n", "parallel: true\n      max_parallel: 4\n"));
        let text = "steps:\n  a:\n    for_each:\n      - 1\n    task: echo\n    inputs: {message: x}";
        let after = edited(text, "batch_size", "10").unwrap();
        assert_eq!(after, text.replace("    for_each:", "    batch_size: 10\n    for_each:"));
        for text in [after.as_str(), text] {
            assert!(parse(Path::new("flow.yaml"), text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_has_no_line_of_its_own_is_refused() {
        let text = "steps: [{name: a, task: echo, for_each: [1], inputs: {message: x}}]\n";
        assert!(edited(text, "max_parallel", "4").unwrap_err().to_string().contains("in braces"));
        let text = "steps:\n  b:\n    task: echo\n    for_each: [1]\n    inputs: {message: x}\n";
        assert!(edited(text, "max_parallel", "4").is_err());
    }

    #[test]
    fn a_variable_is_added_or_replaced() {
        let env = |text: &str| {
            let workflow = parse(Path::new("flow.yaml"), text.as_bytes()).unwrap();
            set(&workflow.source, &Place::Env("OMP_NUM_THREADS"), "\"1\"").unwrap()
        };
        let steps = "steps:\n  a: {task: echo, inputs: {message: x}}\n";
        assert_eq!(env(steps), format!("env:\n  OMP_NUM_THREADS: \"1\"\n{steps}"));
        let text = format!("env:\n  A: b # c\n{steps}");
        assert_eq!(env(&text), format!("env:\n  OMP_NUM_THREADS: \"1\"\n  A: b # c\n{steps}"));
        let text = format!("env: {{OMP_NUM_THREADS: 4}}\n{steps}");
        assert_eq!(env(&text), format!("env: {{OMP_NUM_THREADS: \"1\"}}\n{steps}"));
    }
}
