//! `resources` of a batch step.

use super::section::Field;
use crate::model::Resources;
use crate::spec::diagnostic::ErrorList;
use crate::spec::keys;
use crate::spec::node::NodeKind;
use crate::spec::setting::{Readable, ValueError};
use crate::spec::task::MemorySize;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn resources(field: &Field<'_>, errors: &mut ErrorList) -> Option<Resources> {
    let NodeKind::Map(entries) = &field.node.kind else {
        errors.push(field.expected("a mapping such as `{cpus: 2, memory: 8GB}`"));
        return None;
    };
    if entries.is_empty() {
        errors.push(field.error("is empty").help("remove it, or write what a batch needs, such as `{cpus: 2}`"));
        return None;
    }
    let mut section = field.section(errors);
    let found = Resources {
        cpus: section.take("cpus").and_then(|field| field.with(amount, errors)),
        memory: section.take("memory").and_then(|field| field.with(MemorySize::read, errors)).map(|size| size.0),
        gpus: section.take("gpus").and_then(|field| field.with(amount, errors)),
        custom: section.take("custom").and_then(|field| field.with(amounts, errors)).unwrap_or_default(),
    };
    section.reject_unknown(&[&keys::RESOURCES], errors);
    Some(found)
}

/// The smallest amount. Ray counts no finer.
const LEAST: f64 = 0.0001;

fn amount(value: &Value) -> Result<f64, ValueError> {
    match value.as_f64() {
        Some(amount) if amount >= LEAST && amount.is_finite() => Ok(amount),
        _ => Err(ValueError::expected("a number of at least 0.0001", value)),
    }
}

/// Names that clusters give to what has a key of its own, and what to write.
const KEYS: [(&str, &str); 4] = [
    ("cpu", "write `cpus` next to `custom`"),
    ("gpu", "write `gpus` next to `custom`"),
    ("memory", "write `memory` next to `custom`"),
    ("object_store_memory", "write `memory` next to `custom`"),
];

fn amounts(value: &Value) -> Result<BTreeMap<String, f64>, ValueError> {
    let entries = value.as_object().filter(|entries| !entries.is_empty());
    let wanted = || ValueError::expected("a mapping of names to numbers, such as `{license: 1}`", value);
    entries.ok_or_else(wanted)?.iter().map(|(name, value)| Ok((named(name)?, of(name, value)?))).collect()
}

fn of(name: &str, value: &Value) -> Result<f64, ValueError> {
    amount(value).map_err(|_| ValueError::new(format!("needs a number of at least 0.0001 for `{name}`")))
}

/// A name that clusters take, also on their command line.
fn named(name: &str) -> Result<String, ValueError> {
    if let Some((_, way_out)) = KEYS.iter().find(|(taken, _)| name.eq_ignore_ascii_case(taken)) {
        return Err(ValueError::new(format!("cannot have `{name}`")).help(way_out));
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.:/".contains(letter);
    if name.is_empty() || !name.chars().all(is_plain) {
        let error = ValueError::new(format!("cannot have the name `{name}`"));
        return Err(error.help("names are letters, digits and `_`, `-`, `.`, `:`, `/`"));
    }
    Ok(name.to_owned())
}
