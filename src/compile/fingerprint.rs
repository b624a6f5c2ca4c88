//! Fingerprints: what tells a step whose results may be reused from one that has changed.
//!
//! A fingerprint has a hash for each thing that the results depend on, under the name that the user knows (`task.code`,
//! `params.size`), so that a resumed run can say what changed. The hashes are of the user's keys and values in
//! [canonical form](super::canonical). It errs on the safe side: a word that only looks like the name of a parameter makes
//! the step depend on it. Not covered: files that tasks read (those of a glob are part of an item's key) and modules that
//! Python code imports.

use super::canonical::{Value, Values, reductions_value, rows_values, task_values};
use super::dependencies::{Words, python_task, task_text};
use super::prepared::{Prepared, PreparedStep, task_of};
use super::upstream::Upstream;
use crate::model::{BatchFormat, Fingerprint, StepName};
use crate::spec::{Aggregate, ItemsSpec, Step, StepKind, Task};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Names and hashes.
type Parts = BTreeMap<String, String>;

/// Before the name of an earlier step in a fingerprint.
const RESULTS_OF: &str = "results of ";

/// The fingerprint of a step, with the revisions of the earlier steps that it reads.
///
/// # Errors
/// Those of `revision`.
pub fn fingerprint_with_upstream<E>(
    step: &PreparedStep,
    batched: bool,
    prepared: &Prepared,
    revision: &dyn Fn(&StepName) -> Result<String, E>,
) -> Result<Fingerprint, E> {
    let mut parts = parts(step, batched, prepared);
    for Upstream { name, aggregate } in &step.upstream {
        let mut revised = revision(name)?;
        if let Some(earlier) = prepared.step(name).filter(|_| *aggregate) {
            revised = format!("{revised} {}", aggregate_fingerprint(earlier, prepared, revision)?);
        }
        parts.insert(format!("{RESULTS_OF}{name}"), revised);
    }
    Ok(Fingerprint::new(parts))
}

/// What differs whenever the aggregate of a step would be computed differently from the same results.
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

/// The part of a fingerprint that does not come from earlier steps of the same run.
pub fn without_upstream(fingerprint: &Fingerprint) -> Fingerprint {
    let mut own = fingerprint.clone();
    own.parts.retain(|name, _| !name.starts_with(RESULTS_OF));
    own
}

/// What differs between fingerprints and a new one, as reasons a user understands; empty if nothing does.
pub fn changes<'a>(old: impl IntoIterator<Item = &'a Fingerprint>, new: &Fingerprint) -> Vec<String> {
    let changed: BTreeSet<String> = old.into_iter().flat_map(|old| old.changed_parts(new)).collect();
    let reason = |name: &String| match name.strip_prefix(RESULTS_OF) {
        Some(earlier) => format!("step `{earlier}` has new results"),
        None => format!("`{name}` changed"),
    };
    changed.iter().map(reason).collect()
}

/// Whether the task of a step mentions the directory for files of an item.
pub(super) fn mentions_item_dir(step: &Step, folder: &Path) -> bool {
    let text = task_text(task_of(step), folder);
    text.contains("item_dir") || text.contains("BATCHMILL_ITEM_DIR")
}

fn parts(step: &PreparedStep, batched: bool, prepared: &Prepared) -> Parts {
    let mut parts = task_parts(step.task(), prepared);
    let mut values = vec![("batched".to_owned(), Value::Bool(batched))];
    if let Some(path) = &step.step.outputs.item_files {
        // The files of items that are done are in the old directory.
        values.push(("item_files".to_owned(), Value::Text(path.raw.clone())));
        values.extend(params_in(&path.raw, prepared));
    }
    if let StepKind::Batch(batch) = &step.step.kind {
        if let ItemsSpec::Rows(rows) = &batch.items {
            values.extend(rows_values(rows).into_iter().map(|(name, value)| (format!("items.{name}"), value)));
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
    let mut values: Values = values.into_iter().map(|(name, value)| (format!("task.{name}"), value)).collect();
    let text = scripts_and_text(&values);
    values.extend(params_in(&text, prepared));
    for (name, value) in &prepared.env {
        let own = prepared.own_env.iter().any(|(own, _)| own == name);
        if own || text.contains(&format!("env.{name}")) {
            values.push((format!("env.{name}"), Value::Text(prepared.secrets.masked(value.clone()))));
        }
    }
    hashed(values)
}

/// All that a task's values say, the text of its script included.
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
    let used = |name: &&String| words.has("params") || words.has(name);
    let params = prepared.params.iter().filter(|(name, _)| used(name));
    let value = |value: &serde_json::Value| Value::Text(prepared.secrets.masked(value.to_string()));
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
