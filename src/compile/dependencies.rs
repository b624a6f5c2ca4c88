//! Which earlier steps a task reads.
//!
//! Found by the words of the task's text, so it errs on the safe side: a word that only looks like the name of an output
//! makes the step depend on it.

use super::canonical::{Value, task_values};
use super::prepared::{aggregate_of, task_of};
use super::upstream::Upstream;
use crate::model::Span;
use crate::spec::{Aggregate, PythonTask, Step, Task, TaskKind};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// The earlier steps that the task of a step reads, apart from its list of items.
pub(super) fn upstream_of(step: &Step, earlier: &[Arc<Step>], folder: &Path) -> Vec<Upstream> {
    upstream(task_of(step), earlier, folder)
}

/// The earlier steps that the code of a step's aggregate reads.
pub(super) fn upstream_of_aggregate(step: &Step, earlier: &[Arc<Step>], folder: &Path) -> Vec<Upstream> {
    match aggregate_of(step) {
        Some(Aggregate::Code(task)) => upstream(&python_task(task), earlier, folder),
        _ => Vec::new(),
    }
}

fn upstream(task: &Task, earlier: &[Arc<Step>], folder: &Path) -> Vec<Upstream> {
    let text = task_text(task, folder);
    let words = Words::of(&text);
    let (steps, aggregates) = (words.has("steps"), words.has("aggregate"));
    let reads = |step: &&Arc<Step>| {
        step.outputs.name.as_ref().is_some_and(|output| words.has(&output.raw))
            || steps && words.has(step.name.as_str())
    };
    let upstream =
        |step: &Arc<Step>| Upstream { name: step.name.clone(), aggregate: aggregates && aggregate_of(step).is_some() };
    earlier.iter().filter(reads).map(upstream).collect()
}

/// A python task as a task of any type.
pub(super) fn python_task(task: &PythonTask) -> Task {
    Task { span: Span::default(), kind: TaskKind::Python(task.clone()) }
}

/// All strings of a task, a line each; its script is read from `folder`.
pub(super) fn task_text(task: &Task, folder: &Path) -> String {
    let mut text = String::new();
    for (_, value) in task_values(task, folder) {
        value.strings(&mut |string| {
            text.push_str(string);
            text.push('\n');
        });
    }
    text
}

/// The words of a text: runs of letters, digits and `_`.
pub(super) struct Words<'a> {
    text: &'a str,
    words: HashSet<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, words: text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect() }
    }

    /// Whether the text has `name`, with no letter, digit or `_` directly before or after it.
    pub(super) fn has(&self, name: &str) -> bool {
        if name.chars().all(is_word) {
            return self.words.contains(name);
        }
        self.text.match_indices(name).any(|(at, _)| {
            let before = self.text[..at].chars().next_back();
            let after = self.text[at + name.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Value {
    /// Calls `visit` with every string in it, keys of mappings included.
    fn strings(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Null | Self::Bool(_) => {}
            Self::Number(text) | Self::Text(text) => visit(text),
            Self::List(list) => list.iter().for_each(|value| value.strings(visit)),
            Self::Map(map) => map.iter().for_each(|(key, value)| {
                visit(key);
                value.strings(visit);
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole() {
        let has = |text: &str, word: &str| Words::of(text).has(word);
        assert!(has("params.size + 1", "size") && has("size", "size"));
        assert!(!has("resize sizes", "size"));
        assert!(has("steps['load-all'].result", "load-all") && !has("reload-all", "load-all"));
    }
}
