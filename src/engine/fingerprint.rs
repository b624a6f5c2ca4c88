//! By what a step can be told from a changed one: a hash for each thing that its results depend on.
//!
//! Names are those that the user sees (`task.code`, `params.size`), so that a resume can say what changed. What is in here
//! errs on the safe side: a word that only looks like a parameter's name makes the step depend on it. Not in here are files
//! that tasks read (those of a glob are part of an item's key) and modules that Python code imports.

use super::prepare::Prepared;
use crate::model::{BatchFormat, Span, Text, Tree};
use crate::spec::{
    Aggregate, Auth, Command, ItemsSpec, PythonProgram, PythonTask, RowsSpec, Step, StepKind, Task, TaskKind,
};
use std::collections::BTreeMap;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The parts of a fingerprint: names and hashes.
pub(super) type Fingerprint = BTreeMap<String, String>;

/// The fingerprint of a step.
pub(super) fn fingerprint(step: &Step, batched: bool, prepared: &Prepared) -> Fingerprint {
    let mut print = task_print(task_of(step), prepared);
    print.insert("batched".to_owned(), hash(&batched.to_string()));
    if let Some(path) = &step.outputs.item_files {
        // Files of items that are done are where the old folder was.
        print.insert("item_files".to_owned(), hash(&path.raw));
        print.extend(params_in(&path.raw, prepared).map(|(name, text)| (name, hash(&text))));
    }
    if let StepKind::Batch(batch) = &step.kind
        && let ItemsSpec::Rows(rows) = &batch.items
    {
        print.extend(row_fields(rows).into_iter().map(|(name, text)| (name, hash(&text))));
    }
    if let StepKind::Batch(batch) = &step.kind
        && batch.batch_format.0 != BatchFormat::Records
    {
        print.insert("batch_format".to_owned(), hash(&format!("{:?}", batch.batch_format.0)));
    }
    print
}

/// The fingerprint of an aggregate: all that it depends on but results.
pub(super) fn aggregate_print(aggregate: &Aggregate, prepared: &Prepared) -> Fingerprint {
    match aggregate {
        Aggregate::Code(task) => task_print(&python_task(task), prepared),
        Aggregate::Reductions(reductions) => {
            Fingerprint::from([("reductions".to_owned(), hash(&format!("{reductions:?}")))])
        }
    }
}

/// A hash of a text, as text.
pub(super) fn hash(text: &str) -> String {
    format!("{:016x}", xxh3_64(text.as_bytes()))
}

fn task_print(task: &Task, prepared: &Prepared) -> Fingerprint {
    let mut fields = fields(task, prepared.workflow.source.path.parent().unwrap_or(Path::new("")));
    let text: String = fields.iter().map(|(_, text)| format!("{text}\n")).collect();
    fields.extend(params_in(&text, prepared));
    for (name, value) in &prepared.env {
        let own = prepared.own_env.iter().any(|(own, _)| own == name);
        if own || text.contains(&format!("env.{name}")) {
            fields.push((format!("env.{name}"), prepared.secrets.masked(value.clone())));
        }
    }
    fields.into_iter().map(|(name, text)| (name, hash(&text))).collect()
}

/// The parameters that a text may look at, and their values.
fn params_in<'a>(text: &'a str, prepared: &'a Prepared) -> impl Iterator<Item = (String, String)> + 'a {
    let mentioned = |name: &String| has_word(text, "params") || has_word(text, name);
    let params = prepared.params.iter().filter(move |(name, _)| mentioned(name));
    params.map(|(name, value)| (format!("params.{name}"), prepared.secrets.masked(value.to_string())))
}

/// How rows are read, for the result depends on it; which rows is a matter of their keys.
fn row_fields(rows: &RowsSpec) -> Fields {
    let columns = rows.columns.as_ref().map(|columns| columns.iter().map(|text| &text.raw).collect::<Vec<_>>());
    let fields = [
        ("columns", format!("{columns:?}")),
        ("types", format!("{:?}", rows.types)),
        ("delimiter", rows.delimiter.to_string()),
        ("quote", format!("{:?}", rows.quote)),
        ("header", format!("{:?}", rows.header)),
        ("encoding", rows.encoding.name().to_owned()),
        ("null", format!("{:?}", rows.null)),
        ("where_from", format!("{:?}", rows.where_from)),
        ("on_schema_drift", format!("{:?}", rows.on_schema_drift)),
    ];
    fields.into_iter().map(|(name, text)| (format!("items.{name}"), text)).collect()
}

/// Whether the step's task mentions the folder for files of an item.
pub(super) fn mentions_item_dir(step: &Step, prepared: &Prepared) -> bool {
    let folder = prepared.workflow.source.path.parent().unwrap_or(Path::new(""));
    let mentions = |text: &str| text.contains("item_dir") || text.contains("BATCHMILL_ITEM_DIR");
    fields(task_of(step), folder).iter().any(|(_, text)| mentions(text))
}

/// Whether the step's task, apart from its list of items, looks at what an earlier step gave.
pub(super) fn looks_at(step: &Step, earlier: &Step) -> bool {
    text_looks_at(&text(task_of(step)), earlier)
}

/// Whether the step's task may look at an aggregate.
pub(super) fn looks_at_aggregates(step: &Step) -> bool {
    has_word(&text(task_of(step)), "aggregate")
}

/// Whether a python task looks at what an earlier step gave.
pub(super) fn task_looks_at(task: &PythonTask, earlier: &Step) -> bool {
    text_looks_at(&text(&python_task(task)), earlier)
}

fn text_looks_at(text: &str, earlier: &Step) -> bool {
    earlier.outputs.name.as_ref().is_some_and(|output| has_word(text, &output.raw))
        || has_word(text, "steps") && has_word(text, earlier.name.as_str())
}

fn text(task: &Task) -> String {
    fields(task, Path::new("")).into_iter().map(|(_, text)| format!("{text}\n")).collect()
}

fn python_task(task: &PythonTask) -> Task {
    Task { span: Span::default(), kind: TaskKind::Python(task.clone()) }
}

fn task_of(step: &Step) -> &Task {
    match &step.kind {
        StepKind::Single(single) => &single.task,
        StepKind::Batch(batch) => &batch.task,
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

type Fields = Vec<(String, String)>;

fn fields(task: &Task, folder: &Path) -> Fields {
    let mut fields = Fields::new();
    let mut add = |name: &str, text: String| fields.push((format!("task.{name}"), text));
    match &task.kind {
        TaskKind::Echo(task) => add("message", tree(&task.message)),
        TaskKind::Shell(task) => {
            match &task.command {
                Command::Line(line) => add("command", line.raw.clone()),
                Command::Argv(words) => add("command", words.iter().map(|word| format!("{:?} ", word.raw)).collect()),
            }
            task.working_dir.iter().for_each(|text| add("working_dir", text.raw.clone()));
            task.env.iter().for_each(|(name, value)| add(&format!("env.{name}"), tree(value)));
        }
        TaskKind::Http(task) => {
            add("url", task.url.raw.clone());
            let texts = [("method", &task.method), ("body", &task.body), ("save_to", &task.save_to)];
            texts.into_iter().for_each(|(name, text)| text.iter().for_each(|text| add(name, text.raw.clone())));
            task.headers.iter().for_each(|(name, value)| add(&format!("headers.{name}"), tree(value)));
            task.params.iter().for_each(|(name, value)| add(&format!("params.{name}"), tree(value)));
            task.json.iter().for_each(|value| add("json", tree(value)));
            match &task.auth {
                Some(Auth::Basic { username, password }) => add("auth", format!("{}\n{}", username.raw, password.raw)),
                Some(Auth::Bearer(token)) => add("auth", token.raw.clone()),
                None => {}
            }
        }
        TaskKind::Python(task) => {
            match &task.program {
                PythonProgram::Code(code) => add("code", code.raw.clone()),
                PythonProgram::Function { module, name, .. } => add("function", format!("{module}:{name}")),
                PythonProgram::Operation { name, .. } => add("operation", name.clone()),
                PythonProgram::Script(Text { raw, .. }) => {
                    // A script that cannot be read was a fault before anything ran.
                    add("script", std::fs::read_to_string(folder.join(raw)).unwrap_or_else(|_| raw.clone()));
                }
            }
            task.setup.iter().for_each(|text| add("setup", text.raw.clone()));
            task.inputs.iter().for_each(|(name, value)| add(name, tree(value)));
        }
    }
    fields
}

/// A value as text; only equality matters.
fn tree(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Bool(value) => value.to_string(),
        Tree::Number(number) => number.clone(),
        Tree::Text(text) => format!("{:?}", text.raw),
        Tree::List(list) => list.iter().map(|value| format!("{},", self::tree(value))).collect(),
        Tree::Map(map) => map.iter().map(|(key, value)| format!("{key}:{},", self::tree(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole() {
        assert!(has_word("params.size + 1", "size") && has_word("size", "size"));
        assert!(!has_word("resize sizes", "size"));
    }
}
