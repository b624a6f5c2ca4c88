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

fn amount(value: &Value) -> Result<f64, ValueError> {
    match value.as_f64() {
        Some(amount) if amount > 0.0 && amount.is_finite() => Ok(amount),
        _ => Err(ValueError::expected("a number above 0", value)),
    }
}

fn amounts(value: &Value) -> Result<BTreeMap<String, f64>, ValueError> {
    let wanted = || ValueError::expected("a mapping of names to numbers above 0, such as `{license: 1}`", value);
    let entries = value.as_object().ok_or_else(wanted)?;
    entries.iter().map(|(name, amount_of)| Ok((name.clone(), amount(amount_of).map_err(|_| wanted())?))).collect()
}
