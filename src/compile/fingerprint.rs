//! Fingerprints: they tell whether the results of a step may be reused.
//!
//! A fingerprint has a hash for each thing that the results depend on, under the name that the user knows (`task.code`,
//! `params.size`), so that a resumed run can say what changed. The hashes are of the user's keys and values in [canonical
//! form](super::canonical). It errs on the safe side: a word that only looks like the name of a parameter makes the step
//! depend on it. Not covered: files that tasks read (those of a glob are part of an item's key), modules that Python code
//! imports, and environment variables whose names are not in the task's text.

use super::canonical::{SEED, Value, Values, reductions_value, rows_values, task_values};
use super::dependencies::{python_task, task_text};
use super::open::OpenStep;
use super::prepared::{Prepared, PreparedStep};
use super::upstream::Upstream;
use super::words::Words;
use crate::model::{BatchFormat, Fingerprint, Form, StepName};
use crate::spec::{Aggregate, BatchSize, ItemsSpec, OnSchemaDrift, StepKind, Task, TaskKind, Types};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

/// Names and hashes.
type Parts = BTreeMap<String, String>;

/// The prefix of the name of an earlier step in a fingerprint.
const RESULTS_OF: &str = "results of ";

/// The fingerprint of a step, with the revisions of the earlier steps that it reads.
///
/// # Errors
/// Those of `revision`.
pub fn fingerprint_with_upstream<E>(
    step: &PreparedStep,
    open: &OpenStep,
    prepared: &Prepared,
    revision: &dyn Fn(&StepName) -> Result<String, E>,
) -> Result<Fingerprint, E> {
    let mut parts = parts(step, open, prepared);
    for Upstream { name, aggregate } in &step.upstream {
        let mut revised = revision(name)?;
        // Looked for among all steps, so only where it matters.
        if let Some(earlier) = aggregate.then(|| prepared.step(name)).flatten() {
            revised = format!("{revised} {}", aggregate_fingerprint(earlier, prepared, revision)?);
        }
        parts.insert(format!("{RESULTS_OF}{name}"), revised);
    }
    Ok(Fingerprint::new(parts))
}

/// A hash that changes whenever the aggregate of a step would be computed differently from the same results.
///
/// # Errors
/// Those of `revision`.
pub fn aggregate_fingerprint<E>(
    step: &PreparedStep,
    prepared: &Prepared,
    revision: &dyn Fn(&StepName) -> Result<String, E>,
) -> Result<String, E> {
    let mut parts = match step.aggregate_spec() {
        Some(Aggregate::Code(task)) => task_parts(&python_task(task), prepared),
        Some(Aggregate::Reductions(reductions)) => hashed([("reductions".to_owned(), reductions_value(reductions))]),
        None => Parts::new(),
    };
    for Upstream { name, .. } in &step.aggregate_upstream {
        parts.insert(format!("{RESULTS_OF}{name}"), revision(name)?);
    }
    Ok(hash(&Fingerprint::new(parts).parts_to_json()))
}

/// Whether the results of a step may depend on the position of its items in the list: whether its task mentions the index
/// of an item, or its batch.
pub fn looks_at_index(step: &PreparedStep, prepared: &Prepared) -> bool {
    let text = task_text(step.task(), &prepared.folder());
    let words = Words::of(&text);
    let item_files = step.step.outputs.item_files.as_ref().is_some_and(|path| Words::of(&path.raw).has("index"));
    step.is_batch()
        && (words.has_name("index")
            || words.has_name("batch")
            || words.has("BATCHMILL_INDEX")
            || words.is_dynamic()
            || item_files)
}

/// What differs between earlier fingerprints and a new one, as reasons that a user understands; empty if nothing does.
pub fn changes<'a>(old: impl IntoIterator<Item = &'a Fingerprint>, new: &Fingerprint) -> Vec<String> {
    let changed: BTreeSet<String> = old.into_iter().flat_map(|old| old.changed_parts(new)).collect();
    let reason = |name: &String| match name.strip_prefix(RESULTS_OF) {
        Some(earlier) => format!("step `{earlier}` has new results"),
        None => format!("`{name}` changed"),
    };
    changed.iter().map(reason).collect()
}

fn parts(step: &PreparedStep, open: &OpenStep, prepared: &Prepared) -> Parts {
    let mut parts = task_parts(step.task(), prepared);
    let mut values = vec![("batched".to_owned(), Value::Bool(open.settings.lane.batched))];
    if let Some(path) = &step.step.outputs.item_files {
        // The files of items that are done are in the old directory.
        values.push(("item_files".to_owned(), Value::Text(path.raw.clone())));
        values.extend(params_in(&path.raw, prepared));
    }
    if let StepKind::Batch(batch) = &step.step.kind {
        if let ItemsSpec::Rows(rows) = &batch.items {
            values.extend(rows_values(rows).into_iter().map(|(name, value)| (format!("items.{name}"), value)));
            if rows.types == Types::Infer || rows.on_schema_drift == OnSchemaDrift::Union {
                values.push(("columns of the files".to_owned(), columns(&open.source.forms())));
            }
        }
        if Words::of(&task_text(step.task(), &prepared.folder())).has_name("batch") {
            values.push(("batch_size".to_owned(), batch_size(open.settings.batch_size)));
        }
        let format = batch.batch_format.0;
        if format != BatchFormat::Records {
            values.push(("batch_format".to_owned(), Value::Text(format.library().unwrap_or_default().to_owned())));
        }
    }
    parts.extend(hashed(values));
    parts
}

fn task_parts(task: &Task, prepared: &Prepared) -> Parts {
    let values = task_values(task, &prepared.folder());
    let mut values: Values = values.into_iter().map(|(name, value)| (part_name(&name), value)).collect();
    let text = scripts_and_text(&values);
    values.extend(params_in(&text, prepared));
    let words = Words::of(&text);
    for (name, value) in &prepared.env {
        let own = prepared.own_env.iter().any(|(own, _)| own == name);
        if own || words.has(name) && !is_of_the_shell(name) {
            values.push((format!("env.{name}"), secret(value, prepared)));
        }
    }
    if words.has("run") && words.has("name") {
        values.push(("name".to_owned(), Value::Text(prepared.workflow.name.clone())));
    }
    if let (TaskKind::Python(_), Some(python)) = (&task.kind, &prepared.python) {
        // A newer patch release of the same version counts as the same.
        let minor: Vec<&str> = python.version.split('.').take(2).collect();
        values.push(("the version of Python".to_owned(), Value::Text(minor.join("."))));
    }
    hashed(values)
}

/// What a value of a task is called in a fingerprint.
fn part_name(name: &str) -> String {
    if name == SEED { "seed".to_owned() } else { format!("task.{name}") }
}

/// Whether a shell or the engine sets this variable for each process.
fn is_of_the_shell(name: &str) -> bool {
    matches!(name, "_" | "PWD" | "OLDPWD" | "SHLVL") || name.starts_with("BATCHMILL_")
}

/// A value that may contain a secret. A keyed hash stands for it, so that it can be compared but not guessed.
fn secret(value: &str, prepared: &Prepared) -> Value {
    let masked = prepared.secrets.masked(value.to_owned());
    Value::Text(if masked == value { masked } else { prepared.keyed_hash(value) })
}

/// The names and types of columns, as they were found in files.
fn columns(forms: &[Form]) -> Value {
    let column = |column: &crate::model::Column| Value::Text(format!("{}: {}", column.name, column.kind.name()));
    let form = |form: &Form| match form {
        Form::Json | Form::LooseJson | Form::Pickle => Value::Null,
        Form::Csv(csv) => Value::List(csv.columns.iter().map(column).collect()),
    };
    Value::List(forms.iter().map(form).collect())
}

fn batch_size(size: BatchSize) -> Value {
    match size {
        BatchSize::Auto => Value::Text("auto".to_owned()),
        BatchSize::Exactly(size) => Value::Number(size.to_string()),
    }
}

/// All text of a task's values, including that of its script.
fn scripts_and_text(values: &Values) -> String {
    let lines = values.iter().map(|(_, value)| match value {
        Value::Text(text) => format!("{text}\n"),
        value => format!("{}\n", value.to_json()),
    });
    lines.collect()
}

/// The parameters that a text may use, and their values.
fn params_in(text: &str, prepared: &Prepared) -> Values {
    let words = Words::of(text);
    let used = |name: &&String| words.has("params") || words.has(name) || words.is_dynamic();
    let params = prepared.params.iter().filter(|(name, _)| used(name));
    let value = |value: &serde_json::Value| secret(&value.to_string(), prepared);
    params.map(|(name, given)| (format!("params.{name}"), value(given))).collect()
}

fn hashed(values: impl IntoIterator<Item = (String, Value)>) -> Parts {
    values.into_iter().map(|(name, value)| (name, hash(&value.to_json()))).collect()
}

/// A hash of a text, as text.
fn hash(text: &str) -> String {
    format!("{:016x}", xxh3_64(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_once_and_earlier_steps_by_their_results() {
        let fingerprint =
            |parts: &[&str]| Fingerprint::new(parts.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect());
        let (old, new) = (fingerprint(&["a", "b"]), fingerprint(&["b", "c", "results of d"]));
        assert_eq!(changes([&old, &old], &new), ["`a` changed", "`c` changed", "step `d` has new results"]);
        assert!(changes([&old], &old).is_empty());
    }
}
